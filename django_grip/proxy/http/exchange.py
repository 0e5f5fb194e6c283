"""One HTTP request of a client: what the application answers it, at once or held as a long-poll or a stream."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...exceptions import ProtocolError
from ..client_headers import clean_headers, clean_response_headers, refuse_client
from ..effects import Abort, Effect, End, Respond
from ..exchange import Exchange
from ..messages import AppFailure, AppRequest, AppResponse, ClientRequest, plain_answer, show_path
from ..published import PublishedItem
from .instructions import Instruction, has_instruct, read_instruction, whole_response
from .links import Place, build_last_headers, build_link_request, place_of, resolve_link
from .pace import Pace
from .response_hold import ResponseHold
from .stream_hold import StreamHold

if TYPE_CHECKING:
    from ..engine import Engine

__all__ = ["HttpExchange"]

logger = logging.getLogger("django_grip")


class HttpExchange(Exchange):
    """A client's HTTP request and what becomes of it (see `Exchange` for how it is driven).

    The application is asked for it ("open"). An answer without instruction is the client's, as it is: the driver may
    give it over itself and call `pass_through`. For what else there is, see `ResponseHold` and `StreamHold`.

    path: for the log. request: None as soon as it will not be made again. is_asking: an answer is awaited.
    """

    __slots__ = ("_gone", "_hold", "_mark", "_pace", "is_asking", "path", "request")

    def __init__(self, engine: Engine, request: ClientRequest) -> None:
        super().__init__(engine)
        self.request: ClientRequest | None = request
        self.path = request.path
        self.is_asking = False
        self._hold: ResponseHold | StreamHold | None = None
        self._gone: Place | None = None
        self._mark = 0
        self._pace: Pace | None = None

    @property
    def mode(self) -> str:
        return "" if self._hold is None else self._hold.mode

    @property
    def pace(self) -> Pace:
        """Of asking the application again for a long-poll."""
        if self._pace is None:
            self._pace = Pace()
        return self._pace

    # Inputs

    def start(self, now: float) -> None:
        request = self.request
        if request is None:
            return
        refusal = refuse_client(request)
        if refusal is not None:
            self.put(refusal)
            self.finish()
            return
        self._ask_for(request, "open")

    def pass_through(self) -> None:
        """The driver gives the client the application's answer as it comes."""
        self.finish()

    def receive_response(self, response: AppResponse | AppFailure, now: float) -> None:
        if self.done:
            return
        self.is_asking = False
        if isinstance(self._hold, StreamHold):
            self._hold.receive_response(response, now)
        elif isinstance(response, AppFailure):
            logger.warning("The application failed at %s: %s", show_path(self.path), response.text)
            self.respond(plain_answer(response.status, "The application has failed."), now)
        elif not has_instruct(response.headers):
            headers = [header for header in clean_response_headers(response.headers) if header[0] != b"content-length"]
            self.respond(AppResponse(response.status, headers, response.body), now)
        else:
            self._read(response, now)

    def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
        hold, deadline = self._hold, self.deadline
        if hold is not None and not self.done:
            hold.receive_item(item, channel, now)
            if self.outbox or self.asks or self.deadline != deadline:
                self.notify()

    def client_gone(self, now: float) -> None:
        if not self.done:
            self._forget_outbox()
            self.finish()

    def shut_down(self, now: float) -> None:
        self._gone = None
        if self._hold is not None and not self.done:
            self._hold.end(now)
            self.notify()

    def wake(self, now: float) -> None:
        if self._hold is not None and self.deadline is not None and now >= self.deadline:
            self._hold.wake(now)

    def next_effect(self) -> Effect | None:
        effect = super().next_effect()
        if effect is None and isinstance(self._hold, StreamHold) and self._hold.wants_page and not self.done:
            self._hold.ask_page()
            self.notify()
        return effect

    # What the application says

    def _read(self, response: AppResponse, now: float) -> None:
        try:
            instruction = read_instruction(response, self.engine.options)
        except ProtocolError as error:
            logger.warning("The application's answer at %s cannot be followed: %s", show_path(self.path), error)
            self.respond(plain_answer(502, "The application's answer is not one that the proxy understands."), now)
            return
        instruct = instruction.instruct
        if self.request is None or self.request.method == "HEAD" or not (instruct.hold or instruct.next_link):
            self.respond(instruction.response, now)
        else:
            self._set_gone_link(instruct.gone_link, self.request)
            if instruct.hold == "response":
                self._begin_long_poll(instruction, now)
            else:
                self._begin_stream(instruction, self.request, now)
            if self.engine.is_shut_down:
                self.shut_down(now)

    def _begin_stream(self, instruction: Instruction, request: ClientRequest, now: float) -> None:
        # The request will not be made again, and cookies need not be kept for hours.
        self.request = None
        self._pace = None
        hold = self._hold = StreamHold(self)
        hold.begin(instruction, place_of(request), now)

    def _begin_long_poll(self, instruction: Instruction, now: float) -> None:
        is_first = self._hold is None
        hold = self._hold = ResponseHold(self, instruction)
        hold.begin(instruction.instruct.timeout, now, mark=self._mark, is_first=is_first)

    def _set_gone_link(self, uri: str, request: ClientRequest) -> None:
        if not uri:
            return
        try:
            self._gone = resolve_link(uri, place_of(request))
        except ProtocolError as error:
            logger.warning("The gone link of %s will not be followed: %s", show_path(self.path), error)

    # What holds do

    def ask(self, request: AppRequest) -> None:
        """Ask the application, and await its answer."""
        self.is_asking = True
        self.asks.append(request)

    def replay(self, now: float) -> None:
        """Ask the application for the client's own request again. What is held waits no longer."""
        hold, request = self._hold, self.request
        if not isinstance(hold, ResponseHold) or request is None:
            return
        self.engine.hub.drop(self)
        self.deadline = None
        if request.body is None:
            logger.warning(
                "The long-poll at %s is answered as if its time had come: its request was too big to be made again.",
                show_path(self.path),
            )
            hold.end(now)
            return
        self._ask_for(request, "replay", hold.subscriptions.prev_ids)

    def _ask_for(self, request: ClientRequest, purpose: str, last: dict[str, str] | None = None) -> None:
        headers = clean_headers(request.headers) + self.engine.grip_headers() + build_last_headers(last or {})
        self._mark = self.engine.hub.mark()
        self.ask(AppRequest(request.method, request.path, request.query, headers, request.body or b"", purpose))

    def respond(self, response: AppResponse, now: float) -> None:
        """Answer the client, whole. This is the end."""
        status, headers, body = whole_response(response)
        if self.request is not None and self.request.method == "HEAD":
            body = b""
        self.put(Respond(status, headers, body))
        self.finish()

    def end_stream(self, now: float) -> None:
        """End the stream as it should."""
        self.put(End())
        self.finish()

    def abort(self, reason: str, now: float) -> None:
        """Drop the client, and what waits for it."""
        logger.warning("The stream at %s is dropped: %s.", show_path(self.path), reason)
        self._forget_outbox()
        self.put(Abort(reason))
        self.finish()

    def finish(self) -> None:
        if self.done:
            return
        super().finish()
        self.is_asking = False
        self.request = None
        self._hold = None
        # Of what has not been asked yet the answer is of no use any longer.
        self.asks = []
        if self._gone is not None:
            self.asks.append(build_link_request(self.engine, self._gone, purpose="gone"))

    def _forget_outbox(self) -> None:
        self.outbox.clear()
        self.outbox_size = 0
