"""What is published from other threads, on its way to the event loop: in order, and bounded."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context

from ...exceptions import PublisherClosed, QueueFull
from ..published import PublishedItem

__all__ = ["MAX_WAITING", "Inbox"]

MAX_WAITING = 25_000
"""Items that may wait for the event loop to begin, or to have time."""

MAX_ITEMS_A_TURN = 500
MAX_BYTES_A_TURN = 200_000
"""What is handed over in one turn of the event loop: less than may wait for one client (`ProxyOptions.max_outbox`), so
that a burst of items leaves those who read the time to write it to their clients."""

_ENDED = "the embedded proxy has ended; nothing can be published to it"


class Inbox:
    """Takes items from any thread, and hands them to `take` on the event loop.

    Before `open` they are kept. What comes in a burst is handed over in several turns of the loop. None of it brings
    the contextvars of whoever published.
    """

    def __init__(self, take: Callable[[list[PublishedItem]], None], *, max_waiting: int = MAX_WAITING) -> None:
        self._take = take
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._waiting: deque[PublishedItem] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._is_called = False

    def open(self) -> None:
        """From now on hand over on the running loop, beginning with what was kept."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._is_closed = False
        self._hand_over()

    def close(self) -> None:
        """Take nothing more. What waits is lost: those it was for are gone."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()

    def put(self, items: Iterable[PublishedItem]) -> None:
        """Take items, from any thread.

        Raises: PublisherClosed behind `close`; QueueFull if too many wait: then none of these is taken.
        """
        items = list(items)
        with self._lock:
            self._check(len(items))
            if self._loop is not None and not self._is_called:
                self._call(self._loop)
                self._is_called = True
            self._waiting.extend(items)

    def _check(self, count: int) -> None:
        if self._is_closed or (self._loop is not None and self._loop.is_closed()):
            raise PublisherClosed(_ENDED)
        if len(self._waiting) + count > self._max_waiting:
            raise QueueFull(f"{len(self._waiting):,} items wait for the embedded proxy; no more are taken in")

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._hand_over, context=Context())
        except RuntimeError as error:  # it was closed since we looked
            raise PublisherClosed(_ENDED) from error

    def _hand_over(self) -> None:
        with self._lock:
            items = self._take_some()
        try:
            if items:
                self._take(items)
        finally:
            with self._lock:
                self._is_called = bool(self._waiting) and self._loop is not None
                if self._is_called and self._loop is not None:
                    # Behind those whom these items have woken.
                    self._loop.call_soon(self._hand_over)

    def _take_some(self) -> list[PublishedItem]:
        items: list[PublishedItem] = []
        size = 0
        while self._waiting and len(items) < MAX_ITEMS_A_TURN and size < MAX_BYTES_A_TURN:
            item = self._waiting.popleft()
            items.append(item)
            size += item.size
        return items
