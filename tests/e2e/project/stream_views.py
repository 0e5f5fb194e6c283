"""Stream views: initial content of every kind, messages by POST, live rechecks, Server-Sent Events with a memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from django_grip import Event
from django_grip.views import EventStreamView, StreamView

from . import gates, journal


class Feed(StreamView):
    """A stream whose ``?first=`` says what it begins with; a POST goes to everybody who reads."""

    channels = ["feed:{name}"]

    def on_open(self) -> Any:
        return FIRST[self.request.GET.get("first", "text")]()

    def on_message(self, message: str) -> HttpResponse | None:
        if message == "quiet":
            return None
        self.publish(f"{message}\n", exclude_self="exclude" in self.request.GET)
        return HttpResponse("published\n")


class AsyncFeed(StreamView):
    """The same with async hooks."""

    channels = ["feed:{name}"]

    async def on_open(self) -> Any:
        return FIRST[self.request.GET.get("first", "text")]()

    async def on_message(self, message: str) -> HttpResponse | None:
        if message == "quiet":
            return None
        await self.apublish(f"{message}\n", exclude_self="exclude" in self.request.GET)
        return HttpResponse("published\n")


def _lines() -> Iterator[str]:
    for number in range(3):
        yield f"line {number}\n"
    yield "[open]\n"


async def _async_lines() -> AsyncIterator[str]:
    for line in _lines():
        yield line


FIRST = {
    "text": lambda: "[open]\n",
    "bytes": lambda: b"\x00\xff[open]\n",
    "list": lambda: ["line 0\n", b"line 1\n", "[open]\n"],
    "iterator": _lines,
    "async-iterator": _async_lines,
    "response": lambda: HttpResponse("[open]\n", content_type="text/x-own", headers={"X-Own": "yes"}),
    "refusal": lambda: HttpResponse("full\n", status=503),
    "nothing": lambda: None,
}


class KeptAlive(StreamView):
    """Says a word every second in which nothing else is said."""

    channels = ["kept:{name}"]
    keep_alive = 1
    keep_alive_data = "still here\n"

    def on_open(self) -> str:
        return "[open]\n"


class Rechecked(StreamView):
    """Asked again every second; it notes each time, and at a recheck stops at the gate if ``?gate`` says so."""

    channels = ["rechecked:{name}"]
    live_recheck = 1

    def get_channels(self) -> Any:
        name, link = self.kwargs["name"], self.request.grip.link
        if link and "gate" in self.request.GET:
            journal.append(name, ["at the gate"])
            gates.pass_through(name)
        journal.append(name, [link.kind if link else "open"])
        return super().get_channels()

    def on_open(self) -> str:
        return "[open]\n"


class MemberFeed(LoginRequiredMixin, Rechecked):
    """Only for who is logged in."""


class EditorFeed(PermissionRequiredMixin, Rechecked):
    """Only for who may change groups."""

    permission_required = "auth.change_group"
    raise_exception = True


class Noted:
    """Notes, beside the events, whenever a stream is opened or asked for again."""

    def get_channels(self) -> Any:
        link = self.request.grip.link
        journal.append(f"fetches-{self.kwargs['name']}", [link.kind if link else "open"])
        return self.fill_channels(self.kwargs)


class Ticker(Noted, EventStreamView):
    """Events with ids; what a client missed is in the journal, unless that begins later."""

    channels = ["ticker:{name}"]
    live_recheck = 1

    def on_open(self) -> Any:
        return [Event({"open": True}, event="hello", retry=3000), Event("two\nlines")]

    def get_events_since(self, last_id: str) -> Any:
        ids = [int(entry["id"]) for entry in journal.entries(self.kwargs["name"])]
        if not last_id.isdigit() or not ids or int(last_id) < ids[0] - 1:
            return None
        return [Event(**entry) for entry in journal.entries(self.kwargs["name"]) if int(entry["id"]) > int(last_id)]


class AsyncTicker(Noted, EventStreamView):
    """The same with async hooks."""

    channels = ["ticker:{name}"]
    live_recheck = 1

    async def on_open(self) -> Any:
        return [Event({"open": True}, event="hello", retry=3000), Event("two\nlines")]

    async def get_events_since(self, last_id: str) -> Any:
        return Ticker.get_events_since(self, last_id)  # type: ignore[arg-type]


@csrf_exempt
def tick(request: HttpRequest, name: str) -> HttpResponse:
    """POST: an event, which is remembered, and published unless ``?silent``."""
    number = len(journal.entries(name)) + 1
    entry = {"data": request.POST["data"], "id": str(number)}
    journal.append(name, entry)
    if "silent" not in request.GET:
        Ticker.broadcast(Event(**entry), channel=f"ticker:{name}", options={"blocking": True})
    return HttpResponse(f"{number}\n")


urlpatterns = [
    path("feed/<name>/", Feed.as_view()),
    path("async-feed/<name>/", AsyncFeed.as_view()),
    path("kept/<name>/", KeptAlive.as_view()),
    path("rechecked/<name>/", Rechecked.as_view()),
    path("member-feed/<name>/", MemberFeed.as_view()),
    path("editor-feed/<name>/", EditorFeed.as_view()),
    path("ticker/<name>/", Ticker.as_view()),
    path("async-ticker/<name>/", AsyncTicker.as_view()),
    path("tick/<name>/", tick),
]
