"""The servers of a document, from the URLs that the command is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from ..exceptions import UsageError

__all__ = ["build_servers", "server_names"]

_SECURE = {"http": False, "https": True, "ws": False, "wss": True}


def build_servers(urls: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Two servers for each URL: one that speaks HTTP, and one that speaks WebSocket. Raises: UsageError."""
    servers: dict[str, dict[str, Any]] = {}
    for number, url in enumerate(urls):
        host, path, is_secure = _read_url(url)
        place = {"host": host, **({"pathname": path} if path else {})}
        http, websocket = _names(number)
        servers[http] = {**place, "protocol": "https" if is_secure else "http"}
        servers[websocket] = {**place, "protocol": "wss" if is_secure else "ws"}
    return servers


def server_names(count: int, *, is_websocket: bool) -> list[str]:
    """The names of the servers, of so many URLs, that have WebSockets or all else."""
    return [_names(number)[is_websocket] for number in range(count)]


def _names(number: int) -> tuple[str, str]:
    suffix = str(number + 1) if number else ""
    return f"http{suffix}", f"websocket{suffix}"


def _read_url(url: str) -> tuple[str, str, bool]:
    """Host with port, path, and whether it is encrypted. Raises: UsageError."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is no URL of a server: {error}.") from error
    if parts.scheme not in _SECURE or not parts.hostname or any(c in parts.netloc for c in "{}<> "):
        raise UsageError(f"{url!r} is no URL of a server; write one such as https://example.com.")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError("The URL of a server has no user, password, query or fragment; write https://example.com.")
    return parts.netloc, parts.path.rstrip("/"), _SECURE[parts.scheme]
