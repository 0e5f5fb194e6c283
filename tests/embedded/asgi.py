"""An ASGI server and an ASGI application for tests of the shell: the one in front of the proxy, the other behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from django_grip.protocol.websocket_events import WebSocketEvent, decode_websocket_events, encode_websocket_events
from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.messages import AppResponse, Headers

EVENTS = (b"content-type", b"application/websocket-events")
Behaviour = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
# Seconds; spent only when something is broken.
PATIENCE = 60


async def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Let the event loop turn until a condition holds; the time is the last resort against a test that hangs."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"never came: {what or condition}"
        await asyncio.sleep(0)
    return value


async def read_body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def response(body: bytes = b"", status: int = 200, **headers: str) -> AppResponse:
    """An answer; its headers are given as Python has names: grip_hold for Grip-Hold."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return AppResponse(status, pairs, body)


def events(*answer: WebSocketEvent, **headers: str) -> AppResponse:
    answered = response(encode_websocket_events(answer), **headers)
    answered.headers.append(EVENTS)
    return answered


def opening(*answer: WebSocketEvent, channel: str = "c", **headers: str) -> AppResponse:
    """Accept a WebSocket and subscribe it."""
    subscribe = WebSocketEvent("TEXT", b'c:{"type":"subscribe","channel":"%s"}' % channel.encode())
    headers = {"sec_websocket_extensions": 'grip; message-prefix=""', **headers}
    return events(WebSocketEvent("OPEN"), subscribe, *answer, **headers)


class Origin:
    """An application that answers one thing after the other, and remembers what it was asked.

    An answer is a response, an exception, or a function that does as an application does. The last is given again.
    """

    def __init__(self, *answers: AppResponse | Exception | Behaviour) -> None:
        self.answers = list(answers)
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.scopes.append(scope)
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, AppResponse):
            await answer(scope, receive, send)
            return
        self.bodies.append(await read_body(receive))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def headers(self, index: int = -1) -> dict[bytes, bytes]:
        return dict(self.scopes[index]["headers"])

    def events(self, index: int = -1) -> list[WebSocketEvent]:
        return decode_websocket_events(self.bodies[index])


class Transport:
    def __init__(self) -> None:
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


class Connection:
    """One client, as a server sees it: what it sends goes into `receive`, what it gets comes out of `send`."""

    def __init__(self, proxy: EmbeddedProxy, scope: dict[str, Any]) -> None:
        self.sent: list[dict[str, Any]] = []
        self.waiting: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = 0
        self.is_reading = False
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport = Transport()
        self.task = asyncio.ensure_future(proxy(scope, self.receive, self.send))

    async def receive(self) -> dict[str, Any]:
        self.reads += 1
        self.is_reading = True
        try:
            return await self.waiting.get()
        finally:
            self.is_reading = False

    async def send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        self.sent.append(message)

    def put(self, kind: str, **fields: Any) -> None:
        self.waiting.put_nowait({"type": kind, **fields})

    async def get(self, count: int = 1) -> list[dict[str, Any]]:
        """The next messages to the client."""
        await until(lambda: len(self.sent) >= count or self.task.done(), f"{count} messages; there are {self.sent}")
        taken, self.sent = self.sent[:count], self.sent[count:]
        return taken

    async def get_one(self) -> dict[str, Any]:
        (message,) = await self.get()
        return message

    async def end(self) -> None:
        await asyncio.wait_for(self.task, PATIENCE)


class Http(Connection):
    """A request of a client over HTTP."""

    def __init__(
        self,
        proxy: EmbeddedProxy,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Headers | None = None,
        body: bytes | None = b"",
        **scope: Any,
    ) -> None:
        super().__init__(proxy, make_scope("http", target, headers, method=method, **scope))
        if body is not None:
            self.put("http.request", body=body, more_body=False)

    def leave(self) -> None:
        self.put("http.disconnect")

    async def answer(self) -> AppResponse:
        """The whole response."""
        await self.end()
        start, *parts = self.sent
        assert start["type"] == "http.response.start"
        assert [part.get("more_body", False) for part in parts] == [True] * (len(parts) - 1) + [False]
        return AppResponse(start["status"], start["headers"], b"".join(part.get("body", b"") for part in parts))


class WebSocket(Connection):
    """A WebSocket of a client."""

    def __init__(self, proxy: EmbeddedProxy, target: str = "/", headers: Headers | None = None, **scope: Any) -> None:
        extensions = {"websocket.http.response": {}}
        super().__init__(proxy, make_scope("websocket", target, headers, **{"extensions": extensions, **scope}))
        self.put("websocket.connect")

    def say(self, text: str) -> None:
        self.put("websocket.receive", text=text)

    def leave(self, code: int = 1006, reason: str = "") -> None:
        self.put("websocket.disconnect", code=code, reason=reason)

    async def hear(self, count: int = 1) -> list[str | bytes]:
        """The next messages, and nothing else."""
        return [message.get("text") or message["bytes"] for message in await self.get(count)]


def make_scope(kind: str, target: str, headers: Headers | None, **fields: Any) -> dict[str, Any]:
    raw_path, _, query = target.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "ws" if kind == "websocket" else "http",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": headers if headers is not None else [(b"host", b"127.0.0.1:8000")],
        **fields,
    }
