"""When to try again at a proxy in trouble."""

from __future__ import annotations

import random

from .policy import Policy

__all__ = ["Backoff"]


class Backoff:
    """How often a proxy has failed in a row, why, and until when it is left alone. Times are on the monotonic clock."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.failures = 0
        self.not_before = 0.0
        self.reason = "it was never tried"

    def failed(self, reason: str, now: float, *, asked: float | None = None, cut_short: bool = False) -> None:
        """Note a failure, and leave the proxy alone for a while.

        asked: seconds the proxy asked for. cut_short: the attempt ended because the items' own time was over; that
        says less than the attempt before it did.
        """
        if not (cut_short and self.failures):
            self.reason = reason
        self.failures += 1
        self.not_before = now + self._pause(asked)

    def recovered(self) -> None:
        self.failures = 0
        self.not_before = 0.0

    def _pause(self, asked: float | None) -> float:
        if asked is not None:
            # What a proxy asks for is granted, but items wait only so long.
            return min(asked, self._policy.timeout)
        pause = min(self._policy.backoff_limit, self._policy.backoff * 2.0 ** min(self.failures - 1, 30))
        # Many processes lose a proxy at the same moment, and should not all come back at the same moment.
        return pause * (0.5 + random.random() / 2)  # noqa: S311 - not for secrets
