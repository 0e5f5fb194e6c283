"""GripMiddleware: who is believed, what is refused before a view, what a view's answer becomes."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from django_grip import websocket_only

from .proxy import EVENTS_TYPE, KEY, OPEN, PROXIES, FakeProxy, close, events_of, grip_sig, proxied, sent, text

seen: dict[str, Any] = {}


def look(request: HttpRequest) -> HttpResponse:
    seen.update(
        proxied=request.grip.proxied,
        signed=request.grip.signed,
        features=request.grip.features,
        last=request.grip.last,
        old=(request.grip_proxied, request.grip_signed),
        ws=request.wscontext,
        meta=dict(request.META),
    )
    return HttpResponse("looked")


@websocket_only
def echo(request: HttpRequest) -> None:
    ws = request.wscontext
    if ws.is_opening():
        ws.accept()
        ws.subscribe("all")
    while ws.can_recv():
        message = ws.recv()
        if message is None:
            ws.close()
            break
        ws.send(message)


urlpatterns = [path("look/", csrf_exempt(look)), path("echo/", echo)]

pytestmark = pytest.mark.usefixtures("configured")


@pytest.fixture
def configured():
    seen.clear()
    with override_settings(ROOT_URLCONF=__name__, GRIP_PROXIES=PROXIES):
        yield


def test_a_signed_request_is_proxied_and_signed(client: Client):
    client.get("/look/", headers=proxied())
    assert (seen["proxied"], seen["signed"], seen["old"]) == (True, True, (True, True))
    assert "link:next" in seen["features"]


def test_a_direct_request_is_neither(client: Client):
    client.get("/look/")
    assert (seen["proxied"], seen["signed"], seen["old"], seen["features"]) == (False, False, (False, False), frozenset())


def test_a_websocket_echoes(client: Client):
    ws = FakeProxy("/echo/")
    response = ws.open(text("hello"))
    assert response.status_code == 200
    assert [kind for kind, _ in events_of(response)] == ["OPEN", "TEXT", "TEXT"]
    assert sent(events_of(response)) == [b"hello"]
    assert response["Sec-WebSocket-Extensions"] == "grip"
    response = ws.send(text("bye"), close(1000))
    assert sent(events_of(response)) == [b"bye"]
    assert events_of(response)[-1] == ("CLOSE", b"\x03\xe8")
