"""Filters of subscriptions: whom an item passes by, by what is known of the item and of the connection (GRIP.md, 5).

A filter that is not known here is ignored, as Pushpin ignores one.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

__all__ = ["passes_filters"]

Meta = Mapping[str, str]


def passes_filters(filters: Iterable[str], item_meta: Meta, meta: Meta, channels: Container[str]) -> bool:
    """Whether an item reaches a client through the filters of the subscription it comes by.

    item_meta: what was published with the item. meta: what the application has said of the connection.
    channels: all that the client is subscribed to.
    """
    for name in filters:
        check = _FILTERS.get(name)
        if check is not None and not check(item_meta, meta, channels):
            return False
    return True


def _skip_self(item_meta: Meta, meta: Meta, channels: Container[str]) -> bool:
    user = meta.get("user")
    return not user or item_meta.get("sender") != user


def _skip_users(item_meta: Meta, meta: Meta, channels: Container[str]) -> bool:
    user = meta.get("user")
    return not user or user not in [name.strip() for name in item_meta.get("skip_users", "").split(",")]


def _require_sub(item_meta: Meta, meta: Meta, channels: Container[str]) -> bool:
    required = item_meta.get("require_sub")
    return not required or required in channels


_FILTERS: Mapping[str, Callable[[Meta, Meta, Container[str]], bool]] = {
    "skip-self": _skip_self,
    "skip-users": _skip_users,
    "require-sub": _require_sub,
}
