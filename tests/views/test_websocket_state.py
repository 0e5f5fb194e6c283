"""WebSocketView: what survives from one event to the next, and whose it is."""

from __future__ import annotations

import json
import sys
import time
from base64 import b64decode
from types import SimpleNamespace

import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib.auth.models import AnonymousUser
from django.test import override_settings

from django_grip.views import WebSocketView, connection_state

from .. import settings as project
from ..fake_proxy import close, events_of, sent, text
from .test_websocket_messages import closing
from .users import accounts, make_session, make_user, users

__all__ = ["accounts"]

STATE = "Set-Meta-grip-state"


class Counter(WebSocketView):
    encoding = "json"

    def on_open(self):
        self.state["count"] = 0

    def on_message(self, message):
        self.state["count"] += message
        self.send(self.state)


@pytest.fixture
def live(routes, http):
    """Open a WebSocket to a view, through a proxy."""

    def make(view=Counter):
        routes.add("ws/", view)
        return http.websocket("/ws/").__enter__()

    return make


def ask(ws, *messages):
    """Send messages, and decode what comes back."""
    ws.send(*messages)
    return [json.loads(message) for message in ws.receive_all()]


@pytest.fixture
def opened(routes, connect):
    """Open a WebSocket to a view, and see what goes over the wire."""

    def make(view=Counter, path="ws/", **options):
        routes.add(path, view)
        ws = connect(f"/{path}", **options)
        assert ws.open().status_code == 200
        return ws

    return make


def test_state_is_kept_over_a_hundred_requests(live):
    ws = live()
    for expected in range(1, 101):
        assert ask(ws, "1") == [{"count": expected}]
    assert ws.state == {"count": 100}


def test_messages_of_one_request_share_the_state(live):
    ws = live()
    assert ask(ws, "1", "2", "3") == [{"count": 1}, {"count": 3}, {"count": 6}]
    assert ask(ws, "0") == [{"count": 6}]


def test_a_state_that_did_not_change_is_not_sent_again(opened):
    ws = opened()
    assert STATE not in ws.send(text("0"))
    assert STATE in ws.send(text("1"))
    assert STATE not in ws.send(text("1"), text("-1"))


@pytest.mark.parametrize(
    "value", [None, True, 0, 1.5, -0.0, "", "ünï ☃ 😀\r\n\0", [], [1, [2, {"a": None}]], {"a": {"b": []}}, 10**30]
)
def test_what_json_holds_comes_back_as_it_was(live, value):
    class View(WebSocketView):
        encoding = "json"

        def on_open(self):
            self.state["value"] = value

        def on_message(self, message):
            self.send(self.state["value"])

    assert ask(live(View), "1") == [value]


def test_what_is_equal_but_not_the_same_is_kept(live):
    class View(WebSocketView):
        encoding = "json"

        def on_open(self):
            self.state["flag"] = 1

        def on_message(self, message):
            self.send(self.state["flag"])
            self.state["flag"] = True

    ws = live(View)
    ws.send("1")
    ws.send("1")
    assert ws.receive_all() == ["1", "true"]


def test_state_can_be_emptied(live):
    class View(WebSocketView):
        encoding = "json"

        def on_open(self):
            self.state["a"] = 1

        def on_message(self, message):
            self.send(self.state)
            self.state = {}

    ws = live(View)
    assert ask(ws, "1") == [{"a": 1}]
    assert ask(ws, "1") == [{}]


