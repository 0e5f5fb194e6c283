"""Server-Sent Events: the text of one event on a stream (HTML standard, 9.2)."""

from __future__ import annotations

import re

from ..exceptions import ItemError

__all__ = ["encode_sse"]

# These three end a line in an event stream, and nothing else does: not U+2028, not a form feed.
_line_end = re.compile(r"\r\n|\r|\n")
_refused = re.compile(r"[\r\n\x00]")


def encode_sse(
    data: str | None,
    *,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> str:
    """Return one event, ready to be sent on a ``text/event-stream``, with the empty line that ends it.

    data: any text; each of its lines gets a field of its own, and the client joins them with LF. None sends no event:
    a comment, an id or a retry alone.
    event: the event's type. id: what the client sends back as ``Last-Event-ID``; "" resets it.
    retry: milliseconds until the client reconnects. comment: what the client passes over.

    Raises: ItemError for CR, LF or NUL in event or id, or for nothing to send.
    """
    lines: list[str] = []
    if comment is not None:
        lines += [f": {line}" if line else ":" for line in _split(comment, "comment")]
    if event is not None:
        if data is None:
            raise ItemError("an event without data is never seen by the client; send data=''")
        lines.append(f"event: {_check_field(event, 'event')}")
    if id is not None:
        lines.append(f"id: {_check_field(id, 'id')}" if id else "id")
    if retry is not None:
        lines.append(f"retry: {_check_retry(retry)}")
    if data is not None:
        lines += [f"data: {line}" if line else "data:" for line in _split(data, "data")]
    if not lines:
        raise ItemError("an event needs data, an id, a retry or a comment")
    return "\n".join(lines) + "\n\n"


def _split(text: str, name: str) -> list[str]:
    if not isinstance(text, str):
        raise ItemError(f"{name} of an event must be a str, not {type(text).__name__}")
    return _line_end.split(text)


def _check_field(text: str, name: str) -> str:
    if not isinstance(text, str):
        raise ItemError(f"{name} of an event must be a str, not {type(text).__name__}")
    match = _refused.search(text)
    if match:
        raise ItemError(f"{name} of an event has U+{ord(match[0]):04X} at position {match.start()}")
    return text


def _check_retry(retry: int) -> int:
    if isinstance(retry, bool) or not isinstance(retry, int) or retry < 0:
        raise ItemError(f"retry of an event must be a number of milliseconds, not {retry!r}")
    return retry
