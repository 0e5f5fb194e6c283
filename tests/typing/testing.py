"""What users write in their tests, with annotations: mypy --strict has nothing to say. Never run."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from typing_extensions import assert_type

from django_grip.testing import (
    AsyncGripClient,
    AsyncLongPoll,
    AsyncStream,
    AsyncWebSocket,
    Captured,
    Clock,
    GripClient,
    GripTestMixin,
    LongPoll,
    Published,
    ReceivedEvent,
    Stream,
    WebSocket,
    capture_publishes,
)


class RoomTests(GripTestMixin, TestCase):
    def test_websocket(self) -> None:
        assert_type(self.client, GripClient)
        with self.client.websocket("/ws/", subprotocols=["v1"], headers={"X-A": "1"}, query_params={"a": 1}) as ws:
            assert_type(ws, WebSocket)
            ws.send("a", b"b")
            ws.send_json({"a": 1})
            assert_type(ws.receive(), str | bytes)
            assert_type(ws.receive_all(), list[str | bytes])
            assert_type(ws.receive_json(timeout=5), Any)
            assert_type(ws.channels, set[str])
            assert_type(ws.close_code, int | None)
            assert_type(ws.close_reason, str)
            assert_type(ws.subprotocol, str | None)
            assert_type(ws.connection, str)
            assert_type(ws.state, dict[str, Any])
            assert_type(ws.response, HttpResponse)
            assert_type(ws.status_code, int)
            ws.receive_nothing()
            ws.close(4000, "bye")
            ws.lose()

    def test_held(self) -> None:
        with self.client.stream("/stream/", method="POST", body=b"x", secure=True) as stream:
            assert_type(stream, Stream)
            assert_type(stream.read(), str)
            assert_type(stream.read_bytes(timeout=1), bytes)
            assert_type(stream.receive_event(), ReceivedEvent)
            assert_type(stream.receive_event().retry, int | None)
        poll = self.client.longpoll("/poll/")
        assert_type(poll, LongPoll)
        assert_type(poll.held, bool)
        self.assertContains(poll.response, "text")
        assert_type(poll.receive(), HttpResponse)
        self.client.advance(2.5)
        self.client.force_login(None)  # type: ignore[arg-type]

    async def test_async(self) -> None:
        assert_type(self.async_client, AsyncGripClient)
        async with self.async_client.websocket("/ws/") as ws:
            assert_type(ws, AsyncWebSocket)
            await ws.send("a")
            assert_type(await ws.receive(), str | bytes)
        assert_type(await self.async_client.websocket("/ws/"), AsyncWebSocket)
        assert_type(await self.async_client.stream("/stream/"), AsyncStream)
        poll = await self.async_client.longpoll("/poll/")
        assert_type(poll, AsyncLongPoll)
        assert_type(await poll.receive(timeout=1), HttpResponse)
        await self.async_client.advance(25)

    @capture_publishes()
    def test_published(self, published: Captured) -> None:
        assert_type(published[0], Published)
        assert_type(published.channels, list[str])
        assert_type(published.on("a"), list[Published])
        with capture_publishes() as inner:
            assert_type(inner, Captured)
        assert_type(inner[0].websocket, str | bytes | None)


class PlainTests(TransactionTestCase):
    client_class = GripClient
    client: GripClient

    def test_it(self) -> None:
        assert_type(self.client.websocket("/"), WebSocket)


class MoreTests(GripTestMixin, SimpleTestCase):
    pass


@pytest.fixture
def lobby(grip_client: GripClient) -> WebSocket:
    return grip_client.websocket("/rooms/lobby/")


async def test_time(lobby: WebSocket, grip_clock: Clock, async_grip_client: AsyncGripClient) -> None:
    grip_clock.advance(25)
    await grip_clock.aadvance(25)
