"""System checks of the live viewsets that the URLconf routes. ``docs/settings.md`` lists the ids.

Importing this imports nothing of Django REST framework: a project may have it installed and never use it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from ..conf import has_urlconf
from ..endpoints import Endpoint, find_endpoints, name_of

__all__ = ["check_live_viewsets"]


@register("grip")
def check_live_viewsets(**kwargs: Any) -> list[CheckMessage]:
    """grip.E007 to E009, grip.W010 to W014: what would be told to whom, and would anybody hear it?"""
    if not has_urlconf():
        return []
    endpoints = find_endpoints()
    # Whoever has a live viewset has imported it by now.
    module = sys.modules.get(f"{__package__}.viewsets")
    if module is None:
        return []
    mixin = module.LiveViewSetMixin
    viewsets: dict[type[Any], list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.view_class is not None and issubclass(endpoint.view_class, mixin):
            viewsets.setdefault(endpoint.view_class, []).append(endpoint)
    return [
        *_twins(viewsets),
        *_sharing(viewsets),
        *(message for viewset in viewsets for message in _check(viewset, mixin)),
        *(message for viewset, routes in viewsets.items() for message in _check_routes(viewset, routes)),
    ]


def _check(viewset: type[Any], mixin: type[Any]) -> Iterator[CheckMessage]:
    from .changes.asking import is_overridden, may_tell, own_queryset

    name = name_of(viewset)
    if not _calls_ours(viewset, mixin):
        yield Error(
            f"{name} is not live: another class stands before LiveViewSetMixin and takes its place.",
            hint=f"Put it first: class {viewset.__name__}(LiveViewSetMixin, ModelViewSet).",
            id="grip.E008",
        )
    if viewset.live_serializer_class is not None and not may_tell(viewset):
        yield Error(
            f"{name} has a live_serializer_class, but nothing says that who listens may see what it shows.",
            hint="Override get_live_channels() and get_publish_channels(), so that only those who may see an object "
            "hear of it; or set live_public = True, if everybody who may list may see every object.",
            id="grip.E007",
        )
    own = [method for method in ("get_live_channels", "get_publish_channels") if is_overridden(viewset, method)]
    if len(own) == 1:
        places = ("its own channels", "the default channel")
        heard, told = places if own == ["get_live_channels"] else places[::-1]
        yield Warning(
            f"{name} overrides {own[0]}() only: lists listen on {heard}, and changes are told on {told}.",
            hint="Override both, so that they name the same channels.",
            id="grip.W010",
        )
    rows = own_queryset(viewset)
    if rows is not None and rows.query.is_empty():
        yield Warning(
            f"{name}.queryset is none(), so nobody is told of any object.",
            hint="Give it all that anybody may hear of, as in queryset = Ticket.objects.all(); get_queryset() decides "
            "all the same what a request sees.",
            id="grip.W013",
        )


def _check_routes(viewset: type[Any], endpoints: list[Endpoint]) -> Iterator[CheckMessage]:
    from .bypasses import find_bypasses
    from .changes.asking import is_overridden

    actions = dict.fromkeys(action for endpoint in endpoints for action in _actions_of(endpoint).values())
    for action, hook in () if viewset.live_signals else find_bypasses(viewset, actions):
        yield Warning(
            f"{name_of(viewset)}.{action}() saves without {hook}(), so nobody is told of what it changes.",
            hint=f"Save in {hook}(), tell by publish_changes(), or set live_signals = True.",
            id="grip.W011",
        )
    if not viewset.live_public or is_overridden(viewset, "get_live_channels"):
        return
    for endpoint in endpoints:
        parameters = _find_parameters(endpoint)
        if parameters:
            named = ", ".join(parameters)
            yield Warning(
                f"{name_of(viewset)} is live_public, and {endpoint.address} is a list for each {named}: who listens to "
                "one hears of the objects of all.",
                hint=f"Override get_live_channels() and get_publish_channels(), so that they name the {named}.",
                id="grip.W012",
            )
            return


def _actions_of(endpoint: Endpoint) -> Mapping[str, str]:
    """What a route maps, by method, as far as its viewset lets methods in."""
    view: Any = endpoint.view
    let_in = endpoint.initkwargs.get("http_method_names", view.cls.http_method_names)
    return {method: action for method, action in (getattr(view, "actions", None) or {}).items() if method in let_in}


def _find_parameters(endpoint: Endpoint) -> list[str]:
    """What tells one live list of a route from another, by the names in its URL."""
    from rest_framework.settings import api_settings

    from .websocket.routes import read_route

    live = endpoint.initkwargs.get("live_actions", endpoint.view_class.live_actions)  # type: ignore[union-attr]
    if endpoint.is_suffixed or _actions_of(endpoint).get("get") not in live or read_route(endpoint).detail:
        return []
    known = (api_settings.VERSION_PARAM, api_settings.FORMAT_SUFFIX_KWARG)
    return [name for name in endpoint.parameters if name not in known]


def _calls_ours(viewset: type[Any], mixin: type[Any]) -> bool:
    """Whether DRF's own as_view, which calls no other, comes behind the mixin's."""
    owners = [base for base in viewset.__mro__ if "as_view" in vars(base)]
    ends = [place for place, base in enumerate(owners) if base.__module__ == "rest_framework.viewsets"]
    return mixin in owners and owners.index(mixin) < min(ends, default=len(owners))


def _twins(viewsets: Iterable[type[Any]]) -> Iterator[CheckMessage]:
    names: dict[str, int] = {}
    for viewset in viewsets:
        names[name_of(viewset)] = names.get(name_of(viewset), 0) + 1
    for name, number in names.items():
        if number > 1:
            yield Error(
                f"{number} live viewsets are called {name}, so the subscribers of one hear of the others' objects.",
                hint="Give each class a name of its own in its module; one made in a function may set __qualname__.",
                id="grip.E009",
            )


def _sharing(viewsets: Iterable[type[Any]]) -> Iterator[CheckMessage]:
    """A viewset tells on another's channels where it inherits that one's method and shows objects of the same model.

    Those that have a method of a mixin may name other channels by it, say by their model: they are passed.
    """
    from .changes.asking import has_own_channels, may_tell

    telling = [viewset for viewset in viewsets if has_own_channels(viewset) and may_tell(viewset)]
    for viewset in telling:
        alike = (
            base
            for base in viewset.__mro__[1:]
            if base in telling
            and base.get_publish_channels == viewset.get_publish_channels
            and _shown_by(base) == _shown_by(viewset)
        )
        other = next(alike, None)
        if other is not None and viewset.live_serializer_class is not other.live_serializer_class:
            yield Warning(
                f"{name_of(other)} and {name_of(viewset)} tell of changes on the same channels, by another "
                "live_serializer_class each: who listens to one hears what the other shows.",
                hint="Override get_live_channels() and get_publish_channels() in one of them, so that they name other "
                "channels; or give both the same live_serializer_class.",
                id="grip.W014",
            )


def _shown_by(viewset: type[Any]) -> Any:
    """The model of the objects that a viewset shows; without a queryset of the class, the method that finds them."""
    from .changes.asking import own_queryset

    rows = own_queryset(viewset)
    return viewset.get_queryset if rows is None else rows.model._meta.concrete_model
