"""One process of the rig: started, watched, ended, with its log kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .reaper import Reaper, end_tree

_reaper = Reaper()


class RigProcess:
    """A command with a log file; it can be started again after it ended."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None
        LOGS.append(self)

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    def start(self) -> None:
        assert not self.is_alive(), f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                # A Ctrl-C in the terminal is the test runner's to handle: it ends us in order.
                start_new_session=True,
            )
        _reaper.watch(self._process.pid)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def check_alive(self) -> None:
        """Raise with the log's end if the process has ended by itself."""
        if not self.is_alive():
            code = self._process.returncode if self._process else None
            raise AssertionError(f"{self.name} ended with {code}; its log:\n{self.log_text()[-4000:]}")

    def stop(self, *, grace: float = 45.0) -> None:
        """End the process and all it started; after ``grace`` seconds by force, at once with 0."""
        if self._process is None:
            return
        end_tree(self._process.pid, grace=grace)
        self._process.wait(timeout=30)
        _reaper.forget(self._process.pid)
        self._process = None

    def kill(self) -> None:
        """``kill -9`` the process and all it started."""
        self.stop(grace=0)

    def log_text(self, start: int = 0) -> str:
        """What was logged, from a byte offset on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def close(self) -> None:
        """End for good."""
        self.stop()
        if self in LOGS:
            LOGS.remove(self)


# Every process that is, or may again be, part of a running rig: their logs go into the report of a test that fails.
LOGS: list[RigProcess] = []
