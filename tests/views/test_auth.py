"""Django's own means of authority around each realtime view, on either stack and with hooks of either kind."""

from __future__ import annotations

import pytest
from django.contrib.auth.decorators import login_not_required, login_required, permission_required
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin, UserPassesTestMixin
from django.utils.decorators import method_decorator

from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

from .conftest import ending
from .users import accounts, end_session, make_session, make_user, permissions

__all__ = ["accounts"]

pytestmark = pytest.mark.usefixtures("accounts")


class Socket(WebSocketView):
    def on_open(self):
        self.send(f"hello {self.request.user.get_username()}")

    def on_message(self, message):
        self.send(f"{self.request.user.get_username()} says {message}")


class Stream(StreamView):
    channels = ["all"]

    def on_open(self):
        return f"hello {self.request.user.get_username()}"


class Poll(LongPollView):
    channels = ["all"]

    def get_payload(self):
        return f"hello {self.request.user.get_username()}"


@pytest.fixture
def log_in(http):
    def act(name="ann", *, pk=1, may=()):
        http.cookies["sessionid"] = make_session(make_user(name, pk=pk, may=may))

    return act


@pytest.fixture
def log_out(http):
    def act():
        # The cookie stays with what was opened before.
        end_session(http.cookies["sessionid"].value)

    return act


def with_mixins(view, *mixins, **namespace):
    return type("View", (*mixins, view), {"__module__": __name__, **namespace})


GUARDS = {
    "mixin": lambda view: (with_mixins(view, LoginRequiredMixin), None),
    "decorator": lambda view: (view, login_required),
    "method decorator": lambda view: (method_decorator(login_required, name="dispatch")(with_mixins(view)), None),
}
guards = pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)


@guards
def test_a_websocket_is_for_users_alone(routes, http, log_in, log_out, guard):
    view, wrap = guard(Socket)
    routes.add("ws/", view, wrap=wrap)
    refused = http.websocket("/ws/")
    # No WebSocket client can follow the redirect to a log-in page.
    assert (refused.status_code, refused.response.content) == (401, b"Log in first.\n")
    log_in()
    with http.websocket("/ws/") as ws:
        ws.send("hi")
        assert ws.receive_all() == ["hello ann", "ann says hi"]
        log_out()
        ws.send("again")
        assert ending(ws) == (4401, "log in again")
        ws.receive_nothing()


@guards
def test_a_user_who_logs_out_is_closed_at_the_next_tick(routes, http, log_in, log_out, guard):
    view, wrap = guard(Socket)
    routes.add("ws/", view, wrap=wrap)
    log_in()
    with http.websocket("/ws/") as ws:
        http.advance(60)
        assert not ws.closed
        log_out()
        http.advance(60)
        assert ending(ws) == (4401, "log in again")


@guards
@pytest.mark.parametrize("base", [Stream, Poll])
def test_a_stream_and_a_long_poll_are_for_users_alone(routes, http, log_in, guard, base):
    view, wrap = guard(base)
    routes.add("x/", view, wrap=wrap)
    refused = http.stream("/x/")
    assert (refused.status_code, refused.response["Location"]) == (302, "/login/?next=/x/")
    log_in()
    if base is Stream:
        with http.stream("/x/") as stream:
            assert stream.read() == "hello ann"
    else:
        first = http.longpoll("/x/").response
        assert first.content == b"hello ann"
        with http.longpoll("/x/", headers={"If-None-Match": first["ETag"]}) as poll:
            assert poll.held


def test_a_permission_is_asked_again_with_every_request(routes, http, log_in):
    view = with_mixins(Socket, PermissionRequiredMixin, permission_required="chat.talk", raise_exception=True)
    routes.add("ws/", view)
    log_in()
    assert http.websocket("/ws/").status_code == 403
    permissions[1] = {"chat.talk"}
    with http.websocket("/ws/") as ws:
        assert ws.receive() == "hello ann"
        permissions[1] = set()
        ws.send("hi")
        assert ending(ws) == (4403, "not permitted")


