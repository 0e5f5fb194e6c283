"""WebSocketView: what happens when a client connects."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect

from django_grip.protocol.channels import Channel
from django_grip.protocol.control import build_set_meta
from django_grip.protocol.websocket_events import WebSocketEvent
from django_grip.views import WebSocketView

from ..fake_proxy import DISCONNECT, OPEN, close, controls, events_of, sent, text


def decoded(response):
    """The control messages in a response, as dicts."""
    return [json.loads(control) for control in controls(events_of(response))]


def subscriptions(response):
    return {
        message["channel"]: message.get("filters", [])
        for message in decoded(response)
        if message["type"] == "subscribe"
    }


class Room(WebSocketView):
    channels = ["room:{room}"]


# -- acceptance --------------------------------------------------------------------------------------------------------


def test_a_view_without_hooks_accepts(routes, connect):
    routes.add("ws/<room>/", Room)
    response = connect("/ws/lobby/").open()
    assert response.status_code == 200
    assert events_of(response)[0] == ("OPEN", None)
    assert response["Sec-WebSocket-Extensions"] == "grip"


def test_the_client_is_subscribed_to_the_channels_of_the_url_and_to_one_of_its_own(routes, connect):
    class View(Room):
        def on_open(self):
            self.send(self.connection)

    routes.add("ws/<room>/", View)
    response = connect("/ws/lobby/").open()
    connection = sent(events_of(response))[0].decode()
    # skip-self is what lets publish(exclude_self=True) leave this client out.
    assert subscriptions(response) == {connection: [], "room:lobby": ["skip-self"]}
    assert json.loads(build_set_meta("user", connection)) in decoded(response)


def test_each_connection_has_an_address_of_its_own(routes, connect):
    class View(Room):
        def on_open(self):
            self.send(self.connection)

    routes.add("ws/<room>/", View)
    first, second = (sent(events_of(connect("/ws/lobby/", connection_id=name).open())) for name in "ab")
    assert first != second
    assert first[0].startswith(b"grip:connection:t:")


def test_what_on_open_sends_comes_behind_the_subscriptions(routes, connect):
    class View(Room):
        def on_open(self):
            self.send("welcome")

    routes.add("ws/<room>/", View)
    events = events_of(connect("/ws/lobby/").open())
    assert events[-1] == ("TEXT", b"m:welcome")
    assert sent(events) == [b"welcome"]


def test_messages_behind_the_opening_are_delivered_in_the_same_request(routes, connect):
    class View(Room):
        def on_open(self):
            self.send("welcome")

        def on_message(self, message):
            self.send(message)

    routes.add("ws/<room>/", View)
    assert sent(events_of(connect("/ws/lobby/").open(text("a"), text("b")))) == [b"welcome", b"a", b"b"]


def test_headers_and_cookies_of_the_opening_reach_the_client(routes, connect):
    class View(Room):
        def on_open(self):
            self.response["X-Room"] = "lobby"
            self.response.set_cookie("seen", "1")

    routes.add("ws/<room>/", View)
    response = connect("/ws/lobby/").open()
    assert response["X-Room"] == "lobby"
    assert response.cookies["seen"].value == "1"


def test_a_prefix_is_on_every_channel_of_the_proxy(routes, connect, settings):
    class View(Room):
        def on_open(self):
            self.send(self.connection)

    settings.GRIP_PREFIX = "site-"
    routes.add("ws/<room>/", View)
    response = connect("/ws/lobby/").open()
    connection = sent(events_of(response))[0].decode()
    assert connection.startswith("grip:")
    assert set(subscriptions(response)) == {"site-room:lobby", f"site-{connection}"}


def test_url_kwargs_and_args_are_there_in_every_hook(routes, connect):
    class View(Room):
        def on_open(self):
            self.send(f"open {self.args} {self.kwargs} {self.request.path}")

        def on_message(self, message):
            self.send(f"message {self.kwargs['room']}")

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    assert sent(events_of(ws.open())) == [b"open () {'room': 'lobby'} /ws/lobby/"]
    assert sent(events_of(ws.send(text("x")))) == [b"message lobby"]


# -- refusal -----------------------------------------------------------------------------------------------------------


def call_reject(view):
    view.reject(404, "no such room")


def return_reject(view):
    return view.reject(409, "full", headers={"Retry-After": "5"})


def return_response(view):
    return HttpResponse("teapot", status=418)


def return_redirect(view):
    return HttpResponseRedirect("/login/")


def return_an_empty_200(view):
    return HttpResponse()


def reject_then_raise(view):
    view.reject(404)
    raise PermissionDenied


def raise_denied(view):
    raise PermissionDenied


def raise_404(view):
    raise Http404


def raise_anything(view):
    raise RuntimeError("a bug")


@pytest.mark.parametrize(
    ("act", "status", "body"),
    [
        (call_reject, 404, b"no such room"),
        (return_reject, 409, b"full"),
        (return_response, 418, b"teapot"),
        (return_redirect, 401, b"Log in first.\n"),
        (return_an_empty_200, 403, b""),
        (reject_then_raise, 403, None),
        (raise_denied, 403, None),
        (raise_404, 404, None),
        (raise_anything, 500, None),
    ],
)
def test_an_opening_is_refused_with_an_http_response(routes, connect, act, status, body):
    class View(Room):
        def on_open(self):
            self.send("never seen")
            return act(self)

        def on_message(self, message):
            raise AssertionError("a client that was refused sends nothing")

    routes.add("ws/<room>/", View)
    response = connect("/ws/lobby/").open(text("pushed in"))
    assert response.status_code == status
    assert body is None or response.content == body
    assert b"never seen" not in response.content
    assert not [name for name, _ in response.items() if name.lower().startswith(("set-meta-", "sec-websocket-"))]


def test_the_headers_of_a_rejection_reach_the_client(routes, connect):
    class View(Room):
        def on_open(self):
            return self.reject(503, headers={"Retry-After": "5"})

    routes.add("ws/<room>/", View)
    response = connect("/ws/lobby/").open()
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert response["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("status", [200, 302, 399, 600])
def test_a_rejection_must_be_an_error(routes, connect, status):
    class View(Room):
        def on_open(self):
            with pytest.raises(ValueError, match=f"refused with a status from 400 to 599, not {status}"):
                self.reject(status)

    routes.add("ws/<room>/", View)
    assert connect("/ws/lobby/").open().status_code == 200


@pytest.mark.parametrize("together", [True, False])
def test_who_is_accepted_can_no_longer_be_rejected(routes, connect, together):
    class View(Room):
        def on_message(self, message):
            try:
                self.reject(403)
            except ValueError as error:
                self.send(str(error))

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    response = ws.open(text("x")) if together else (ws.open(), ws.send(text("x")))[1]
    assert sent(events_of(response)) == [
        b"reject() is for on_open; an accepted connection is ended by close().",
    ]


def test_a_client_that_is_refused_is_never_told_to_have_closed(routes, connect):
    class View(Room):
        def on_open(self):
            self.reject(403)

        def on_close(self, code, reason):
            raise AssertionError("it was never open")

    routes.add("ws/<room>/", View)
    assert connect("/ws/lobby/").open(close(1000)).status_code == 403


# -- channels ----------------------------------------------------------------------------------------------------------


def test_channels_can_be_computed(routes, connect):
    class View(WebSocketView):
        filters = ["require-sub"]

        def get_channels(self):
            return [f"user:{self.kwargs['pk']}", Channel("all", filters=["build-id"])]

        def on_open(self):
            self.send(self.connection)

    routes.add("ws/<int:pk>/", View)
    response = connect("/ws/5/").open()
    connection = sent(events_of(response))[0].decode()
    assert subscriptions(response) == {
        connection: [],
        "user:5": ["skip-self", "require-sub"],
        "all": ["skip-self", "require-sub", "build-id"],
    }


def test_channels_can_be_computed_by_an_async_method_of_a_sync_view_too(routes, connect):
    class View(WebSocketView):
        async def get_channels(self):
            return "one"

        def on_open(self):
            pass

    routes.add("ws/", View)
    assert "one" in subscriptions(connect("/ws/").open())


def test_a_filter_that_is_given_twice_goes_once(routes, connect):
    class View(Room):
        filters = ["skip-self", "skip-self"]

    routes.add("ws/<room>/", View)
    assert subscriptions(connect("/ws/lobby/").open())["room:lobby"] == ["skip-self"]


def test_a_view_without_channels_has_only_the_connections_own(routes, connect):
    routes.add("ws/", WebSocketView)
    assert len(subscriptions(connect("/ws/").open())) == 1


def test_a_hook_can_subscribe_and_unsubscribe(routes, connect):
    class View(Room):
        def on_open(self):
            self.subscribe("extra", ["require-sub"])

        def on_message(self, message):
            self.unsubscribe("extra")
            self.subscribe("other")

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    assert subscriptions(ws.open())["extra"] == ["skip-self", "require-sub"]
    assert decoded(ws.send(text("x"))) == [
        {"type": "unsubscribe", "channel": "extra"},
        {"type": "subscribe", "channel": "other", "filters": ["skip-self"]},
    ]


def test_more_channels_than_the_proxy_takes_are_refused_aloud(routes, connect, caplog):
    class View(WebSocketView):
        def get_channels(self):
            return [f"c{number}" for number in range(20)]

    routes.add("ws/", View)
    assert connect("/ws/").open().status_code == 500
    assert "more than 20 channels" in caplog.text


# -- subprotocols ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("chat.v1", "chat.v1"), ("chat.v1, chat.v2", "chat.v2"), ("other", None), ("", None), (None, None), (",,", None)],
)
def test_the_preferred_subprotocol_of_those_offered_is_chosen(routes, connect, offered, chosen):
    class View(Room):
        subprotocols = ["chat.v2", "chat.v1"]

        def on_open(self):
            self.send(str(self.subprotocol))

        def on_message(self, message):
            self.send(str(self.subprotocol))

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/", **({} if offered is None else {"sec_websocket_protocol": offered}))
    response = ws.open()
    assert response.get("Sec-WebSocket-Protocol") == chosen
    assert sent(events_of(response)) == sent(events_of(ws.send(text("x")))) == [str(chosen).encode()]


def test_a_view_can_choose_the_subprotocol_itself(routes, connect):
    class View(Room):
        async def get_subprotocol(self, offered):
            return offered[-1]

    routes.add("ws/<room>/", View)
    response = connect("/ws/lobby/", sec_websocket_protocol="a, b").open()
    assert response["Sec-WebSocket-Protocol"] == "b"


def test_a_subprotocol_that_was_not_offered_is_a_mistake(routes, connect, caplog):
    class View(Room):
        def get_subprotocol(self, offered):
            return "mine"

    routes.add("ws/<room>/", View)
    assert connect("/ws/lobby/", sec_websocket_protocol="a").open().status_code == 500
    assert "get_subprotocol() of View chose 'mine', which was not offered." in caplog.text


# -- keeping alive and asking again ------------------------------------------------------------------------------------


def test_the_proxy_is_told_to_ping_the_client(routes, connect):
    class View(Room):
        keep_alive = 25

    routes.add("ws/<room>/", View)
    (keep_alive,) = [message for message in decoded(connect("/ws/lobby/").open()) if message["type"] == "keep-alive"]
    assert (keep_alive["timeout"], keep_alive["message-type"]) == (25, "ping")
    assert keep_alive["content"]  # with nothing in it, it would switch pings off


@pytest.mark.parametrize(("seconds", "header"), [(60, "60"), (20, "20"), (None, None)])
def test_authority_is_asked_again_after_a_silence(routes, connect, seconds, header):
    class View(Room):
        live_recheck = seconds

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    assert ws.open().get("Keep-Alive-Interval") == header
    assert "Keep-Alive-Interval" not in ws.send(text("x"))


def test_a_tick_is_a_refresh(routes, connect):
    class View(Room):
        def on_refresh(self):
            self.send("still here")

        def on_message(self, message):
            raise AssertionError("nothing came")

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    ws.open()
    assert sent(events_of(ws.send())) == [b"still here"]


def test_a_pong_alone_is_nothing_to_the_view(routes, connect):
    class View(Room):
        def on_refresh(self):
            raise AssertionError("a pong is no tick")

        on_message = on_refresh

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    ws.open()
    assert events_of(ws.send(WebSocketEvent("PONG", b"grip"))) == []


def test_pings_are_answered_without_the_view(routes, connect):
    routes.add("ws/<room>/", Room)
    ws = connect("/ws/lobby/")
    ws.open()
    assert events_of(ws.send(WebSocketEvent("PING", b"abc"))) == [("PONG", b"abc")]


# -- what is no opening ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head", "post", "options", "put", "delete"])
def test_a_plain_request_is_answered_in_plain_words(routes, http, method):
    routes.add("ws/<room>/", Room)
    response = getattr(http, method)("/ws/lobby/")
    assert response.status_code == 400
    assert method == "head" or response.content == b"Request must contain WebSocket events.\n"


def test_a_client_that_comes_directly_is_told_so(routes, http):
    routes.add("ws/<room>/", Room)
    response = http.get("/ws/lobby/", headers={"upgrade": "websocket", "connection": "upgrade"})
    assert response.status_code == 501
    assert b"works only behind a GRIP proxy" in response.content


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_decorator_that_hides_what_a_view_is_changes_nothing(routes, http, method):
    def hide(view):
        async def hidden_async(*args, **kwargs):
            return await view(*args, **kwargs)

        return hidden_async if routes.hooks == "async" else lambda *args, **kwargs: view(*args, **kwargs)

    class View(Room):
        def on_open(self):
            raise AssertionError("this is no opening")

    routes.add("ws/<room>/", View, wrap=hide)
    assert getattr(http, method)("/ws/lobby/").status_code == 400


def test_a_client_lost_before_it_was_known_is_no_error(routes, connect):
    routes.add("ws/<room>/", Room)
    ws = connect("/ws/lobby/")
    response = ws.send(DISCONNECT)
    assert (response.status_code, response.content) == (200, b"")
    assert events_of(ws.send(OPEN))[0] == ("OPEN", None)
