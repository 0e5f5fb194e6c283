"""Requests in the log of the development server, as Django's own writes them: one line each, also for held ones."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from http.server import BaseHTTPRequestHandler
from typing import Any

from ..protocol.tickets import hide_tickets

__all__ = ["AccessLog"]

logger = logging.getLogger("django.server")

# Seconds. A response that is not complete by then is logged as held open.
_HELD_AFTER = 1.0


class AccessLog:
    """An ASGI application around another: logs each request when it is answered.

    A response that stays open, and a WebSocket, is logged once, when it begins, with ``-`` for its size.
    """

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        entry = _Entry(scope, send)
        try:
            await self._application(scope, receive, entry.send)
        except Exception:
            entry.write_failure()
            raise
        finally:
            entry.close()


class _Entry:
    """One line to be, between the application and the server. transport: the server's, for who wants to abort it."""

    __slots__ = ("_scope", "_send", "_size", "_status", "_timer", "_written", "transport")

    def __init__(self, scope: Any, send: Any) -> None:
        self._scope = scope
        self._send = send
        self._size = 0
        self._status = 0
        self._timer: asyncio.TimerHandle | None = None
        self._written = False
        self.transport = getattr(getattr(send, "__self__", None), "transport", None)

    def send(self, message: Any) -> Awaitable[None]:
        """Pass on what the application says, with a look at it."""
        if not self._written:
            self._note(message)
        result: Awaitable[None] = self._send(message)
        return result

    def _note(self, message: Any) -> None:
        kind = message["type"]
        if kind.endswith("http.response.start"):
            self._status = message["status"]
            self._timer = asyncio.get_running_loop().call_later(_HELD_AFTER, self._write, "-")
        elif kind.endswith("http.response.body"):
            self._size += len(message.get("body", b""))
            if not message.get("more_body"):
                self._write(self._size)
        elif kind == "websocket.accept":
            self._status = 101
            self._write("-")
        elif kind == "websocket.close":
            self._status = 403
            self._write(0)

    def write_failure(self) -> None:
        """The application raised: if nothing was sent yet, the server says 500."""
        if not self._status:
            self._status = 500
            self._write("-")

    def close(self) -> None:
        """Nothing more comes: what was begun, or never answered, is logged as it is."""
        if self._status:
            self._write(self._size)
        else:
            self._write("- (the client left)")

    def _write(self, size: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._written:
            return
        self._written = True
        status = self._status or "-"
        level = logging.INFO if self._status < 400 else logging.WARNING if self._status < 500 else logging.ERROR
        extra = {"status_code": self._status or 200, "server_time": _server_time()}
        logger.log(level, '"%s" %s %s', _request_line(self._scope), status, size, extra=extra)


def _request_line(scope: Any) -> str:
    target = scope.get("raw_path") or scope["path"].encode(errors="replace")
    if scope["query_string"]:
        target += b"?" + hide_tickets(scope["query_string"])
    # Whatever a client sends, it is one line.
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in target.decode("latin-1"))
    method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
    return f"{method} {text} HTTP/{scope['http_version']}"


def _server_time() -> str:
    """Now, as Django's own server writes it, whatever the locale."""
    now = time.localtime()
    month = BaseHTTPRequestHandler.monthname[now.tm_mon]
    return f"{now.tm_mday:02d}/{month}/{now.tm_year:04d} {now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