def test_state_is_there_in_every_hook(live, http):
    seen = []

    class View(Counter):
        def on_refresh(self):
            self.state["count"] += 10

        def on_close(self, code, reason):
            seen.append(self.state)

    ws = live(View)
    http.advance(60)
    ws.send("1")
    ws.close()
    assert seen == [{"count": 11}]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"a": "x" * 5000}, r"The state takes 6,\d\d\d bytes when encoded; 4,096 is the most\."),
        ({"a": {1, 2}}, r"self\.state cannot be kept as JSON: Object of type set is not JSON serializable"),
        ({"a": float("nan")}, r"self\.state cannot be kept as JSON: Out of range float"),
        ({"a": "\ud800"}, r"surrogates not allowed"),
        ({5: "a"}, r"self\.state would not come back as it is: JSON has str for keys"),
        ({"a": (1, 2)}, r"self\.state would not come back as it is: JSON has str for keys, and lists but no tuples"),
        ([1], r"self\.state must stay a dict, not become list\."),
        (None, r"self\.state must stay a dict, not become NoneType\."),
    ],
)
def test_what_cannot_be_kept_is_an_error_in_its_hook(live, value, complaint):
    errors = []

    class View(WebSocketView):
        def on_message(self, message):
            self.state = value

        def on_error(self, error):
            errors.append(error)
            self.send("went on")

    ws = live(View)
    ws.send("x")
    assert ws.receive() == "went on"
    assert len(errors) == 1
    with pytest.raises(type(errors[0]), match=complaint):
        raise errors[0]


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_state_up_to_the_limit_is_kept(opened, length):
    class View(WebSocketView):
        def on_message(self, message):
            self.state["a"] = message
            self.send("kept")

    ws = opened(View)
    size = 2950 + length
    response = ws.send(text("x" * size))
    assert sent(events_of(response)) == [b"kept"]
    assert len(response[STATE]) <= 4096
    assert sent(events_of(ws.send(text("x")))) == [b"kept"]


def test_a_hook_that_fails_leaves_the_state_as_it_was(live):
    class View(Counter):
        def on_message(self, message):
            super().on_message(message)
            if message == 100:
                raise RuntimeError

        def on_error(self, error):
            self.send(self.state)

    # The third is what on_error sees.
    assert ask(live(View), "1", "100", "2") == [{"count": 1}, {"count": 101}, {"count": 1}, {"count": 3}]


def test_what_on_error_does_to_the_state_is_kept(live):
    class View(Counter):
        def on_message(self, message):
            if message == 0:
                raise RuntimeError
            self.send(self.state)

        def on_error(self, error):
            self.state["errors"] = self.state.get("errors", 0) + 1

    assert ask(live(View), "0", "0", "1") == [{"count": 0, "errors": 2}]


def test_earlier_messages_of_a_request_that_fails_leave_their_state(opened):
    seen = []

    class View(Counter):
        def on_message(self, message):
            super().on_message(message)
            if message == 100:
                raise RuntimeError

        def on_close(self, code, reason):
            seen.append(self.state)

    ws = opened(View)
    assert closing(ws.send(text("5"), text("100"), text("7"))) == (1011, "server error")
    assert events_of(ws.send(text("9"), close(1011)))[-1][0] == "CLOSE"
    assert seen == [{"count": 5}]


def test_the_state_names_no_user_and_can_be_read_by_the_proxy(opened, accounts, http):
    user = make_user("ann")
    http.cookies["sessionid"] = make_session(user)
    ws = opened()
    content = b64decode(ws.meta["grip-state"].partition(".")[2])
    assert b'{"count":0}' in content
    assert b"ann" not in content
    assert user.get_session_auth_hash().encode() not in content


# -- whose it is -------------------------------------------------------------------------------------------------------


def refused(ws):
    """Whether the connection is closed, for the client to log in again, without a hook being called."""
    events = events_of(ws.send(text("1")))
    return events == [("CLOSE", b"\x11\x31log in again")]


def test_a_state_is_one_connections(opened, connect):
    ws = opened()
    thief = connect("/ws/", connection_id="c2")
    thief.meta = dict(ws.meta)
    assert refused(thief)
    assert not refused(ws)


def test_a_state_is_one_views(opened, connect):
    class Other(Counter):
        pass

    ws, other = opened(), opened(Other, path="other/")
    other.meta = dict(ws.meta)
    assert refused(other)


def test_a_state_is_one_users(opened, accounts, http):
    ann, bob = make_user("ann"), make_user("bob", pk=2)
    http.cookies["sessionid"] = make_session(ann)
    ws = opened()
    assert not refused(ws)
    http.cookies["sessionid"] = make_session(bob)
    assert refused(ws)


def test_who_logs_out_is_closed(opened, accounts, http):
    http.cookies["sessionid"] = make_session(make_user("ann"))
    ws = opened()
    assert not refused(ws)
    del http.cookies["sessionid"]
    assert refused(ws)


