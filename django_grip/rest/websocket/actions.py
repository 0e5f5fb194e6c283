"""The actions of a live viewset's WebSocket: from a name to a route's method, and the request that it stands for.

An action is run by calling the view function that the router made, with a stand-in of the request (see `requests`):
so permissions, throttles, parsers, transactions and errors are those of the request over HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation, TooManyFieldsSent
from django.http import Http404, QueryDict
from django.urls import NoReverseMatch, Resolver404, ResolverMatch, get_script_prefix, resolve, reverse
from django.utils.functional import cached_property
from rest_framework.settings import api_settings
from rest_framework.versioning import QueryParameterVersioning

from ...endpoints import find_view
from ...refusals import show_path
from ...request import GripHttpRequest, current_grip
from ..faults import report_fault
from ..media_types import find_media_types
from .answers import make_answer
from .messages import ActionMessage, BadMessage, error_answer, show, unknown_action
from .offers import Offer, find_offers
from .requests import make_stand_in, match_of, strip_format
from .routes import Route, find_lookup_name, find_routes, is_mapped, read_actions

__all__ = ["Actions"]

logger = logging.getLogger("django_grip")

# Another name for the GET of the WebSocket's own route.
_SUBSCRIBE = "subscribe"
_WITH_DATA = ("post", "put", "patch")
_REFUSED: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int, str], ...] = (
    (Http404, 404, "Not found."),
    (PermissionDenied, 403, "You do not have permission to perform this action."),
    ((SuspiciousOperation, BadRequest), 400, "Bad request."),
)


@dataclass(frozen=True)
class _Target:
    """Where an action is run."""

    match: ResolverMatch
    path: str
    kwargs: Mapping[str, Any]


class Actions:
    """The actions that a route's WebSocket offers. base: a copy of its request, for stand-ins."""

    def __init__(self, view: Any, base: GripHttpRequest) -> None:
        self._view = view
        self._base = base
        self._kwargs = strip_format(view.kwargs)

    @property
    def names(self) -> list[str]:
        """Their names, the route's own first."""
        return list(self._offers)

    def run(self, message: ActionMessage) -> dict[str, Any]:
        """Run a message's action, and return its answer; what the action raises is answered too.

        Raises: BadMessage, for an action that is not offered, or not so.
        """
        offer = self._choose(message)
        target = self._find_target(offer, message)
        if target is None:
            answer = error_answer(message.ref, 404, {"detail": "Not found."})
        else:
            method = _choose_method(offer, message)
            answer = self._call(target, self._make_request(target, method, offer, message), message)
        if answer["type"] == "error":
            # As Django does for a request.
            logger.warning("The action %s at %s: %d.", offer.name, show_path(self._base), answer["status"])
        return answer

    # -- what there is -----------------------------------------------------------------------------------------------

    @cached_property
    def _own(self) -> Route:
        """The WebSocket's own route."""
        view = self._view
        actions = read_actions(view.action_map, view.http_method_names, view.parser_classes)
        return Route(match_of(self._base).view_name, actions, view.is_live_detail, frozenset(self._kwargs))

    @cached_property
    def _offers(self) -> dict[str, Offer]:
        view = self._view
        others = find_routes(type(view), view.basename, match_of(self._base)) if self._is_named() else ()
        return find_offers(self._own, others, lookup=self._pk_name)

    def _is_named(self) -> bool:
        """Whether the name of the WebSocket's route leads to it.

        Where a router is included twice, its names lead to one of the two places only, and an action of the other's
        would be run below an address about which nobody was asked.
        """
        match = match_of(self._base)
        try:
            url = reverse(match.view_name, args=match.args, kwargs=match.kwargs)
        except NoReverseMatch:
            # It has none.
            return True
        return _path_of(url).rstrip("/") == self._base.path_info.rstrip("/")

    @property
    def _pk_name(self) -> str:
        """What the routes of one object call what comes as ``pk``."""
        return find_lookup_name(self._view)

    def _choose(self, message: ActionMessage) -> Offer:
        offer = self._offers.get(message.action)
        if offer is None and message.action == _SUBSCRIBE:
            # Unless the viewset has an action of that name.
            offer = self._offers.get(self._view.live_action)
        if offer is None:
            raise unknown_action(message, self._offers)
        if offer.needs_pk and message.pk is None:
            raise BadMessage(f"{offer.name} needs the pk of an object.", key="pk")
        if not offer.needs_pk and message.pk is not None:
            raise BadMessage(f"{offer.name} takes no pk at this address.", key="pk")
        if message.method is not None and message.method.lower() not in offer.methods:
            methods = ", ".join(offer.methods).upper()
            raise BadMessage(f"The methods of {offer.name} are: {methods}; not {show(message.method)}.", key="method")
        return offer

    # -- where it is -------------------------------------------------------------------------------------------------

    def _find_target(self, offer: Offer, message: ActionMessage) -> _Target | None:
        """Where an action is run; None if there is no such address, as for a pk that no URL could have."""
        if offer.route is self._own:
            return _Target(match_of(self._base), self._base.path_info, self._kwargs)
        kwargs = {name: value for name, value in self._kwargs.items() if name in offer.route.parameters}
        if offer.needs_pk:
            kwargs[self._pk_name] = message.pk
        # What an include() adds tells two places apart where the router's routes have the same names.
        kwargs |= match_of(self._base).extra_kwargs  # type: ignore[attr-defined]
        try:
            path = _path_of(reverse(offer.route.name, kwargs=kwargs))
            match = resolve(path)
        except (NoReverseMatch, Resolver404):
            return None
        # Where a pk may have slashes, the URL could be that of something else.
        if not is_mapped(match, offer.route, type(self._view), self._view.basename) or self._has_left(match, kwargs):
            return None
        return _Target(match, path, strip_format(match.kwargs))

    def _has_left(self, match: ResolverMatch, kwargs: Mapping[str, Any]) -> bool:
        """Whether a URL is below something else than the WebSocket's own is, about which no middleware was asked."""
        own = {name: value for name, value in self._kwargs.items() if name in kwargs and isinstance(value, str)}
        return any(match.kwargs.get(name) != value for name, value in own.items())

    def _make_request(self, target: _Target, method: str, offer: Offer, message: ActionMessage) -> GripHttpRequest:
        accept, content_type = find_media_types(find_view(target.match.func))
        try:
            return make_stand_in(
                self._base,
                target.match,
                method=method.upper(),
                path=target.path,
                query=self._build_query(offer, message),
                data=message.data,
                accept=accept,
                content_type=content_type,
            )
        except TooManyFieldsSent:
            # As over HTTP, but it is this message that is refused, and not the connection.
            raise BadMessage("The query has more parameters than this site takes.", key="query") from None

    def _build_query(self, offer: Offer, message: ActionMessage) -> str:
        """The query string: the message's; or that of the WebSocket's URL, for actions at that URL."""
        override = api_settings.URL_FORMAT_OVERRIDE
        own = QueryDict(self._base.META.get("QUERY_STRING", ""), mutable=True)
        own.pop(override, None)
        if message.query is None and offer.route is self._own:
            return own.urlencode()
        query = {name: value for name, value in (message.query or {}).items() if name != override}
        return urlencode({**self._find_version(own), **query}, doseq=True)

    def _find_version(self, own: QueryDict) -> dict[str, str]:
        """The version that the query of the WebSocket's URL names. All actions have it, as one that its path names."""
        versioning = self._view.versioning_class
        if versioning is None or not issubclass(versioning, QueryParameterVersioning):
            return {}
        return {name: str(own[name]) for name in (versioning.version_param,) if name in own}

    # -- running it --------------------------------------------------------------------------------------------------

    def _call(self, target: _Target, request: GripHttpRequest, message: ActionMessage) -> dict[str, Any]:
        # For helpers that are handed only a response: what they hold, they hold for the stand-in, which is not held.
        token = current_grip.set(request.grip)
        try:
            return make_answer(message.ref, target.match.func(request, *target.match.args, **target.kwargs))
        except Exception as error:  # noqa: BLE001 - it is answered and told
            # As Django does around a view. DRF has answered its own; these come from what is around its dispatch().
            for kinds, status, text in _REFUSED:
                if isinstance(error, kinds):
                    return error_answer(message.ref, status, {"detail": text})
            report_fault(error, request, sender=type(self._view), what=f"the action {message.action}")
            return error_answer(message.ref, 500, {"detail": "server error"})
        finally:
            current_grip.reset(token)


def _path_of(url: str) -> str:
    """The ``path_info`` of a URL that was reversed."""
    return "/" + unquote(url).removeprefix(get_script_prefix())


def _choose_method(offer: Offer, message: ActionMessage) -> str:
    """Of an action with several methods the one that is named, or one that takes data if there is data, or the first.

    Never a DELETE where another is meant just as well: clients that send ``"data": {}`` with everything are no rarity.
    """
    if message.method is not None:
        return message.method.lower()
    if message.data is not None:
        return next((method for method in offer.methods if method in _WITH_DATA), offer.methods[0])
    return offer.methods[0]
