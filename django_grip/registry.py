"""How another process of a project finds its running servers: a small file for each, in a directory of the user's own.

Directories for temporary files are everybody's, so nothing in them is believed but what is ours and closed to others. A
file is named by a hash keyed with SECRET_KEY: projects do not mix, and a name tells nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["UNREACHABLE", "Server", "find_servers", "forget_server", "list_directories", "note_server"]

logger = logging.getLogger("django_grip")

UNREACHABLE = ""
"""In place of a URL: the server has clients, but no port that others could publish to."""

# A server whose address nobody has seen yet has no URL.
_URL = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):[0-9]{1,5}/\.grip")
_FILE = re.compile(r"(?P<name>[A-Za-z0-9_-]{8,64})\.(?P<pid>[0-9]{1,10})\.json")
_MAX_SIZE = 1024
# Not there on Windows, where the directory for temporary files is the user's own.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class Server(NamedTuple):
    """A running server. name: by which it was found.

    url: its control URL; None until a first client has come, `UNREACHABLE` if it has none.
    """

    name: str
    pid: int
    url: str | None


def note_server(names: tuple[str, ...], url: str | None) -> None:
    """Note this process as a server, under each of the names, or note its address. Problems are logged."""
    entry = json.dumps({"pid": os.getpid(), "started": _start_time(os.getpid()), "url": url})
    directories = list_directories(create=True)
    if not directories:
        logger.warning("Other processes will not find this server: there is no directory to note it in.")
    for directory in directories:
        _sweep(directory)
        for name in names:
            try:
                _write(directory / f"{name}.{os.getpid()}.json", entry)
            except OSError as error:
                logger.warning("Other processes will not find this server: %s", error)


def forget_server(names: tuple[str, ...]) -> None:
    """This process is no server any more."""
    for directory in list_directories():
        for name in names:
            _remove(directory / f"{name}.{os.getpid()}.json")


def find_servers(names: tuple[str, ...]) -> list[Server]:
    """The servers that run under one of the names. What is left of others is removed."""
    found: dict[int, Server] = {}
    for directory in list_directories():
        for path, name, pid in _list_files(directory):
            if name not in names:
                continue
            entry = _read(path)
            if entry is None or entry.get("pid") != pid or not _is_running(pid, entry.get("started")):
                _remove(path)
                continue
            url = entry.get("url")
            if url not in (None, UNREACHABLE) and not (isinstance(url, str) and _URL.fullmatch(url)):
                continue
            # Two directories, or two names: one that says where it is is better than one that does not.
            if pid not in found or found[pid].url is None:
                found[pid] = Server(name, pid, url)
    return list(found.values())


def _sweep(directory: Path) -> None:
    """Remove what servers have left that were killed, of whatever project."""
    for path, _, pid in _list_files(directory):
        entry = _read(path)
        if entry is None or not _is_running(pid, entry.get("started")):
            _remove(path)


# ---- directories


def list_directories(*, create: bool = False) -> list[Path]:
    """The directories that servers are noted in: processes of one user need not agree about where that is."""
    candidates = []
    # Where nothing can be written to there is none.
    with contextlib.suppress(FileNotFoundError):
        candidates.append(Path(tempfile.gettempdir(), f"django-grip-{_user()}"))
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isabs(runtime) and os.path.isdir(runtime):
        candidates.insert(0, Path(runtime, "django-grip"))
    return [directory for directory in candidates if _is_usable(directory, create)]


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"


def _is_usable(directory: Path, create: bool) -> bool:
    if create:
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o700)
    try:
        status = directory.lstat()
    except OSError:
        return False
    if _is_ours(status) and stat.S_ISDIR(status.st_mode) and not status.st_mode & _open_to_others():
        return True
    logger.warning(
        "%s is not a directory that is this user's alone (mode 0700), so it is not used to find servers: remove it.",
        directory,
    )
    return False


def _is_ours(status: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or status.st_uid == os.getuid()


def _open_to_others() -> int:
    # On Windows the mode says nothing.
    return stat.S_IRWXG | stat.S_IRWXO if hasattr(os, "getuid") else 0


# ---- files


def _list_files(directory: Path) -> Iterator[tuple[Path, str, int]]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        match = _FILE.fullmatch(name)
        if match:
            yield directory / name, match["name"], int(match["pid"])


def _write(path: Path, text: str) -> None:
    """Write a file so that nobody sees half of it."""
    draft = path.with_suffix(f".{os.urandom(6).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, path)
    except BaseException:
        _remove(draft)
        raise


def _read(path: Path) -> dict[str, Any] | None:
    try:
        # Without blocking: a FIFO under that name would be waited for.
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_ours(status):
            return None
        try:
            entry = json.loads(file.read(_MAX_SIZE))
        except (ValueError, RecursionError, OSError):
            return None
    return entry if isinstance(entry, dict) else None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


# ---- processes


def _is_running(pid: int, started: object) -> bool:
    """Whether a process is still the one that started then. True where that cannot be known."""
    if os.name != "posix":
        # There, os.kill() does what its name says.
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it is there, and another user's
    now = _start_time(pid)
    return now is None or started is None or now == started


def _start_time(pid: int) -> str | None:
    """When a process started, in the words of /proc; None where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The second field is a name in parentheses, which may contain anything; the start is the 22nd.
    fields = text.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else None
