"""The clock that holds go by: since when a client waits, and when a link is due. In a test it is the proxy's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["hold_time", "time_holds_by"]

# Those of tests, the last one first.
_clocks: list[Callable[[], float]] = []


def hold_time() -> float:
    """Seconds since the epoch, as the proxy sees them go by. Nothing that is signed or stored expires by it."""
    return _clocks[-1]() if _clocks else time.time()


@contextmanager
def time_holds_by(clock: Callable[[], float]) -> Iterator[None]:
    """Let holds go by another clock until the block ends. For tests."""
    _clocks.append(clock)
    try:
        yield
    finally:
        _clocks.remove(clock)