def test_who_is_deactivated_is_closed(opened, accounts, http):
    user = make_user("ann")
    http.cookies["sessionid"] = make_session(user)
    ws = opened()
    user.is_active = False
    assert refused(ws)


def test_a_changed_password_ends_what_was_opened_before(opened, accounts, http):
    user = make_user("ann")
    http.cookies["sessionid"] = make_session(user)
    ws = opened()
    user.password = "!another hash"
    # The session would be refused by Django, too; here it is renewed, as after update_session_auth_hash().
    http.cookies["sessionid"] = make_session(user)
    assert refused(ws)


def test_a_tick_is_enough_to_close_who_has_logged_out(opened, accounts, http):
    http.cookies["sessionid"] = make_session(make_user("ann"))
    ws = opened()
    users.clear()
    assert closing(ws.send()) == (4401, "log in again")


def test_on_close_is_not_called_for_a_state_that_is_not_believed(opened, accounts, http):
    class View(WebSocketView):
        def on_close(self, code, reason):
            raise AssertionError("for whom?")

    http.cookies["sessionid"] = make_session(make_user("ann"))
    ws = opened(View)
    users.clear()
    assert closing(ws.send(close(1000))) == (4401, "log in again")


def test_an_anonymous_clients_user_is_not_asked_for_again(opened, http):
    """A connection that was opened by nobody has nobody's authority; to load the session each time would cost."""
    ws = opened()
    assert not refused(ws)


def test_users_may_be_missing_altogether(opened, settings):
    settings.MIDDLEWARE = ["django_grip.GripMiddleware"]
    ws = opened()
    assert not refused(ws)


def test_a_user_without_a_session_hash_is_told_by_its_key(opened, settings):
    class TokenUser:
        is_authenticated = True
        pk = 7

    current = [TokenUser()]

    def middleware(get_response):
        def set_user(request):
            request.user = current[0]
            return get_response(request)

        if iscoroutinefunction(get_response):
            markcoroutinefunction(set_user)
        return set_user

    middleware.sync_capable = middleware.async_capable = True
    sys.modules[__name__].token_middleware = middleware
    settings.MIDDLEWARE = ["django_grip.GripMiddleware", f"{__name__}.token_middleware"]
    ws = opened()
    assert not refused(ws)
    current[0] = AnonymousUser()
    assert refused(ws)


# -- keys and time -----------------------------------------------------------------------------------------------------


def test_a_state_signed_with_a_former_key_is_believed_and_signed_anew(opened):
    ws = opened()
    with override_settings(SECRET_KEY="another-secret-key-of-sufficient-length-0123456789"):
        assert refused(ws)
        with override_settings(SECRET_KEY_FALLBACKS=[project.SECRET_KEY]):
            ws.send(text("1"))
        assert not refused(ws)


def test_the_former_key_is_good_for_a_users_state_too(opened, accounts, http):
    user = make_user("ann")
    http.cookies["sessionid"] = make_session(user)
    ws = opened()
    with override_settings(
        SECRET_KEY="another-secret-key-of-sufficient-length-0123456789",
        SECRET_KEY_FALLBACKS=[project.SECRET_KEY],
    ):
        assert not refused(ws)


@pytest.fixture
def at(monkeypatch):
    """Set the clock of the state: ``at(seconds)`` from now."""
    now = time.time()
    return lambda seconds: monkeypatch.setattr(connection_state, "time", SimpleNamespace(time=lambda: now + seconds))


def test_a_state_is_renewed_before_it_grows_old(opened, at):
    ws = opened()
    at(3599)
    assert STATE not in ws.send()
    at(3601)
    assert STATE in ws.send()
    assert STATE not in ws.send()
    at(7 * 86_400 + 3000)
    assert not refused(ws)


@pytest.mark.parametrize(("seconds", "is_refused"), [(7 * 86_400 - 10, False), (7 * 86_400 + 10, True), (-90, True)])
def test_a_state_is_not_believed_for_ever_nor_before_its_time(opened, at, seconds, is_refused):
    ws = opened()
    at(seconds)
    assert refused(ws) is is_refused


def test_a_clock_that_is_a_little_slow_is_forgiven(opened, at):
    ws = opened()
    at(-50)
    assert not refused(ws)
