"""GRIP by hand, without this package: views and URLs that the rig's tests of itself run on."""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from .views import ready


def stream(request: HttpRequest, channel: str) -> HttpResponse:
    """Hold a stream, or what ``?hold=`` says, on the channel of the URL."""
    hold = request.GET.get("hold", "stream")
    return HttpResponse("[open]\n", headers={"Grip-Hold": hold, "Grip-Channel": channel})


@csrf_exempt
def echo(request: HttpRequest, channel: str) -> HttpResponse:
    """Accept and subscribe a WebSocket, and send back what comes."""
    answer: list[tuple[bytes, bytes]] = []
    for kind, content in _events(request.body):
        if kind == b"OPEN":
            subscribe = json.dumps({"type": "subscribe", "channel": channel}).encode()
            answer += [(b"OPEN", b""), (b"TEXT", b"c:" + subscribe)]
        elif kind in (b"TEXT", b"BINARY"):
            answer.append((kind, b"m:" + content))
        elif kind == b"CLOSE":
            answer.append((kind, content))
    return _answer(answer)


@csrf_exempt
def sip(request: HttpRequest) -> HttpResponse:
    """A WebSocket that takes nothing until a message with a ``!`` at its end is there.

    Then it tells what is there, and takes as many bytes as the first message says: four of ``4:a1``.
    """
    events = list(_events(request.body))
    messages = [content.decode() for kind, content in events if kind == b"TEXT"]
    if len(messages) < len(events) or not messages:
        # The opening, or the end, with which all has to be taken.
        return _answer([event for event in events if event[0] != b"TEXT"])
    if not messages[-1].endswith("!"):
        return _answer([], accepted="0")
    told = f"m:{request.headers.get('Content-Bytes-Replayed')} {'|'.join(messages)}"
    return _answer([(b"TEXT", told.encode())], accepted=messages[0].partition(":")[0])


def _answer(events: list[tuple[bytes, bytes]], *, accepted: str | None = None) -> HttpResponse:
    body = b"".join(b"%s %x\r\n%s\r\n" % (kind, len(content), content) for kind, content in events)
    headers = {"Content-Type": "application/websocket-events", "Sec-WebSocket-Extensions": "grip"}
    if accepted is not None:
        headers["Content-Bytes-Accepted"] = accepted
    return HttpResponse(body.replace(b"OPEN 0\r\n\r\n", b"OPEN\r\n"), headers=headers)


def _events(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    while body:
        line, _, body = body.partition(b"\r\n")
        kind, _, length = line.partition(b" ")
        size = int(length, 16) if length else 0
        yield kind, body[:size]
        body = body[size + 2 :] if length else body


urlpatterns = [
    path("ready/", ready),
    path("stream/<channel>/", stream),
    path("echo/<channel>/", echo),
    path("sip/", sip),
]
