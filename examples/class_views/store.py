"""What the example keeps, in Django's cache: a project of yours has models for it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import cache

# Seconds. A silent connection is heard of every minute (live_recheck).
FORGET_AFTER = 150
FIRST_TEXT = "Edit me: every window that shows this document follows.\n"


def change(key: str, default: Any, step: Callable[[Any], Any]) -> Any:
    """Change a value while nobody else does."""
    lock = key + ":lock"
    end = time.monotonic() + 5
    # A lock that was left behind by a killed process expires by itself.
    while not cache.add(lock, 1, timeout=2) and time.monotonic() < end:
        time.sleep(0.005)
    try:
        value = step(cache.get(key, default))
        cache.set(key, value, None)
    finally:
        cache.delete(lock)
    return value


def enter(room: str, connection: str, nick: str) -> list[str]:
    """Note that somebody is in a room, or still is; who is there now."""

    def step(people: dict[str, Any]) -> dict[str, Any]:
        # Nobody tells of those whose proxy was ended; they are forgotten.
        fresh = {other: entry for other, entry in people.items() if time.time() - entry[1] < FORGET_AFTER}
        return {**fresh, connection: (nick, time.time())}

    return _names(change("people:" + room, {}, step))


def leave(room: str, connection: str) -> list[str]:
    def step(people: dict[str, Any]) -> dict[str, Any]:
        return {other: entry for other, entry in people.items() if other != connection}

    return _names(change("people:" + room, {}, step))


def _names(people: dict[str, Any]) -> list[str]:
    return sorted(nick for nick, _ in people.values())


def prices() -> list[tuple[int, float]]:
    """The last prices, each with its number."""
    return cache.get("prices", [(1, 100.0)])


def next_price() -> tuple[int, float]:
    """Change the price, and keep the old ones for a while."""

    def step(kept: list[tuple[int, float]]) -> list[tuple[int, float]]:
        number, price = kept[-1]
        return [*kept[-59:], (number + 1, round(max(1.0, price + random.uniform(-1, 1)), 2))]  # noqa: S311 - no secret

    return change("prices", [(1, 100.0)], step)[-1]


def lines() -> list[str]:
    return cache.get("lines", [])


def add_line(line: str) -> None:
    change("lines", [], lambda kept: [*kept[-49:], line])


def read_document(name: str) -> dict[str, Any]:
    return cache.get("document:" + name, {"text": FIRST_TEXT, "version": 0})


def write_document(name: str, text: str) -> None:
    first = {"text": FIRST_TEXT, "version": 0}
    change("document:" + name, first, lambda old: {"text": text, "version": old["version"] + 1})
