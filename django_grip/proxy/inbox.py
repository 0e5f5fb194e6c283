"""What is published from other threads, on its way to the event loop: in order, and bounded."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable

from ..exceptions import PublisherClosed, QueueFull
from .published import PublishedItem

__all__ = ["MAX_WAITING", "Inbox"]

MAX_WAITING = 25_000
"""Items that may wait for the event loop to begin, or to have time."""


class Inbox:
    """Takes items from any thread, and hands them to `take` on the event loop.

    Before `open` they are kept. The loop's own thread hands them over at once, behind what came before.
    """

    def __init__(self, take: Callable[[list[PublishedItem]], None], *, max_waiting: int = MAX_WAITING) -> None:
        self._take = take
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._waiting: deque[PublishedItem] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._is_closed = False
        self._is_called = False

    def open(self) -> None:
        """From now on hand over on the running loop, beginning with what was kept."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.get_ident()
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
            self._waiting.extend(items)
            is_here = self._thread == threading.get_ident()
            must_call = self._loop is not None and not is_here and not self._is_called
            if must_call and self._loop is not None:
                self._loop.call_soon_threadsafe(self._hand_over)
                self._is_called = True
        if is_here:
            self._hand_over()

    def _check(self, count: int) -> None:
        if self._is_closed or (self._loop is not None and self._loop.is_closed()):
            raise PublisherClosed("the embedded proxy has ended; nothing can be published to it")
        if len(self._waiting) + count > self._max_waiting:
            raise QueueFull(f"{len(self._waiting):,} items wait for the embedded proxy; no more are taken in")

    def _hand_over(self) -> None:
        with self._lock:
            items = list(self._waiting)
            self._waiting.clear()
            self._is_called = False
        if items:
            self._take(items)
