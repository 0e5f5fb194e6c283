"""Whole responses, over ASGI: the proxy's own short ones, and what an exchange wants a client to be answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..effects import Respond
from ..messages import Headers, first_of, plain_answer

__all__ = [
    "CLOSE",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "frame_headers",
    "plain_response",
    "see_closed",
    "send_denial",
    "send_response",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# How a body is framed is for the server to say; an application's length is wrong once the proxy has put a body
# together, and a wrong one breaks the connection.
_FRAMING = frozenset({b"connection", b"content-length", b"keep-alive", b"transfer-encoding", b"upgrade"})
_NO_BODY = frozenset({204, 304})
# Of the event loop; asyncio needs one, uvloop another.
_TURNS = 4

CLOSE = (b"connection", b"close")
"""Ends the connection behind a response, as when nobody wants the rest of the request."""


def plain_response(status: int, text: str, headers: Headers | None = None) -> Respond:
    """A response of one sentence."""
    answer = plain_answer(status, text)
    return Respond(status, answer.headers + (headers or []), answer.body)


def frame_headers(status: int, headers: Headers, length: int | None) -> Headers:
    """Headers with the length of the body that follows, or with none for a stream."""
    framed = [header for header in headers if header[0] not in _FRAMING or header == CLOSE]
    if length is not None and status not in _NO_BODY:
        framed.append((b"content-length", b"%d" % length))
    return framed


async def send_response(send: Send, method: str, status: int, headers: Headers, body: bytes) -> None:
    """Answer an HTTP request. What HEAD is told is the length of the body that GET would have had."""
    length = len(body)
    if method == "HEAD":
        length, body = int(first_of(headers, b"content-length") or length), b""
    elif status in _NO_BODY:
        body = b""
    framed = frame_headers(status, headers, length)
    await send({"type": "http.response.start", "status": status, "headers": framed})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def send_denial(send: Send, scope: Scope, status: int, headers: Headers, body: bytes) -> None:
    """Answer a WebSocket's handshake with something else; a server that cannot say more says 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    if status in _NO_BODY:
        body = b""
    framed = frame_headers(status, headers, len(body))
    await send({"type": "websocket.http.response.start", "status": status, "headers": framed})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})


async def see_closed() -> None:
    """Give a server time to close a connection that was denied.

    When the application returns before that, uvicorn takes it for one that never answered, and says so in the log.
    """
    for _ in range(_TURNS):
        await asyncio.sleep(0)
