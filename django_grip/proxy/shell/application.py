"""Ask the ASGI application behind the proxy: one request, and its answer whole, in time, or a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from ..messages import AppFailure, AppRequest, AppResponse, Headers
from .responses import Message, Receive, Scope, Send

__all__ = ["ASGIApplication", "AppRun", "BadResponse", "Collector", "build_scope", "list_headers", "read_start"]

logger = logging.getLogger("django_grip")

ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
Deliver = Callable[[AppResponse | AppFailure], None]


class BadResponse(Exception):
    """The application sent what is no response."""


def build_scope(client_scope: Scope, request: AppRequest) -> dict[str, Any]:
    """The scope of a request of the proxy's own, on the grounds of its client's."""
    path = request.path
    scope: dict[str, Any] = {
        "http_version": "1.1",
        **client_scope,
        "type": "http",
        "method": request.method,
        "scheme": "https" if client_scope.get("scheme") in ("https", "wss") else "http",
        "path": client_scope["path"] if path == client_scope.get("raw_path") else unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": request.query,
        "headers": request.headers,
        # What a server offers beside the standard is for the client's connection, not for this request.
        "extensions": {},
    }
    scope.pop("subprotocols", None)
    return scope


def list_headers(message: Message) -> Headers:
    """The headers of an ``http.response.start``, unread; if they can be read but once, they are put back as a list."""
    headers = message.get("headers")
    if not isinstance(headers, (list, tuple)):
        headers = message["headers"] = list(headers or ())
    return headers  # type: ignore[return-value]


def read_start(message: Message) -> tuple[int, Headers]:
    """Status and headers of an ``http.response.start``, names in lower case. Raises: BadResponse."""
    status = message.get("status")
    if type(status) is not int or not 100 <= status <= 999:
        raise BadResponse("it sent a status that is none")
    try:
        headers = [(name.lower(), value) for name, value in message.get("headers") or ()]
        for name, value in headers:
            if type(name) is not bytes or type(value) is not bytes:
                raise TypeError
    except (AttributeError, TypeError, ValueError):
        raise BadResponse("it sent headers that are no pairs of bytes") from None
    return status, headers


def _too_big(limit: int) -> str:
    return f"it sent a body of more than {limit:,} bytes"


class Collector:
    """Takes an application's messages together into a response. limit: bytes of its body."""

    __slots__ = ("_headers", "_limit", "_parts", "_size", "_status", "complete")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._status: int | None = None
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self._size = 0
        self.complete = False

    def add(self, message: Message) -> AppResponse | None:
        """Take one message; return the response when it is whole. Raises: BadResponse."""
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "http.response.start" and self._status is None:
            self._status, self._headers = read_start(message)
            return None
        if kind != "http.response.body" or self._status is None or self.complete:
            raise BadResponse(f"it sent {ascii(kind)[:60]} where that has no place")
        part = message.get("body", b"")
        if not isinstance(part, (bytes, bytearray, memoryview)):
            raise BadResponse("it sent a body that is no bytes")
        self._size += len(part)
        if self._size > self._limit:
            raise BadResponse(_too_big(self._limit))
        if part:
            self._parts.append(bytes(part))
        if message.get("more_body", False):
            return None
        self.complete = True
        return AppResponse(self._status, self._headers, b"".join(self._parts))


class AppRun:
    """One request to the application, to be run in a task of its own; its answer is delivered once, whatever happens.

    deliver: takes the answer, as soon as it is whole. It need not wait for the application's callable to end, and
    does not when that hangs. limit: bytes of the answer's body.

    An application may have a method `answer_whole`, which takes the request and gives the response in one piece each:
    for the short messages of a WebSocket ASGI's own messages are a tenth of the work.
    """

    __slots__ = ("_answered", "_application", "_body", "_collector", "_deliver", "_limit", "_scope", "request", "task")

    def __init__(
        self, application: ASGIApplication, client_scope: Scope, request: AppRequest, deliver: Deliver, *, limit: int
    ) -> None:
        self._application = application
        self._scope = build_scope(client_scope, request)
        self._body: bytes | None = request.body
        self._limit = limit
        self._collector: Collector | None = None
        self._deliver: Deliver | None = deliver
        self._answered: asyncio.Future[None] | None = None
        self.request = request
        self.task: asyncio.Task[None] | None = None

    @property
    def is_answered(self) -> bool:
        return self._deliver is None

    def give_up(self, failure: AppFailure) -> None:
        """Wait for the application no longer."""
        self._finish(failure)
        self.cancel()

    def cancel(self) -> None:
        """End it; nothing more is delivered."""
        self._deliver = None
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Ask the application. Raises nothing."""
        try:
            answer_whole = getattr(self._application, "answer_whole", None)
            if answer_whole is None:
                await self._application(self._scope, self._receive, self._send)
            else:
                await answer_whole(self._scope, self.request.body, self._send, self._take_whole)
        except asyncio.CancelledError:
            # Ours, or of the application's own making; neither is for the loop's exception handler.
            self._finish(AppFailure("its task was cancelled", 500))
        except BadResponse as error:
            self._finish(AppFailure(str(error)))
        except Exception:
            logger.exception("The application failed on %r.", self.request)
            self._finish(AppFailure("it raised an exception", 500))
        else:
            self._finish(AppFailure("it ended without a whole response"))

    async def _receive(self) -> Message:
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        # Nobody hangs up on the application: it is cancelled when its time is over.
        if self._deliver is not None:
            if self._answered is None:
                self._answered = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._answered)
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._deliver is None:
            return
        if self._collector is None:
            self._collector = Collector(self._limit)
        try:
            response = self._collector.add(message)
        except BadResponse as error:
            self._finish(AppFailure(str(error)))
            raise
        if response is not None:
            self._finish(response)

    def _take_whole(self, status: int, headers: Headers, body: bytes) -> None:
        if len(body) > self._limit:
            raise BadResponse(_too_big(self._limit))
        self._finish(AppResponse(status, headers, body))

    def _finish(self, answer: AppResponse | AppFailure) -> None:
        """Deliver the first answer there is. What the application does after it is its own affair."""
        deliver, self._deliver = self._deliver, None
        if deliver is None:
            return
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)
        deliver(answer)
