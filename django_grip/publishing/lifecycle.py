"""Where a process begins and ends: forks, exits, and servers in which threads do not run."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["at_exit", "notice_fork", "on_fork", "threads_run"]


class _Process:
    """What is known of the process we run in."""

    pid = os.getpid()
    armed_pid = 0
    renewals: list[Callable[[], None]] = []
    farewells: list[Callable[[], None]] = []


def on_fork(renew: Callable[[], None]) -> None:
    """Have `renew` called in every child process, before anything else of this package runs there."""
    _Process.renewals.append(renew)


def notice_fork() -> None:
    """Begin anew if this is a child process that has not done so.

    Python's own forks call this. It is called at each publish too, because uWSGI forks without telling Python.
    """
    if _Process.pid != os.getpid():
        _Process.pid = os.getpid()
        for renew in _Process.renewals:
            renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=notice_fork)


def at_exit(farewell: Callable[[], None]) -> None:
    """Have `farewell` called once when this process, or a child of it, ends in an orderly way."""
    _Process.farewells.append(farewell)


def _say_farewell(*args: object, **kwargs: object) -> None:
    if _Process.pid == os.getpid():
        for farewell in _Process.farewells:
            farewell()


atexit.register(_say_farewell)


def arm_exit() -> None:
    """Hook into the ends that `atexit` does not see: pool workers leave by ``os._exit()``.

    Called when something is there to be flushed. The hooks have to be laid in the child itself: multiprocessing and
    billiard throw away what their parents had registered.
    """
    if _Process.armed_pid == _Process.pid:
        return
    _Process.armed_pid = _Process.pid
    for name in ("multiprocessing.util", "billiard.util"):
        util: Any = sys.modules.get(name)
        if util is not None:
            util.Finalize(None, _say_farewell, exitpriority=100)
    signals: Any = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(_say_farewell, weak=False)


def threads_run() -> bool:
    """Whether a thread that is started will run. In uWSGI it does only with ``--enable-threads`` or ``--threads``."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    options = getattr(uwsgi, "opt", {})
    return any(options.get(name) not in (None, False, b"false", "false") for name in ("enable-threads", "threads"))
