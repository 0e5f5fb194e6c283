"""Waiting for a condition, never for a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Seconds. Generous: it is only ever spent when something is broken, and a loaded machine is slow.
PATIENCE = float(os.environ.get("GRIP_TEST_PATIENCE", "60"))


def growing(seconds: float) -> Iterator[float]:
    """Bounds for one attempt after another: each is longer than the one before, so that no machine is too slow."""
    while True:
        yield seconds
        seconds *= 1.5


def wait_until(condition: Callable[[], T], what: str, *, timeout: float = PATIENCE, interval: float = 0.02) -> T:
    """Call ``condition`` until what it returns is true, and return that.

    Raises:
        AssertionError: after ``timeout`` seconds, saying ``what`` was waited for.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain until {what}")
        time.sleep(interval)
    return value
