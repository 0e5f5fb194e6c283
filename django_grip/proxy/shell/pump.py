"""Drive one exchange: its requests to the application, its effects to the client, and its one timer."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Any

from ..effects import Abort, Close, Deny, Effect, End, Respond
from ..exchange import Exchange
from ..messages import AppFailure, AppRequest, AppResponse, show_path
from .responses import Receive, Scope, Send
from .runs import Runs

__all__ = ["HURRY", "LINGER", "Pump"]

logger = logging.getLogger("django_grip")

LINGER = 5.0
"""Seconds that a client has to take the last of what it is sent, once nothing more will come."""

HURRY = 1.0
"""Seconds that it has when the server ends."""

_LAST = (Abort, Close, Deny, End, Respond)


if sys.version_info >= (3, 12):

    def _start_now(loop: asyncio.AbstractEventLoop, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # Most servers take a message without waiting; then all is written by now, and the loop has nothing to do.
        return asyncio.Task(writing, loop=loop, eager_start=True)

else:

    def _start_now(loop: asyncio.AbstractEventLoop, writing: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return loop.create_task(writing)


class Pump:
    """One client's exchange, put on an event loop.

    The task that the server made for the client reads (`run`); a task that writes lives only while there is something
    to write, so that an idle client costs none. `pump` may be called at any time, from within the loop.
    """

    __slots__ = (
        "_has_left",
        "_is_waiting",
        "_is_writing",
        "_linger",
        "_reader",
        "_receive",
        "_runs",
        "_timer",
        "_writer",
        "exchange",
        "loop",
        "scope",
        "send",
    )

    def __init__(self, exchange: Exchange, runs: Runs, scope: Scope, receive: Receive, send: Send) -> None:
        self.exchange = exchange
        self.loop = asyncio.get_running_loop()
        self.scope = scope
        self.send = send
        self._receive = receive
        self._runs = runs
        self._reader: asyncio.Task[Any] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._is_waiting = False
        self._is_writing = False
        self._has_left = False

    async def perform(self, effect: Effect) -> None:
        """Do one thing to the client."""
        raise NotImplementedError

    def pump(self) -> None:
        """See to whatever came out of the last input. Never waits."""
        exchange = self.exchange
        if exchange.asks:
            for request in exchange.take_asks():
                self._ask(request)
        if not self._is_writing:
            if exchange.outbox:
                self._is_writing = True
                self._writer = self.loop.create_task(self._write())
            elif exchange.done:
                self.leave()
        elif exchange.outbox and isinstance(exchange.outbox[-1], _LAST):
            self._expect_end(LINGER)
        deadline = exchange.deadline
        # Most deadlines move later: then the timer that is set finds nothing to do, and is set anew.
        if deadline is not None and (self._timer is None or deadline < self._timer.when()):
            self._set_timer(deadline)

    def _ask(self, request: AppRequest) -> None:
        if request.purpose == "gone":
            self._runs.tell(self.loop, self.scope, request)
        else:
            self._runs.ask(self.loop, self.scope, request, self.receive_answer)

    def receive_answer(self, answer: AppResponse | AppFailure) -> None:
        """Take the application's answer."""
        exchange = self.exchange
        exchange.receive_response(answer, self.loop.time())
        if exchange.outbox and not self._is_writing:
            self._is_writing = True
            writer = _start_now(self.loop, self._write())
            if not writer.done():
                self._writer = writer
        self.pump()

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(deadline, self._wake)

    def _wake(self) -> None:
        self._timer = None
        deadline = self.exchange.deadline
        now = self.loop.time()
        # The loop's clock has a resolution, within which it calls too early.
        if deadline is not None and deadline <= now + 0.01:
            self.exchange.wake(max(now, deadline))
        self.pump()

    async def _write(self) -> None:
        exchange = self.exchange
        if exchange.outbox and isinstance(exchange.outbox[-1], _LAST):
            self._expect_end(LINGER)
        try:
            while (effect := exchange.next_effect()) is not None:
                await self.perform(effect)
        except OSError:
            self.client_gone()  # in the words of ASGI servers, and the reader will hear of it too
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this one client
            logger.warning("%s could not be written to: %r.", self, error)
            self.client_gone()
        finally:
            self._writer = None
            self._is_writing = False
        self.pump()

    def client_gone(self) -> None:
        """The client is lost; what waits for it is of no use any longer."""
        if not self.exchange.done:
            self.exchange.client_gone(self.loop.time())
        self.exchange.outbox.clear()
        self.exchange.outbox_size = 0

    async def wait_for(self, awaitable: Any) -> Any:
        """Await something in the reader, from which `leave` may call it away: then this raises CancelledError."""
        self._is_waiting = True
        try:
            return await awaitable
        finally:
            self._is_waiting = False

    def leave(self) -> None:
        """Nothing more is to be done: let the reader go."""
        if self._has_left:
            return
        self._has_left = True
        if self._is_waiting and self._reader is not None:
            self._reader.cancel()

    def was_called_away(self) -> bool:
        """Whether a CancelledError in the reader was the doing of `leave`; if so, it is taken back."""
        if not self._has_left:
            return False
        if self._reader is not None and hasattr(self._reader, "uncancel"):  # Python 3.11
            self._reader.uncancel()
        return True

    def hurry(self) -> None:
        """The server ends, and the exchange was told: see that the client is away soon."""
        self.pump()
        self._expect_end(HURRY)

    def _expect_end(self, seconds: float) -> None:
        """Nothing more will come, and that must not take for ever to be sent."""
        at = self.loop.time() + seconds
        if self._linger is not None:
            if self._linger.when() <= at:
                return
            self._linger.cancel()
        self._linger = self.loop.call_at(at, self._give_up)

    def _give_up(self) -> None:
        self._linger = None
        if self._is_writing:
            logger.info("%s is dropped: it does not take what it is sent.", self)
            self.abort()

    def abort(self) -> None:
        """Drop the client, and what it was not sent yet."""
        self.client_gone()
        # ASGI has no word for this. A transport that is only closed waits until its buffer is sent, maybe for ever.
        transport = getattr(getattr(self.send, "__self__", None), "transport", None)
        if transport is not None and hasattr(transport, "abort"):
            transport.abort()
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        self.leave()

    def end(self) -> None:
        """The reader is done: nothing of this client shall be left over."""
        self._has_left = True
        self.client_gone()
        for timer in (self._timer, self._linger):
            if timer is not None:
                timer.cancel()
        self._timer = self._linger = None
        if self._writer is not None:
            self._writer.cancel()
        self.pump()

    def __str__(self) -> str:
        path = self.scope.get("raw_path") or self.scope["path"].encode(errors="replace")
        return f"The {self.exchange.mode or 'http'} client of {show_path(path)}"
