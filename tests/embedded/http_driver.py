"""A client of the core, by hand: it takes what an exchange puts out, and plays the application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django_grip.protocol.headers import parse_grip_last
from django_grip.protocol.instruct import Instruct, build_instruct_headers
from django_grip.proxy.effects import Abort, Begin, Chunk, Effect, End, Respond
from django_grip.proxy.engine import Engine
from django_grip.proxy.http.exchange import HttpExchange
from django_grip.proxy.messages import AppFailure, AppRequest, AppResponse, ClientRequest, Headers

HOST = (b"host", b"example.com")


def stream(*channels: Any, **fields: Any) -> Instruct:
    return Instruct(hold="stream", channels=_channels(channels), **fields)


def long_poll(*channels: Any, **fields: Any) -> Instruct:
    return Instruct(hold="response", channels=_channels(channels), **fields)


def _channels(channels: Iterable[Any]) -> list[Any]:
    instruct = Instruct()
    instruct.add_channels(channels)
    return instruct.channels


def answer(
    instruct: Instruct | None = None,
    body: bytes = b"",
    *,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
) -> AppResponse:
    """An answer of the application, its instruction said in headers as this package says it."""
    said = [] if instruct is None else build_instruct_headers(instruct)
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in [*said, *headers]]
    return AppResponse(status, pairs, body)


class Client:
    """One client and its exchange; it reads all that comes, unless `reads` is False.

    effects: what was done to it. asks: what the application is asked and has not answered. gone: the POSTs to gone
    links, which nobody answers.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        method: str = "GET",
        path: bytes = b"/feed/",
        query: bytes = b"",
        headers: Headers | None = None,
        body: bytes | None = b"",
        now: float = 0.0,
    ) -> None:
        request = ClientRequest(method, path, query, [HOST] if headers is None else headers, body=body)
        self.exchange = HttpExchange(engine, request)
        self.exchange.notify = self.pump
        self.effects: list[Effect] = []
        self.asks: list[AppRequest] = []
        self.gone: list[AppRequest] = []
        self.reads = True
        self.exchange.start(now)
        self.pump()

    def pump(self) -> None:
        for request in self.exchange.take_asks():
            (self.gone if request.purpose == "gone" else self.asks).append(request)
        while self.reads and (effect := self.exchange.next_effect()) is not None:
            self.effects.append(effect)

    def answer(self, response: AppResponse | AppFailure | Instruct, body: bytes = b"", *, now: float = 0.0) -> None:
        """Answer what the application is asked."""
        assert len(self.asks) == 1, self.asks
        self.asks.pop()
        self.exchange.receive_response(answer(response, body) if isinstance(response, Instruct) else response, now)
        self.pump()

    def wake(self, now: float) -> None:
        """Let time pass, the deadline kept on the way."""
        while self.exchange.deadline is not None and self.exchange.deadline <= now:
            at = self.exchange.deadline
            self.exchange.wake(at)
            self.pump()
            assert self.exchange.deadline is None or self.exchange.deadline > at, "a deadline that stays where it is"

    def leave(self, now: float = 0.0) -> None:
        self.exchange.client_gone(now)
        self.pump()

    @property
    def ask(self) -> AppRequest:
        """What the application is asked now."""
        (request,) = self.asks
        return request

    @property
    def last(self) -> dict[str, str]:
        """What Grip-Last says in what the application is asked now."""
        values = [value.decode("latin-1") for name, value in self.ask.headers if name == b"grip-last"]
        return parse_grip_last(", ".join(values))

    @property
    def data(self) -> bytes:
        """What has come of a stream."""
        return b"".join(effect.data for effect in self.effects if isinstance(effect, Chunk))

    @property
    def has_ended(self) -> bool:
        return bool(self.effects) and isinstance(self.effects[-1], End)

    @property
    def response(self) -> Respond:
        """The answer that came whole."""
        (effect,) = self.effects
        assert isinstance(effect, Respond)
        return effect

    @property
    def is_waiting(self) -> bool:
        """Held as a long-poll, with nothing come as yet."""
        return not self.effects and not self.asks and not self.exchange.done and self.exchange.mode == "response"


def check_course(effects: list[Effect]) -> None:
    """An answer is whole, or a beginning, chunks, and at most one end; nothing follows an end."""
    kinds = [type(effect) for effect in effects]
    if not kinds or kinds == [Respond] or kinds == [Abort]:
        return
    assert kinds[0] is Begin, kinds
    body = kinds[1:-1] if kinds[-1] in (End, Abort) else kinds[1:]
    assert set(body) <= {Chunk}, kinds
