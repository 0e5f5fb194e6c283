"""What the example keeps, in Django's cache: a project of yours has models for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.core.cache import cache

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
    """Note that somebody is in a room; who is there now."""
    return sorted(change("people:" + room, {}, lambda people: {**people, connection: nick}).values())


def leave(room: str, connection: str) -> list[str]:
    def without(people: dict[str, str]) -> dict[str, str]:
        return {other: nick for other, nick in people.items() if other != connection}

    return sorted(change("people:" + room, {}, without).values())


def price() -> float:
    return cache.get("price", 100.0)


def set_price(value: float) -> None:
    cache.set("price", value, None)


def lines() -> list[str]:
    return cache.get("lines", [])


def add_line(line: str) -> None:
    change("lines", [], lambda kept: [*kept[-49:], line])


def read_document(name: str) -> dict[str, Any]:
    return cache.get("document:" + name, {"text": FIRST_TEXT, "version": 0})


def write_document(name: str, text: str) -> None:
    first = {"text": FIRST_TEXT, "version": 0}
    change("document:" + name, first, lambda old: {"text": text, "version": old["version"] + 1})
