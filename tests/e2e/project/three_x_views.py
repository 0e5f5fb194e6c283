"""An application in the style of django-grip 3.x: instructions on the request, gripcontrol's types.

A reliable feed (next link, prev-id, Grip-Last), a long-poll, filters by meta, pages by links, a WebSocket with meta.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from gripcontrol import Channel, HttpResponseFormat, HttpStreamFormat

from django_grip import Channel as FilteredChannel
from django_grip import publish, set_hold_longpoll, set_hold_stream, websocket_only

from . import journal


def feed(request: HttpRequest, name: str) -> HttpResponse:
    """GET: what is in the journal since Grip-Last, and a stream of what comes. POST: write; publish unless ?silent."""
    if request.method == "POST":
        return _write(request, name)
    return _hold_feed(request, name)


async def async_feed(request: HttpRequest, name: str) -> HttpResponse:
    """The same as an async view."""
    return await sync_to_async(feed)(request, name)


def _write(request: HttpRequest, name: str) -> HttpResponse:
    number = journal.append(name, request.POST["data"])
    if "silent" not in request.GET:
        line = HttpStreamFormat(request.POST["data"] + "\n")
        publish(name, line, id=str(number), prev_id=str(number - 1), blocking=True)
    return HttpResponse(f"{number}\n")


def _hold_feed(request: HttpRequest, name: str) -> HttpResponse:
    last = request.grip.last.get(name)
    missed = journal.entries(name, after=int(last or 0))
    newest = int(last or 0) + len(missed)
    if last is not None:
        journal.append(f"fetches-{name}", {"last": last, "cookies": len(request.COOKIES), "path": request.path})
    instruct = request.grip.start_instruct()
    instruct.add_channel(Channel(name, prev_id=str(newest)))
    instruct.set_hold_stream()
    instruct.set_next_link(request.path, timeout=60)
    return HttpResponse("".join(f"{entry}\n" for entry in missed) if last else "[feed]\n")


def fetches(request: HttpRequest, name: str) -> HttpResponse:
    """What the proxy sent when it fetched a feed's next link."""
    return JsonResponse(journal.entries(f"fetches-{name}"), safe=False)


def keep_alive(request: HttpRequest, name: str) -> HttpResponse:
    """A stream that says ?data= every second in which nothing else is said."""
    instruct = request.grip.start_instruct()
    instruct.add_channels([Channel(name)])
    instruct.set_hold_stream()
    instruct.set_keep_alive(request.GET["data"], 1)
    return HttpResponse("[open]\n")


def poll(request: HttpRequest, name: str) -> HttpResponse:
    """GET: a long-poll of ?timeout= seconds, answered with ?status= when nothing comes. POST: publish to it."""
    if request.method == "POST":
        publish(name, HttpResponseFormat(code=201, headers={"X-From": "publish"}, body=request.POST["data"]))
        return HttpResponse("Ok\n")
    set_hold_longpoll(request, name, timeout=int(request.GET.get("timeout", "50")))
    status = int(request.GET.get("status", "200"))
    return HttpResponse("" if status == 304 else "nothing\n", status=status)


def chat(request: HttpRequest, name: str) -> HttpResponse:
    """GET: a stream for ?user= that does not hear itself (new in 4.0). POST: say something as ?user=."""
    if request.method == "POST":
        line = HttpStreamFormat(request.POST["data"] + "\n")
        publish(name, line, meta={"sender": request.GET["user"]}, blocking=True)
        return HttpResponse("Ok\n")
    set_hold_stream(request, FilteredChannel(name, filters=["skip-self"]))
    request.grip.instruct.meta["user"] = request.GET["user"]
    return HttpResponse("[open]\n")


def pages(request: HttpRequest, number: int) -> HttpResponse:
    """Three pages that the proxy puts into one response: next links without a hold."""
    if number < 3:
        request.grip.start_instruct().set_next_link(request.path.replace(f"/{number}/", f"/{number + 1}/"))
    return HttpResponse(f"page {number}\n")


def features(request: HttpRequest) -> HttpResponse:
    """What the proxy can do, and what is known of the request."""
    grip = request.grip
    return JsonResponse({"features": sorted(grip.features), "proxied": grip.proxied, "signed": grip.signed})


@websocket_only
def counter(request: HttpRequest, name: str) -> None:
    """A WebSocket that counts its messages in its meta, and sends the sum."""
    ws = request.wscontext
    if ws.is_opening():
        ws.accept()
        ws.subscribe(name)
        ws.meta["count"] = "0"
    while ws.can_recv():
        message = ws.recv()
        if message is None:
            ws.close()
            break
        if message == "forget":
            del ws.meta["count"]
            continue
        ws.meta["count"] = str(int(ws.meta.get("count", "0")) + 1)
        ws.send(f"{ws.meta['count']} {message}")
        if message == "bye":
            ws.close(int(4000 + int(ws.meta["count"])))


urlpatterns = [
    path("feed/<name>/", feed),
    path("async-feed/<name>/", async_feed),
    path("fetches/<name>/", fetches),
    path("keep-alive/<name>/", keep_alive),
    path("poll/<name>/", poll),
    path("chat/<name>/", chat),
    path("pages/<int:number>/", pages),
    path("features/", features),
    path("counter/<name>/", counter),
]
