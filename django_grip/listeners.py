"""Whose server listens on a port of this machine, where the system tells (Linux: proc(5), /proc/net/tcp).

A server may be there no more, or listen on another address than the one it is asked at; then the port may be anybody's.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["is_another_users"]

_TABLES = Path("/proc/net")
_LISTENING = "0A"
_ROOT = 0

_URL = re.compile(r"http://(127\.0\.0\.1|\[::1\]):([0-9]{1,5})(?:/|\Z)")
_ANY_V4 = "0" * 8
_ANY_V6 = "0" * 32


def is_another_users(url: str) -> bool:
    """Whether some other user's process would answer at a URL on a loopback address.

    The superuser is nobody else: a server may have been handed its socket. False where nothing tells.
    """
    match = _URL.match(url)
    if match is None or not hasattr(os, "getuid"):
        return False
    exact, wildcards = _spellings(match[1])
    owners = list(_list_owners(int(match[2])))
    # As the system chooses: the address itself goes before all addresses.
    users = [user for address, user in owners if address in exact]
    users = users or [user for address, user in owners if address in wildcards]
    return any(user not in (os.getuid(), _ROOT) for user in users)


def _spellings(host: str) -> tuple[set[str], set[str]]:
    """How the tables write an address, and what stands for all of them: words of 32 bits as the machine has them."""
    if host == "127.0.0.1":
        v4 = _words(b"\x7f\0\0\1")
        return {v4, _words(bytes(10) + b"\xff\xff") + v4}, {_ANY_V4, _ANY_V6}
    return {_words(bytes(15) + b"\1")}, {_ANY_V6}


def _words(address: bytes) -> str:
    words = (address[start : start + 4] for start in range(0, len(address), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


def _list_owners(port: int) -> Iterator[tuple[str, int]]:
    """Who listens on a port: address and user's number."""
    for name in ("tcp", "tcp6"):
        try:
            with open(_TABLES / name, encoding="ascii", errors="replace") as table:
                rows = [row.split() for row in table if f":{port:04X} " in row]
        except OSError:
            continue
        for fields in rows:
            # sl local_address rem_address st tx:rx tr:when retrnsmt uid ...
            if len(fields) < 8 or fields[3] != _LISTENING or not fields[7].isdigit():
                continue
            address, _, listens_on = fields[1].partition(":")
            if listens_on == f"{port:04X}":
                yield address, int(fields[7])
