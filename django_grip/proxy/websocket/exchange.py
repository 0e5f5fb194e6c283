"""One WebSocket and its client: the proxy's side of WebSocket-over-HTTP (GRIP.md, 2)."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING
from uuid import uuid4

from ...exceptions import ProtocolError
from ...protocol.session_meta import MAX_META_TOTAL
from ...protocol.websocket_events import MAX_CONTROL_FRAME, WebSocketEvent
from ..client_headers import clean_handshake_headers
from ..effects import Accept, Close, Deny
from ..messages import AppFailure, AppRequest, AppResponse, ClientRequest, Headers
from .answers import (
    EVENTS_TYPE,
    Answer,
    build_refusal,
    is_refusal,
    read_answer,
    read_handshake_headers,
    read_message_prefix,
    read_subprotocol,
    relay_refusal,
)
from .client import AWAY, CLOSING, OPEN, OPENING, SocketClient
from .client_queue import ClientQueue

if TYPE_CHECKING:
    from ..engine import Engine

__all__ = ["WebSocketExchange"]

_OWN_HEADERS: Headers = [
    (b"accept", EVENTS_TYPE),
    (b"content-type", EVENTS_TYPE),
    (b"sec-websocket-extensions", b"grip"),
]
# Said always, so that an application may take a part from the first message on.
_NOTHING_REPLAYED = (b"content-bytes-replayed", b"0")

_DISCONNECT = WebSocketEvent("DISCONNECT")


class WebSocketExchange(SocketClient):
    """A WebSocket. What a driver has to know is in `Exchange`; inputs beyond those are `receive_text`,
    `receive_binary` and `client_closed`.

    After a `Close` the driver goes on until the client has closed too, or is lost, and says so: that the application
    is told of. The one request that is in flight must be answered within `answer_timeout`, by an `AppFailure` if need
    be; the driver sees to that.

    connection_id: the connection's name for the application; None makes one.
    """

    __slots__ = (
        "_answered_at",
        "_headers",
        "_interval",
        "_is_in_flight",
        "_is_refresh_due",
        "_meta",
        "_query",
        "_queue",
        "connection_id",
    )

    def __init__(self, engine: Engine, request: ClientRequest, *, connection_id: str | None = None) -> None:
        super().__init__(engine, request.path)
        self.connection_id = connection_id or str(uuid4())
        self._query = request.query
        id_header = (b"connection-id", self.connection_id.encode())
        self._headers = [*clean_handshake_headers(request.headers), *_OWN_HEADERS, id_header]
        self._queue = ClientQueue()
        self._is_in_flight = False
        self._is_refresh_due = False
        self._answered_at = 0.0
        # Seconds between ticks; None for none.
        self._interval: float | None = None
        self._meta: dict[bytes, bytes] | None = None

    @property
    def wants_more(self) -> bool:
        """Whether the driver shall go on reading from the client: not while too much waits for the application."""
        return self._queue.size < self.engine.options.max_client_queue or self._is_deaf

    # Inputs from the client

    def start(self, now: float) -> None:
        """Begin: ask the application whether it accepts."""
        if self._is_in_flight or self._phase != OPENING:
            return
        if self._queue.end is not None:
            self.finish()
        else:
            self._ask("open")

    def receive_text(self, text: str, now: float) -> None:
        """Take a text message from the client."""
        self._receive(WebSocketEvent("TEXT", text.encode()), now)

    def receive_binary(self, data: bytes, now: float) -> None:
        """Take a binary message from the client."""
        self._receive(WebSocketEvent("BINARY", data), now)

    def client_closed(self, code: int | None, reason: str, now: float) -> None:
        """The client closed, or confirmed our close. code: None or 1005 if it gave none; 1006 if it is lost instead."""
        if code == 1006 or self._phase == OPENING:
            self.client_gone(now)
        else:
            self._part(WebSocketEvent("CLOSE", _encode_close(code, reason)), now)

    def client_gone(self, now: float) -> None:
        """The client is lost, without a close."""
        self._part(_DISCONNECT, now)

    def _receive(self, message: WebSocketEvent, now: float) -> None:
        if self._is_deaf:
            return
        size = len(message.content or b"")
        if size > self.engine.options.max_client_message:
            self._warn("The client of the WebSocket at %s is closed with 1009: it sent a message of %d bytes.", size)
            self._refuse_message()
        else:
            self._queue.add(message)
        self._go_on(now)

    def _refuse_message(self) -> None:
        if self._phase == OPEN:
            self._close(Close(1009, "message too big"))
        else:
            self.put(build_refusal(413, "The message is too big."))
            self._queue.end = _DISCONNECT

    @property
    def _is_deaf(self) -> bool:
        """Whether what the client says is for nobody any more."""
        return self._phase >= CLOSING or self._queue.end is not None or self._control.is_detached

    def _part(self, end: WebSocketEvent, now: float) -> None:
        if self.done or self._queue.end is not None:
            return
        self._queue.end = end
        self._forget_client()
        self._drop_outbox()
        if self._control.is_detached:
            self.finish()
        elif self._phase != OPENING:
            self._phase = AWAY
            self._go_on(now)

    # Inputs from the hub, the clock and the server

    def wake(self, now: float) -> None:
        """Send what is due, and ask the application when it wants to be asked."""
        if self._phase != OPEN:
            return
        self._send_due(now)
        tick_at = self._tick_at
        if tick_at is not None and tick_at <= now:
            self._ask("events")
        self._set_deadline()

    def shut_down(self, now: float) -> None:
        """The server ends: close the client with 1001 or 1012, and ask the application nothing more."""
        if self.done:
            return
        self.asks = []
        if self._phase == OPEN:
            self.put(Close(1012, "service restart") if self.engine.is_restarting else Close(1001, "going away"))
        elif self._phase == OPENING and self._queue.end is None:
            self.put(build_refusal(503, "The server is shutting down."))
        self.finish()

    # Inputs from the application

    def receive_response(self, response: AppResponse | AppFailure, now: float) -> None:
        """Take the answer to what is in flight."""
        if self.done or not self._is_in_flight:
            return
        self._is_in_flight = False
        self._answered_at = now
        if self._phase == OPENING:
            self._take_opening(response, now)
        else:
            self._take_answer(response, now)
        self._go_on(now)

    def _take_opening(self, response: AppResponse | AppFailure, now: float) -> None:
        if isinstance(response, AppFailure):
            self._warn("The application failed to answer the WebSocket at %s: %s.", response.text)
            self._deny(build_refusal(response.status, "The application failed to answer."))
            return
        if is_refusal(response):
            self._deny(relay_refusal(response))
            return
        try:
            answer = self._read_answer(response)
            if not answer.events or answer.events[0].type != "OPEN":
                raise ProtocolError("the first event of its answer is not OPEN")
            subprotocol = read_subprotocol(response.headers, self._headers)
            self._prefix = read_message_prefix(response.headers)
        except ProtocolError as error:
            self._warn("The application did not answer the WebSocket at %s as it should: %s.", error)
            self._deny(build_refusal(502, "The application did not answer as for a WebSocket."))
            return
        if self._queue.end is not None:
            self._phase = AWAY
            return
        self._phase = OPEN
        self.put(Accept(read_handshake_headers(response.headers), subprotocol))
        self._do(answer.events[1:], now)

    def _take_answer(self, response: AppResponse | AppFailure, now: float) -> None:
        try:
            answer = self._read_answer(response)
            if answer.events and answer.events[0].type == "OPEN":
                raise ProtocolError("it sent OPEN a second time")
        except ProtocolError as error:
            self._fail(str(error))
            return
        self._do(answer.events, now)

    def _do(self, events: list[WebSocketEvent], now: float) -> None:
        try:
            self._take_events(events, now)
        except ProtocolError as error:
            self._fail(str(error))
        if self._control.is_detached:
            self._queue.discard()

    def _read_answer(self, response: AppResponse | AppFailure) -> Answer:
        """Read an answer, and keep what it says of the connection."""
        options = self.engine.options
        answer = read_answer(response, max_size=options.max_events_response)
        self._note_acceptance(answer.accepted)
        if answer.interval is not None:
            self._interval = max(answer.interval, options.min_keep_alive_interval) if answer.interval else None
        if answer.meta:
            self._set_meta(answer.meta)
        return answer

    def _note_acceptance(self, content_bytes: int | None) -> None:
        queue = self._queue
        has_taken = queue.accept(content_bytes)
        if queue.has_news or self.wants_more:
            return
        # What is left waits for the client's next message, and for want of room that one would never come.
        if not has_taken:
            raise ProtocolError(f"it takes none of the {queue.size:,} bytes that wait for it")
        self._is_refresh_due = True

    def _set_meta(self, changes: list[tuple[bytes, bytes]]) -> None:
        meta = {} if self._meta is None else self._meta.copy()
        for name, value in changes:
            if value:
                meta[name] = value
            else:
                meta.pop(name, None)
        size = sum(map(len, meta)) + sum(map(len, meta.values()))
        if size > MAX_META_TOTAL:
            raise ProtocolError(f"the connection's meta would have {size:,} bytes; {MAX_META_TOTAL:,} are taken")
        self._meta = meta or None

    # What follows

    def _go_on(self, now: float) -> None:
        """Ask the application if there is something to ask, or come to an end."""
        if self.done:
            return
        if self._phase != OPENING and not self._is_in_flight:
            queue = self._queue
            if queue.end_offered:
                self.finish()
                return
            if not self._control.is_detached and (queue.has_news or (self._is_refresh_due and self._phase == OPEN)):
                self._ask("events")
        self._set_deadline()

    def _ask(self, purpose: str) -> None:
        queue = self._queue
        headers = [*self._headers, *self.engine.grip_headers()]
        if purpose == "events":
            replayed = queue.replayed_bytes
            headers.append((b"content-bytes-replayed", b"%d" % replayed) if replayed else _NOTHING_REPLAYED)
        if self._meta is not None:
            headers += self._meta.items()
        body = queue.offer(opening=purpose == "open")
        headers.append((b"content-length", b"%d" % len(body)))
        self.asks.append(AppRequest("POST", self._path, self._query, headers, body, purpose))
        self._is_in_flight = True
        self._is_refresh_due = False

    def _refresh(self, now: float) -> None:
        self._is_refresh_due = True
        self._go_on(now)

    @property
    def _tick_at(self) -> float | None:
        if self._interval is None or self._is_in_flight or self._control.is_detached or self._phase != OPEN:
            return None
        return self._answered_at + self._interval

    def _set_deadline(self) -> None:
        deadline = self._tick_at
        timers = self._control.timers
        if timers is not None and timers.deadline is not None:
            deadline = timers.deadline if deadline is None else min(deadline, timers.deadline)
        self.deadline = deadline

    # Ends

    def _deny(self, refusal: Deny) -> None:
        """Refuse the handshake, if the client still waits for it."""
        if self._queue.end is None:
            self.put(refusal)
        self.finish()

    def _fail(self, text: str) -> None:
        """The application broke down: close the client. It is told of the client's end all the same."""
        # What was in flight may or may not have been dealt with, and a gap is worse than an end.
        self._queue.discard()
        if self._phase == OPEN:
            self._warn("The application failed the WebSocket at %s: %s. It is closed with 1011.", text)
            self._close(Close(1011, "server error"))
        else:
            self._warn("The application failed the WebSocket at %s, which is closed: %s.", text)


def _encode_close(code: int | None, reason: str) -> bytes | None:
    """The content of a client's CLOSE, whatever its code."""
    if code is None or code == 1005 or not 0 <= code <= 0xFFFF:
        return None
    text = reason.encode("utf-8", "replace")[: MAX_CONTROL_FRAME - 2].decode("utf-8", "ignore")
    return pack(">H", code) + text.encode()
