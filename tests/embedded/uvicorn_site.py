"""What test_on_uvicorn.py serves: an application with one of each kind, behind the embedded proxy."""

from __future__ import annotations

from typing import Any

from django_grip.protocol.websocket_events import WebSocketEvent, decode_websocket_events
from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.messages import AppResponse
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.shell import pump

from .asgi import events, opening, read_body, response

# Seconds. Tests would wait for the five that clients really have.
pump.LINGER = 0.5

ROUTES = {
    "/stream": response(b"[open]\n", grip_hold="stream", grip_channel="c", content_type="text/plain"),
    "/poll": response(b"nothing\n", grip_hold="response", grip_channel="c", grip_timeout="60"),
    "/denied": response(b"no teapot\n", 418),
    "/": response(b"hello\n"),
}


async def origin(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise NotImplementedError
    body = await read_body(receive)
    is_socket = dict(scope["headers"]).get(b"content-type") == b"application/websocket-events"
    is_socket = is_socket and scope["path"] != "/denied"
    answer = echo(body) if is_socket else ROUTES.get(scope["path"], response(b"no such page\n", 404))
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


def echo(body: bytes) -> AppResponse:
    received = decode_websocket_events(body)
    if received and received[0].type == "OPEN":
        return opening()
    sent = [event for event in received if event.type in ("TEXT", "BINARY", "CLOSE")]
    return events(*(WebSocketEvent(event.type, event.content) for event in sent))


application = EmbeddedProxy(origin, options=ProxyOptions(max_outbox=300_000), allow_local=True)
