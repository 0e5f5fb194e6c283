"""ASGI's lifespan: the proxy's own beginning and end, and the application's within them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from .application import ASGIApplication
from .responses import Message, Receive, Scope, Send

__all__ = ["serve_lifespan"]

logger = logging.getLogger("django_grip")


class _ApplicationLifespan:
    """The application's side. Many applications have none, and say so by raising or returning."""

    def __init__(self, application: ASGIApplication, scope: Scope) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answer: asyncio.Future[Message] | None = None
        self._is_supported = False
        self._task = asyncio.ensure_future(self._run(application, scope))

    async def _run(self, application: ASGIApplication, scope: Scope) -> None:
        try:
            await application(scope, self._messages.get, self._send)
        except Exception as error:
            if self._is_supported:
                logger.exception("The application failed in its lifespan.")
            else:
                logger.debug("The application has no lifespan: %r.", error)

    async def _send(self, message: Message) -> None:
        self._is_supported = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    async def ask(self, kind: str) -> Message:
        """Pass on ``lifespan.startup`` or ``.shutdown``; who does not answer has nothing against it."""
        self._answer = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": kind})
        waited_for: list[asyncio.Future[Any]] = [self._answer, self._task]
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        if self._answer.done():
            return self._answer.result()
        return {"type": f"{kind}.complete"}

    async def end(self) -> None:
        """Wait a moment for it to end by itself."""
        await asyncio.wait([self._task], timeout=1)

    def cancel(self) -> None:
        self._task.cancel()


async def serve_lifespan(
    application: ASGIApplication,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    start_up: Callable[[], str | None],
    shut_down: Callable[[], Awaitable[None]],
) -> None:
    """Begin and end with the server. start_up: returns why it cannot be, or None."""
    await receive()
    problem = start_up()
    if problem is not None:
        await send({"type": "lifespan.startup.failed", "message": problem})
        return
    inner = _ApplicationLifespan(application, scope)
    try:
        answer = await inner.ask("lifespan.startup")
        if answer["type"] != "lifespan.startup.complete":
            await shut_down()
            await send(answer)
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await shut_down()
        answer = await inner.ask("lifespan.shutdown")
        await inner.end()
        # Hypercorn cancels whoever does anything behind this.
        await send(answer)
    finally:
        inner.cancel()
