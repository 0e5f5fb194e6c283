"""What users write, with annotations: mypy --strict has nothing to say to it. Never run; see test_typing.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from typing_extensions import assert_type

from django_grip import (
    Channel,
    Event,
    HttpStreamFormat,
    Publication,
    WebSocketMessageFormat,
    aclose_to,
    apublish,
    asend_to,
    channel_name,
    close_to,
    get_pubcontrol,
    publish,
    send_to,
    set_hold_longpoll,
    set_hold_stream,
    websocket_only,
)
from django_grip.request import GripHttpRequest
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

# -- WebSockets --------------------------------------------------------------------------------------------------------


class RoomSocket(LoginRequiredMixin, PermissionRequiredMixin, WebSocketView):
    permission_required = "chat.talk"
    channels = ["room:{room}"]
    filters = ["require-sub"]
    encoding = "json"
    encoder = json.JSONEncoder
    subprotocols = ["chat.v1"]
    allowed_origins = ["https://www.example.com"]
    keep_alive = 30
    live_recheck = None
    max_message_size = 10_000

    def on_open(self) -> HttpResponse | None:
        if self.subprotocol is None:
            return self.reject(400, "no subprotocol", headers={"X-Reason": "subprotocol"})
        self.state["nick"] = self.request.user.get_username()
        self.response.set_cookie("seen", "1")
        self.response["X-Room"] = str(self.kwargs["room"])
        return None

    def on_message(self, message: dict[str, Any]) -> None:
        publication = self.publish({"nick": self.state["nick"], "text": message["text"]}, exclude_self=True)
        assert_type(publication, Publication)
        self.publish(Event(message), channel="other", on_commit=True)
        self.subscribe("extra", ["require-sub"])
        self.unsubscribe("extra")
        self.send(message)
        self.send(Event(message, event="echo"))
        if message.get("bye"):
            self.close(4000, "bye")

    def on_close(self, code: int | None, reason: str) -> None:
        print(code, reason, self.connection)

    def on_refresh(self) -> None:
        assert_type(self.request.grip.proxied, bool)
        assert_type(self.request.grip.features, frozenset[str])
        assert_type(self.request.grip.last, dict[str, str])
        assert_type(self.request.grip_signed, bool)
        assert_type(self.connection, str)
        assert_type(self.subprotocol, str | None)
        assert_type(self.state, dict[str, Any])

    def on_error(self, error: Exception) -> None:
        self.close(1011, str(error))

    def get_channels(self) -> list[str | Channel]:
        return [f"room:{self.kwargs['room']}", Channel("all", filters=["require-sub"])]

    def get_subprotocol(self, offered: list[str]) -> str | None:
        return offered[0] if offered else None


class AsyncSocket(WebSocketView):
    channels = ("room:{room}",)

    async def on_open(self) -> None:
        self.state = {"count": 0}

    async def on_message(self, message: str) -> None:
        assert_type(await self.apublish(message), Publication)
        self.send(message)

    async def on_close(self, code: int | None, reason: str) -> None: ...

    async def on_error(self, error: Exception) -> HttpResponseBase | None:
        return self.reject(404)

    async def get_channels(self) -> Iterable[str]:
        return ["a", "b"]

    async def get_subprotocol(self, offered: list[str]) -> str | None:
        return None


class BytesSocket(WebSocketView):
    encoding = "bytes"

    def on_message(self, message: bytes) -> None:
        self.send(message)


class Assistant(WebSocketView):
    def on_message(self, message: str) -> None:
        answer(self.connection, message)


def answer(connection: str, question: str) -> None:
    assert_type(send_to(connection, question), Publication)
    send_to(connection, {"a": 1}, blocking=True)
    close_to(connection, 4000, "done")


async def aanswer(connection: str) -> None:
    assert_type(await asend_to(connection, b"x"), Publication)
    await aclose_to(connection)


def from_anywhere() -> None:
    assert_type(RoomSocket.broadcast({"text": "maintenance at noon"}, room="lobby"), Publication)
    RoomSocket.broadcast("x", channel="room:5", options={"on_commit": True})
    Ticker.broadcast(Event({"price": 101}))
    DocPoll.changed(pk=7)
    DocPoll.changed(channel="doc:7", options={"on_commit": True})
    with_kwargs: dict[str, Any] = {"room": "lobby"}
    RoomSocket.broadcast("x", **with_kwargs)


async def from_anywhere_async() -> None:
    assert_type(await RoomSocket.abroadcast({"text": "x"}, room="lobby"), Publication)
    assert_type(await DocPoll.achanged(pk=7), Publication)


# -- streams -----------------------------------------------------------------------------------------------------------


class Ticker(EventStreamView):
    channels = ["ticker"]
    keep_alive = 20

    def on_open(self) -> list[Event]:
        assert_type(self.last_event_id, str | None)
        return [Event({"price": 100})]

    def get_events_since(self, last_id: str) -> list[Event] | None:
        return [Event(int(last_id) + 1, id="2", retry=500)] if last_id.isdigit() else None


class AsyncTicker(EventStreamView):
    channels = ["ticker"]

    async def on_open(self) -> AsyncIterator[Event]:
        async def events() -> AsyncIterator[Event]:
            yield Event(1)

        return events()

    async def get_events_since(self, last_id: str) -> list[Event] | None:
        return None


class Log(StreamView):
    channels = ["log"]
    keep_alive_data = b"\n"
    content_type = "text/plain"
    message_field = "text"

    def on_open(self) -> Iterator[str]:
        yield "[stream open]\n"

    def on_message(self, message: str) -> HttpResponse | None:
        self.publish(message + "\n")
        return HttpResponse(status=201)

    def on_close(self) -> None:
        print(self.request.user)


class DocPoll(LongPollView):
    channels = ["doc:{pk}"]
    timeout = 25

    def get_etag(self) -> int:
        return 5

    def get_payload(self) -> dict[str, Any]:
        return {"pk": self.kwargs["pk"]}


class AsyncDocPoll(LongPollView):
    channels = ["doc:{pk}"]

    async def get_etag(self) -> str | None:
        return None

    async def get_payload(self) -> HttpResponse:
        return HttpResponse("x")


# -- function views ----------------------------------------------------------------------------------------------------


def feed(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("[stream open]\n")
    instruct = set_hold_stream(response, "test", "\n", 20)
    instruct.set_next_link("/next/", 60)
    return response


def wait(request: GripHttpRequest) -> HttpResponse:
    if not request.grip.proxied:
        return HttpResponse(status=501)
    set_hold_longpoll(request, ["a", Channel("b", prev_id="5")], timeout=20)
    return HttpResponse()


def by_hand(request: GripHttpRequest) -> HttpResponse:
    instruct = request.grip.start_instruct()
    instruct.add_channel("a")
    instruct.set_hold_stream()
    instruct.meta["user"] = "5"
    return HttpResponse()


@websocket_only
def echo(request: GripHttpRequest) -> None:
    session = request.wscontext
    assert session is not None
    if session.is_opening():
        session.accept()
    while session.can_recv():
        message = session.recv()
        assert_type(message, str | bytes | None)
        if message is None:
            session.close()
            break
        session.send(message)


@websocket_only(allowed_origins=["https://www.example.com"])
async def async_echo(request: GripHttpRequest) -> HttpResponse:
    return HttpResponse()


def publishing() -> None:
    assert_type(publish("test", HttpStreamFormat("hello\n")), Publication)
    publish("room:1", Event({"text": "hi"}), id="2", prev_id="1", meta={"sender": "x"}, blocking=True)
    publish("room:1", [HttpStreamFormat("a"), WebSocketMessageFormat("a")], on_commit=True)
    assert_type(channel_name("room:{room}", room=5), str)
    get_pubcontrol().publish_http_stream("test", "x")


async def apublishing() -> None:
    assert_type(await apublish("room:1", Event({"text": "hi"})), Publication)


urlpatterns = [
    path("rooms/<room>/", RoomSocket.as_view()),
    path("ticker/", Ticker.as_view(keep_alive=30)),
    path("log/", Log.as_view()),
    path("docs/<int:pk>/", DocPoll.as_view(timeout=30)),
    path("feed/", feed),
    path("echo/", echo),
    path("async-echo/", async_echo),
]
