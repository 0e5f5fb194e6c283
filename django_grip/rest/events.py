"""What the subscribers of a live viewset hear: the same JSON on a WebSocket and in an event stream.

All of it are objects with an ``action``, sent without an event name, so that one ``onmessage`` serves both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..event import Event

__all__ = ["CREATED", "DELETED", "UPDATED", "change", "invalidate", "reset", "snapshot", "spell_pk", "subscribed"]

CREATED, UPDATED, DELETED = "created", "updated", "deleted"


def subscribed(actions: Iterable[str]) -> Event:
    """The first message on a WebSocket. actions: what the client may ask for on it."""
    return Event({"action": "subscribed", "actions": list(actions)})


def snapshot(data: Any) -> Event:
    """The first event of a stream. data: the representation, as a GET has it."""
    return Event({"action": "snapshot", "data": data})


def reset() -> Event:
    """Something was missed: forget what you have; a snapshot follows."""
    return Event({"action": "reset"})


def invalidate() -> Event:
    """Something has changed: ask again, with your own credentials."""
    return Event({"action": "invalidate"})


def change(action: str, pk: Any, *, data: Any = None) -> Event:
    """An object has changed. action: CREATED, UPDATED or DELETED. data: its representation for everybody, if any.

    pk: what its URL has; None where that is not known.
    """
    said: dict[str, Any] = {"action": action}
    if pk is not None:
        said["pk"] = spell_pk(pk)
    return Event(said if data is None else {**said, "data": data})


def spell_pk(pk: Any) -> str | int | list[Any] | None:
    """As messages take it, and URLs have it: text, unless it is a number. A composite key is a list of such."""
    if isinstance(pk, tuple):
        return [spell_pk(each) for each in pk]
    return pk if pk is None or isinstance(pk, (str, int)) else str(pk)
