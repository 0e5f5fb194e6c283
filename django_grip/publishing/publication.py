"""What `publish` returns: a future with one result per proxy.

Publications are made by the thousand, so they carry no lock of their own: one lock serves them all, and a sender takes
it once for a whole batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator, Iterable

from ..exceptions import NotCommitted, ProxyResult, PublishError
from .callbacks import call_later
from .lifecycle import on_fork

__all__ = ["ProxyResult", "Publication", "forsake", "settle"]

_HELD = -1


class _LoopWaiter:
    """Someone who awaits a publication: woken with all the others of the same loop at once."""

    __slots__ = ("future", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future = loop.create_future()


class _Shared:
    """The lock of all publications. A child process gets a new one: its parent may have held the old one."""

    lock = threading.RLock()

    @classmethod
    def renew(cls) -> None:
        cls.lock = threading.RLock()


on_fork(_Shared.renew)


class Publication:
    """One item on its way to every proxy: a future.

    ``await publication`` and `result()` give the tuple of `ProxyResult`, or raise a `PublishError` that names each
    proxy that failed. Nobody has to wait: failures are logged and counted all the same.
    """

    __slots__ = ("__weakref__", "_pending", "_results", "_waiters")

    def __init__(self) -> None:
        self._pending = _HELD
        self._results: list[ProxyResult] = []
        self._waiters: list[Callable[[Publication], object] | _LoopWaiter] | None = None

    def __repr__(self) -> str:
        state = "held" if self._pending == _HELD else f"{self._pending} to come" if self._pending else "done"
        return f"<Publication {state}, {len(self._results)} results, {len(self._failures())} failed>"

    @property
    def results(self) -> tuple[ProxyResult, ...]:
        """The results that are in, in the order they came; all of them once `done()`."""
        return tuple(self._results)

    def done(self) -> bool:
        """Whether every proxy has taken or not taken the item."""
        return self._pending == 0

    def exception(self, timeout: float | None = None) -> PublishError | None:
        """Wait until `done()`, and give the error that `result()` would raise, or None.

        timeout: seconds; None waits as long as it takes, which ``GRIP_PUBLISH_TIMEOUT`` bounds.
        Raises: TimeoutError. NotCommitted, when the item goes out at a commit that has not come.
        """
        if self._pending:
            self._wait(timeout)
        failures = self._failures()
        return _combine(failures, self.results) if failures else None

    def result(self, timeout: float | None = None) -> tuple[ProxyResult, ...]:
        """Wait until `done()`; one result per proxy.

        timeout: seconds, as for `exception()`.
        Raises: PublishError, naming each proxy that failed; TimeoutError; NotCommitted.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error from error.results[0].error if len(error.results) == 1 else error
        return self.results

    def add_done_callback(self, callback: Callable[[Publication], object]) -> None:
        """Have `callback(publication)` called once, when `done()`; at once if it is done already.

        It runs on a thread kept for callbacks, one after the other, where it may publish, raise and wait.
        """
        if not self._add_waiter(lambda publication: call_later(callback, publication)):
            call_later(callback, self)

    def __await__(self) -> Generator[object, None, tuple[ProxyResult, ...]]:
        if self._pending:
            self._refuse_held()
            waiter = _LoopWaiter(asyncio.get_running_loop())
            if self._add_waiter(waiter):
                try:
                    yield from waiter.future
                finally:
                    self._drop_waiter(waiter)
        return self.result()

    def _start(self, proxies: int) -> None:
        self._pending = proxies

    def _failures(self) -> list[ProxyResult]:
        return [result for result in self._results if result.error is not None]

    def _refuse_held(self) -> None:
        if self._pending == _HELD:
            raise NotCommitted("This item goes out when the transaction commits; there is nothing to wait for before.")

    def _wait(self, timeout: float | None) -> None:
        self._refuse_held()
        bell = threading.Lock()
        bell.acquire()

        def ring(publication: Publication) -> None:
            bell.release()

        if self._add_waiter(ring) and not bell.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            self._drop_waiter(ring)
            if self._pending:
                raise TimeoutError(f"The item was not published within {timeout:g} s; it is still being tried.")

    def _add_waiter(self, waiter: Callable[[Publication], object] | _LoopWaiter) -> bool:
        """Have `waiter` told when this is done. False if it is done already."""
        with _Shared.lock:
            if self._pending == 0:
                return False
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            return True

    def _drop_waiter(self, waiter: Callable[[Publication], object] | _LoopWaiter) -> None:
        with _Shared.lock, contextlib.suppress(ValueError):
            if self._waiters:
                self._waiters.remove(waiter)


def _combine(failures: list[ProxyResult], results: tuple[ProxyResult, ...]) -> PublishError:
    told = "; ".join(f"{url}: {error}" for url, error, _ in failures)
    many = f"{len(failures)} of {len(results)} proxies" if len(results) > 1 else "the proxy"
    return PublishError(f"Not published to {many}: {told}", results=results)


def settle(publications: Iterable[Publication], result: ProxyResult) -> None:
    """Note one proxy's result for a whole batch, and wake whoever waits for what is now done."""
    ready: list[Publication] = []
    with _Shared.lock:
        for publication in publications:
            publication._results.append(result)
            publication._pending -= 1
            if publication._waiters is not None and not publication._pending:
                ready.append(publication)
    if ready:
        _wake(ready)


def _wake(publications: list[Publication]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for publication in publications:
        waiters, publication._waiters = publication._waiters or (), None
        for waiter in waiters:
            if isinstance(waiter, _LoopWaiter):
                loops.setdefault(waiter.loop, []).append(waiter.future)
            else:
                waiter(publication)
    for loop, futures in loops.items():
        # A loop that was closed has nobody left who could be told.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, futures)


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def forsake(publications: Iterable[Publication], result: ProxyResult) -> None:
    """Settle a child process's copies of what its parent sends. Nobody in the child was waiting for them."""
    for publication in publications:
        if publication._pending > 0:
            publication._waiters = None
            publication._results.append(result)
            publication._pending -= 1
