"""A URLconf with one of each of the views that need no Django REST framework."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path

from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView


class Room(WebSocketView):
    """Where people talk.

    One room for each name.
    """

    channels = ["room:{room}"]
    encoding = "json"
    subprotocols = ["chat.v1", "chat.v2"]

    def on_message(self, message: Any) -> None: ...


class Clock(WebSocketView):
    channels = ["clock"]


class Frames(WebSocketView):
    channels = ["frames"]
    encoding = "bytes"

    def on_message(self, message: Any) -> None: ...


class Ticker(EventStreamView):
    channels = ["ticker"]


class Log(StreamView):
    channels = ["log"]
    content_type = "text/csv"

    def on_message(self, message: str) -> None: ...


class Document(LongPollView):
    channels = ["document:{pk}"]

    def get_payload(self) -> Any: ...


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("", page),
    path("rooms/<slug:room>/", Room.as_view()),
    path("clock/", Clock.as_view()),
    path("frames/", Frames.as_view(subprotocols=["v1"])),
    path(
        "v1/",
        include(
            [
                path("ticker/", Ticker.as_view()),
                re_path(r"^log/$", Log.as_view(content_type="text/plain")),
                path("documents/<int:pk>/", Document.as_view(timeout=40)),
            ]
        ),
    ),
]
