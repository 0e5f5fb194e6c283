"""Whose server listens where: the tables of Linux, and what they say of servers that are really there."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from django_grip import listeners
from django_grip.listeners import is_another_users

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing tells")

ME, OTHER = 1000, 1001
LOOPBACK, ALL, ELSEWHERE = "0100007F", "00000000", "0201A8C0"
LOOPBACK_6, ALL_6, MAPPED = "0" * 24 + "01000000", "0" * 32, "0" * 16 + "FFFF0000" + "0100007F"
V4, V6 = "http://127.0.0.1:8000/.grip", "http://[::1]:8000/.grip"


def row(address: str, user: int, *, port: int = 8000, state: str = "0A") -> str:
    peer = "0" * len(address)
    return f"   0: {address}:{port:04X} {peer}:0000 {state} 00000000:00000000 00:00000000 00000000 {user} 0 1 1\n"


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(listeners, "_TABLES", tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: ME)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "tcp", "tcp6", "is_anothers"),
    [
        (V4, [row(LOOPBACK, ME)], [], False),
        (V4, [row(LOOPBACK, OTHER)], [], True),
        (V4, [row(LOOPBACK, 0)], [], False),
        (V4, [row(ALL, OTHER)], [], True),
        (V4, [], [row(ALL_6, OTHER)], True),
        (V4, [], [row(MAPPED, OTHER)], True),
        (V4, [], [row(LOOPBACK_6, OTHER)], False),
        (V4, [row(LOOPBACK, ME)], [row(ALL_6, OTHER)], False),
        # Ours listens on one address of the network; the loopback address is somebody else's.
        (V4, [row(ELSEWHERE, ME), row(LOOPBACK, OTHER)], [], True),
        (V4, [row(LOOPBACK, ME), row(LOOPBACK, OTHER)], [], True),
        (V4, [row(LOOPBACK, OTHER, port=8001), row(LOOPBACK, OTHER, state="01"), "", "nonsense\n"], [], False),
        (V4, [], [], False),
        (V6, [row(LOOPBACK, OTHER)], [row(LOOPBACK_6, ME)], False),
        (V6, [], [row(LOOPBACK_6, OTHER)], True),
        (V6, [], [row(ALL_6, OTHER)], True),
        ("http://127.0.0.1:80/.grip", [row(LOOPBACK, OTHER)], [], False),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the tables are in the machine's own order")
def test_the_table_tells(tables: Path, url: str, tcp: list[str], tcp6: list[str], is_anothers: bool) -> None:
    header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    (tables / "tcp").write_text(header + "".join(tcp))
    (tables / "tcp6").write_text(header + "".join(tcp6))
    assert is_another_users(url) is is_anothers


def test_without_tables_nobody_is_suspected(tables: Path) -> None:
    assert not is_another_users(V4)


@pytest.mark.parametrize(
    ("family", "address", "url"),
    [
        (socket.AF_INET, "127.0.0.1", "http://127.0.0.1:{}/.grip"),
        (socket.AF_INET6, "::1", "http://[::1]:{}/.grip"),
    ],
)
def test_a_server_that_is_really_there_is_seen(
    family: socket.AddressFamily, address: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        server = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"there is no {address} here")
    with server:
        port: Any = server.getsockname()[1]
        assert not is_another_users(url.format(port))
        monkeypatch.setattr(os, "getuid", lambda: 54321)
        monkeypatch.setattr(listeners, "_ROOT", 54322)
        assert is_another_users(url.format(port))
