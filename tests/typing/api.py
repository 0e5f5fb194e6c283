"""What a project writes, as mypy and an editor see it. Never run: `test_typing` has mypy read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from gripcontrol import Channel as GripChannel
from gripcontrol import HttpStreamFormat as GripHttpStreamFormat

from django_grip import (
    Channel,
    Event,
    HttpResponseFormat,
    HttpStreamFormat,
    Item,
    Publication,
    PublishError,
    WebSocketMessageFormat,
    apublish,
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


class RoomSocket(LoginRequiredMixin, WebSocketView):
    channels = ["room:{room}"]
    encoding = "json"
    subprotocols = ["chat.v1"]
    allowed_origins = ["https://www.example.com"]
    keep_alive = 30

    def on_open(self) -> HttpResponse | None:
        if not self.request.grip.proxied or "link:next" not in self.request.grip.features:
            return self.reject(403, "no")
        self.state["nick"] = self.request.user.get_username()
        self.subscribe(channel_name("user:{pk}", pk=self.request.user.pk), filters=["skip-self"])
        return None

    def on_message(self, message: Any) -> None:
        sent: Publication = self.publish({"nick": self.state["nick"], "text": message["text"]}, exclude_self=True)
        self.send({"sent": sent.done(), "via": self.connection, "in": self.subprotocol, "to": self.kwargs["room"]})

    def on_close(self, code: int | None, reason: str) -> None:
        self.unsubscribe("user:1")

    def on_refresh(self) -> None:
        self.close(4000, "go home")

    def on_error(self, error: Exception) -> None:
        raise error

    def get_subprotocol(self, offered: list[str]) -> str | None:
        return offered[0] if offered else None


class AsyncSocket(WebSocketView):
    async def on_open(self) -> None:
        self.state["count"] = 0

    async def on_message(self, message: str) -> None:
        await self.apublish(message, channel="all")

    async def get_channels(self) -> Iterable[str | Channel]:
        return ["all", Channel("news", filters=["require-sub"])]


class Ticker(EventStreamView):
    channels = ["ticker"]
    keep_alive = 20

    def on_open(self) -> list[Event]:
        return [Event({"price": 1}, event="price", id=self.last_event_id, retry=1000)]

    def get_events_since(self, last_id: str) -> list[Event] | None:
        return None


class Log(PermissionRequiredMixin, StreamView):
    channels = ["log"]
    permission_required = "logs.view"

    def on_open(self) -> str:
        return "[stream open]\n"

    def on_message(self, message: str) -> None:
        self.publish(message + "\n")


class DocPoll(LongPollView):
    channels = ["doc:{pk}"]
    timeout = 25

    def get_etag(self) -> int:
        return 1

    def get_payload(self) -> dict[str, str]:
        return {"text": self.kwargs["pk"]}


urlpatterns = [
    path("rooms/<room>/", RoomSocket.as_view()),
    path("async/", AsyncSocket.as_view(max_message_size=1000)),
    path("ticker/", Ticker.as_view(live_recheck=None)),
    path("log/", Log.as_view()),
    path("docs/<pk>/", DocPoll.as_view(timeout=50)),
]


def from_anywhere() -> list[Publication]:
    return [
        RoomSocket.broadcast({"text": "maintenance at noon"}, room="lobby"),
        Ticker.broadcast(Event({"price": 101})),
        DocPoll.changed(pk=7),
        publish("test", HttpStreamFormat("hello\n")),
        publish("room:1", Event({"text": "hi"}), blocking=True, meta={"sender": "x"}),
        publish("room:1", [WebSocketMessageFormat("hi"), HttpResponseFormat(body="hi")], id="2", prev_id="1"),
        publish("room:1", Item(HttpStreamFormat(close=True), no_seq=True)),
        publish("room:1", GripHttpStreamFormat("from gripcontrol"), callback=lambda success, message: None),
        send_to("grip:connection:x", {"token": "word"}),
        close_to("grip:connection:x", 4000, "enough"),
    ]


async def from_a_task() -> None:
    try:
        publication: Publication = await apublish("room:1", Event({"text": "hi"}))
    except PublishError as error:
        print(error)
    else:
        print(publication.result())
    await RoomSocket.abroadcast({"text": "hi"}, room="lobby")


def feed(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("[stream open]\n")
    set_hold_stream(response, "test", keep_alive_data="\n", keep_alive_timeout=20)
    return response


def poll(request: HttpRequest) -> HttpResponse:
    instruct = set_hold_longpoll(request, ["a", GripChannel("b"), Channel("c", prev_id="1")], timeout=30)
    instruct.meta["user"] = "1"
    instruct.set_next_link("/next/")
    return HttpResponse(status=304)


@websocket_only
def echo(request: GripHttpRequest) -> None:
    ws = request.wscontext
    if ws is None:
        return
    ws.accept()
    while ws.can_recv():
        message = ws.recv()
        if message is not None:
            ws.send(message)


@websocket_only(allowed_origins=["*"])
async def aecho(request: HttpRequest) -> None: ...


def predecessor() -> None:
    get_pubcontrol().publish_http_stream("test", "hello\n")
