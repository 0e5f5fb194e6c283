"""A client POSTs WebSocket events itself, under a Content-Type that the proxy lets through (GRIP.md, 1)."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

from django_grip.views import StreamView, WebSocketView

from ..fake_proxy import EVENTS_TYPE, proxied

FORGED = {"connection-id": "victim", "meta-grip-state": "forged", "meta-user": "admin", "meta-role": "admin"}
EVENTS = b"OPEN\r\nTEXT 5\r\nhello\r\n"

SPELLINGS = [
    "Application/websocket-events",
    "APPLICATION/WEBSOCKET-EVENTS",
    "application/websocket-events;",
    "application/websocket-events ; a=b",
    "application/websocket-events; charset=utf-8",
    " application/websocket-events",
    "application/websocket-events ",
    "application/ websocket-events",
    "application / websocket-events",
    '"application/websocket-events"',
    "application/websocket-events,text/plain",
    "text/plain, application/websocket-events",
    "application/websocket-events\t",
]


class Socket(WebSocketView):
    def on_open(self):
        raise AssertionError

    on_message = on_open


class Log(StreamView):
    channels = ["log"]

    def on_message(self, message):
        raise AssertionError("a POST of events is no message")


@csrf_exempt
def page(request):
    found = [name for name in request.META if name.startswith("HTTP_META_")]
    return HttpResponse(f"{request.wscontext} {found}")


@pytest.fixture
def post(routes, http):
    routes.add("ws/", Socket)
    routes.add("log/", Log)
    routes.add("page/", page)

    def send(path, content_type, *, body=EVENTS, signed=True, **headers):
        given = {**(proxied() if signed else {}), **FORGED, **headers}
        return http.post(path, body, content_type=content_type, headers=given)

    return send


@pytest.mark.parametrize("content_type", SPELLINGS)
@pytest.mark.parametrize("path", ["/ws/", "/log/", "/page/"])
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_a_near_spelling_is_a_400_before_any_view(post, content_type, path, signed):
    response = post(path, content_type, signed=signed)
    assert response.status_code == 400
    assert b"None" not in response.content  # the view's answer
    assert not [name for name, _ in response.items() if name.lower().startswith(("set-meta-", "grip-"))]


@pytest.mark.parametrize("path", ["/ws/", "/log/", "/page/"])
def test_the_exact_type_without_a_signature_is_a_403_before_any_view(post, path):
    response = post(path, EVENTS_TYPE, signed=False)
    assert response.status_code == 403
    assert response.content == (
        b"WebSocket events are taken only from the GRIP proxy, and this request is not signed by it.\n"
    )


@pytest.mark.parametrize("path", ["/ws/", "/page/"])
def test_without_a_connection_id_nobody_is_connected(routes, http, path):
    routes.add("ws/", Socket)
    routes.add("page/", page)
    response = http.post(path, EVENTS, content_type=EVENTS_TYPE, headers=proxied())
    assert response.status_code == 400


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_events_come_by_post_alone(routes, http, method):
    routes.add("ws/", Socket)
    response = http.generic(method.upper(), "/ws/", EVENTS, content_type=EVENTS_TYPE, headers={**proxied(), **FORGED})
    assert response.status_code == 400


def test_meta_of_a_request_without_events_is_nobodys(post):
    """On an ordinary page it is a header like any other, and no one reads it."""
    response = post("/page/", "text/plain", body=b"hello")
    assert response.status_code == 200
    assert response.content.startswith(b"None ")


@pytest.mark.parametrize(
    "body",
    [
        b"OPEN",
        b"OPEN\r",
        b"OPEN\r\nOPEN\r\n",
        b"TEXT 5\r\nhe",
        b"TEXT 5\r\nhello",
        b"TEXT 5\r\nhello!\r\n",
        b"TEXT 1_0\r\n" + b"x" * 10 + b"\r\n",
        b"TEXT -1\r\n\r\n",
        b"TEXT 0x1\r\nx\r\n",
        b"TEXT 5\nhello\n",
        b"text 5\r\nhello\r\n",
        b"SPAM\r\n",
        b"CLOSE\r\nTEXT 1\r\nx\r\n",
        b"DISCONNECT\r\nTEXT 1\r\nx\r\n",
        b"TEXT FFFFFFFF\r\nx\r\n",
        b"TEXT " + b"9" * 5000 + b"\r\nx\r\n",
        b"CLOSE 1\r\n\x03\r\n",
        b"CLOSE 3\r\n\x03\xe8\xff\r\n",
        b"\r\n",
        b"\0",
        b"\xff" * 1000,
    ],
)
def test_events_that_do_not_parse_are_a_400_in_one_sentence(routes, http, body):
    routes.add("ws/", Socket)
    headers = {**proxied(), "connection-id": "c1"}
    response = http.post("/ws/", body, content_type=EVENTS_TYPE, headers=headers)
    assert response.status_code == 400
    assert response.content.startswith(b"The request breaks the GRIP protocol: ")
    assert response.content.count(b"\n") == 1
