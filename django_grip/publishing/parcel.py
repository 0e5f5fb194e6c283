"""An item made ready for the wire, and the ids that make its repeats harmless."""

from __future__ import annotations

import itertools
import json
import os

import pubcontrol

from ..exceptions import ItemError
from ..protocol.items import export_item
from .lifecycle import notice_fork, on_fork
from .publication import Publication

__all__ = ["Parcel", "new_id", "pack"]


class Parcel:
    """One encoded item. The same parcel stands in the queue of every proxy.

    body: the item as compact JSON. deadline: on the monotonic clock. repeatable: whether the proxy would recognise a
    repeat by its id (GRIP.md, 6).
    """

    __slots__ = ("body", "channel", "deadline", "publication", "repeatable")

    def __init__(self, channel: str, body: bytes, *, repeatable: bool = True) -> None:
        self.channel = channel
        self.body = body
        self.repeatable = repeatable
        self.deadline = 0.0
        self.publication = Publication()


class _Ids:
    """Ids that no other process makes: random for the process, counted within it."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.prefix = os.urandom(9).hex()
        self.count = itertools.count(1)


_ids = _Ids()
on_fork(_ids.renew)


def new_id() -> str:
    """An id for an item that has none."""
    return f"{_ids.prefix}-{next(_ids.count):x}"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def pack(channel: str, item: pubcontrol.Item) -> Parcel:
    """Encode an item.

    What is not part of a chain gets an id of its own and ``no-seq``: the proxy then drops a repeat for 60 s, and the
    channel's chain stays as it is (GRIP.md, 6). An id that was given stays.
    Raises: ItemError, ChannelNameError.
    """
    # Before an id is made: two children of one parent would make the same.
    notice_fork()
    exported = export_item(channel, item)
    if "id" not in exported and "prev-id" not in exported:
        exported["id"] = new_id()
        exported["no-seq"] = True
    try:
        body = _encode(exported).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ItemError(f"The item for channel {channel!r} cannot be written as JSON: {error}.") from error
    return Parcel(channel, body, repeatable="id" in exported)
