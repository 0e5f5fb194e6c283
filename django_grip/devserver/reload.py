"""The process that starts the development server again when its code has changed, and ends it in order.

Django's own kills the server a quarter of a second after a Ctrl-C, and at once on a SIGTERM. Ours gives it the time to
part with its clients.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from django.utils import autoreload

__all__ = ["RESTART", "ignore_signals", "is_server_process", "leave_within", "run_server_process"]

# What the server's process exits with when its code has changed.
RESTART = 3
# Seconds. Enough for the server to end by itself (see its own time-outs), also on a busy machine.
_PATIENCE = 10.0


def is_server_process() -> bool:
    """Whether this is the process that serves, and not the one that starts it."""
    return os.environ.get(autoreload.DJANGO_AUTORELOAD_ENV) == "true"


def run_server_process() -> int:
    """Start the server's process, and again whenever its code has changed, until it is told to end.

    Returns its last exit code.
    """
    environment = {**os.environ, autoreload.DJANGO_AUTORELOAD_ENV: "true"}
    if getattr(sys.stdout, "write_through", False):  # as with python -u
        environment.setdefault("PYTHONUNBUFFERED", "1")
    while True:
        process = subprocess.Popen(autoreload.get_child_arguments(), env=environment, close_fds=False)  # noqa: S603
        code = _wait(process)
        if code != RESTART:
            return code


def _wait(process: subprocess.Popen[bytes]) -> int:
    with _hearing_signals() as heard:
        while True:
            try:
                return process.wait(0.2 if heard else None)
            except subprocess.TimeoutExpired:
                _end(process, heard)
            except _Heard:
                pass


def _end(process: subprocess.Popen[bytes], heard: list[float]) -> None:
    """A Ctrl-C in a terminal is heard by the server too; a plain kill of this process is not."""
    if len(heard) > 2 or time.monotonic() > heard[0] + _PATIENCE:
        process.kill()
    else:
        process.terminate()


class _Heard(BaseException):
    """A signal came."""


@contextlib.contextmanager
def _hearing_signals() -> Iterator[list[float]]:
    """Note when signals come that end programs; the first one ends a wait."""
    heard: list[float] = []

    def hear(*_: Any) -> None:
        heard.append(time.monotonic())
        if len(heard) == 1:
            raise _Heard

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, hear) for number in numbers]
    try:
        yield heard
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def ignore_signals() -> None:
    """This process ends already, and is to end in order."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def leave_within(seconds: float, code: int) -> None:
    """Exit after so long at the latest, whatever threads are busy then: a view may take its time."""

    def leave() -> None:
        time.sleep(seconds)
        os._exit(code)

    threading.Thread(target=leave, name="leave", daemon=True).start()
