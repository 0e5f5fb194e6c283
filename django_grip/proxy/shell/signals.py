"""Hear the signals that end a server before the server acts on them.

A server that is told to end waits for its open responses, and held ones would keep it waiting for ever.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["SignalChain"]

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))


class SignalChain:
    """Calls `heard` at each signal, and then whoever else handles it.

    heard is called as a signal handler is: in the main thread, between any two steps of the program. is_over: whether
    nobody needs it any longer, though nobody has said so; the next one then takes its place, not one behind it.
    """

    def __init__(self, heard: Callable[[], None], *, is_over: Callable[[], bool] = lambda: False) -> None:
        self._heard = heard
        self._is_over = is_over
        self._previous: dict[int, Any] = {}

    def install(self) -> None:
        """Begin to listen; only the main thread can, elsewhere this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _ENDING:
            previous = _skip_those_over(number, signal.getsignal(number))
            # None: somebody in C handles it. An ignored signal ends nothing.
            if number not in self._previous and previous not in (None, signal.SIG_IGN):
                self._previous[number] = previous
                signal.signal(number, self._handle)

    def restore(self) -> None:
        """Listen no longer; whoever took a signal over since keeps it."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, previous)
        self._previous.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._heard()
        previous = self._previous.get(number)
        if callable(previous):
            previous(number, frame)
        else:  # SIG_DFL, which is no function
            self.restore()
            signal.raise_signal(number)


def _skip_those_over(number: int, handler: Any) -> Any:
    """The handler that was there before those of servers that ended without a word, as they do without a lifespan."""
    while True:
        chain = getattr(handler, "__self__", None)
        if not isinstance(chain, SignalChain) or not chain._is_over():
            return handler
        handler = chain._previous.get(number)
