"""The origin's side of one WebSocket-over-HTTP request: what came, and what shall be answered (GRIP.md, 2).

A session lives for one request. It has the methods and attributes of gripcontrol's ``WebSocketContext``, and more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..exceptions import InstructError, MessageDecodeError, ResponseTooLarge, UsageError
from .acceptance import Acceptance, accept_messages
from .channels import MAX_CHANNELS
from .control import (
    build_control,
    build_detach,
    build_flush_delayed,
    build_keep_alive,
    build_send_delayed,
    build_subscribe,
    build_unsubscribe,
    parse_control,
)
from .session_meta import Meta, build_meta_headers
from .websocket_events import (
    MAX_CONTROL_FRAME,
    WebSocketEvent,
    build_close,
    decode_websocket_events,
    is_close_code,
    parse_close,
)

__all__ = ["MAX_PONGS", "MAX_RESPONSE_SIZE", "WebSocketResponse", "WebSocketSession"]

MAX_RESPONSE_SIZE = 1_000_000
"""Bytes of a response body; Pushpin drops the connection over more."""

MAX_PONGS = 100
"""Pings answered of one request, the latest; a pong may stand for all before it (RFC 6455, 5.5.3)."""

_CRLF = b"\r\n"
_RECEIVED = frozenset({"TEXT", "BINARY", "CLOSE", "DISCONNECT"})
_ENDS = frozenset({"CLOSE", "DISCONNECT"})


class WebSocketResponse(NamedTuple):
    """The body of the answer, and its headers but for Content-Type; their values are latin-1 str that carry UTF-8."""

    body: bytes
    headers: list[tuple[str, str]]


class WebSocketSession:
    """One request's events from a client, and the events and headers to answer them with.

    Args:
        connection_id: names the connection; the proxy's ``Connection-Id``.
        meta: what earlier requests of the connection left in ``meta``, as text.
        events: as `decode_websocket_events` returns them.
        prefix: put before the channel in `subscribe` and `unsubscribe`.
        content_bytes_replayed: a number if the proxy is known to understand ``Content-Bytes-Accepted``. Messages left
            unread then come again, with the next one that the client sends; with ``None`` they are lost.
        max_response_size: bytes of the response body.
        max_channels: subscriptions of one request.
    """

    close_code: int | None
    """What the client closed with, once `recv` has returned its CLOSE: ``None`` if without a code, 1006 if lost."""

    def __init__(
        self,
        connection_id: str,
        meta: Mapping[str, str],
        events: list[WebSocketEvent],
        *,
        prefix: str = "",
        content_bytes_replayed: int | None = None,
        max_response_size: int = MAX_RESPONSE_SIZE,
        max_channels: int = MAX_CHANNELS,
    ) -> None:
        self.id = connection_id
        self.in_events = events
        self.grip_prefix = prefix
        self.orig_meta = dict(meta)
        self.accepted = False
        self.closed = False
        self.close_code = None
        self.close_reason = ""
        self.out_close_code: int | None = None
        self.out_close_reason = ""
        self._meta = Meta(meta)
        self._replays = content_bytes_replayed is not None
        self._max_channels = max_channels
        self._max_size = max_response_size
        self._channels: set[str] = set()
        # Last first, as taking from the end of a list is cheap.
        self._inbox = [event for event in reversed(events) if event.type in _RECEIVED]
        # Each queued event is three pieces: its type line, its content, its end.
        self._out: list[bytes] = []
        self._size = 0
        self._room = max_response_size - self._reserve()

    # What came

    @property
    def meta(self) -> Meta:
        """The connection's meta: names in lower case, text; what is changed here comes with the next request."""
        return self._meta

    @meta.setter
    def meta(self, values: Mapping[str, str]) -> None:
        self._meta = Meta({})
        self._meta.update(values)

    def is_opening(self) -> bool:
        """Whether the client asks to connect: `accept`, or the response is its refusal."""
        return bool(self.in_events) and self.in_events[0].type == "OPEN"

    def is_tick(self) -> bool:
        """Whether nothing came: the proxy's keep-alive, or a refresh."""
        return not self.in_events

    def is_disconnected(self) -> bool:
        """Whether the client was lost: nothing that is sent reaches it."""
        return bool(self.in_events) and self.in_events[-1].type == "DISCONNECT"

    def can_recv(self) -> bool:
        """Whether `recv` has something to return."""
        return bool(self._inbox)

    def recv(self) -> str | bytes | None:
        """Return the next message: str if text, bytes if binary; ``None`` when the client closed or was lost.

        Raises:
            MessageDecodeError: a text message that is not UTF-8; the next call goes on behind it.
            IndexError: nothing is left. Ask `can_recv` first.
        """
        try:
            kind, content = self._inbox.pop()
        except IndexError:
            raise IndexError("no message is left in this request: ask can_recv() before recv()") from None
        if kind == "TEXT":
            try:
                return content.decode("utf-8") if content else ""
            except UnicodeDecodeError as error:
                raise MessageDecodeError(f"a text message is not UTF-8 at byte {error.start}") from error
        if kind == "BINARY":
            return content or b""
        if kind == "CLOSE":
            self.close_code, self.close_reason = parse_close(content)
        else:
            self.close_code = 1006  # what browsers report when no CLOSE came
        return None

    @property
    def unread(self) -> int:
        """How many messages `recv` has not returned yet."""
        inbox = self._inbox
        return len(inbox) - (1 if inbox and inbox[0].type in _ENDS else 0)

    @property
    def lost(self) -> int:
        """How many unread messages the proxy will not bring again, if the response is built now."""
        return self._accept().lost

    def discard_unread(self) -> int:
        """Pass over the unread messages, for good, and return how many they were; a CLOSE can still be read."""
        unread = self.unread
        self._inbox = self._inbox[: len(self._inbox) - unread]
        return unread

    # What is answered

    def accept(self) -> None:
        """Accept the connection, in answer to an opening."""
        self.accepted = True

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Close the connection, behind all that is sent in this request.

        Without a code the client's own is echoed if it closed; else it sees 1000.

        Raises:
            UsageError: a code that may not be sent, a reason without a code or of more than 123 bytes.
        """
        build_close(code, reason)
        self.closed = True
        self.out_close_code = code
        self.out_close_reason = reason

    def send(self, message: str | bytes) -> None:
        """Send a text message.

        Raises:
            ResponseTooLarge: the response would have more than ``max_response_size`` bytes.
            UsageError: text that UTF-8 cannot hold, or bytes that are not UTF-8.
        """
        data = _encode_text(message)
        self._queue(_text_line(len(data)), data)

    def send_binary(self, message: bytes | str) -> None:
        """Send a binary message; str goes as its UTF-8.

        Raises:
            ResponseTooLarge: the response would have more than ``max_response_size`` bytes.
        """
        if isinstance(message, str):
            data = _encode_text(message)
        elif isinstance(message, (bytes, bytearray, memoryview)):
            data = bytes(message)
        else:
            raise TypeError(f"send_binary() takes bytes, not {type(message).__name__}")
        self._queue(b"BINARY %x\r\nm:" % (len(data) + 2), data)

    def ping(self, content: bytes = b"") -> None:
        """Ping the client; its PONG comes in a later request and is not shown.

        Raises:
            UsageError: more than 125 bytes.
        """
        if len(content) > MAX_CONTROL_FRAME:
            raise UsageError(f"a ping of {len(content)} bytes; a control frame takes {MAX_CONTROL_FRAME}")
        self._queue(b"PING %x\r\n" % len(content), bytes(content))

    def subscribe(self, channel: str, filters: Iterable[str] = ()) -> None:
        """Subscribe the connection to a channel, with filters such as ``skip-self``.

        Raises:
            ChannelNameError: a name, with the prefix, or a filter that the proxy cannot take.
            InstructError: more than ``max_channels`` channels; the proxy drops the rest in silence.
        """
        name = self.grip_prefix + channel
        control = build_subscribe(name, filters)
        if len(self._channels | {name}) > self._max_channels:
            raise InstructError(f"more than {self._max_channels} channels: the proxy drops the rest in silence")
        self._queue_control(control)
        self._channels.add(name)

    def unsubscribe(self, channel: str) -> None:
        """Take the connection off a channel.

        Raises:
            ChannelNameError: a name, with the prefix, that the proxy cannot take.
        """
        name = self.grip_prefix + channel
        self._queue_control(build_unsubscribe(name))
        self._channels.discard(name)

    def detach(self) -> None:
        """Part the connection from the origin: it stays open and subscribed, its messages come no more."""
        self._queue_control(build_detach())

    def send_delayed(self, content: str | bytes, *, timeout: int = 1, binary: bool = False) -> None:
        """Have the proxy send a message in ``timeout`` seconds; a later one sends it at once."""
        self._queue_control(build_send_delayed(content, timeout=timeout, message_type=_message_type(binary)))

    def flush_delayed(self) -> None:
        """Have the proxy send now what waits from `send_delayed`."""
        self._queue_control(build_flush_delayed())

    def set_keep_alive(
        self, content: str | bytes | None, *, timeout: int = 55, mode: str = "idle", binary: bool = False
    ) -> None:
        """Have the proxy send a message each ``timeout`` seconds without another (``interval``: always)."""
        self._queue_control(build_keep_alive(content, timeout=timeout, mode=mode, message_type=_message_type(binary)))

    def send_control(self, message: str | bytes | Mapping[str, Any]) -> None:
        """Send a control message of any kind, as JSON or as a dict; no prefix is put on a channel in it.

        Raises:
            InstructError: the proxy would not understand it.
        """
        self._queue_control(build_control(message) if isinstance(message, Mapping) else _check_control(message))

    @property
    def out_events(self) -> tuple[WebSocketEvent, ...]:
        """What is sent so far, without OPEN, PONG and CLOSE, as the proxy reads it; a copy."""
        return tuple(decode_websocket_events(b"".join(self._out)))

    def build_response(self, *, keep_alive_interval: int | None = None) -> WebSocketResponse:
        """Build the answer. An opening that was not accepted has none: the response itself is its refusal.

        keep_alive_interval: seconds of silence after which the proxy sends a tick; it makes less than 20 into 20.

        Raises:
            UsageError: an interval that is not a whole number from 1, or 0 for no more ticks.
        """
        interval = _check_interval(keep_alive_interval)
        opening = self.is_opening()
        if self.is_disconnected() or (opening and not self.accepted):
            return WebSocketResponse(b"", [])
        acceptance = self._accept()
        parts = [b"OPEN\r\n"] if opening else []
        parts += _build_pongs(self.in_events[: acceptance.events])
        parts += self._out
        headers = [("Sec-WebSocket-Extensions", "grip")] if opening else []
        headers += build_meta_headers(self._meta, self.orig_meta)
        if interval is not None:
            headers.append(("Keep-Alive-Interval", str(interval)))
        if acceptance.content_bytes is not None:
            headers.append(("Content-Bytes-Accepted", str(acceptance.content_bytes)))
        if self.closed or self._client_closed():
            content = self._build_close()
            parts.append(b"CLOSE %x\r\n%b\r\n" % (len(content), content) if content else b"CLOSE\r\n")
        return WebSocketResponse(b"".join(parts), headers)

    def __repr__(self) -> str:
        # Counts only: meta and messages shall not land in error reports.
        state = "".join(f", {name}" for name in ("accepted", "closed") if getattr(self, name))
        return f"<WebSocketSession {self.id!r}: {len(self.in_events)} in, {len(self._out) // 3} out{state}>"

    def _client_closed(self) -> bool:
        return bool(self.in_events) and self.in_events[-1].type == "CLOSE"

    def _build_close(self) -> bytes:
        if self.out_close_code is not None or not self._client_closed():
            return build_close(self.out_close_code, self.out_close_reason)
        code, _ = parse_close(self.in_events[-1].content)
        # The proxy passes on whatever its client sent. What may not be sent is answered as RFC 6455, 7.4.1 has it.
        return build_close(code if code is None or is_close_code(code) else 1002)

    def _accept(self) -> Acceptance:
        replays = self._replays and not self.closed
        return accept_messages(self.in_events, unread=self.unread, replays=replays)

    def _reserve(self) -> int:
        """Count the bytes that the answer may take beside what is sent: OPEN, PONGs, CLOSE."""
        pongs = () if len(self._inbox) == len(self.in_events) else _build_pongs(self.in_events)
        return len(b"OPEN\r\n") + sum(map(len, pongs)) + len(b"CLOSE 7d\r\n\r\n") + MAX_CONTROL_FRAME

    def _queue_control(self, control: str) -> None:
        data = control.encode("utf-8")
        self._queue(b"TEXT %x\r\nc:" % (len(data) + 2), data)

    def _queue(self, line: bytes, data: bytes) -> None:
        size = self._size + len(line) + len(data) + 2
        if size > self._room:
            raise ResponseTooLarge(
                f"with this message the response would have {self._max_size - self._room + size:,} bytes; "
                f"the proxy takes {self._max_size:,}"
            )
        self._size = size
        self._out += (line, data, _CRLF)


@lru_cache(maxsize=1024)
def _text_line(size: int) -> bytes:
    # The proxy takes "m:" off; a message without it could be read as a control message.
    return b"TEXT %x\r\nm:" % (size + 2)


def _encode_text(message: str | bytes) -> bytes:
    if isinstance(message, str):
        try:
            return message.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(f"a message that UTF-8 cannot hold: {error.reason} at {error.start}") from error
    if not isinstance(message, (bytes, bytearray, memoryview)):
        raise TypeError(f"send() takes str, not {type(message).__name__}")
    data = bytes(message)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("bytes that are not UTF-8 cannot go as text: use send_binary()") from error
    return data


def _message_type(binary: bool) -> str:
    return "binary" if binary else "text"


def _check_control(message: str | bytes) -> str:
    try:
        text = message.decode("utf-8") if isinstance(message, bytes) else message
        parse_control(text)
    except ValueError as error:
        raise InstructError(f"the proxy would not understand this control message: {error}") from error
    return text


def _check_interval(interval: int | None) -> int | None:
    if interval is not None and (isinstance(interval, bool) or not isinstance(interval, int) or interval < 0):
        raise UsageError(f"a keep-alive interval is a whole number of seconds, not {interval!r}")
    return interval


def _build_pongs(events: list[WebSocketEvent]) -> list[bytes]:
    pings = [event.content for event in events if event.type == "PING"][-MAX_PONGS:]
    return [b"PONG %x\r\n%b\r\n" % (len(content), content) if content else b"PONG\r\n" for content in pings]
