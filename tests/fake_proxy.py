"""Requests as a GRIP proxy makes them, for tests without a proxy."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.test import AsyncClient, Client

from django_grip.protocol.keys import load_key
from django_grip.protocol.signatures import build_grip_sig
from django_grip.protocol.websocket_events import WebSocketEvent, decode_websocket_events, encode_websocket_events

KEY = "tests-only-proxy-key-0123456789-abcdefghij"
PROXIES = [{"control_uri": "http://127.0.0.1:1", "key": KEY}]
EVENTS_TYPE = "application/websocket-events"
FEATURES = "status, session, link:next, filter:skip-self"

OPEN = WebSocketEvent("OPEN", None)
PING = WebSocketEvent("PING", None)
DISCONNECT = WebSocketEvent("DISCONNECT", None)


def text(content: str) -> WebSocketEvent:
    return WebSocketEvent("TEXT", content.encode())


def binary(content: bytes) -> WebSocketEvent:
    return WebSocketEvent("BINARY", content)


def close(code: int | None = None, reason: str = "") -> WebSocketEvent:
    return WebSocketEvent("CLOSE", None if code is None else code.to_bytes(2, "big") + reason.encode())


def grip_sig(key: str = KEY, *, issuer: str | None = "pushpin", age: int = 0) -> str:
    """Sign as the proxy does; age: seconds since the signature expired, negative ones before it does."""
    return build_grip_sig(load_key(key), issuer=issuer, expires=int(time.time()) + (-age if age else 3600))


def proxied(**headers: str) -> dict[str, str]:
    """The headers of a request that came through the proxy, and more; ``if_none_match`` stands for If-None-Match."""
    return {"grip-sig": grip_sig(), "grip-feature": FEATURES, **named(headers)}


def named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def events_of(response: Any) -> list[tuple[str, bytes | None]]:
    """The events in a response, as pairs."""
    assert response["Content-Type"] == EVENTS_TYPE, response.content
    return [(event.type, event.content) for event in decode_websocket_events(response.content)]


class FakeProxy:
    """Posts WebSocket events to the application as Pushpin does, and keeps the connection's meta as it would."""

    def __init__(self, path: str, *, connection_id: str = "c1", client: Client | None = None, **headers: str) -> None:
        self.path = path
        self.connection_id = connection_id
        self.client = client or Client()
        self.headers = named(headers)
        self.meta: dict[str, str] = {}

    def request(self, *events: WebSocketEvent, **headers: str) -> dict[str, Any]:
        meta = {f"meta-{name}": value for name, value in self.meta.items()}
        # Django's test clients leave the type out where there is no body, as in a tick.
        bare = {} if events else {"content-type": EVENTS_TYPE}
        return {
            "path": self.path,
            "data": encode_websocket_events(events),
            "content_type": EVENTS_TYPE if events else "",
            "headers": {**proxied(connection_id=self.connection_id), **bare, **meta, **self.headers, **named(headers)},
        }

    def send(self, *events: WebSocketEvent, **headers: str) -> Any:
        """POST the events; the response, whose meta is kept."""
        return self._keep(self.client.post(**self.request(*events, **headers)))

    def open(self, *events: WebSocketEvent, **headers: str) -> Any:
        return self.send(OPEN, *events, **headers)

    def _keep(self, response: Any) -> Any:
        for name, value in response.items():
            if name.lower().startswith("set-meta-"):
                self.meta.pop(name[9:].lower(), None)
                if value:
                    self.meta[name[9:].lower()] = value
        return response


class AsyncFakeProxy(FakeProxy):
    """The same for an async stack."""

    def __init__(self, path: str, *, async_client: AsyncClient | None = None, **options: Any) -> None:
        super().__init__(path, **options)
        self.async_client = async_client or AsyncClient()

    async def asend(self, *events: WebSocketEvent, **headers: str) -> Any:
        return self._keep(await self.async_client.post(**self.request(*events, **headers)))


def sent(events: Iterable[tuple[str, bytes | None]]) -> list[bytes]:
    """What reaches the client of the events: messages without their prefix."""
    return [content[2:] for kind, content in events if kind in ("TEXT", "BINARY") and content and content[:2] == b"m:"]


def controls(events: Iterable[tuple[str, bytes | None]]) -> list[bytes]:
    """The control messages among the events."""
    return [content[2:] for kind, content in events if kind == "TEXT" and content and content[:2] == b"c:"]
