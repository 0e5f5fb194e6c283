"""Where the sync parts of one request run: one thread, lent when it is first needed, with the request's contextvars.

asgiref decides by its `ThreadSensitiveContext` which thread sync code runs in. For each request there is one of ours,
so that everything, Django's own calls of ``sync_to_async`` too, ends up in the same lent thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, Token, copy_context
from functools import partial
from typing import Any, TypeVar

from asgiref import sync as asgiref_sync
from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext, async_to_sync, sync_to_async

from .publishing.lifecycle import on_fork
from .thread_pool import Lease, ThreadPool

__all__ = ["RequestThread", "current_request_thread", "pool"]

_T = TypeVar("_T")

# Seconds, twice as long each time: views that hang must not keep the loop busy with looking at them.
_LOOK_AGAIN = 0.05
_LOOK_AGAIN_MAX = 2.0

pool = ThreadPool()
on_fork(pool.renew)

_context: ContextVar[ThreadSensitiveContext] = SyncToAsync.thread_sensitive_context
_executors: Any = SyncToAsync.context_to_thread_executor


def _knows_asgiref() -> bool:
    """Whether asgiref marks its threads as we do (3.8 to 3.13 do). If not, its own, slower way is taken."""
    names = SyncToAsync.thread_handler.__code__.co_names
    marks = {"threadlocal", "main_event_loop", "main_event_loop_pid", "task_context"} <= set(names)
    return marks and hasattr(asgiref_sync, "_restore_context")


_IS_FAST = _knows_asgiref()
_restore_context: Callable[[Context], None] = getattr(asgiref_sync, "_restore_context", lambda context: None)


class RequestThread(ThreadSensitiveContext):
    """The thread of one request; ``with`` it, in the request's task.

    begin: called in the thread before anything else. cancelled: the request's task was cancelled while the thread was
    at work, and whoever was called has returned all the same.
    """

    def __init__(self, begin: Callable[[], object] | None = None) -> None:
        super().__init__()
        self._begin = begin
        self._lease: Lease | None = None
        self._mark: Token[ThreadSensitiveContext] | None = None
        self.cancelled = False

    def __enter__(self) -> RequestThread:
        if not _is_decided_above():
            self._lease = pool.lease(self._begin)
            _executors[self] = self._lease
            self._mark = _context.set(self)
        return self

    def __exit__(self, *args: object) -> None:
        if self._lease is not None:
            # A task that outlives its request gets a thread from asgiref if it wants one, as under stock Django.
            _executors.pop(self, None)
            self._lease.close()
        if self._mark is not None:
            _context.reset(self._mark)

    @property
    def is_lent(self) -> bool:
        """Whether the thread is one that other requests had, and will have."""
        return self._lease is not None

    @property
    def used(self) -> bool:
        """Whether something has run in the thread. True if somebody above decides about threads."""
        return self._lease is None or self._lease.used

    async def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Call a sync function in the thread, with the task's contextvars; what it sets is seen here afterwards.

        When the task is cancelled, what runs in the thread goes on. If it waits for async code, as a view under sync
        middleware does, that is cancelled. Then, if the function returns, so does this, and `cancelled` is set.
        Raises: CancelledError, what the function raises.
        """
        if self._lease is None or not _IS_FAST:
            return await sync_to_async(function)(*args)
        call = _Call(asyncio.get_running_loop(), function, args)
        self._lease.put(call.run)
        try:
            await call.done
        except asyncio.CancelledError:
            if not await call.cancel():
                raise
            self.cancelled = True
        _restore_context(call.context)
        result: _T = call.result()
        return result

    def wait_for(self, function: Callable[..., Coroutine[Any, Any, _T]], *args: Any, **kwargs: Any) -> _T:
        """In the thread: run an async function on the server's loop, and wait for it.

        What it calls of sync code runs in this thread. The difference to `async_to_sync`: nothing of the waiting is
        left in its contextvars, so that tasks it starts may outlive it.
        """
        if self._lease is None or not _IS_FAST or _has_sync_parent():
            return async_to_sync(function)(*args, **kwargs)
        run = _Run(partial(function, *args, **kwargs))
        here: Any = SyncToAsync.threadlocal
        here.main_event_loop.call_soon_threadsafe(run.start, self._lease, here.task_context)
        self._lease.wait(lambda: run.is_over)
        result: _T = run.result()
        return result


