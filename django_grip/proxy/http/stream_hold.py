"""A held stream: what has come so far and what comes by and by, and asking the application for what it has missed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...exceptions import ProtocolError
from ...protocol.instruct import Instruct
from ..effects import Begin, Chunk, Effect
from ..messages import AppFailure, AppResponse, show_path
from ..published import PublishedItem, StreamMessage
from ..subscriptions import Subscriptions
from .instructions import Instruction, read_instruction
from .links import Place, build_link_request, resolve_link
from .stream_buffer import StreamBuffer
from .stream_timers import KeepAlive, NextLink

if TYPE_CHECKING:
    from .exchange import HttpExchange

__all__ = ["StreamHold"]

logger = logging.getLogger("django_grip")

SECOND_LOOK = 1.0
"""Seconds after which the next link is asked once more, if its answer may not hold all that was published before."""

EMPTY_PAGE_PAUSE = 1.0
"""Seconds before the page after two empty ones: a link to itself must not keep the application busy."""


class StreamHold:
    """One stream, from its first byte to its end.

    While the next link is being asked, what is published waits in a buffer; the answer says how far the client has
    come, and what it has by then is left out. Without a hold, page after page is fetched, each when the client has
    taken in the one before.

    wants_page: the next page is to be asked for once all is written.
    """

    __slots__ = (
        "_buffer",
        "_empty_pages",
        "_exchange",
        "_is_asking",
        "_keep_alive",
        "_link",
        "subscriptions",
        "wants_page",
    )

    mode = "stream"

    def __init__(self, exchange: HttpExchange) -> None:
        self._exchange = exchange
        self.subscriptions: Subscriptions | None = None
        self._keep_alive: KeepAlive | None = None
        self._link: NextLink | None = None
        # None: nothing is asked, and what comes is sent.
        self._buffer: StreamBuffer | None = None
        self._is_asking = False
        self._empty_pages = 0
        self.wants_page = False

    # What the application says

    def begin(self, instruction: Instruction, base: Place, now: float) -> None:
        """Send the beginning, and hold or fetch what follows."""
        response = instruction.response
        self._exchange.put(Begin(response.status, response.headers))
        if response.body:
            beginning = Chunk(response.body)
            # It may be as long as all that may wait, so it does not count: what comes behind it does.
            beginning.size = 0
            self._exchange.put(beginning)
        self._follow(instruction.instruct, base, now, has_sent=bool(response.body))
        self._set_deadline()

    def receive_response(self, response: AppResponse | AppFailure, now: float) -> None:
        """Take the answer to the next link: more of the stream, and a new instruction."""
        self._is_asking = False
        link = self._link
        if link is None:
            return
        try:
            instruction = self._read(response)
        except ProtocolError as error:
            logger.warning(
                "The stream at %s ends: its next link %s was no good: %s",
                show_path(self._exchange.path),
                show_path(link.place.path),
                error,
            )
            self.end(now)
            return
        body = instruction.response.body
        if body:
            self._exchange.put(Chunk(body))
        self._follow(instruction.instruct, link.place, now, has_sent=bool(body))
        self._set_deadline()

    def _read(self, response: AppResponse | AppFailure) -> Instruction:
        if isinstance(response, AppFailure):
            raise ProtocolError(response.text)
        if not 200 <= response.status <= 299:
            raise ProtocolError(f"it was answered with {response.status}")
        instruction = read_instruction(response, self._exchange.engine.options)
        if instruction.instruct.hold == "response":
            raise ProtocolError("it was answered with a hold of a response, but this is a stream")
        return instruction

    def _follow(self, instruct: Instruct, base: Place, now: float, *, has_sent: bool) -> None:
        """Do what an answer says. has_sent: whether it brought something for the client."""
        try:
            self._link = self._resolve(instruct, base)
        except ProtocolError as error:
            logger.warning("The stream at %s ends: %s", show_path(self._exchange.path), error)
            self.end(now)
            return
        if instruct.hold:
            self._hold(instruct, now, has_sent=has_sent)
        elif self._link is None:
            self.end(now)
        else:
            self._turn_page(self._link, now, is_empty=not has_sent)

    def _resolve(self, instruct: Instruct, base: Place) -> NextLink | None:
        if not instruct.next_link:
            return None
        return NextLink(resolve_link(instruct.next_link, base), instruct, self._exchange.engine.options)

    def _hold(self, instruct: Instruct, now: float, *, has_sent: bool) -> None:
        self._empty_pages = 0
        self._set_keep_alive(instruct, now, has_sent=has_sent)
        subscriptions = Subscriptions(instruct)
        has_missed = self._subscribe(subscriptions)
        if self._link is not None:
            self._link.restart(now)
        if self._buffer is not None:
            self._send_buffer(self._buffer, subscriptions, now)
            if has_missed:
                self._look_again_soon(now)
        elif has_missed:
            self._ask()

    def _set_keep_alive(self, instruct: Instruct, now: float, *, has_sent: bool) -> None:
        old = self._keep_alive
        self._keep_alive = KeepAlive(instruct, self._exchange.engine.options, now) if instruct.keep_alive else None
        if self._keep_alive is not None and old is not None and not has_sent:
            # Where nothing was sent, the silence goes on.
            self._keep_alive.at = min(old.at, self._keep_alive.at)

    def _subscribe(self, new: Subscriptions) -> bool:
        """Change over to the channels of a new hold. Returns whether something was published on those that are new,
        behind what the application knew of.
        """
        hub, exchange = self._exchange.engine.hub, self._exchange
        old = self.subscriptions.names if self.subscriptions is not None else ()
        self.subscriptions = new
        for name in old:
            if name not in new.names:
                hub.unsubscribe(exchange, name)
        has_missed = False
        for name in new.names:
            if name not in old:
                hub.subscribe(exchange, name)
                last_id, prev_id = hub.last_id(name), new.prev_ids.get(name)
                has_missed = has_missed or (None not in (last_id, prev_id) and last_id != prev_id)
        return has_missed

    # What is published

    def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
        message, buffer, subscriptions = item.stream, self._buffer, self.subscriptions
        if message is None or subscriptions is None:
            return
        if buffer is None:
            self._send(item, subscriptions, now)
        elif message.action == "close":
            self._close_early(item, buffer, now)
        else:
            self._keep(item, buffer, now)
        self._set_deadline()

    def _send(self, item: PublishedItem, subscriptions: Subscriptions, now: float) -> None:
        message = item.stream
        if message is None or not (subscriptions.is_plain or self._is_due(item, message, subscriptions)):
            return
        if message.action == "send":
            subscriptions.advance(item)
            self._send_effect(message.effect, now)
            if self._link is not None:
                self._link.data_came(item.channel, subscriptions.names, now)
        elif message.action == "close":
            self.end(now)
        elif message.action == "hint" and self._link is not None:
            # The ids stay: the client has not got what the hint is about.
            self._ask()

    def _is_due(self, item: PublishedItem, message: StreamMessage, subscriptions: Subscriptions) -> bool:
        """Whether the client shall have an item now."""
        if subscriptions.has_seen(item):
            return False
        # A close is heeded wherever the client stands: it may be meant to take something away.
        if subscriptions.is_gap(item) and message.action != "close":
            self._ask()
            self._refill([item])
            return False
        if not subscriptions.lets_pass(item):
            subscriptions.advance(item)
            return False
        return True

    def _send_effect(self, effect: Effect | None, now: float) -> None:
        """Send data of the stream, if there is any."""
        if effect is None:
            return
        self._exchange.put(effect)
        if self._exchange.is_overfull:
            self._exchange.abort("too slow", now)
        elif self._keep_alive is not None:
            self._keep_alive.data_sent(now)

    # What waits while the application is asked

    def _keep(self, item: PublishedItem, buffer: StreamBuffer, now: float) -> None:
        buffer.add(item)
        if buffer.is_overfull(self._exchange.engine.options):
            self._exchange.abort("too much was published while its next link was asked", now)

    def _send_buffer(self, buffer: StreamBuffer, subscriptions: Subscriptions, now: float) -> None:
        """Go on with what waited, if the client has not got it by the answer to the next link."""
        is_doubtful = buffer.leave_out_known(subscriptions)
        waiting, self._buffer = buffer.take_all(), None
        while waiting and not (self._exchange.done or self._is_asking):
            self._send(waiting.popleft(), subscriptions, now)
        # If it is asked again, that heeds the hints that came before.
        self._refill(waiting)
        if is_doubtful:
            self._look_again_soon(now)

    def _look_again_soon(self, now: float) -> None:
        """Ask once more, but not at once: the ids that the application says may never meet those that it publishes."""
        if self._link is not None and self._link.at is not None:
            self._link.at = now + SECOND_LOOK

    def _refill(self, items: Iterable[PublishedItem]) -> None:
        for item in items:
            if self._buffer is not None and item.stream is not None and item.stream.action != "hint":
                self._buffer.add(item)

    def _close_early(self, item: PublishedItem, buffer: StreamBuffer, now: float) -> None:
        """End the stream while the application is asked, with what waits and needs no answer."""
        subscriptions = self.subscriptions
        if subscriptions is None or not subscriptions.lets_pass(item):
            return
        for waiting in buffer.take_all():
            if not subscriptions.is_gap(waiting) and not subscriptions.has_seen(waiting):
                is_wanted = subscriptions.lets_pass(waiting)
                subscriptions.advance(waiting)
                if is_wanted and waiting.stream is not None and waiting.stream.effect is not None:
                    self._exchange.put(waiting.stream.effect)
        self.end(now)

    # Asking the application

    def _ask(self) -> None:
        """GET the next link; what is published meanwhile waits."""
        if self._link is None or self._is_asking:
            return
        self._is_asking = True
        self._link.at = None
        self.wants_page = False
        if self._buffer is None:
            self._buffer = StreamBuffer()
        last = self.subscriptions.prev_ids if self.subscriptions is not None else None
        request = build_link_request(self._exchange.engine, self._link.place, purpose="next", last=last)
        self._exchange.ask(request)

    def _turn_page(self, link: NextLink, now: float, *, is_empty: bool) -> None:
        self._empty_pages = self._empty_pages + 1 if is_empty else 0
        if self._buffer is None:
            self._buffer = StreamBuffer()
        if self._empty_pages > 1:
            link.at = now + EMPTY_PAGE_PAUSE
        elif self._exchange.outbox:
            self.wants_page = True
        else:
            self._ask()

    def ask_page(self) -> None:
        """All is written: ask for the next page."""
        self._ask()
        self._set_deadline()

    # The clock, and the end

    def wake(self, now: float) -> None:
        keep_alive, link = self._keep_alive, self._link
        if keep_alive is not None and now >= keep_alive.at:
            self._exchange.put(keep_alive.chunk)
            keep_alive.restart(now)
            if self._exchange.is_overfull:
                self._exchange.abort("too slow", now)
                return
        if link is not None and link.at is not None and now >= link.at:
            self._ask()
        self._set_deadline()

    def end(self, now: float) -> None:
        """End the stream as it should."""
        self._exchange.end_stream(now)

    def _set_deadline(self) -> None:
        if self._exchange.done:
            return
        at = self._link.at if self._link is not None else None
        if self._keep_alive is not None:
            at = self._keep_alive.at if at is None else min(at, self._keep_alive.at)
        self._exchange.deadline = at
