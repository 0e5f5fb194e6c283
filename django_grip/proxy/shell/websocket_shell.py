"""A WebSocket, from the ASGI server to its exchange and back."""

from __future__ import annotations

import asyncio
from typing import Any

from ..effects import Abort, Accept, Binary, Close, Deny, Effect, Text
from ..websocket.exchange import WebSocketExchange
from .pump import Pump
from .responses import Message, Receive, Scope, Send, see_closed, send_denial
from .runs import Runs

__all__ = ["WebSocketShell"]


class WebSocketShell(Pump):
    """Reads in the server's own task, and only as long as the exchange wants more of the client."""

    __slots__ = ("_room", "_was_denied")

    exchange: WebSocketExchange

    def __init__(self, exchange: WebSocketExchange, runs: Runs, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(exchange, runs, scope, receive, send)
        self._room: asyncio.Future[None] | None = None
        self._was_denied = False

    async def run(self) -> None:
        """Serve the client until it is away. What the application is still to be told then needs no reader."""
        self._reader = asyncio.current_task()
        self.exchange.notify = self.pump
        try:
            await self._read()
        except asyncio.CancelledError:
            if not self.was_called_away():
                raise
        finally:
            self.end()
        if self._was_denied:
            await see_closed()

    async def _read(self) -> None:
        message = await self.wait_for(self._receive())
        if message["type"] != "websocket.connect":
            return
        self.exchange.start(self.loop.time())
        self.pump()
        while not self._has_left:
            if self.exchange.wants_more:
                message = await self.wait_for(self._receive())
                if not self._take(message):
                    return
            else:
                self._room = self.loop.create_future()
                await self.wait_for(self._room)

    def _take(self, message: Message) -> bool:
        """Hand the exchange one message; False behind the last."""
        now = self.loop.time()
        if message["type"] == "websocket.receive":
            text = message.get("text")
            if text is not None:
                self.exchange.receive_text(text, now)
            else:
                self.exchange.receive_binary(message.get("bytes") or b"", now)
            self.pump()
            return True
        code, reason = message.get("code", 1005), message.get("reason")
        # Of a connection that was lost uvicorn says this code and no reason; of a client that closed without a code,
        # an empty reason. With servers that never give one the worst is a loss told instead of a close without a code.
        self.exchange.client_closed(1006 if code == 1005 and reason is None else code, reason or "", now)
        self.pump()
        return False

    def pump(self) -> None:
        """See to whatever came out of the last input."""
        super().pump()
        room = self._room
        if room is not None and self.exchange.wants_more:
            self._room = None
            if not room.done():
                room.set_result(None)

    async def perform(self, effect: Effect) -> None:
        """Do one thing to the client."""
        kind = type(effect)
        if kind is Text:
            await self.send({"type": "websocket.send", "text": effect.text})  # type: ignore[attr-defined]
        elif kind is Binary:
            await self.send({"type": "websocket.send", "bytes": effect.data})  # type: ignore[attr-defined]
        else:
            await self._perform_rarer(effect)

    async def _perform_rarer(self, effect: Effect) -> None:
        if isinstance(effect, Accept):
            message: dict[str, Any] = {"type": "websocket.accept", "headers": effect.headers}
            if effect.subprotocol is not None:
                message["subprotocol"] = effect.subprotocol
            await self.send(message)
        elif isinstance(effect, Close):
            await self.send({"type": "websocket.close", "code": effect.code, "reason": effect.reason})
        elif isinstance(effect, Deny):
            self._was_denied = True
            await send_denial(self.send, self.scope, effect.status, effect.headers, effect.body)
        elif isinstance(effect, Abort):
            self.abort()
        else:
            raise TypeError(f"{effect!r} is nothing for a WebSocket")