def _is_decided_above() -> bool:
    """Whether sync code above us waits and runs what is sync, as in a test, or there is a context that is not ours."""
    outer = _context.get(None)
    return _has_sync_parent() or (outer is not None and not isinstance(outer, RequestThread))


def _has_sync_parent() -> bool:
    """Whether a thread above us waits in `async_to_sync` for what we do."""
    return getattr(AsyncToSync.executors, "current", None) is not None


def current_request_thread() -> RequestThread | None:
    """The thread of the request that is being answered, if it is answered by our handler."""
    context = _context.get(None)
    return context if isinstance(context, RequestThread) else None


class _Call:
    """One call in the thread, and its way back to the loop."""

    __slots__ = ("_claim", "_ended", "_error", "_loop", "_result", "_tasks", "args", "context", "done", "function")

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._loop = loop
        self.function = function
        self.args = args
        self.context = copy_context()
        self.done: asyncio.Future[None] = loop.create_future()
        self._error: BaseException | None = None
        self._result: Any = None
        # The tasks of async code that the function waits for; asgiref appends to it.
        self._tasks: list[asyncio.Task[Any]] = []
        # Taken by the thread when it begins, or by the loop when nobody needs it any more: `pop` is atomic.
        self._claim = [True]
        self._ended = False

    def run(self) -> Callable[[], object] | None:
        """In the thread."""
        try:
            self._claim.pop()
        except IndexError:
            return None
        # By these `async_to_sync` finds its way back to the server's loop.
        here: Any = SyncToAsync.threadlocal
        here.main_event_loop, here.main_event_loop_pid, here.task_context = self._loop, os.getpid(), self._tasks
        try:
            self._result = self.context.run(self._enter)
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self._error = error
        return self._report

    def _report(self) -> None:
        # A loop that was closed in the meantime has nobody left to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _enter(self) -> Any:
        _restore_context(self.context)
        return self.function(*self.args)

    def _wake(self) -> None:
        self._ended = True
        if not self.done.done():
            self.done.set_result(None)

    async def cancel(self) -> bool:
        """Have async code that is waited for cancelled, and wait for the end. False if nothing has begun."""
        with contextlib.suppress(IndexError):
            self._claim.pop()
            return False
        told: set[asyncio.Task[Any]] = set()
        pause = _LOOK_AGAIN
        while not self._ended:
            # A task may begin after we looked.
            for task in {*self._tasks[:1]} - told:
                told.add(task)
                task.cancel()
            self.done = self._loop.create_future()
            await asyncio.wait([self.done], timeout=pause)
            pause = min(2 * pause, _LOOK_AGAIN_MAX)
        return True

    def result(self) -> Any:
        """What the function returned. Raises: what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                # The traceback would hold us, and we it.
                self._error = None
        return self._result


class _Run:
    """One async function that a thread waits for."""

    __slots__ = ("_context", "_error", "_function", "_result", "is_over")

    def __init__(self, function: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._function = function
        self._context = copy_context()
        self._error: BaseException | None = None
        self._result: Any = None
        self.is_over = False

    def start(self, lease: Lease, tasks: list[asyncio.Task[Any]]) -> None:
        """On the loop. tasks: those that are cancelled when the request is."""
        loop = asyncio.get_running_loop()
        tasks.append(self._context.run(loop.create_task, self._run(lease, tasks)))

    async def _run(self, lease: Lease, tasks: list[asyncio.Task[Any]]) -> None:
        try:
            _restore_context(self._context)
            self._result = await self._function()
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self._error = error
        self._context = copy_context()
        tasks.clear()
        lease.put(self._end)

    def _end(self) -> None:
        self.is_over = True

    def result(self) -> Any:
        """In the thread. Raises: what the function raised."""
        _restore_context(self._context)
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None
        return self._result
