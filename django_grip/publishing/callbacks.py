"""The thread on which users' callbacks run, so that none of them can hold up or kill a sender."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .lifecycle import on_fork, threads_run

__all__ = ["call_later", "call_now", "callbacks_done", "on_callback_thread"]

_logger = logging.getLogger("django_grip.publish")


class _Callbacks:
    """One queue and one daemon thread for the process, started when the first callback comes."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.queue: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.running = False
        self.thread: threading.Thread | None = None

    def put(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        with self.condition:
            self.queue.append((function, arguments))
            if self.thread is not None:
                self.condition.notify_all()
                return
            thread = threading.Thread(target=self.run, name="grip-callbacks", daemon=True)
            self.thread = thread
            try:
                thread.start()
            except RuntimeError:
                # No thread to be had (uWSGI without them, an interpreter that ends): the caller's has to do.
                self.thread = None
        if self.thread is None:
            self.run_here()

    def run(self) -> None:
        while True:
            with self.condition:
                while not self.queue:
                    self.condition.wait()
                function, arguments = self.queue.popleft()
                self.running = True
            try:
                call_now(function, *arguments)
            except BaseException:
                # sys.exit() in a callback must not end the thread for the others.
                _logger.exception("A publish callback tried to end the thread.", extra={"grip_event": "callback_error"})
            # Whatever the callback holds must not live on until the next one comes.
            del function, arguments
            with self.condition:
                self.running = False
                self.condition.notify_all()

    def run_here(self) -> None:
        while self.queue:
            function, arguments = self.queue.popleft()
            call_now(function, *arguments)


_callbacks = _Callbacks()


def call_now(function: Callable[..., object], *arguments: object) -> None:
    """Call a user's function; what it raises is logged."""
    try:
        function(*arguments)
    except Exception:
        _logger.exception("A publish callback raised an exception.", extra={"grip_event": "callback_error"})


def call_later(function: Callable[..., object], *arguments: object) -> None:
    """Have a user's function called on the callback thread, after those that came before it."""
    if threads_run():
        _callbacks.put(function, arguments)
    else:
        call_now(function, *arguments)


def on_callback_thread() -> bool:
    """Whether this is the callback thread, which must not wait for itself."""
    return threading.current_thread() is _callbacks.thread


def callbacks_done(timeout: float) -> bool:
    """Wait until every callback queued so far has returned. timeout: seconds. False when some have not."""
    if on_callback_thread():
        return True
    end = time.monotonic() + timeout
    with _callbacks.condition:
        while _callbacks.queue or _callbacks.running:
            left = end - time.monotonic()
            if left <= 0:
                return False
            _callbacks.condition.wait(left)
    return True


def _renew() -> None:
    """Begin anew in a child process: the queue and the thread are the parent's."""
    global _callbacks
    _callbacks = _Callbacks()


on_fork(_renew)
