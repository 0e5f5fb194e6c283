"""The embedded proxy's core, driven by a test: one engine for all clients of the process, new for each test."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..conf import believe_key, grip_settings
from ..hold_clock import time_holds_by
from ..protocol.keys import load_key
from ..protocol.signatures import VerifyKey
from ..proxy.engine import Engine
from ..proxy.messages import AppRequest
from ..proxy.options import ProxyOptions
from ..proxy.published import PublishedItem
from ..publisher import publish_by
from ..request import current_grip
from .lifetime import at_end_of_test
from .publisher import KitPublisher

if TYPE_CHECKING:
    from .application import Answer
    from .capture import Captured
    from .connection import Connection

__all__ = ["InProcessProxy", "proxy"]

_ISSUER = "django_grip.testing"
# Nothing that a test does at one moment leads to so many requests, but for an endless round of links.
_MOST_REQUESTS = 1000


class InProcessProxy:
    """Whoever changes something (a client, an item, the clock) holds `lock` while it does; no view runs under it.

    Then the application is asked what is to be asked, by `settle` or `asettle`, on the thread of the connection whose
    turn it is: a `TestCase`'s database connection is that thread's.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._key = load_key(secrets.token_urlsafe(32))
        self._stack: ExitStack | None = None
        self._has_end = False
        self.captures: list[Captured] = []
        self._begin_anew(ProxyOptions())

    def _begin_anew(self, options: ProxyOptions) -> None:
        # Looked up at each call: a test may have put a clock of its own in its place.
        self.engine = Engine(options, wall_clock=lambda: time.time())
        # Seconds, as a monotonic clock gives them.
        self.now = 1000.0
        self._epoch = time.time() - self.now
        self.connections: list[Connection] = []
        # What was published so far: channels, with the prefix.
        self.published: list[str] = []
        self._touched: dict[Connection, None] = {}
        self._asks: deque[tuple[Connection, AppRequest]] = deque()
        self._settling = threading.local()
        self._async_turn = asyncio.Lock()
        self._wakers: list[Callable[[], object]] = []

    # -- one test --------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Take over for the running test, unless that is so already."""
        with self.lock:
            if self._stack is None:
                channels = grip_settings().max_channels
                self._begin_anew(ProxyOptions(key=self._key, issuer=_ISSUER, max_channels=channels))
                with ExitStack() as stack:
                    stack.enter_context(believe_key(VerifyKey(self._key, _ISSUER)))
                    publisher = KitPublisher(self)
                    stack.callback(publisher.close)
                    stack.enter_context(publish_by(publisher))
                    stack.enter_context(time_holds_by(self._hold_time))
                    self._stack = stack.pop_all()
            self._has_end = self._has_end or at_end_of_test(self.end)

    def end(self) -> None:
        """The test is over: whatever is still open is dropped, and asks the application nothing more."""
        with self.lock:
            stack, self._stack, self._has_end = self._stack, None, False
            for connection in self.connections:
                connection.drop()
            self.captures.clear()
            self._begin_anew(ProxyOptions())
            if stack is not None:
                stack.close()

    # -- what happens ----------------------------------------------------------------------------------------------

    def add(self, connection: Connection) -> None:
        """Take a connection in, and let its exchange begin."""
        self.connections.append(connection)
        connection.exchange.notify = lambda: self._touched.setdefault(connection)
        self.feed(connection, connection.exchange.start)

    def feed(self, connection: Connection, happening: Callable[[float], object]) -> None:
        """Let something happen to a connection: a call of its exchange, with the time."""
        with self.lock:
            happening(self.now)
            self._touched.setdefault(connection)
            self._collect()

    def publish(self, items: list[PublishedItem]) -> None:
        """Take items in. From any thread."""
        with self.lock:
            for capture in self.captures:
                capture.note(items)
            self.published += [item.channel for item in items]
            self.engine.publish(items, self.now)
            self._collect()

    def _collect(self) -> None:
        """Take out what came of it: what clients get, and what the application is to be asked."""
        while self._touched:
            touched, self._touched = self._touched, {}
            for connection in touched:
                # First, as a client answers a close by itself.
                connection.take_effects()
                self._asks.extend((connection, ask) for ask in connection.exchange.take_asks())
        self._changed.notify_all()
        for wake in self._wakers:
            wake()

    # -- asking the application ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Ask the application what there is to ask for sync connections. Raises what a view raises.

        Not in the midst of a request: a view that publishes does not run other views.
        """
        if current_grip.get() is not None or getattr(self._settling, "is_busy", False):
            return
        self._settling.is_busy = True
        failures: list[Exception] = []
        try:
            for connection, ask in self._take_asks(is_async=False):
                answer = connection.application.ask(ask, whole=connection.reads_whole(ask))
                self._take_answer(connection, ask, answer, failures)
        finally:
            self._settling.is_busy = False
        if failures:
            raise failures[0]

    async def asettle(self) -> None:
        """`settle`, for async connections and sync ones."""
        failures: list[Exception] = []
        async with self._async_turn:
            for connection, ask in self._take_asks(is_async=True):
                answer = await connection.application.aask(ask, whole=connection.reads_whole(ask))
                self._take_answer(connection, ask, answer, failures)
        self.settle()
        if failures:
            raise failures[0]

    def _take_asks(self, *, is_async: bool) -> Iterator[tuple[Connection, AppRequest]]:
        for _ in range(_MOST_REQUESTS):
            with self.lock:
                found = next((pair for pair in self._asks if self._is_ours(pair[0], is_async)), None)
                if found is None:
                    return
                self._asks.remove(found)
            yield found
        raise AssertionError(f"The proxy has made {_MOST_REQUESTS} requests without an end; do links lead in a circle?")

    def _is_ours(self, connection: Connection, is_async: bool) -> bool:
        return connection.is_async if is_async else connection.home == threading.get_ident()

    def _take_answer(self, connection: Connection, ask: AppRequest, answer: Answer, failures: list[Exception]) -> None:
        if answer.exception is not None:
            failures.append(answer.exception)
        if connection in self.connections:
            self.feed(connection, lambda now: connection.take_answer(ask, answer, now))

    # -- time ------------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let so many seconds go by, and everything happen that is due meanwhile, in order."""
        self._check_kinds()
        self.settle()
        for _ in self._steps(seconds):
            self.settle()

    async def aadvance(self, seconds: float) -> None:
        """`advance`, for async connections and sync ones."""
        await self.asettle()
        for _ in self._steps(seconds):
            await self.asettle()

    def _hold_time(self) -> float:
        return self._epoch + self.now

    def _check_kinds(self) -> None:
        if any(connection.is_async and not connection.exchange.done for connection in self.connections):
            raise AssertionError("An AsyncGripClient has connections open: await its own advance().")

    def _steps(self, seconds: float) -> Iterator[None]:
        if seconds < 0:
            raise ValueError(f"Time does not go back: {seconds} seconds.")
        end = self.now + seconds
        idle_steps = 0
        while (due := self._next_deadline()) is not None and due <= end:
            idle_steps = idle_steps + 1 if due <= self.now else 0
            if idle_steps > _MOST_REQUESTS:
                raise AssertionError("Something is due again and again at the same time.")
            with self.lock:
                self.now = max(self.now, due)
                self._wake()
            yield
        self.now = end

    def _next_deadline(self) -> float | None:
        deadlines = [self.engine.deadline, *(exchange.deadline for exchange in self.engine.exchanges)]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _wake(self) -> None:
        if self.engine.deadline is not None and self.engine.deadline <= self.now:
            self.engine.wake(self.now)
        for connection in self.connections:
            deadline = connection.exchange.deadline
            if deadline is not None and deadline <= self.now:
                connection.exchange.wake(self.now)
                self._touched.setdefault(connection)
        self._collect()

    # -- waiting for threads ---------------------------------------------------------------------------------------

    def wait_until(self, condition: Callable[[], Any], timeout: float) -> None:
        """Wait until something has happened, at most so many real seconds."""
        end = time.monotonic() + timeout
        while not condition() and (left := end - time.monotonic()) > 0:
            with self.lock:
                if not condition() and not any(self._is_ours(connection, False) for connection, _ in self._asks):
                    self._changed.wait(left)
            self.settle()

    async def await_until(self, condition: Callable[[], Any], timeout: float) -> None:
        """`wait_until`, for async connections."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        end = time.monotonic() + timeout
        self._wakers.append(wake)
        try:
            while not condition() and (left := end - time.monotonic()) > 0:
                try:
                    await asyncio.wait_for(changed.wait(), left)
                except asyncio.TimeoutError:
                    break
                changed.clear()
                await self.asettle()
        finally:
            self._wakers.remove(wake)


proxy = InProcessProxy()
