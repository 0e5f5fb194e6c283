"""A stream, and a WebSocket that echoes and takes broadcasts, as three function views."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render

from django_grip import HttpStreamFormat, WebSocketMessageFormat, publish, set_hold_stream, websocket_only


def index(request: HttpRequest) -> HttpResponse:
    """A page with both in it."""
    return render(request, "index.html")


def stream(request: HttpRequest) -> HttpResponse:
    """GET opens the stream; POST sends a line to everybody who has it open."""
    if request.method == "GET":
        response = HttpResponse("[stream open]\n", content_type="text/plain")
        set_hold_stream(request, "lines", keep_alive_data="\n", keep_alive_timeout=20)
        return response
    if request.method == "POST":
        publish("lines", HttpStreamFormat(request.POST["line"] + "\n"))
        return HttpResponse("sent\n")
    return HttpResponseNotAllowed(["GET", "POST"])


@websocket_only
def echo(request: HttpRequest) -> None:
    """Send every message back, and let broadcast() reach each connection."""
    ws = request.wscontext
    if ws.is_opening():
        ws.accept()
        ws.subscribe("everybody")
    while ws.can_recv():
        message = ws.recv()
        if message is None:  # the client has closed
            ws.close()
            break
        ws.send(message)


def broadcast(request: HttpRequest) -> HttpResponse:
    """POST sends a message to every WebSocket."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    publish("everybody", WebSocketMessageFormat(request.POST["message"]))
    return HttpResponse("sent\n")
