"""`WebSocketView`: a WebSocket as three hooks in an ordinary class-based view."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from ..conf import read_origins
from ..connections import make_connection_name
from ..event import Event
from ..exceptions import ConnectionClosed, ProtocolError
from ..protocol.control import build_keep_alive, build_set_meta
from ..protocol.formats import WebSocketMessageFormat
from ..protocol.session import WebSocketSession
from ..protocol.websocket_events import CONTENT_TYPE
from ..refusals import refuse_plain_request
from .base import GripView
from .connection_state import CLOSED, CLOSING, OPEN, Memory, UserChanged
from .flow import Course
from .messages import Codec, MessageRefused, get_codec
from .refusal import Refusal

__all__ = ["WebSocketView"]

logger = logging.getLogger("django_grip.security")

# What the proxy's pings carry: to one with nothing in it, it would listen for silence.
_PING = "grip"


class WebSocketView(GripView):
    """A WebSocket endpoint: subclass it, define hooks, route it in ``urls.py``.

    encoding: "text" (messages are str), "bytes", or "json" (whatever JSON holds; see `encoder`).
    encoder: a `json.JSONEncoder` class, where Django's (it knows dates, decimals, UUIDs, lazy strings) is not enough.
    subprotocols: those this view speaks, the preferred one first.
    allowed_origins: pages of these, besides the site's own, may open the WebSocket (as GRIP_ALLOWED_ORIGINS).
    max_message_size: bytes; a client that sends more is closed with 1009. The proxy's own limit is 200,000.
    keep_alive: seconds of silence after which the proxy pings the client; None: never. Each answer to a ping is one
        more request.
    live_recheck: seconds of silence after which the whole request is made again, so that a revoked session or
        permission ends the connection, and `on_refresh` is called; None: never. The proxy takes 20 at the least.

    In every hook: ``self.request``, ``self.args``, ``self.kwargs``, ``self.state`` (a dict that lasts as long as the
    connection; no secrets: the proxy can read it), ``self.connection`` (this client's address for `send_to`),
    ``self.subprotocol``; in `on_open` also ``self.response``, whose headers and cookies reach the client.
    """

    encoding: str = "text"
    encoder: type[json.JSONEncoder] | None = None
    subprotocols: Sequence[str] = ()
    allowed_origins: Iterable[str] = ()
    max_message_size: int = 128 * 1024
    keep_alive: int | None = None

    state: dict[str, Any]
    connection: str
    subprotocol: str | None
    response: HttpResponse

    _session: WebSocketSession
    _codec: Codec
    _memory: Memory
    # Between the first event and the acceptance.
    _opening: bool
    _closed: bool
    _refusal: HttpResponseBase | None

    hook_names: ClassVar[tuple[str, ...]] = ("on_open", "on_message", "on_close", "on_refresh")
    list_names: ClassVar[tuple[str, ...]] = (*GripView.list_names, "subprotocols", "allowed_origins")
    number_names: ClassVar[tuple[str, ...]] = (*GripView.number_names, "max_message_size")
    optional_number_names: ClassVar[tuple[str, ...]] = (*GripView.optional_number_names, "keep_alive")
    class_names: ClassVar[tuple[str, ...]] = (*GripView.class_names, "encoding", "encoder")

    # -- hooks -----------------------------------------------------------------------------------------------------

    def on_open(self) -> Any:
        """The client asks to connect. It is accepted unless this calls `reject`, raises, or returns a response."""

    def on_message(self, message: Any) -> Any:
        """A message came, decoded as `encoding` says."""

    def on_close(self, code: int | None, reason: str) -> Any:
        """The client has closed (its code, or None) or was lost (1006). Called at most once a connection."""

    def on_refresh(self) -> Any:
        """Nothing came for `live_recheck` seconds, or a ``refresh`` was published."""

    def on_error(self, error: Exception) -> Any:
        """A hook raised; its changes to ``self.state`` are undone. The default raises on: the client is refused, or
        closed with 4401, 4403, 4404 or 1011.

        To go on with the connection, return; `send` and `close` work here. An opening is refused even so, unless this
        calls `close` (the client is accepted, and told the code) or returns another refusal. May be async.
        """
        raise error

    # -- what hooks call -------------------------------------------------------------------------------------------

    def send(self, message: Any) -> None:
        """Send a message to this client, encoded as `encoding` says. An `Event` goes as it does when published.

        Raises: ConnectionClosed after `close`, or when the client is gone; ResponseTooLarge over the proxy's limit.
        """
        if self._closed:
            raise ConnectionClosed("The WebSocket is closed; nothing can be sent to it.")
        if isinstance(message, Event):
            self._session.send(message.to_websocket())
        else:
            self._codec.send(self._session, message)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, behind what was sent. A second call changes nothing.

        code: 1000, or 3000 to 4999 for codes of one's own. reason: at most 123 bytes.
        Raises: UsageError for a code that may not be sent.
        """
        if not self._closed:
            self._session.close(code, reason)
            self._closed = True

    def reject(
        self, status: int = 403, content: str | bytes = b"", *, headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        """In `on_open`: refuse the connection with an HTTP response. Write ``return self.reject(404)`` to stop there.

        Raises: ConnectionClosed when the connection has been accepted; use `close` then.
        """
        if not self._opening:
            raise ConnectionClosed("reject() is for on_open; an accepted connection is ended by close().")
        if not 400 <= status <= 599:
            raise ValueError(f"A connection is refused with a status from 400 to 599, not {status}.")
        refusal = HttpResponse(content, status=status, content_type="text/plain; charset=utf-8")
        for name, value in (headers or {}).items():
            refusal.headers[name] = value
        self._refusal = refusal
        return refusal

    def subscribe(self, channel: str, filters: Iterable[str] = ()) -> None:
        """Subscribe this connection to one more channel. Raises: ChannelNameError, InstructError."""
        # For publish(exclude_self=True); it changes nothing for other items.
        self._session.subscribe(channel, dict.fromkeys(["skip-self", *filters]))

    def unsubscribe(self, channel: str) -> None:
        """Take this connection off a channel."""
        self._session.unsubscribe(channel)

    def sender_id(self) -> str:
        return self.connection

    @classmethod
    def get_format(cls, message: Any) -> WebSocketMessageFormat | Event:
        return message if isinstance(message, Event) else get_codec(cls.encoding, cls.encoder).to_format(message)

    def get_subprotocol(self, offered: list[str]) -> str | Awaitable[str | None] | None:
        """Choose a subprotocol of those the client offers; None: none. May be async."""
        return next((name for name in self.subprotocols if name in offered), None)

    # -- the class -------------------------------------------------------------------------------------------------

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        view = super().as_view(**initkwargs)
        # GripMiddleware reads both before the view is called.
        view.websocket_only = True  # type: ignore[attr-defined]
        view.allowed_origins = read_origins(initkwargs.get("allowed_origins", cls.allowed_origins))  # type: ignore[attr-defined]
        return view

    @classmethod
    def check_class(cls, initkwargs: Mapping[str, Any]) -> None:
        super().check_class(initkwargs)
        get_codec(cls.encoding, cls.encoder)

    # -- the course of one request ---------------------------------------------------------------------------------

    def course(self) -> Course[HttpResponseBase]:
        if self.request.wscontext is None:
            # GripMiddleware has refused it already, unless a decorator hides what the view is.
            return refuse_plain_request(self.request)
        try:
            return (yield from self.answer())
        except Refusal as refusal:
            return refusal.make_response()

    def answer(self) -> Course[HttpResponseBase]:
        session = self.request.wscontext
        assert session is not None  # noqa: S101 - for mypy; course() has looked
        self._session = session
        self._codec = get_codec(self.encoding, self.encoder)
        self._memory = self.make_memory(session)
        self._opening = session.is_opening()
        self._closed = False
        self._refusal = None
        self.response = HttpResponse(content_type=CONTENT_TYPE)
        if self._opening:
            refusal = yield from self._open()
            if refusal is not None:
                return refusal
        elif not self._recall():
            return self.response
        try:
            yield from self._receive()
        except BaseException:
            # GripMiddleware closes the connection; what comes behind that shall find it closed.
            self._closed, self.state = True, self._memory.restore()
            raise
        finally:
            if self._closed and self._memory.phase == OPEN:
                self._memory.phase = CLOSING
            self._memory.save(self.state)
        return self.response

    def make_memory(self, session: WebSocketSession) -> Memory:
        """What is remembered of the connection, for this package's own views."""
        return Memory(type(self), self.request, session)

    def _recall(self) -> bool:
        """Take up the memory where the last request left it; close a connection whose memory is not its own."""
        memory = self._memory
        try:
            self.state = memory.load()
        except ProtocolError as error:
            if not isinstance(error, UserChanged):
                logger.warning("The WebSocket %s is closed with 4401: %s", self.request.path, error)
            self._session.discard_unread()
            self.close(4401, "log in again")
            return False
        self.connection, self.subprotocol = memory.connection, memory.subprotocol
        self._closed = memory.phase != OPEN
        return True

    def _open(self) -> Course[HttpResponseBase | None]:
        self.connection, self.state = make_connection_name(self.encoding), {}
        self.subprotocol = yield from self._choose_subprotocol()
        self._memory.connection, self._memory.subprotocol = self.connection, self.subprotocol
        yield from self._subscribe()
        if self.keep_alive:
            self._session.send_control(build_keep_alive(_PING, timeout=self.keep_alive, message_type="ping"))
        result = yield from self._run_hook(self.on_open)
        refusal = result if isinstance(result, HttpResponseBase) else self._refusal
        if refusal is not None:
            return refusal
        self._opening = False
        self._session.accept()
        if self.live_recheck:
            self._session.keep_alive_interval = self.live_recheck
        if self.subprotocol is not None:
            self.response["Sec-WebSocket-Protocol"] = self.subprotocol
        return None

    def _choose_subprotocol(self) -> Course[str | None]:
        header = self.request.META.get("HTTP_SEC_WEBSOCKET_PROTOCOL", "")
        offered = [name.strip() for name in header.split(",")]
        chosen: str | None = yield self.get_subprotocol, (offered,)
        if chosen is not None and chosen not in offered:
            raise ValueError(f"get_subprotocol() of {type(self).__name__} chose {chosen!r}, which was not offered.")
        return chosen

    def _subscribe(self) -> Course[None]:
        channels = yield from self.find_channels()
        self._session.subscribe(self.connection)
        for channel in channels:
            self.subscribe(channel.name, channel.filters)
        self._session.send_control(build_set_meta("user", self.connection))

    def _receive(self) -> Course[None]:
        session = self._session
        if session.is_tick() and not self._closed:
            yield from self._run_hook(self.on_refresh)
        while session.unread and not self._closed:
            try:
                message = self.read_message()
            except MessageRefused as refused:
                self.close(refused.code, refused.reason)
            else:
                yield from self.take_message(message)
        # What a client sent behind the message for which it was closed is for nobody.
        session.discard_unread()
        if session.can_recv():
            session.recv()
            yield from self._end()

    def read_message(self) -> Any:
        """Take the next message, as `take_message` wants it. Raises: MessageRefused."""
        return self._codec.receive(self._session, self.max_message_size)

    def take_message(self, message: Any) -> Course[None]:
        """Have a message answered."""
        yield from self._run_hook(self.on_message, message)

    def _end(self) -> Course[None]:
        is_over = self._memory.phase == CLOSED
        self._closed = True
        self._memory.phase = CLOSED
        if not is_over:
            yield from self._run_hook(self.on_close, self._session.close_code, self._session.close_reason)

    def _run_hook(self, hook: Callable[..., Any], *arguments: Any) -> Course[Any]:
        try:
            return (yield from self.call_hook(hook, *arguments))
        except Exception as error:  # noqa: BLE001 - on_error decides, and by default raises it again
            return (yield from self._ask_on_error(error))

    def _ask_on_error(self, error: Exception) -> Course[Any]:
        self.state = self._memory.restore()
        result = yield from self.call_hook(self.on_error, error)
        if self._opening and result is None and self._refusal is None and not self._closed:
            # Half an on_open is no acceptance: what on_error has not said is that the client may come in.
            raise error
        return result

    def after_hook(self, function: Callable[..., Any], result: Any) -> None:
        """Refuse what no hook may return, and keep the state; both undo the hook's transaction."""
        if result is not None and not (self._opening and isinstance(result, HttpResponseBase)):
            raise TypeError(
                f"{type(self).__name__}.{function.__name__} returned {type(result).__name__}: on_open may return a "
                "response, the others return nothing. To answer the client, call self.send()."
            )
        self._memory.keep(self.state)
