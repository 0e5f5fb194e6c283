"""Write a Pushpin's files, and run it: found, started, watched and ended."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from .pushpin import MAX_SOCKET_DIRECTORY, PushpinConfig, PushpinConfigError, Version
from .pushpin_keeper import remove

__all__ = [
    "PushpinProcess",
    "find_version",
    "make_private_directory",
    "probe_routes",
    "refuse_taken_port",
    "write_config",
]

HOW_TO_GET = (
    "Pushpin is not installed: on Debian and Ubuntu, apt-get install pushpin; on a Mac, brew install pushpin; "
    "elsewhere see https://pushpin.org/docs/install/."
)
_KEEPER = Path(__file__).with_name("pushpin_keeper.py")
_START_TIMEOUT = 30.0
_END_TIMEOUT = 15.0
# What every version has and says, beside what takes the clients.
_SERVICES = {"proxy", "handler"}
_started_line = re.compile(r"^\[INFO\] .* \[(\w+)\] started$")


def find_version() -> Version:
    """The version of the Pushpin that is installed. Raises: PushpinConfigError, saying how to get it."""
    program = shutil.which("pushpin")
    if program is None:
        raise PushpinConfigError(HOW_TO_GET)
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    found = re.search(r"\b(\d+)\.(\d+)", done.stdout)
    if found is None:
        raise PushpinConfigError(f"{program} --version does not say which version it is.")
    return int(found[1]), int(found[2])


def make_private_directory() -> Path:
    """Make a directory for nobody but us, with a name short enough for sockets (macOS has a long one for these)."""
    room = MAX_SOCKET_DIRECTORY - len("/pushpin-12345678/run")
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="pushpin-", dir=base if len(base.encode()) <= room else "/tmp"))  # noqa: S108


def write_config(config: PushpinConfig) -> None:
    """Write the files of a configuration, for our eyes only. What is there already is replaced.

    Raises: PushpinConfigError, OSError.
    """
    files = config.files()
    directory = Path(config.directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_open_directory(directory)
    for place in (config.run_directory, config.log_directory):
        Path(place).mkdir(mode=0o700, exist_ok=True)
        Path(place).chmod(0o700)
    for name, text in files.items():
        _write_private(directory / name, text)


def _refuse_open_directory(directory: Path) -> None:
    found = directory.stat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise PushpinConfigError(
            f"{directory} is not for keys: it has to be yours, and nobody else may write to it (chmod 700)."
        )


def _write_private(file: Path, text: str) -> None:
    """Put a file in its place at once: never half, never readable by others, never through somebody's link."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as out:
            out.write(text)
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def refuse_taken_port(host: str, port: int, sentence: str) -> None:
    """Raise PushpinConfigError with a sentence if somebody listens there, or OSError if nobody may."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PushpinConfigError(sentence) from error
            raise


class PushpinProcess:
    """A Pushpin that runs as long as we do.

    config: written already. probe: a host name, with its `probe_routes` in the configuration. show: takes each line
    that Pushpin says once it is ready, but none before `wait`; earlier ones are kept for `last_words`.
    removes_directory: at the end.
    """

    def __init__(
        self, config: PushpinConfig, *, probe: str, show: Callable[[str], object], removes_directory: bool = False
    ) -> None:
        self._probe = probe
        self._config = config
        self._removes_directory = removes_directory
        self._show = show
        self._is_ready = self._shows = False
        # What is to be shown, and cannot be yet.
        self._held: list[str] = []
        self._showing = threading.Lock()
        self._lines: deque[str] = deque(maxlen=20)
        self._started: set[str] = set()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Start it. It is ended by `end`, and when this process is gone."""
        directory = self._config.directory
        keeper = [sys.executable, "-I", str(_KEEPER), directory if self._removes_directory else "-"]
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            [*keeper, "pushpin", f"--config={directory}/pushpin.conf", "--merge-output"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # A Ctrl-C in the terminal is ours to handle, so that everything ends in order.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="pushpin", daemon=True)
        self._reader.start()

    def wait_ready(self) -> bool:
        """Wait until clients and items are taken and get through. False: it ended instead, or takes too long."""
        deadline = time.monotonic() + _START_TIMEOUT
        while not (self._started == _SERVICES and self._takes_items() and self._passes()):
            if self._running().poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        self._is_ready = True
        return True

    def _takes_items(self) -> bool:
        host, port = self._config.control
        return port == 0 or _accepts(_reachable(host), port)

    def _passes(self) -> bool:
        """Tell whether a request gets to where an application would be and back, and a stream is held.

        Pushpin's parts find each other one by one; what is sent too early is lost, and never answered.
        """
        try:
            return self._ask(f"nobody.{self._probe}", "/") == 502 and self._ask(self._probe, "/stream?channel=p") == 200
        except (OSError, HTTPException):
            return False

    def _ask(self, host: str, path: str) -> int:
        address, _, port = self._config.listen.rpartition(":")
        connection = HTTPConnection(_reachable(address.strip("[]")), int(port), timeout=1)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            response.readline()
            return response.status

    def wait(self) -> int:
        """Wait until it ends. Return its exit code."""
        with self._showing:
            self._shows = True
            for line in self._held:
                self._show(line)
            self._held.clear()
        code = self._running().wait()
        self._join()
        return code

    def end(self) -> None:
        """End it and all its services, and wait until that is done."""
        process = self._process
        if process is None:
            if self._removes_directory:
                remove(Path(self._config.directory))
            return
        self._is_ready = False
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._join()

    def last_words(self) -> str:
        """The complaints among the last lines, or else those lines."""
        complaints = [line for line in self._lines if not line.startswith(("[INFO]", "[DEBUG]"))]
        return "\n".join(complaints or self._lines)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the process was not started")
        return self._process

    def _read(self) -> None:
        for line in self._running().stdout or ():
            self._lines.append(line.rstrip("\n"))
            started = _started_line.search(line)
            if started:
                self._started |= {started[1]} & _SERVICES
            # Of the requests by which it was found to work it may speak late.
            elif self._is_ready and self._probe not in line:
                self._take(line.rstrip("\n"))

    def _take(self, line: str) -> None:
        with self._showing:
            if self._shows:
                self._show(line)
            else:
                self._held.append(line)

    def _join(self) -> None:
        if self._reader is not None:
            self._reader.join(5)


def probe_routes(name: str) -> tuple[str, str]:
    """Routes by which one sees that a Pushpin works, whether its application runs or not.

    One is to Pushpin's own test responder, the other to where nobody listens, which is a 502. name: a host's.
    """
    return f"{name} test", f"nobody.{name} 127.0.0.1:1,over_http"


def _reachable(host: str) -> str:
    # Listening on every address is listening on this one, too.
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only


def _accepts(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
