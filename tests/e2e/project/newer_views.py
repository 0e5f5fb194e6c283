"""Views on what Pushpin has from 1.38 and 1.41 on: gone links, refreshes, and messages that are taken in part."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from django_grip import websocket_only
from django_grip.links import build_link
from django_grip.views import EventStreamView, StreamView

from . import journal


class Noted:
    """Notes who opened it and who has gone."""

    channels = ["newer:{name}"]

    def note(self, what: str) -> None:
        journal.append(self.kwargs["name"], [what, self.request.user.get_username(), self.request.GET.get("tab", "")])


class Watched(Noted, StreamView):
    """Knows when its reader has gone."""

    live_recheck = None

    def on_open(self) -> Any:
        self.note("open")
        return HttpResponse("full\n", status=503) if "full" in self.request.GET else "[open]\n"

    def on_close(self) -> None:
        self.note("close")


class AsyncWatched(Noted, StreamView):
    """The same with async hooks."""

    live_recheck = None

    async def on_open(self) -> Any:
        self.note("open")
        return HttpResponse("full\n", status=503) if "full" in self.request.GET else "[open]\n"

    async def on_close(self) -> None:
        self.note("close")


class WatchedMember(LoginRequiredMixin, Watched):
    """Only for who is logged in."""


class WatchedEvents(Noted, EventStreamView):
    """Knows when its reader has gone, though it is asked for again every second meanwhile."""

    live_recheck = 1

    def get_channels(self) -> Any:
        if self.request.grip.link is not None:
            self.note(self.request.grip.link.kind)
        return self.fill_channels(self.kwargs)

    def on_close(self) -> None:
        self.note("close")


@csrf_exempt
def by_hand(request: HttpRequest, name: str) -> HttpResponse:
    """A stream with a gone link that a function view has made itself."""
    if request.grip.link is not None:
        journal.append(name, [request.grip.link.kind, request.method, request.grip.link.data])
        return HttpResponse()
    instruct = request.grip.start_instruct()
    instruct.add_channel(f"newer:{name}")
    instruct.set_hold_stream()
    instruct.set_gone_link(build_link(request, "gone", data={"seat": "7"}))
    return HttpResponse("[open]\n")


@websocket_only
def sips(request: HttpRequest, name: str) -> None:
    """A WebSocket that waits until it has three messages, and from then on reads one in each request."""
    ws = request.wscontext
    if ws.is_opening():
        ws.accept()
        ws.subscribe(f"newer:{name}")
    if ws.unread >= 3:
        ws.meta["begun"] = "yes"
    if "begun" in ws.meta and ws.unread:
        ws.send(ws.recv())


@websocket_only
def deaf(request: HttpRequest, name: str) -> None:
    """A WebSocket on which messages only go out, as many in style of 1.x are: nothing is read."""
    if request.wscontext.is_opening():
        request.wscontext.accept()
        request.wscontext.subscribe(f"newer:{name}")


urlpatterns = [
    path("watched/<name>/", Watched.as_view()),
    path("async-watched/<name>/", AsyncWatched.as_view()),
    path("watched-member/<name>/", WatchedMember.as_view()),
    path("watched-events/<name>/", WatchedEvents.as_view()),
    path("by-hand/<name>/", by_hand),
    path("sips/<name>/", sips),
    path("deaf/<name>/", deaf),
]
