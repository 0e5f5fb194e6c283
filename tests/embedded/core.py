"""What tests of the core begin with: items, an engine whose clock stands still, and subscribers that remember."""

from __future__ import annotations

from typing import Any

from django_grip.proxy.engine import Engine
from django_grip.proxy.exchange import Exchange
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.published import PublishedItem, ResponseMessage, StreamMessage

WALL_TIME = 1_800_000_000.0


def make_engine(**options: Any) -> Engine:
    return Engine(ProxyOptions(**options), wall_clock=lambda: WALL_TIME)


def stream_item(channel: str, content: bytes = b"x", *, action: str = "send", **facts: Any) -> PublishedItem:
    return PublishedItem(channel, stream=StreamMessage(action, content), **facts)


def response_item(channel: str, body: bytes = b"x", *, action: str = "send", **facts: Any) -> PublishedItem:
    return PublishedItem(channel, response=ResponseMessage(action, body=body), **facts)


class Subscriber(Exchange):
    """Remembers the ids (or the contents) of what the hub gives it."""

    __slots__ = ("kind", "received")

    def __init__(self, engine: Engine, *channels: str, kind: str = "stream") -> None:
        super().__init__(engine)
        self.kind = kind
        self.received: list[str] = []
        for channel in channels:
            engine.hub.subscribe(self, channel)

    @property
    def mode(self) -> str:
        return self.kind

    def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
        assert channel == item.channel
        content = item.stream.content.decode() if item.stream else ""
        self.received.append(item.id or content)
