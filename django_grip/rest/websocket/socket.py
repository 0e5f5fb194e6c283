"""The WebSocket of a live viewset.

Every request with WebSocket events, which is a POST, is answered here and never by what the router maps to POST. First
the subscription is asked again, as the GET that it stands for; then each message runs as the request that it names.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.contrib.auth import SESSION_KEY
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, NotFound
from rest_framework.utils.encoders import JSONEncoder

from ...endpoints import find_view
from ...exceptions import ResponseTooLarge
from ...protocol.websocket_events import CONTENT_TYPE
from ...refusals import show_path
from ...views.connection_state import Memory
from ...views.flow import run
from ...views.transactions import atomic_requests, find_exempt_databases
from ...views.websocket import WebSocketView
from .. import events
from ..auth import credentials
from ..channels import find_channels
from ..media_types import find_media_types
from .actions import Actions
from .answers import UNSENDABLE, name_too_large
from .messages import BadMessage, decode_message, error_answer, parse_message
from .requests import copy_request, make_stand_in, match_of, strip_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...protocol.session import WebSocketSession
    from ...request import GripHttpRequest

__all__ = ["LiveSocket", "answer"]

logger = logging.getLogger("django_grip")

NO_WEBSOCKET = "There is no WebSocket at this address."


class LiveSocket(WebSocketView):
    """One request of a live viewset's WebSocket; `answer` makes it.

    viewset: the view, which has let the subscription in. live_channels: those of `find_channels`.
    """

    encoding = "json"
    # As DRF's own renderer has it.
    encoder = JSONEncoder

    viewset: Any = None
    live_channels: Sequence[str] = ()
    actions: Actions | None = None

    _has_warned = False

    # A hook's changes would be undone as a whole; each action has a transaction of its own.
    _atomic_databases = ()

    def get_channels(self) -> Sequence[str]:
        return self.live_channels

    def on_open(self) -> None:
        self.state["channels"] = list(self.live_channels)
        self.send(events.subscribed(self._offered().names))

    def on_message(self, message: str) -> None:
        """Run one message's action and answer it. message: its text, which need not be JSON."""
        user = self._session_user()
        ref = None
        try:
            parsed = parse_message(decode_message(message))
            ref = parsed.ref
            answer = self._offered().run(parsed)
        except BadMessage as error:
            self._warn(error)
            error.ref = error.ref if ref is None else ref
            answer = error.to_answer()
        self._answer(answer)
        if self._session_user() != user:
            # The action has logged its user out. What came behind it in this request would not know that yet.
            self.close(4401, "log in again")

    def _warn(self, error: BadMessage) -> None:
        """Log one bad message of a request: thousands fit into one."""
        if not self._has_warned:
            logger.warning("The WebSocket at %s asked for no action: %s", show_path(self.request), error)
        self._has_warned = True

    def _answer(self, answer: dict[str, Any]) -> None:
        """Send an answer, or say that it is too large; where not even that fits, too much was asked at once."""
        try:
            self.send(answer)
            return
        except ResponseTooLarge as error:
            errors = name_too_large(error)
        try:
            self.send(error_answer(answer["ref"], UNSENDABLE, errors))
        except ResponseTooLarge:
            self.close(1009, "too much at once")

    def _offered(self) -> Actions:
        assert self.actions is not None  # noqa: S101 - for mypy; answer() has set it
        return self.actions

    def _session_user(self) -> str | None:
        """The key of the user whose session this is, if anybody has asked for it."""
        session: Any = getattr(self.request, "session", None)
        return session.get(SESSION_KEY) if getattr(session, "accessed", False) else None

    # -- what a WebSocketView of its own would have otherwise --------------------------------------------------------

    def read_message(self) -> Any:
        # As text: what is no JSON gets an answer like what is no action, and does not end the connection.
        return replace(self._codec, read=None).receive(self._session, self.max_message_size)

    def make_memory(self, session: WebSocketSession) -> Memory:
        return Memory(type(self.viewset), self.request, session)

    def _recall(self) -> bool:
        if not super()._recall():
            return False
        if not self._closed:
            self._follow_channels()
        return True

    def _follow_channels(self) -> None:
        """Leave channels that are this connection's no longer, and join those that have become its own."""
        before, now = set(self.state["channels"]), set(self.live_channels)
        if before == now:
            return
        for name in sorted(before - now):
            self.unsubscribe(name)
        for name in sorted(now - before):
            self.subscribe(name)
        self.state["channels"] = list(self.live_channels)
        self._memory.keep(self.state)
        # Something may have been said on the new ones while nobody listened here.
        self.send(events.invalidate())


