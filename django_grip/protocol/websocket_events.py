"""The body of a WebSocket-over-HTTP request or response: ``application/websocket-events`` (GRIP.md, 2).

Each event is ``TYPE CRLF``, or ``TYPE LENGTH CRLF content CRLF`` with the length in hex. The same rules hold in both
directions: OPEN may only come first, CLOSE and DISCONNECT only last. The proxy itself reads leniently; we do not,
because a body read in two ways is how one side's message becomes the other side's event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from struct import pack, unpack_from
from typing import NamedTuple

from ..exceptions import UsageError, WebSocketEventsError

__all__ = [
    "CONTENT_TYPE",
    "MAX_CONTROL_FRAME",
    "WebSocketEvent",
    "build_close",
    "decode_websocket_events",
    "encode_websocket_events",
    "is_close_code",
    "parse_close",
]

CONTENT_TYPE = "application/websocket-events"

# What a WebSocket control frame (ping, pong, close) holds at most: RFC 6455, 5.5. The proxy drops a client that sends
# more, and its connection fails when we do.
MAX_CONTROL_FRAME = 125

_CRLF = b"\r\n"
_MESSAGES = frozenset({"TEXT", "BINARY"})
_WITH_CONTENT = frozenset({"TEXT", "BINARY", "PING", "PONG", "CLOSE"})
_CONTROL_FRAMES = frozenset({"PING", "PONG", "CLOSE"})
_BARE = frozenset({"OPEN", "DISCONNECT"})
_REPEATED = frozenset({"TEXT", "BINARY", "PING", "PONG"})
_ENDS = frozenset({"CLOSE", "DISCONNECT"})
_TYPES = _WITH_CONTENT | _BARE

# Eight digits are 4 GiB, far more than any body; without a bound, int() would be given megabytes of digits.
_TYPE_LINE = re.compile(rb"([A-Z]+)(?: ([0-9A-Fa-f]{1,8}))?")


class WebSocketEvent(NamedTuple):
    """One event: its type, such as ``"TEXT"``, and its content; ``None`` where the event carries none."""

    type: str
    content: bytes | None = None


class _TypeLine(NamedTuple):
    kind: str
    size: int | None
    bare: WebSocketEvent  # the event itself when no content follows: events are immutable, so one does for all


def decode_websocket_events(body: bytes, *, max_events: int | None = None) -> list[WebSocketEvent]:
    """Read a body into its events; an empty body is an empty list.

    TEXT and BINARY always have bytes as content, be it ``b""``. The time taken is linear in the size of the body.

    Raises:
        WebSocketEventsError: the body is not well formed, or has more than ``max_events`` events.
        TypeError: the body is not bytes.
    """
    if not isinstance(body, bytes):
        raise TypeError(f"a body of WebSocket events is bytes, not {type(body).__name__}")
    parts = iter(_split(body))
    events: list[WebSocketEvent] = []
    append, new_event = events.append, tuple.__new__
    lines: dict[bytes, _TypeLine] = {}  # a body with many events has few different type lines
    for part in parts:
        line = lines.get(part)
        if line is None:
            line = _next_type_line(part, events)
            if line.kind in _REPEATED:
                lines[part] = line
            else:
                lines.clear()  # so that whatever follows a CLOSE is looked at, and refused, above
        kind, size, bare = line
        if size is None:
            append(bare)
            continue
        content = next(parts, None)
        if content is None or len(content) != size:
            content = _rejoin(content, parts, size, number=len(events) + 1)
        append(new_event(WebSocketEvent, (kind, content)))
    if max_events is not None and len(events) > max_events:
        raise WebSocketEventsError(f"{len(events)} events in one body; {max_events} are allowed")
    if events and events[-1].type == "CLOSE":
        _check_close(events)
    return events


def _split(body: bytes) -> list[bytes]:
    # Splitting once in C and joining the rare content that holds a CRLF itself is twice as fast as searching the
    # body from event to event, and as strict: every part's end is a CRLF, so a length that is right for the parts
    # it covers is right for the body.
    parts = body.split(_CRLF)
    if parts.pop():
        raise WebSocketEventsError("the body is cut off: it does not end with CRLF")
    return parts


def _next_type_line(part: bytes, events: list[WebSocketEvent]) -> _TypeLine:
    """Read the type line of the event behind ``events``."""
    try:
        line = _parse_type_line(part)
    except WebSocketEventsError as error:
        raise WebSocketEventsError(error.problem, event=len(events) + 1) from error
    if events:
        if line.kind == "OPEN":
            raise WebSocketEventsError("OPEN is not the first event", event=len(events) + 1)
        if events[-1].type in _ENDS:
            raise WebSocketEventsError(f"{line.kind} follows {events[-1].type}", event=len(events) + 1)
    return line


@lru_cache(maxsize=1024)  # in vain for the length of a long message, but most are short
def _parse_type_line(part: bytes) -> _TypeLine:
    match = _TYPE_LINE.fullmatch(part)
    if match is None:
        raise WebSocketEventsError(f"{_show(part)} is not a type, or a type and a length in hex")
    kind = match[1].decode("ascii")
    size = None if match[2] is None else int(match[2], 16)
    if kind not in _TYPES:
        raise WebSocketEventsError(f"unknown type {_show(match[1])}")
    if size is not None and kind in _BARE:
        raise WebSocketEventsError(f"{kind} has content")
    if size is not None and size > MAX_CONTROL_FRAME and kind in _CONTROL_FRAMES:
        raise WebSocketEventsError(f"{kind} has more than {MAX_CONTROL_FRAME} bytes")
    # Pushpin writes an empty message without a length; other writers give it one of 0.
    bare = WebSocketEvent(kind, b"" if kind in _MESSAGES else None)
    return _TypeLine(kind, size, bare)


def _show(part: bytes) -> str:
    return repr(part[:20])[1:] + ("..." if len(part) > 20 else "")


def _rejoin(first: bytes | None, parts: Iterator[bytes], size: int, *, number: int) -> bytes:
    """Put back together a content that contains CRLF, and so was split."""
    pieces = [] if first is None else [first]
    have = -len(_CRLF) if first is None else len(first)
    while have < size:
        piece = next(parts, None)
        if piece is None:
            raise WebSocketEventsError(f"the content is cut off: not the {size} bytes announced", event=number)
        pieces.append(piece)
        have += len(_CRLF) + len(piece)
    if have > size:
        raise WebSocketEventsError(f"no CRLF after the {size} bytes of content", event=number)
    return _CRLF.join(pieces)


def _check_close(events: list[WebSocketEvent]) -> None:
    try:
        parse_close(events[-1].content)
    except WebSocketEventsError as error:
        raise WebSocketEventsError(error.problem, event=len(events)) from error


def encode_websocket_events(events: Iterable[WebSocketEvent]) -> bytes:
    """Write events as a body that `decode_websocket_events` reads back as the same events.

    Raises:
        UsageError: an event, or their order, that the decoder would refuse.
        TypeError: a content that is neither bytes nor ``None``.
    """
    parts: list[bytes] = []
    last = ""
    for event in events:
        kind, content = event.type, event.content
        if kind not in _TYPES:
            raise UsageError(f"{kind!r} is not a type of WebSocket event")
        if last in _ENDS or (last and kind == "OPEN"):
            raise UsageError(f"{kind} cannot follow {last}: OPEN only comes first, CLOSE and DISCONNECT only last")
        if content is None and kind in _MESSAGES:
            content = b""  # these always carry a length
        parts.append(_encode_event(kind, content))
        last = kind
    return b"".join(parts)


def _encode_event(kind: str, content: bytes | None) -> bytes:
    if content is None:
        return kind.encode("ascii") + _CRLF
    if not isinstance(content, bytes):
        raise TypeError(f"the content of {kind} is bytes or None, not {type(content).__name__}")
    if kind in _BARE:
        raise UsageError(f"{kind} carries no content")
    if kind in _CONTROL_FRAMES and len(content) > MAX_CONTROL_FRAME:
        raise UsageError(f"{kind} has {len(content)} bytes of content; a control frame takes {MAX_CONTROL_FRAME}")
    if kind == "CLOSE":
        parse_close(content)
    return b"%b %x\r\n%b\r\n" % (kind.encode("ascii"), len(content), content)


def is_close_code(code: int) -> bool:
    """Whether ``code`` may stand in a close frame (RFC 6455, 7.4, and its registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def parse_close(content: bytes | None) -> tuple[int | None, str]:
    """Read the content of a CLOSE into code and reason; ``(None, "")`` when it is empty.

    The code is not judged: the proxy passes on whatever its client sent.

    Raises:
        WebSocketEventsError: one byte alone, or a reason that is not UTF-8.
    """
    if not content:
        return None, ""
    if len(content) < 2:
        raise WebSocketEventsError("CLOSE has one byte of content; a code takes two")
    (code,) = unpack_from(">H", content)
    try:
        return code, content[2:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise WebSocketEventsError("the reason in CLOSE is not UTF-8") from error


def build_close(code: int | None, reason: str = "") -> bytes:
    """Write the content of a CLOSE; ``None`` gives an empty one, which reaches the client as 1000.

    Raises:
        UsageError: a code that may not be sent, a reason without a code, or more than 123 bytes of reason.
    """
    if code is None:
        if reason:
            raise UsageError("a close reason needs a close code before it; 1000 is a normal close")
        return b""
    if isinstance(code, bool) or not isinstance(code, int) or not is_close_code(code):
        raise UsageError(f"{code!r} is not a close code: use 1000-1003, 1007-1014 or your own from 4000-4999")
    try:
        text = reason.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(f"a close reason that is not valid Unicode: {error.reason}") from error
    if len(text) > MAX_CONTROL_FRAME - 2:
        raise UsageError(f"a close reason of {len(text)} bytes; a close frame takes {MAX_CONTROL_FRAME - 2}")
    return pack(">H", code) + text
