"""WebSocket views that do what the messages say, and note what they see; everything under ``views/`` of the project.

Each comes with sync and with async hooks: ``ws/<name>/`` and ``async-ws/<name>/``.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt

from django_grip import Event, close_to, send_to
from django_grip.views import WebSocketView

from . import gates, journal

ERRORS = {
    "ValueError": ValueError("meant by the test"),
    "PermissionDenied": PermissionDenied("meant by the test"),
    "Http404": Http404("meant by the test"),
}


class Commands:
    """What the messages can make the views do: ``{"do": "send", "message": "hello"}``."""

    number: str

    def note(self, *entry: Any) -> None:
        journal.append(self.kwargs["name"], entry)

    def obey(self, message: Any) -> Any:
        command = dict(message)
        return getattr(self, "do_" + command.pop("do"))(**command)

    def do_send(self, message: Any) -> None:
        self.send(message)

    def do_note(self, text: str) -> None:
        # A view lives for one request.
        self.__dict__.setdefault("number", uuid.uuid4().hex)
        self.note(self.number, text)

    def do_count(self) -> None:
        self.state["count"] = self.state.get("count", 0) + 1
        self.send(self.state["count"])

    def do_remember(self, **values: Any) -> None:
        self.state.update(values)

    def do_tell(self) -> None:
        user = getattr(self.request, "user", None)
        self.send(
            {
                "state": self.state,
                "connection": self.connection,
                "subprotocol": self.subprotocol,
                "kwargs": self.kwargs,
                "user": user.get_username() if user else None,
            }
        )

    def do_wait(self, message: Any = None) -> None:
        self.note("waits")
        gates.pass_through(self.kwargs["name"])
        if message is not None:
            self.send(message)

    def do_close(self, **arguments: Any) -> None:
        self.close(**arguments)

    def do_raise(self, error: str) -> None:
        raise ERRORS[error]

    def do_reject(self, **arguments: Any) -> HttpResponse:
        return self.reject(**arguments)

    def do_redirect(self) -> HttpResponse:
        return HttpResponseRedirect("/log-in/")

    def do_dress(self) -> None:
        """Put something on the response that opens the connection."""
        self.response["X-Opened-By"] = "on_open"
        self.response.set_cookie("seat", "7")
        self.response.set_cookie("row", "b", httponly=True)

    def do_publish(self, message: Any, **options: Any) -> None:
        self.publish(message, **options)

    def do_publish_event(self, **event: Any) -> None:
        self.publish(Event(**event))

    def do_subscribe(self, channel: str) -> None:
        self.subscribe(channel)

    def do_unsubscribe(self, channel: str) -> None:
        self.unsubscribe(channel)

    def do_many_things(self) -> None:
        """Send what JSON does not know by itself."""
        self.send(
            {
                "date": datetime.date(2024, 2, 29),
                "decimal": decimal.Decimal("1.10"),
                "uuid": uuid.UUID(int=7),
                "lazy": gettext_lazy("Monday"),
            }
        )


class Puppet(Commands, WebSocketView):
    """Obeys with sync hooks. What it does at opening stands in the query, as ``?do=reject&status=404``."""

    channels = ["puppet:{name}"]
    encoding = "json"
    subprotocols = ["new.v2", "old.v1"]
    max_message_size = 2_000
    # Less is made into 20 by the proxy.
    live_recheck = 20

    def on_open(self) -> Any:
        self.note("open")
        return self.obey(opening(self.request)) if self.request.GET else None

    def on_message(self, message: Any) -> None:
        self.obey(message)

    def on_close(self, code: int | None, reason: str) -> None:
        self.note("close", code, reason)

    def on_refresh(self) -> None:
        self.note("refresh")


class AsyncPuppet(Commands, WebSocketView):
    """Obeys with async hooks."""

    channels = ["puppet:{name}"]
    encoding = "json"
    subprotocols = ["new.v2", "old.v1"]
    max_message_size = 2_000
    live_recheck = 20

    async def on_open(self) -> Any:
        self.note("open")
        return self.obey(opening(self.request)) if self.request.GET else None

    async def on_message(self, message: Any) -> None:
        self.obey(message)

    async def on_close(self, code: int | None, reason: str) -> None:
        self.note("close", code, reason)

    async def on_refresh(self) -> None:
        self.note("refresh")


def opening(request: HttpRequest) -> dict[str, Any]:
    """The command in a URL; numbers are numbers."""
    return {name: int(value) if value.isdigit() else value for name, value in request.GET.items()}


class Forgiving(Puppet):
    """Answers for its errors by itself."""

    def on_error(self, error: Exception) -> None:
        self.send({"error": str(error)})


class Member(LoginRequiredMixin, Puppet):
    """Only for who is logged in."""


class AsyncMember(LoginRequiredMixin, AsyncPuppet):
    """Only for who is logged in, with async hooks."""


class Editor(PermissionRequiredMixin, Puppet):
    """Only for who may change groups."""

    permission_required = "auth.change_group"
    raise_exception = True


class TextEcho(WebSocketView):
    """Sends every text back."""

    keep_alive = 1

    def on_message(self, message: str) -> None:
        self.send(message)


class BytesEcho(WebSocketView):
    """Sends all bytes back."""

    encoding = "bytes"

    async def on_message(self, message: bytes) -> None:
        self.send(message)


class TwoRooms(Commands, WebSocketView):
    """Stands on two channels at once, one of them filtered."""

    channels = ["left:{name}", "right:{name}"]
    encoding = "json"

    def on_message(self, message: Any) -> None:
        self.obey(message)


@csrf_exempt
def broadcast(request: HttpRequest, name: str) -> HttpResponse:
    """POST: to everybody on a name's channel, from outside of any of its connections."""
    publication = Puppet.broadcast(request.POST["message"], name=name, options={"blocking": True})
    return JsonResponse({"proxies": len(publication.result())})


@csrf_exempt
async def async_broadcast(request: HttpRequest, name: str) -> HttpResponse:
    """The same, awaited."""
    await AsyncPuppet.abroadcast(Event(request.POST["message"], event="news"), name=name)
    return HttpResponse("Ok\n")


@csrf_exempt
def to_one(request: HttpRequest) -> HttpResponse:
    """POST: to one connection, or close it."""
    connection = request.POST["connection"]
    if "code" in request.POST:
        close_to(connection, int(request.POST["code"]), request.POST["reason"], blocking=True)
    else:
        send_to(connection, request.POST["message"], blocking=True)
    return HttpResponse("Ok\n")


urlpatterns = [
    path("ws/<name>/", Puppet.as_view()),
    path("async-ws/<name>/", AsyncPuppet.as_view()),
    path("forgiving/<name>/", Forgiving.as_view()),
    path("member/<name>/", Member.as_view()),
    path("async-member/<name>/", AsyncMember.as_view()),
    path("editor/<name>/", Editor.as_view()),
    path("text/", TextEcho.as_view()),
    path("bytes/", BytesEcho.as_view()),
    path("two/<name>/", TwoRooms.as_view()),
    path("broadcast/<name>/", broadcast),
    path("async-broadcast/<name>/", async_broadcast),
    path("to-one/", to_one),
]