def answer(view: Any, request: GripHttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    """Answer WebSocket events that came to a route of a live viewset."""
    session = request.wscontext
    assert session is not None  # noqa: S101 - for mypy; dispatch() has looked
    if not session.unread and session.can_recv():
        # The client has closed or is gone: there is nobody to ask anything of.
        session.recv()
        return HttpResponse(content_type=CONTENT_TYPE)
    credentials.restore(view, request)
    # Before authentication leaves its traces on it: each action is to be authenticated as if it came alone.
    base = copy_request(request)
    refusal, channels = _subscribe(view, base, is_opening=session.is_opening())
    if refusal is not None:
        return refusal
    # Whom DRF has authenticated, be it by a token, is whom the connection belongs to.
    request.user = view.request.user
    socket = LiveSocket(
        viewset=view,
        live_channels=channels,
        actions=Actions(view, base),
        subprotocols=view.live_subprotocols,
        live_recheck=view.live_recheck,
    )
    socket.setup(request, *args, **kwargs)
    return run(socket.course())


def _subscribe(view: Any, base: GripHttpRequest, *, is_opening: bool) -> tuple[HttpResponseBase | None, list[str]]:
    """Ask for the subscription, as the GET of its route: a refusal, or the channels."""
    match, query = match_of(base), base.META.get("QUERY_STRING", "")
    accept, _ = find_media_types(find_view(match.func))
    request = make_stand_in(base, match, method="GET", path=base.path_info, query=query, accept=accept)
    view.headers = view.default_response_headers
    view.request = view.initialize_request(request, *view.args, **view.kwargs)
    if not is_opening:
        # Each action is throttled by itself; these requests are the proxy's.
        view.check_throttles = lambda request: None
    with atomic_requests(find_exempt_databases(base)):
        try:
            return None, _ask(view)
        except Exception as error:  # noqa: BLE001 - DRF raises again what is not its own
            return _refuse(view, error, is_opening=is_opening), []


def _ask(view: Any) -> list[str]:
    """Do what DRF does before it calls a GET's method. Returns: the channels."""
    if view.live_action is None or "get" not in view.http_method_names:
        raise NotFound(NO_WEBSOCKET)
    _check_format(view)
    view.initial(view.request, *view.args, **strip_format(view.kwargs))
    if view.is_live_detail:
        view.get_object()
    return [channel.name for channel in find_channels(view)]


def _check_format(view: Any) -> None:
    """Refuse a format suffix that the view does not have, as over HTTP."""
    suffix = view.get_format_suffix(**view.kwargs)
    if suffix is not None and suffix not in {renderer.format for renderer in view.get_renderers()}:
        raise Http404


def _refuse(view: Any, error: Exception, *, is_opening: bool) -> HttpResponseBase:
    """The refusal as DRF has it; later only its status matters, of which GripMiddleware makes a close."""
    response: HttpResponseBase = view.handle_exception(error)
    if is_opening:
        view.response = view.finalize_response(view.request, response, *view.args, **view.kwargs)
        return view.response  # type: ignore[no-any-return]
    if isinstance(error, (NotAuthenticated, AuthenticationFailed)):
        # Without a WWW-Authenticate header DRF makes it a 403.
        return HttpResponse(status=401)
    return HttpResponse(status=response.status_code)