def test_a_permission_by_a_decorator(routes, http, log_in):
    routes.add("ws/", Socket, wrap=permission_required("chat.talk", raise_exception=True))
    log_in()
    assert http.websocket("/ws/").status_code == 403
    permissions[1] = {"chat.talk"}
    assert http.websocket("/ws/").accepted


class Moderated:
    """A mixin of the project's own: state and hooks, in cooperation."""

    def on_open(self):
        self.state["warnings"] = 0
        return super().on_open()

    def on_message(self, message):
        if "spam" in message:
            self.state["warnings"] += 1
            if self.state["warnings"] == 2:
                self.close(4008, "spam")
            return None
        return super().on_message(message)


def test_several_mixins_work_together(routes, http, log_in):
    view = with_mixins(
        Socket,
        LoginRequiredMixin,
        PermissionRequiredMixin,
        UserPassesTestMixin,
        Moderated,
        permission_required="chat.talk",
        raise_exception=False,
        test_func=lambda self: self.request.user.username != "bob",
    )
    routes.add("ws/", view)
    assert http.websocket("/ws/").status_code == 401
    log_in()
    assert http.websocket("/ws/").status_code == 403
    log_in(may=("chat.talk",))
    with http.websocket("/ws/") as ws:
        ws.send("spam", "hi")
        assert ws.receive_all() == ["hello ann", "ann says hi"]
        assert ws.state == {"warnings": 1}
        ws.send("spam", "hi")
        assert ending(ws) == (4008, "spam")
        ws.receive_nothing()
    log_in("bob", pk=2, may=("chat.talk",))
    assert http.websocket("/ws/").status_code == 403


LOGIN_MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]


def test_the_login_middleware_guards_every_view(routes, http, settings, log_in, log_out):
    settings.MIDDLEWARE = LOGIN_MIDDLEWARE
    routes.add("ws/", Socket)
    routes.add("stream/", Stream)
    assert http.websocket("/ws/").status_code == 401
    assert http.stream("/stream/").status_code == 302
    log_in()
    with http.websocket("/ws/") as ws, http.stream("/stream/") as stream:
        assert (ws.receive(), stream.read()) == ("hello ann", "hello ann")
        log_out()
        ws.send("hi")
        assert ending(ws) == (4401, "log in again")


@pytest.mark.parametrize("how", ["decorator", "method decorator"])
def test_a_view_can_be_let_off_the_login_middleware(routes, http, settings, how):
    settings.MIDDLEWARE = LOGIN_MIDDLEWARE
    if how == "decorator":
        routes.add("ws/", Socket, wrap=login_not_required)
    else:
        routes.add("ws/", method_decorator(login_not_required, name="dispatch")(with_mixins(Socket)))
    with http.websocket("/ws/") as ws:
        assert ws.receive() == "hello "


# -- links: the proxy asks again by itself, with none of the client's cookies ------------------------------------------


@pytest.mark.parametrize("base", [Stream, EventStreamView])
def test_a_streams_authority_is_asked_again_at_its_next_link(routes, http, log_in, base):
    view = with_mixins(base, PermissionRequiredMixin, permission_required="x.y", raise_exception=True, channels=["all"])
    routes.add("x/", view)
    log_in(may=("x.y",))
    with http.stream("/x/") as stream:
        stream.read()
        http.advance(60)
        assert (stream.held, stream.read()) == (True, "")
        permissions[1] = set()
        http.advance(60)
        assert (stream.held, stream.ended) == (False, True)


def test_in_a_hook_the_user_of_a_link_is_there(routes, http, log_in):
    class View(Stream):
        def get_channels(self):
            asked.append(self.request.user.get_username())
            return [f"user:{self.request.user.pk}"]

    asked = []
    routes.add("x/", View)
    log_in()
    with http.stream("/x/") as stream:
        http.advance(60)
        assert stream.channels == {"user:1"}
    assert asked == ["ann", "ann"]
