"""Drives a `WebSocketExchange` as the shell does, with a clock that stands still unless it is told to go on."""

from __future__ import annotations

from django_grip.protocol.websocket_events import WebSocketEvent, decode_websocket_events, encode_websocket_events
from django_grip.proxy.effects import Abort, Accept, Binary, Close, Deny, Effect, Text
from django_grip.proxy.engine import Engine
from django_grip.proxy.messages import AppFailure, AppRequest, AppResponse, ClientRequest, Headers
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.published import PublishedItem, SocketMessage
from django_grip.proxy.websocket.exchange import WebSocketExchange

EVENTS = (b"content-type", b"application/websocket-events")
GRIP = (b"sec-websocket-extensions", b"grip")
ENDS = (Close, Deny, Abort)

CLIENT_HEADERS: Headers = [
    (b"host", b"localhost"),
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"sec-websocket-version", b"13"),
    (b"origin", b"http://localhost"),
    (b"cookie", b"sessionid=abc"),
]


def text(content: str | bytes) -> WebSocketEvent:
    return WebSocketEvent("TEXT", content.encode() if isinstance(content, str) else content)


def control(message: str) -> WebSocketEvent:
    return text("c:" + message)


def subscribe(channel: str, *filters: str) -> WebSocketEvent:
    names = ", ".join(f'"{name}"' for name in filters)
    return control(f'{{"type": "subscribe", "channel": "{channel}", "filters": [{names}]}}')


OPEN = WebSocketEvent("OPEN")


def answer(*events: WebSocketEvent, headers: Headers = ()) -> AppResponse:
    return AppResponse(200, [EVENTS, *headers], encode_websocket_events(events))


def opening(*events: WebSocketEvent, headers: Headers = (GRIP,)) -> AppResponse:
    return answer(OPEN, *events, headers=headers)


def item(content: str | bytes = "hi", *, channel: str = "room", meta: dict[str, str] | None = None, **options):
    content = content.encode() if isinstance(content, str) else content
    return PublishedItem(channel, meta=meta or {}, socket=SocketMessage(content=content, **options))


class Driver:
    """One client and its exchange.

    effects: all that was done to the client. asked: all that the application was asked. Both are taken after each
    input, and what must hold of any exchange is looked at then.
    """

    def __init__(
        self,
        *,
        options: ProxyOptions | None = None,
        engine: Engine | None = None,
        headers: Headers = CLIENT_HEADERS,
        path: bytes = b"/chat/%C3%A9/",
        query: bytes = b"a=%20b",
        reads: bool = True,
    ) -> None:
        self.engine = engine or Engine(options)
        self.now = 1000.0
        request = ClientRequest("GET", path, query, headers=list(headers), scheme="ws")
        self.exchange = WebSocketExchange(self.engine, request, connection_id="c1")
        self.exchange.notify = self.take
        self.reads = reads
        self.effects: list[Effect] = []
        self.asked: list[AppRequest] = []
        self.answered = 0
        self.exchange.start(self.now)
        self.take()

    def take(self) -> None:
        self.asked += self.exchange.take_asks()
        while self.reads and (effect := self.exchange.next_effect()) is not None:
            self.effects.append(effect)
        assert len(self.asked) - self.answered <= 1, "two requests in flight"
        ends = [index for index, effect in enumerate(self.effects) if isinstance(effect, ENDS)]
        assert ends in ([], [len(self.effects) - 1]), "something behind the end"
        if self.exchange.done or ends:
            assert self.exchange.deadline is None
            assert self.exchange not in self.engine.hub._subscriptions
        assert self.exchange.done == (self.exchange not in self.engine.exchanges)

    @property
    def is_asked(self) -> bool:
        return len(self.asked) > self.answered

    @property
    def events(self) -> list[WebSocketEvent]:
        """What the last request says."""
        return decode_websocket_events(self.asked[-1].body)

    @property
    def said(self) -> list[str | bytes]:
        """The messages that reached the client."""
        return [
            effect.text if isinstance(effect, Text) else effect.data
            for effect in self.effects
            if isinstance(effect, (Text, Binary))
        ]

    @property
    def end(self) -> Effect | None:
        last = self.effects[-1] if self.effects else None
        return last if isinstance(last, ENDS) else None

    def header(self, name: str) -> bytes | None:
        """A header of the last request."""
        values = [value for key, value in self.asked[-1].headers if key == name.encode()]
        assert len(values) <= 1, f"{name} twice"
        return values[0] if values else None

    def respond(self, response: AppResponse | AppFailure | None = None) -> None:
        assert self.is_asked, "nothing was asked"
        self.answered += 1
        self.exchange.receive_response(answer() if response is None else response, self.now)
        self.take()

    def accept(self, *events: WebSocketEvent, headers: Headers = (GRIP,)) -> Driver:
        """Answer the opening, and be rid of the effect of it."""
        self.respond(opening(*events, headers=headers))
        if self.reads:
            assert isinstance(self.effects.pop(0), Accept)
        return self

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.exchange.receive_text(message, self.now)
        else:
            self.exchange.receive_binary(message, self.now)
        self.take()

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        self.exchange.client_closed(code, reason, self.now)
        self.take()

    def lose(self) -> None:
        self.exchange.client_gone(self.now)
        self.take()

    def publish(self, *items: PublishedItem) -> None:
        self.engine.publish(items, self.now)
        self.take()

    def sleep(self, seconds: float) -> None:
        """Let time pass, the exchange waking whenever it wants to."""
        until = self.now + seconds
        while (deadline := self.exchange.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.exchange.wake(self.now)
            self.take()
            assert self.exchange.deadline is None or self.exchange.deadline > self.now, "it does not sleep"
        self.now = until

    def shut_down(self) -> None:
        self.engine.shut_down(self.now)
        self.take()
