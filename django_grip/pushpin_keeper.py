"""A process between `manage.py pushpin` and Pushpin: it ends Pushpin when the command is gone, however that went.

Run by its path, with nothing but the standard library: ``python -I pushpin_keeper.py DIRECTORY COMMAND...``. Its
standard input is a pipe from the command. Its end, which the kernel delivers even when the command was killed, is the
word to stop. Then, if DIRECTORY is not ``-``, the directory is removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

# Seconds. Pushpin's runner gives its services four.
GRACE = 8.0


def keep(command: list[str]) -> int:
    """Run a command until it ends, or until our standard input does. Return its exit code, as a shell says it."""
    # A Ctrl-C in the terminal is not for us: we are told by the pipe.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - what manage.py pushpin said
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    code = process.wait()
    return code if code >= 0 else 128 - code


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1024):
        pass
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
        return
    process.kill()


def end_services(run_directory: Path) -> None:
    """End the services of a runner that left them behind, by the files with their process ids."""
    for file in run_directory.glob("*.pid"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.read_text())
            # The number may have been given to somebody else since.
            if str(run_directory.parent) in _command_of(pid):
                os.kill(pid, signal.SIGKILL)


def _command_of(pid: int) -> str:
    asked = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout  # noqa: S603 - fixed words


def remove(directory: Path) -> None:
    """Remove a directory, even one that a process that is just ending still writes to."""
    for _ in range(20):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.05)


def main() -> int:
    directory, *command = sys.argv[1:]
    config = Path(next(word for word in command if word.startswith("--config=")).removeprefix("--config="))
    try:
        return keep(command)
    finally:
        end_services(config.parent / "run")
        if directory != "-":
            remove(Path(directory))


if __name__ == "__main__":
    sys.exit(main())
