"""What a lane has done so far, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Counters"]


@dataclass(frozen=True)
class Counters:
    """One proxy's numbers in this process, since it began or was forked. All but `requests` count items.

    sent: acknowledged. failed: given up, whatever the reason. retried: sent again, once for each time. queued: waiting
    now, those in the request under way included. batches: requests the proxy acknowledged. requests: requests made.
    """

    sent: int = 0
    failed: int = 0
    retried: int = 0
    queued: int = 0
    batches: int = 0
    requests: int = 0
