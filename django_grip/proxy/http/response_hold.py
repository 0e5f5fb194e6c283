"""A held long-poll: an answer that waits for something to be published, or else for its time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..messages import AppResponse
from ..published import PublishedItem, ResponseMessage
from ..subscriptions import Subscriptions
from .instructions import Instruction, expose_headers
from .json_patch import PatchError, patch_body

if TYPE_CHECKING:
    from .exchange import HttpExchange

__all__ = ["ResponseHold"]

logger = logging.getLogger("django_grip")


class ResponseHold:
    """What a long-poll waits for, and the answer that it gets if nothing comes.

    The application is asked again, with the client's own request, on a hint, and when an item shows that the client
    has missed one: by its prev-id, or because something was published while the application was making its answer.
    """

    __slots__ = ("_ask_at", "_exchange", "_time_out_at", "answer", "subscriptions")

    mode = "response"

    def __init__(self, exchange: HttpExchange, instruction: Instruction) -> None:
        self._exchange = exchange
        self.answer = instruction.response
        self.subscriptions = Subscriptions(instruction.instruct)
        self._time_out_at = 0.0
        self._ask_at: float | None = None

    def begin(self, timeout: float, now: float, *, mark: int, is_first: bool) -> None:
        """Wait, unless there is something already.

        timeout: seconds, 0 for the default. mark: the hub's, from when the application was asked. is_first: it was
        asked for the first time; later its word counts more than the ids.
        """
        options, hub = self._exchange.engine.options, self._exchange.engine.hub
        seconds = timeout or options.default_longpoll_timeout
        self._time_out_at = now + max(seconds, options.min_longpoll_timeout)
        names = self.subscriptions.names
        for name in names:
            hub.subscribe(self._exchange, name)
        if any(hub.changed_since(name, mark) for name in names) or (is_first and self._has_missed_something()):
            self.ask_again(now)
        self._set_deadline()

    def _has_missed_something(self) -> bool:
        last_ids = ((prev_id, self._exchange.engine.hub.last_id(name)) for name, prev_id in self._chained())
        return any(last_id is not None and last_id != prev_id for prev_id, last_id in last_ids)

    def _chained(self) -> list[tuple[str, str]]:
        return list(self.subscriptions.prev_ids.items())

    def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
        message, subscriptions = item.response, self.subscriptions
        if message is None or subscriptions.has_seen(item):
            return
        if subscriptions.is_gap(item):
            self.ask_again(now)
        elif not subscriptions.lets_pass(item):
            subscriptions.advance(item)
        elif message.action == "hint":
            # The ids stay: the client has not got what the hint is about.
            self.ask_again(now)
        else:
            self._send(message, now)
        self._set_deadline()

    def _send(self, message: ResponseMessage, now: float) -> None:
        body = message.body
        if message.patch is not None:
            try:
                body = patch_body(self.answer.body, message.patch)
            except PatchError as error:
                logger.warning("A body-patch does not fit the response that is held: %s", error)
                self.ask_again(now)
                return
        self._exchange.respond(self._merge(message, body), now)

    def _merge(self, message: ResponseMessage, body: bytes) -> AppResponse:
        """What is published, with those headers of the held answer that it does not say itself."""
        exposed = [value.decode("latin-1") for name, value in message.headers if name.lower() == b"grip-expose-headers"]
        own = [
            (name.lower(), value)
            for name, value in message.headers
            if not name.lower().startswith(b"grip-") and name.lower() != b"content-length"
        ]
        names = {name for name, _ in own}
        headers = [header for header in self.answer.headers if header[0] not in names] + own
        allowed = [name.strip() for value in exposed for name in value.split(",") if name.strip()]
        return AppResponse(message.code, expose_headers(headers, allowed), body)

    def ask_again(self, now: float) -> None:
        """Let the application answer the client's request again, at once or a little later."""
        if self._ask_at is not None:
            return
        at = self._exchange.pace.next_time(now)
        if at > now:
            self._ask_at = at
        else:
            self._exchange.replay(now)

    def wake(self, now: float) -> None:
        if now >= self._time_out_at:
            self.end(now)
        elif self._ask_at is not None and now >= self._ask_at:
            self._exchange.replay(now)
        self._set_deadline()

    def end(self, now: float) -> None:
        """Answer with what waits."""
        self._exchange.respond(self.answer, now)

    def _set_deadline(self) -> None:
        if self._exchange.done or self._exchange.is_asking:
            return
        at = self._time_out_at
        self._exchange.deadline = at if self._ask_at is None else min(at, self._ask_at)
