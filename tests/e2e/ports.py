"""Loopback ports that are free and stay ours, also with many test processes at once."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

# Below the range from which the kernel picks the local ports of outgoing connections: a port of ours can then be
# given up and taken again (a server that restarts) without another process's connection sitting on it meanwhile.
FIRST, LAST = 15_000, 32_000


class PortLease:
    """One port on 127.0.0.1, ours until ``close()``: a lock file tells every other test process so.

    Args:
        preferred: taken if it is free.
    """

    def __init__(self, preferred: int | None = None) -> None:
        candidates = list(range(FIRST, LAST))
        random.shuffle(candidates)
        for port in candidates if preferred is None else [preferred, *candidates]:
            lock = _lock(port)
            if lock is None:
                continue
            if _is_free(port):
                self.port = port
                self._lock: IO[bytes] | None = lock
                return
            lock.close()
        raise RuntimeError(f"no free port between {FIRST} and {LAST}")

    def close(self) -> None:
        """Let others have the port."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def accepts(port: int) -> bool:
    """Tell whether somebody listens on this loopback port."""
    with socket.socket() as sock:
        sock.settimeout(5)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def _lock(port: int) -> IO[bytes] | None:
    directory = Path(tempfile.gettempdir()) / f"django-grip-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    handle = (directory / str(port)).open("wb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        # As the servers do: a port whose last connections are in TIME_WAIT can be listened on.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
