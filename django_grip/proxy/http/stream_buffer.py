"""What is published for a stream while the application is asked for what the stream has missed."""

from __future__ import annotations

from collections import deque

from ..options import ProxyOptions
from ..published import PublishedItem
from ..subscriptions import Subscriptions

__all__ = ["StreamBuffer"]


class StreamBuffer:
    """Items with a stream's format, in the order in which they came."""

    __slots__ = ("_items", "_size")

    def __init__(self) -> None:
        self._items: deque[PublishedItem] = deque()
        self._size = 0

    def add(self, item: PublishedItem) -> None:
        self._items.append(item)
        self._size += 0 if item.stream is None else len(item.stream.content)

    def take_all(self) -> deque[PublishedItem]:
        """The items, which are no longer in here."""
        items, self._items, self._size = self._items, deque(), 0
        return items

    def is_overfull(self, options: ProxyOptions) -> bool:
        return self._size > options.max_outbox or len(self._items) > options.max_outbox_items

    def leave_out_known(self, subscriptions: Subscriptions) -> bool:
        """Leave out what the client has, and what it is not subscribed to any longer.

        Returns whether it cannot be told if the client has all that is left out of a chain.
        """
        left_out = {id(item) for item in self._items if item.channel not in subscriptions.names}
        is_doubtful = False
        for name, prev_id in subscriptions.prev_ids.items():
            waiting = [item for item in self._items if item.channel == name]
            known = _count_known(waiting, prev_id)
            left_out.update(id(item) for item in waiting[:known])
            if waiting and known == len(waiting) and waiting[-1].id != prev_id:
                # The client is ahead of all that came, or the application was when it answered not aware of it.
                is_doubtful = True
        for item in self.take_all():
            if id(item) not in left_out:
                self.add(item)
        return is_doubtful


def _count_known(waiting: list[PublishedItem], prev_id: str) -> int:
    """How many of a channel's items, from the first on, the client has that is as far as prev_id."""
    for number in range(len(waiting), 0, -1):
        if waiting[number - 1].id == prev_id:
            return number
    return next((number for number, item in enumerate(waiting) if item.prev_id == prev_id), len(waiting))
