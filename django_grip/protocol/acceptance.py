"""How much of a WebSocket-over-HTTP request is taken, so that the proxy brings the rest again.

Pushpin 1.41 and later keep what ``Content-Bytes-Accepted`` leaves over (websocketoverhttp.cpp). The header counts the
content of TEXT, BINARY, PING and PONG, not the events.
"""

from __future__ import annotations

from typing import NamedTuple

from .websocket_events import WebSocketEvent

__all__ = ["Acceptance", "accept_messages"]

_MESSAGES = frozenset({"TEXT", "BINARY"})

# A view that has read nothing of so much does not wait for more of it: it does not listen, as many do that only send.
# What is left over the proxy brings with every further message, up to its own limit of 200,000 bytes.
_MAX_LEFT_MESSAGES = 1_000
_MAX_LEFT_BYTES = 100_000


class Acceptance(NamedTuple):
    """What of a request's events is taken.

    ``events``: how many, from the first. ``content_bytes``: for the header; ``None`` if all is taken and none is
    needed. ``lost``: how many unread messages are among what is taken.
    """

    events: int
    content_bytes: int | None
    lost: int


def accept_messages(events: list[WebSocketEvent], *, unread: int, replays: bool) -> Acceptance:
    """Take the events up to the first unread message, if the proxy ``replays`` the rest; else take them all.

    All are taken, too, when a view has read nothing though 1,000 messages or 100,000 bytes wait for it.

    ``unread``: how many messages, from the last, the view has not read.
    """
    # With an end in the request all must be taken: while it holds back messages of a client that closed, Pushpin does
    # not bring them again, nor its CLOSE, until a keep-alive tick that may never come.
    if not replays or not unread or events[-1].type not in _REPLAYED:
        return Acceptance(len(events), None, unread)
    first = _find_first_unread(events, unread)
    if _does_not_listen(events, first, unread):
        return Acceptance(len(events), None, unread)
    taken = first
    # From the first byte it does not take, Pushpin goes back to the message that holds it: events without content
    # in between are gone.
    while taken < len(events) and not events[taken].content:
        taken += 1
    if taken == len(events):
        return Acceptance(taken, None, unread)
    lost = sum(1 for event in events[first:taken] if event.type in _MESSAGES)
    return Acceptance(taken, sum(len(event.content or b"") for event in events[:taken]), lost)


_REPLAYED = frozenset({"TEXT", "BINARY", "PING", "PONG"})


def _does_not_listen(events: list[WebSocketEvent], first: int, unread: int) -> bool:
    if any(event.type in _MESSAGES for event in events[:first]):
        return False
    return unread > _MAX_LEFT_MESSAGES or sum(len(event.content or b"") for event in events) > _MAX_LEFT_BYTES


def _find_first_unread(events: list[WebSocketEvent], unread: int) -> int:
    index = len(events)
    while unread:
        index -= 1
        if events[index].type in _MESSAGES:
            unread -= 1
    return index
