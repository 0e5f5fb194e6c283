"""How soon the application may be asked the same thing again: at once a few times, and then now and then."""

from __future__ import annotations

__all__ = ["Pace"]

BURST = 3
"""How many times in a row at once."""

PAUSE = 1.0
"""Seconds between two, after that; and so long without any makes a new beginning."""


class Pace:
    """Keeps one client, whom no answer suits, from keeping the application busy all the time."""

    __slots__ = ("_count", "_last")

    def __init__(self) -> None:
        self._count = 0
        self._last: float | None = None

    def next_time(self, now: float) -> float:
        """When to ask: now, or somewhat later. Each call counts as a time asked."""
        if self._last is None or now - self._last >= PAUSE:
            self._count = 0
        self._count += 1
        at = now if self._last is None or self._count <= BURST else max(now, self._last + PAUSE)
        self._last = at
        return at
