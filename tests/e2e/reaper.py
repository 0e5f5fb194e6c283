"""Ends the rig's processes when the test process that started them is gone, however it went.

Runs as a process of its own. Its standard input is a pipe from the test process: ``+PID`` and ``-PID`` lines, and the
end of the pipe, which the kernel delivers even when the test process was killed.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
from pathlib import Path

import psutil


class Reaper:
    """The test process's end: started once, on first use."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def watch(self, pid: int) -> None:
        """End this process, and all it started, should the test process vanish."""
        self._tell(f"+{pid}")

    def forget(self, pid: int) -> None:
        """The process has ended."""
        self._tell(f"-{pid}")

    def _tell(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__))],
                stdin=subprocess.PIPE,
                text=True,
                bufsize=1,
                start_new_session=True,
            )
            atexit.register(self._end)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")

    def _end(self) -> None:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Closes the pipe, and waits.
            self._process.communicate(timeout=30)


def end_tree(pid: int, *, grace: float) -> None:
    """Ask a process and all below it to end; after ``grace`` seconds (0: at once) kill what is left.

    Only the process itself is asked: Pushpin's runner ends its services in order.
    """
    try:
        leader = psutil.Process(pid)
        tree = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    if grace:
        with contextlib.suppress(psutil.NoSuchProcess):
            leader.terminate()
        _gone, tree = psutil.wait_procs(tree, timeout=grace)
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(tree, timeout=30)


def main() -> None:
    watched: set[int] = set()
    for line in sys.stdin:
        sign, pid = line[0], int(line[1:])
        if sign == "+":
            watched.add(pid)
        else:
            watched.discard(pid)
    for pid in watched:
        end_tree(pid, grace=5)


if __name__ == "__main__":
    main()
