"""The channels of one held exchange: their filters, and how far the client has come on those that are chained."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.instruct import Instruct
from .filters import passes_filters
from .published import PublishedItem

__all__ = ["Subscriptions"]

# Most subscriptions have neither, and there are many of them. Never changed.
_NO_FILTERS: Mapping[str, list[str]] = {}
_NO_IDS: dict[str, str] = {}
_NO_META: Mapping[str, str] = {}


class Subscriptions:
    """What an instruction subscribes an exchange to.

    prev_ids: by channel, the id of the last item that the client has; only of channels where the application said one.
    """

    __slots__ = ("_filters", "_meta", "is_plain", "names", "prev_ids")

    def __init__(self, instruct: Instruct) -> None:
        channels = instruct.channels
        self.names = tuple(dict.fromkeys(channel.name for channel in channels))
        self._filters = {channel.name: channel.filters for channel in channels if channel.filters} or _NO_FILTERS
        self._meta = instruct.meta or _NO_META
        self.prev_ids = {channel.name: channel.prev_id for channel in channels if channel.prev_id} or _NO_IDS
        # Most are: whatever comes is sent.
        self.is_plain = not self._filters and not self.prev_ids

    def has_seen(self, item: PublishedItem) -> bool:
        """Whether the client is as far as this item already."""
        return item.id is not None and self.prev_ids.get(item.channel) == item.id

    def is_gap(self, item: PublishedItem) -> bool:
        """Whether something is missing between what the client has and this item."""
        prev_id = self.prev_ids.get(item.channel)
        return prev_id is not None and prev_id != item.prev_id

    def advance(self, item: PublishedItem) -> None:
        """The client has this item, or shall not have it. An item without an id ends the chain."""
        if item.channel not in self.prev_ids:
            return
        if item.id is None:
            del self.prev_ids[item.channel]
        else:
            self.prev_ids[item.channel] = item.id

    def lets_pass(self, item: PublishedItem) -> bool:
        """Whether the filters of the item's channel let it through."""
        filters = self._filters.get(item.channel)
        return filters is None or passes_filters(filters, item.meta, self._meta, self.names)
