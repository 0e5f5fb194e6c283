"""A project's hooks do what they should not: raise at any point, return nonsense, close twice, send after the close."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from django_grip.exceptions import ConnectionClosed
from django_grip.views import StreamView, WebSocketView

from ..fake_proxy import close, events_of, proxied, sent, text
from ..views.conftest import instructions
from ..views.test_websocket_messages import closing


@pytest.fixture
def serve(routes, connect, published):
    def make(**hooks):
        for name, hook in hooks.items():
            hook.__name__ = name
        routes.add("ws/", type("View", (WebSocketView,), {**hooks, "channels": ["all"], "__module__": __name__}))
        return connect("/ws/")

    return make


def test_an_exception_before_the_acceptance_is_a_refusal(serve):
    def on_open(self):
        self.subscribe("secret")
        self.send("secret")
        raise PermissionDenied

    response = serve(on_open=on_open).open()
    assert response.status_code == 403
    assert b"secret" not in response.content
    assert not [name for name, _ in response.items() if name.lower().startswith(("set-meta", "sec-websocket", "keep"))]


def test_an_exception_in_the_request_of_the_acceptance_lets_nobody_in(serve):
    """The 500 comes instead of the acceptance, which had not left yet."""

    def on_message(self, message):
        raise RuntimeError

    response = serve(on_message=on_message).open(text("early"))
    if response.status_code == 200:
        assert events_of(response)[0] == ("OPEN", None)
        assert closing(response) == (1011, "server error")
    else:
        assert response.status_code == 500


def test_an_exception_after_the_acceptance_closes(serve):
    def on_message(self, message):
        self.send(f"got {message}")
        raise PermissionDenied

    ws = serve(on_message=on_message)
    ws.open()
    response = ws.send(text("a"), text("b"))
    assert sent(events_of(response)) == [b"got a"]
    assert closing(response) == (4403, "not permitted")


@pytest.mark.parametrize("nonsense", ["text", 0, False, [], object, HttpResponse("x"), (), b""])
def test_nonsense_is_an_error(serve, nonsense):
    ws = serve(on_message=lambda self, message: nonsense)
    ws.open()
    assert closing(ws.send(text("a"), text("b"))) == (1011, "server error")


@pytest.mark.parametrize("nonsense", ["text", 0, True, [], object, ()])
def test_nonsense_lets_nobody_in(serve, nonsense):
    assert serve(on_open=lambda self: nonsense).open().status_code == 500


def test_closing_twice_and_sending_after_it(serve):
    def on_message(self, message):
        self.close(4000, "first")
        self.close(4001, "second")
        with pytest.raises(ConnectionClosed, match="The WebSocket is closed"):
            self.send("behind")

    ws = serve(on_message=on_message)
    ws.open()
    assert events_of(ws.send(text("a"), text("b"))) == [("CLOSE", b"\x0f\xa0first")]


def test_publishing_while_closing(serve, published):
    def on_message(self, message):
        self.publish("before")
        self.close(4000)
        self.publish("behind")

    def on_close(self, code, reason):
        self.publish(f"closed {code}")
        raise RuntimeError("and fails")

    ws = serve(on_message=on_message, on_close=on_close)
    ws.open()
    assert closing(ws.send(text("a"), text("b"), close(1000))) == (1011, "server error")
    # Once each: a message goes out when it is published, and on_close is called once.
    assert [entry.websocket for entry in published] == ["before", "behind", "closed 1000"]


def test_a_hook_that_replaces_what_is_not_its_own(serve):
    def on_message(self, message):
        self.response = None
        self.connection = "another"
        self.subprotocol = "another"

    def on_refresh(self):
        self.send(f"{self.connection[:16]} {self.subprotocol}")

    ws = serve(on_message=on_message, on_refresh=on_refresh)
    ws.open()
    ws.send(text("a"))
    assert sent(events_of(ws.send())) == [b"grip:connection: None"]


@pytest.mark.parametrize("status", [200, 201, 299])
def test_a_response_of_success_in_on_open_is_no_acceptance(serve, status):
    response = serve(on_open=lambda self: HttpResponse("welcome", status=status)).open()
    assert response.status_code == 403


def test_an_error_behind_the_hold_leaves_no_hold(routes, http, settings):
    """A middleware inside of ours fails when the view has answered."""

    class View(StreamView):
        channels = ["all"]

        def on_open(self):
            return "hello"

    settings.MIDDLEWARE = ["django_grip.GripMiddleware", f"{__name__}.fail_at_the_end"]
    routes.add("x/", View)
    response = http.get("/x/", headers=proxied())
    assert response.status_code == 500
    assert instructions(response) == {}


def fail_at_the_end(get_response):
    def middleware(request):
        get_response(request).close()
        raise RuntimeError

    return middleware
