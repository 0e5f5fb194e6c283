"""An HTTP request, from the ASGI server to the application, and back through its exchange if the answer holds it.

An ordinary request and its answer go by without being kept: the only cost is a look at their headers. Of a small
request body a copy is kept, as a held request may have to be made again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from ..effects import Abort, Begin, Chunk, Effect, End, Respond
from ..http.exchange import HttpExchange
from ..http.instructions import has_instruct
from ..messages import AppFailure, AppResponse, ClientRequest, first_of
from .application import ASGIApplication, BadResponse, Collector, list_headers
from .pump import Pump
from .responses import Message, Receive, Scope, Send, frame_headers, send_response
from .runs import Runs

__all__ = ["HttpShell"]

logger = logging.getLogger("django_grip")

_BODY = "http.response.body"


class HttpShell(Pump):
    """One request of a client.

    request: what the exchange was made of; the copy of the body is put there.
    """

    __slots__ = ("_collector", "_has_passed", "_is_disconnected", "_is_read", "_keep", "request")

    exchange: HttpExchange

    def __init__(
        self, exchange: HttpExchange, request: ClientRequest, runs: Runs, scope: Scope, receive: Receive, send: Send
    ) -> None:
        super().__init__(exchange, runs, scope, receive, send)
        self.request = request
        self._keep = exchange.engine.options.max_held_body
        self._has_passed = False
        self._is_read = False
        self._is_disconnected = False
        self._collector: Collector | None = None

    async def run(self, application: ASGIApplication) -> None:
        """Serve the client, until its request is answered."""
        self.exchange.start(self.loop.time())
        asks = self.exchange.take_asks()
        if not asks:
            await self._refuse()
            return
        scope = dict(self.scope)
        scope["headers"] = asks[0].headers
        # The server's own may lack what its log is not to show.
        scope["query_string"] = asks[0].query
        # By an extension a response could pass by unseen.
        scope.pop("extensions", None)
        try:
            await self._ask_application(application, scope)
            if not self._has_passed and self._collector is not None:
                await self._hold()
        finally:
            if not self._has_passed:
                self.end()

    async def _refuse(self) -> None:
        """The application is not asked at all."""
        while (effect := self.exchange.next_effect()) is not None:
            await self.perform(effect)

    async def _ask_application(self, application: ASGIApplication, scope: Scope) -> None:
        try:
            await application(scope, self._receive_body, self._send_response)
        except Exception as error:
            # As long as nothing is held, an exception is the server's, as if no proxy were there.
            if self._collector is None or self._collector.complete:
                raise
            if isinstance(error, BadResponse):
                self._answer(AppFailure(str(error)))
            else:
                logger.exception("The application failed on %r.", self.request)
                self._answer(AppFailure("it raised an exception", 500))
            return
        if self._collector is not None and not self._collector.complete:
            self._answer(AppFailure("it ended without a whole response"))

    async def _receive_body(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            part = message.get("body")
            if part and self.request.body is not None:
                fits = len(self.request.body) + len(part) <= self._keep
                self.request.body = self.request.body + part if fits else None
            if not message.get("more_body"):
                self._is_read = True
        else:
            self._is_disconnected = True
        return message

    def _send_response(self, message: Message) -> Awaitable[None]:
        # The server's own awaitable is handed on, so that what passes by costs no coroutine more.
        if self._has_passed:
            return self.send(message)
        return self._look_at(message)

    async def _look_at(self, message: Message) -> None:
        if self._collector is None:
            if message["type"] != "http.response.start" or not has_instruct(list_headers(message)):
                self._has_passed = True
                self.exchange.pass_through()
                await self.send(message)
                return
            self._collector = Collector(self.exchange.engine.options.max_events_response)
        response = self._collector.add(message)
        if response is not None:
            self._answer(response)

    def _answer(self, answer: AppResponse | AppFailure) -> None:
        if not self._is_read and self._has_body:
            self.request.body = None
        if self._collector is not None:
            self._collector.complete = True
        self.exchange.notify = self.pump
        self.receive_answer(answer)

    @property
    def _has_body(self) -> bool:
        headers = self.request.headers
        return first_of(headers, b"content-length") not in (None, b"0") or bool(first_of(headers, b"transfer-encoding"))

    async def _hold(self) -> None:
        """Wait until the client is gone, or the exchange is done with it."""
        self._reader = asyncio.current_task()
        try:
            while not (self._has_left or self._is_disconnected):
                message = await self.wait_for(self._receive())
                self._is_disconnected = message["type"] == "http.disconnect"
        except asyncio.CancelledError:
            if not self.was_called_away():
                raise

    async def perform(self, effect: Effect) -> None:
        """Do one thing to the client."""
        if isinstance(effect, Chunk):
            await self.send({"type": _BODY, "body": effect.data, "more_body": True})
        elif isinstance(effect, Respond):
            await send_response(self.send, self.request.method, effect.status, effect.headers, effect.body)
        elif isinstance(effect, Begin):
            headers = frame_headers(effect.status, effect.headers, None)
            await self.send({"type": "http.response.start", "status": effect.status, "headers": headers})
        elif isinstance(effect, End):
            await self.send({"type": _BODY, "body": b"", "more_body": False})
        elif isinstance(effect, Abort):
            self.abort()
        else:
            raise TypeError(f"{effect!r} is nothing for an HTTP client")
