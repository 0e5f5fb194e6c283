"""Contextvars of one client's requests are nowhere to be seen in another's, though one event loop serves both."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.messages import AppResponse
from django_grip.proxy.options import ProxyOptions

from .asgi import Http, WebSocket, events, opening, read_body, response, until
from .core import response_item

whose: ContextVar[str] = ContextVar("whose", default="nobody's")


async def say(send: Any, answer: AppResponse) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


async def test_when_the_application_hangs_for_one_another_is_asked_in_a_context_of_its_own() -> None:
    seen: dict[str, str] = {}

    async def poll(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await read_body(receive)
        if whose.get() == "one's":  # asked a second time
            seen["replay"] = whose.get()
            await asyncio.Event().wait()
        whose.set("one's")
        # What makes the proxy ask again at once, and in this context set its timer.
        proxy.engine.publish([response_item("c")], asyncio.get_running_loop().time())
        await say(send, response(grip_hold="response", grip_channel="c"))

    async def chat(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await read_body(receive)
        seen[body.decode().split("\r\n")[0]] = whose.get()
        if body.startswith(b"TEXT"):
            await asyncio.Event().wait()
        await say(send, opening() if body.startswith(b"OPEN") else events())

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await (poll if scope["path"] == "/poll" else chat)(scope, receive, send)

    proxy = EmbeddedProxy(application, options=ProxyOptions(answer_timeout=1))
    one = Http(proxy, "/poll")
    await until(lambda: "replay" in seen)
    another = WebSocket(proxy, "/chat")
    await another.get_one()
    another.say("hangs")
    await until(lambda: "TEXT 5" in seen)
    another.leave()
    await until(lambda: "DISCONNECT" in seen)
    await another.end()
    await one.end()
    assert seen.pop("replay") == "one's"
    assert seen == {"OPEN": "nobody's", "TEXT 5": "nobody's", "DISCONNECT": "nobody's"}
