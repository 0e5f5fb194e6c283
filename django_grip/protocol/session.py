"""The origin's side of one WebSocket-over-HTTP request: what came, and what shall be answered (GRIP.md, 2).

A session lives for one request. It has the methods and attributes of gripcontrol's ``WebSocketContext``, and more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..exceptions import MessageDecodeError, UsageError
from .acceptance import Acceptance, accept_messages
from .channels import MAX_CHANNELS
from .outbox import Outbox
from .session_meta import Meta, build_meta_headers
from .websocket_events import (
    MAX_CONTROL_FRAME,
    WebSocketEvent,
    build_close,
    encode_websocket_events,
    is_close_code,
    parse_close,
)

__all__ = ["MAX_PONGS", "MAX_RESPONSE_SIZE", "WebSocketResponse", "WebSocketSession"]

MAX_RESPONSE_SIZE = 1_000_000
"""Bytes of a response body; Pushpin drops the connection over more."""

MAX_PONGS = 100
"""Pings answered of one request, the latest; a pong may stand for all before it (RFC 6455, 5.5.3)."""

# The most bytes that the answer takes beside what is sent and its PONGs.
_FRAME_SIZE = len(b"OPEN\r\nCLOSE 7d\r\n\r\n") + MAX_CONTROL_FRAME

_RECEIVED = frozenset({"TEXT", "BINARY", "CLOSE", "DISCONNECT"})
_ENDS = frozenset({"CLOSE", "DISCONNECT"})


class WebSocketResponse(NamedTuple):
    """The body of the answer, and its headers but for Content-Type; their values are latin-1 str that carry UTF-8."""

    body: bytes
    headers: list[tuple[str, str]]


class WebSocketSession(Outbox):
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

    Attributes:
        id, in_events, orig_meta, content_bytes_replayed: as given.
        accepted, closed: whether `accept` and `close` were called.
        close_code, close_reason: what the client closed with, once `recv` has returned ``None``; the code is ``None``
            if it gave none, 1006 if it was lost.
        out_close_code, out_close_reason: what `close` was given.
        keep_alive_interval: yours to set: seconds of silence after which the proxy sends a tick, from 20; 0 for no more
            ticks, ``None`` to leave it as it is.
    """

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
        # Last first, as taking from the end of a list is cheap.
        self._inbox = [event for event in reversed(events) if event[0] in _RECEIVED]
        self._pongs = _build_pongs(events) if len(self._inbox) != len(events) else []
        self._end = events[-1].type if events and events[-1].type in _ENDS else None
        taken = _FRAME_SIZE + sum(map(len, self._pongs))
        super().__init__(prefix=prefix, max_size=max_response_size, max_channels=max_channels, taken=taken)
        self.id = connection_id
        self.in_events = events
        self.orig_meta = meta
        self.content_bytes_replayed = content_bytes_replayed
        self.accepted = False
        self.closed = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.out_close_code: int | None = None
        self.out_close_reason = ""
        self.keep_alive_interval: int | None = None
        self._meta: Meta | None = None

    # What came

    @property
    def meta(self) -> Meta:
        """The connection's meta: names in lower case, text; what is changed here comes with the next request."""
        if self._meta is None:
            self._meta = Meta(self.orig_meta)
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
        return self._end == "DISCONNECT"

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
        # What ends the request, if it is not read, is in the inbox but no message.
        return len(self._inbox) - (1 if self._inbox and self._end else 0)

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

    def build_response(self) -> WebSocketResponse:
        """Build the answer. An opening that was not accepted has none: the response itself is its refusal.

        Raises:
            UsageError: a `keep_alive_interval` that is not a whole number of seconds.
        """
        interval = _check_interval(self.keep_alive_interval)
        opening = self.is_opening()
        if self.is_disconnected() or (opening and not self.accepted):
            return WebSocketResponse(b"", [])
        acceptance = self._accept()
        pongs = self._pongs if acceptance.content_bytes is None else _build_pongs(self.in_events[: acceptance.events])
        parts = [b"OPEN\r\n"] if opening else []
        parts += pongs
        parts += self._out
        if self.closed or self._end:
            parts.append(_encode("CLOSE", self._build_close()))
        headers = [("Sec-WebSocket-Extensions", "grip")] if opening else []
        if self._meta is not None:
            headers += build_meta_headers(self._meta, self.orig_meta)
        if interval is not None:
            headers.append(("Keep-Alive-Interval", str(interval)))
        if acceptance.content_bytes is not None:
            headers.append(("Content-Bytes-Accepted", str(acceptance.content_bytes)))
        return WebSocketResponse(b"".join(parts), headers)

    def __repr__(self) -> str:
        # Counts only: meta and messages shall not land in error reports.
        state = "".join(f", {name}" for name in ("accepted", "closed") if getattr(self, name))
        return f"<WebSocketSession {self.id!r}: {len(self.in_events)} in, {len(self._out)} out{state}>"

    def _build_close(self) -> bytes:
        if self.out_close_code is not None or not self._end:
            return build_close(self.out_close_code, self.out_close_reason)
        code, _ = parse_close(self.in_events[-1].content)
        # The proxy passes on whatever its client sent. What may not be sent is answered as RFC 6455, 7.4.1 has it.
        return build_close(code if code is None or is_close_code(code) else 1002)

    def _accept(self) -> Acceptance:
        replays = self.content_bytes_replayed is not None and not self.closed
        return accept_messages(self.in_events, unread=self.unread, replays=replays)


def _check_interval(interval: int | None) -> int | None:
    if interval is not None and (isinstance(interval, bool) or not isinstance(interval, int) or interval < 0):
        raise UsageError(f"a keep-alive interval is a whole number of seconds, not {interval!r}")
    return interval


def _build_pongs(events: list[WebSocketEvent]) -> list[bytes]:
    pings = [event.content for event in events if event.type == "PING"][-MAX_PONGS:]
    return [_encode("PONG", content) for content in pings]


def _encode(kind: str, content: bytes | None) -> bytes:
    # For compactness the proxy, too, leaves out an empty content here.
    return encode_websocket_events([WebSocketEvent(kind, content or None)])
