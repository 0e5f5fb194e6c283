"""Is this one of several worker processes? Then a publish would reach only those clients that one of them has.

No ASGI server tells an application. But a worker still has its supervisor's beginnings on its stack, with the number
in it; and where it has not, it has the command line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

__all__ = ["count_workers", "describe_workers"]

# Where a supervisor starts a worker: module, function, the local variable with the configuration, and the way to it.
_SUPERVISORS = {
    ("uvicorn._subprocess", "subprocess_started"): ("config",),
    ("uvicorn.supervisors.multiprocess", "target"): ("self", "config"),
    ("gunicorn.arbiter", "spawn_worker"): ("self", "cfg"),
    ("hypercorn.asyncio.run", "asyncio_worker"): ("config",),
    ("hypercorn.asyncio.run", "uvloop_worker"): ("config",),
}
_SERVERS = frozenset({"granian", "gunicorn", "hypercorn", "uvicorn"})
_OPTION = re.compile(r"(?:--workers|-w)(?:=|\Z)")
_SHORT = re.compile(r"-w([0-9]+)")


def describe_workers() -> str | None:
    """Say why the embedded proxy cannot run in this process, or None if it can."""
    count = count_workers(sys._getframe(), sys.argv)
    if count is None or count <= 1:
        return None
    return (
        f"The embedded GRIP proxy runs in one process, but this server has {count} workers, and a publish would reach "
        f"the clients of one of them only. Run it with 1 worker, or put Pushpin in front (GRIP_PROXIES or GRIP_URL)."
    )


def count_workers(frame: FrameType | None, arguments: Sequence[str]) -> int | None:
    """How many workers the server has that runs this code; None if nothing tells. frame: where it runs."""
    while frame is not None:
        way = _SUPERVISORS.get((frame.f_globals.get("__name__", ""), frame.f_code.co_name))
        if way is not None:
            count = _read_count(frame.f_locals, way)
            if count is not None:
                return count
        frame = frame.f_back
    return _read_arguments(arguments)


def _read_count(names: Any, way: tuple[str, ...]) -> int | None:
    config: Any = names.get(way[0])
    for name in way[1:]:
        config = getattr(config, name, None)
    # uvicorn's reloader has one child at a time, whatever is said of workers.
    if getattr(config, "should_reload", False) is True:
        return 1
    count = getattr(config, "workers", None)
    return count if isinstance(count, int) else None


def _read_arguments(arguments: Sequence[str]) -> int | None:
    """The number in a server's command line, which its worker processes inherit."""
    if not arguments:
        return None
    program = re.split(r"[/\\]", arguments[0])
    name = program[-1].removesuffix(".exe").removesuffix(".py")
    # "python -m granian" has the path of its __main__.py.
    if name == "__main__" and len(program) > 1:
        name = program[-2]
    if name not in _SERVERS or "--reload" in arguments:
        return None
    for position, argument in enumerate(arguments):
        short = _SHORT.fullmatch(argument)
        if short:
            return int(short[1])
        if _OPTION.match(argument):
            value = argument.partition("=")[2] or "".join(arguments[position + 1 : position + 2])
            return int(value) if value.isdecimal() else None
    return None
