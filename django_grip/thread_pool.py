"""Long-lived threads for the sync parts of requests, lent to one request at a time.

Stock Django on ASGI starts a thread for each request that needs one. Here a request takes a lease of a thread that is
there already, for as long as the request lasts: database connections, transactions and thread-locals are that thread's.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any

__all__ = ["Lease", "ThreadPool"]

logger = logging.getLogger("django_grip")

Report = Callable[[], object]
# What it returns is called when the thread's books are closed: whoever hears of the end finds them in order.
Work = Callable[[], Report | None]


class _Thread(threading.Thread):
    """Does what its inbox says, one after the other, until it says None."""

    def __init__(self, number: int) -> None:
        super().__init__(name=f"grip-request-{number}", daemon=True)
        self.inbox: SimpleQueue[tuple[Lease, Work] | None] = SimpleQueue()

    def run(self) -> None:
        while (order := self.inbox.get()) is not None:
            lease, work = order
            # What a request has left behind must not live on until the next one comes.
            del order
            lease._perform(work)
            del lease, work


class ThreadPool:
    """Threads for requests.

    limit: when so many are at work, further requests wait; as many idle ones are kept. patience: seconds. When nothing
    was done in that time for those who wait, one of them gets a thread all the same: those who are at work may be
    waiting for them. Until the limit is kept again there is that one more for all: requests that hang must not leave
    the others a thread now and then.
    """

    def __init__(self, *, limit: int = 32, patience: float = 0.1) -> None:
        self.limit = limit
        self._patience = patience
        self.renew()

    def renew(self) -> None:
        """Begin anew, in a child process: its parent's threads are not there."""
        self._lock = threading.Lock()
        self._idle: list[_Thread] = []
        self._waiting: deque[Lease] = deque()
        self._working = 0
        self._allowed = self.limit
        self._started = 0
        self._threads = 0
        self._served = 0
        self._watched = False

    def __repr__(self) -> str:
        return (
            f"<ThreadPool {self._threads} threads, {len(self._idle)} idle, {self._working} at work, "
            f"{len(self._waiting)} waited for>"
        )

    @property
    def threads(self) -> int:
        return self._threads

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def working(self) -> int:
        return self._working

    def lease(self, begin: Callable[[], object] | None = None) -> Lease:
        """A lease that takes a thread when it is first needed. begin: called in it before anything else."""
        return Lease(self, begin)

    # ---- called with the lock

    def _assign(self, lease: Lease) -> bool:
        thread = self._idle.pop() if self._idle else self._start_thread()
        if thread is None:
            self._wait(lease)
            return False
        lease._thread = thread
        self._served += 1
        self._working += 1
        for work in lease._backlog:
            thread.inbox.put((lease, work))
        lease._backlog.clear()
        return True

    def _start_thread(self) -> _Thread | None:
        thread = _Thread(self._started + 1)
        try:
            thread.start()
        except RuntimeError:
            # The system has no more; one of ours will be free some time.
            if not self._threads:
                raise
            return None
        self._started += 1
        self._threads += 1
        return thread

    def _wait(self, lease: Lease) -> None:
        self._waiting.append(lease)
        if not self._watched:
            self._watched = True
            threading.Thread(target=self._watch, name="grip-request-watch", daemon=True).start()

    def _serve(self) -> None:
        if self._working < self.limit:
            self._allowed = self.limit
        while self._waiting and self._working < self._allowed and self._assign(self._waiting.popleft()):
            pass

    def _give_back(self, lease: Lease) -> None:
        thread, lease._thread = lease._thread, None
        if thread is None:
            return
        if len(self._idle) < self.limit:
            self._idle.append(thread)
        else:
            self._threads -= 1
            thread.inbox.put(None)

    # ---- the watch

    def _watch(self) -> None:
        served = -1
        bell = threading.Event()
        while True:
            with self._lock:
                if not self._waiting:
                    self._watched = False
                    return
                if served == self._served and self._assign(self._waiting.popleft()):
                    self._allowed = max(self._allowed, self._working)
                served = self._served
            bell.wait(self._patience)


class Lease(Executor):
    """The use of one thread of a pool, from the first call until `close`. An `Executor`, as asgiref wants one."""

    def __init__(self, pool: ThreadPool, begin: Callable[[], object] | None) -> None:
        self._pool = pool
        self._begin = begin
        self._thread: _Thread | None = None
        self._backlog: list[Work] = []
        self._unfinished = 0
        self._closed = False
        self.used = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function in the thread. Raises: RuntimeError, when the lease is closed."""
        future: Future[Any] = Future()

        def work() -> Report | None:
            if not future.set_running_or_notify_cancel():
                return None
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                return partial(future.set_exception, error)
            return partial(future.set_result, result)

        self.put(work)
        return future

    def put(self, work: Work) -> None:
        """Have the thread call `work`, which must not raise. Raises: RuntimeError, when the lease is closed."""
        pool = self._pool
        with pool._lock:
            if self._closed:
                raise RuntimeError("The request is over; its thread is no longer to be had.")
            self._unfinished += 1
            if self._thread is not None:
                if self._unfinished == 1:
                    pool._working += 1
                self._thread.inbox.put((self, work))
                return
            if self._begin is not None:
                self._backlog.append(partial(_begin, self._begin))
                self._begin = None
                self._unfinished += 1
            self._backlog.append(work)
            if self.used:
                return  # it is being waited for already
            self.used = True
            if pool._working < pool._allowed:
                pool._assign(self)
            else:
                pool._wait(self)

    def _perform(self, work: Work) -> None:
        """Do some work, in the thread."""
        report = None
        try:
            report = work()
        except BaseException:  # the thread is needed for other requests
            logger.exception("A request's thread was left with an exception.")
        finally:
            pool = self._pool
            with pool._lock:
                self._unfinished -= 1
                if not self._unfinished:
                    pool._working -= 1
                    if self._closed:
                        pool._give_back(self)
                    pool._serve()
        if report is not None:
            report()

    def wait(self, is_over: Callable[[], bool]) -> None:
        """In the thread: do what else it is told, until that makes something be over.

        Meanwhile it does not count as being at work.
        """
        pool, thread = self._pool, self._thread
        if thread is None:
            raise RuntimeError("Only the lease's own thread can wait.")
        with pool._lock:
            pool._working -= 1
            pool._serve()
        try:
            while not is_over() and (order := thread.inbox.get()) is not None:
                lease, work = order
                lease._perform(work)
        finally:
            with pool._lock:
                pool._working += 1

    def close(self) -> None:
        """Give the thread back, as soon as it has done what it was told. May be called twice."""
        pool = self._pool
        with pool._lock:
            self._closed = True
            if not self._unfinished:
                pool._give_back(self)
                if pool._waiting:
                    pool._serve()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `close`; it does not wait."""
        self.close()


def _begin(begin: Callable[[], object]) -> None:
    begin()
