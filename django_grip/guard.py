"""The guard of a held long-poll: a channel for a second look, and to tell how long its client has waited."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from .hold_clock import hold_time
from .protocol.channels import Channel

__all__ = ["MIN_TIMEOUT", "Guard", "find_guard", "make_guard", "renew_guard"]

# Seconds. The proxy makes less into this.
MIN_TIMEOUT = 5

_GUARD = "grip:guard:"
_STATE = re.compile(r"([0-9]{1,12})(\.looked)?")


class Guard(NamedTuple):
    """A channel of a held request's own.

    since: when it was first held, in seconds since the epoch. has_looked: the request was made again for it already.

    The resource may have changed between the reading of its ETag and the hold, with the hint already gone by. About a
    second after a channel's first subscription Pushpin makes the requests held on it again (SUBSCRIBED_DELAY in its
    engine.cpp), since what was published before it had subscribed upstream is lost in the same way. A channel of its
    own gives each held request that second look.

    Its previous id comes back in Grip-Last: it tells a request that is made again, be it for a hint or for the second
    look, from a new one, and how long the client has waited. At the second look the name stays the same, so that it is
    the last: Pushpin keeps the subscription for a minute (subscription_linger). Made again after that, it is for a
    hint, which another may have followed before it is held again: that takes a new name, and with it a second look.
    """

    name: str
    since: int
    has_looked: bool = False

    def as_channel(self) -> Channel:
        return Channel(self.name, prev_id=f"{self.since}{'.looked' if self.has_looked else ''}")

    def find_timeout(self, wait: int) -> int:
        """How long the proxy shall hold a request that may wait so many seconds in all; 0 when they are over."""
        left = self.since + wait - int(hold_time())
        return min(max(left, MIN_TIMEOUT), wait) if left > 0 else 0


def make_guard() -> Guard:
    return Guard(_make_name(), int(hold_time()))


def renew_guard(guard: Guard) -> Guard:
    """The guard by which a request that was made again is held again."""
    if guard.has_looked:
        return Guard(_make_name(), guard.since)
    return guard._replace(has_looked=True)


def _make_name() -> str:
    return _GUARD + secrets.token_urlsafe(9)


def find_guard(last: Mapping[str, str]) -> Guard | None:
    """The guard of a request that is made again; None for a new request. last: ``request.grip.last``."""
    for name, state in last.items():
        if name.startswith(_GUARD) and (found := _STATE.fullmatch(state)):
            return Guard(name, int(found[1]), bool(found[2]))
    return None
