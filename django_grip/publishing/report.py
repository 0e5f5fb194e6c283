"""What the log says about a proxy: every loss, in few lines.

A proxy that is down while a million items are published must not write a million lines. The first failure is told at
once, the rest in sums, at most one line an interval; no loss is left out of the sums.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["Line", "Reporter", "logger", "write"]

logger = logging.getLogger("django_grip.publish")

_MAX_REASONS = 5

# Level, text, structured fields.
Line = tuple[int, str, dict[str, Any]]


def write(line: Line | None) -> None:
    """Log a line. Never while holding a lock: a log handler may publish."""
    if line is not None:
        level, text, extra = line
        logger.log(level, text, extra=extra)


class Reporter:
    """Turns what happens to one proxy's items into log lines, for its lane to write once it holds no lock.

    Times are on the monotonic clock. interval: seconds.
    """

    def __init__(self, url: str, interval: float) -> None:
        self.url = url
        self._interval = interval
        self._failing = self._told = False
        self._told_again = 0.0
        self._quiet_until = 0.0
        self._failures = 0
        self._lost_total = 0
        self._lost: dict[str, int] = {}

    def failed(self, reason: str, queued: int, now: float) -> Line | None:
        """An attempt failed and will be made again."""
        self._failures += 1
        if self._failing:
            return None
        self._failing = True
        # A proxy that fails every now and then is told about now and then.
        self._told = now >= self._told_again
        if not self._told:
            return None
        self._told_again = now + self._interval
        text = f"Publishing to {self.url} fails: {reason}. It is tried again; {queued} items wait."
        return logging.WARNING, text, self._fields("failing", reason=reason, items=queued)

    def recovered(self) -> Line | None:
        """An attempt succeeded."""
        if not self._failing:
            return None
        text = f"Publishing to {self.url} works again, after {self._failures} failed attempts"
        lost = self._lost_total
        text += f"; {lost} items were lost meanwhile." if lost else "; nothing was lost."
        self._failing = False
        self._failures = self._lost_total = 0
        return (logging.INFO, text, self._fields("recovered", items=lost)) if self._told else None

    def lost(self, items: int, reason: str, now: float) -> Line | None:
        """Items failed for good."""
        self.count_lost(items, reason)
        return self.due(now)

    def count_lost(self, items: int, reason: str) -> None:
        """Items failed for good; a later line tells."""
        if reason not in self._lost and len(self._lost) >= _MAX_REASONS:
            reason = "other reasons"
        self._lost[reason] = self._lost.get(reason, 0) + items
        self._lost_total += items if self._failing else 0

    def due(self, now: float) -> Line | None:
        """The line about what was lost since the last such line, if it is time for one."""
        if not self._lost or now < self._quiet_until:
            return None
        self._quiet_until = now + self._interval
        return self.summary()

    def due_at(self) -> float | None:
        """When `due()` has something to say; None when nothing is to be told."""
        return self._quiet_until if self._lost else None

    def summary(self) -> Line | None:
        """The line about what was lost since the last such line, at once."""
        if not self._lost:
            return None
        lost, self._lost = self._lost, {}
        items = sum(lost.values())
        reasons = "; ".join(f"{count} x {reason}" if len(lost) > 1 else reason for reason, count in lost.items())
        text = f"{items} {'item was' if items == 1 else 'items were'} not published to {self.url}: {reasons}."
        return logging.ERROR, text, self._fields("lost", reason=reasons, items=items)

    def _fields(self, event: str, **more: object) -> dict[str, Any]:
        named = {f"grip_{name}": value for name, value in more.items()}
        return {"grip_event": event, "grip_proxy": self.url, **named}
