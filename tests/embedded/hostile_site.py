"""What test_bad_input_on_uvicorn.py serves: an application that does, by path, what no application should."""

from __future__ import annotations

import asyncio
from typing import Any

from django_grip.protocol.websocket_events import WebSocketEvent, decode_websocket_events
from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.messages import AppResponse
from django_grip.proxy.options import ProxyOptions

from .asgi import events, opening, read_body, response

LINKED = {"grip_hold": "stream", "grip_channel": "held"}

PAGES = {
    "/": response(b"hello\n"),
    "/stream": response(b"[open]\n", grip_hold="stream", grip_channel="c"),
    "/no-channel": response(b"x", grip_hold="response"),
    "/bad-mode": response(b"x", grip_hold="for-ever", grip_channel="c"),
    "/bad-json": AppResponse(200, [(b"content-type", b"application/grip-instruct")], b"[" * 90_000),
    "/big-hold": response(b"x" * 100_001, grip_hold="response", grip_channel="c"),
    "/bad-header": AppResponse(200, [(b"grip-status", b"200"), (b"x-a", b"1\r\nset-cookie: stolen=1")], b"whole\n"),
    "/link-elsewhere": response(b"[open]\n", grip_link="<http://evil.example/next>; rel=next", **LINKED),
    "/link-userinfo": response(b"[open]\n", grip_link="<http://127.0.0.1@evil.example/>; rel=next", **LINKED),
    "/link-file": response(b"[open]\n", grip_link="<file:///etc/passwd>; rel=next", **LINKED),
    "/gone-elsewhere": response(b"[open]\n", grip_link="<http://evil.example/gone>; rel=gone", **LINKED),
}

WRONG = {
    "garbage": AppResponse(200, events().headers, b"TEXT ffffffff\r\nno"),
    "another-type": response(b"OPEN\r\n", content_type="text/plain"),
    "too-big": AppResponse(200, events().headers, b"TEXT f4240\r\n" + b"x" * 1_000_000 + b"\r\n"),
    "302": response(b"", 302, location="/login/"),
    "401": response(b"log in\n", 401, www_authenticate="Basic"),
    "500": response(b"the application's own page\n", 500),
}


async def origin(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise NotImplementedError
    body = await read_body(receive)
    answer = PAGES.get(scope["path"])
    if answer is None:
        answer = await converse(scope["path"], decode_websocket_events(body))
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


async def converse(path: str, received: list[WebSocketEvent]) -> AppResponse:
    """An echo, but ``/open/X`` and ``/later/X`` do X to the opening and to the messages."""
    when, _, what = path[1:].partition("/")
    is_opening = bool(received) and received[0].type == "OPEN"
    if when == ("open" if is_opening else "later") and not (received and received[0].type in ("CLOSE", "DISCONNECT")):
        if what == "raises":
            raise RuntimeError("out of order")
        if what == "hangs":
            await asyncio.Event().wait()
        return WRONG[what]
    if is_opening:
        return opening()
    return events(*(WebSocketEvent(kind, content) for kind, content in received if kind in ("TEXT", "BINARY", "CLOSE")))


application = EmbeddedProxy(
    origin, options=ProxyOptions(answer_timeout=2), allow_local=True, control_token=b"the-token"
)
