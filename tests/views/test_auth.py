"""Django's own means of authority around each realtime view, on either stack and with hooks of either kind."""

from __future__ import annotations

import pytest
from django.contrib.auth.decorators import login_not_required, login_required, permission_required
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin, UserPassesTestMixin
from django.utils.decorators import method_decorator

from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

from ..fake_proxy import events_of, proxied, sent, text
from .conftest import body_of
from .test_websocket_messages import closing
from .users import accounts, make_session, make_user, permissions

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
        http.cookies.pop("sessionid", None)

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
def test_a_websocket_is_for_users_alone(routes, connect, log_in, log_out, guard):
    view, wrap = guard(Socket)
    routes.add("ws/", view, wrap=wrap)
    refused = connect("/ws/").open()
    # No WebSocket client can follow the redirect to a log-in page.
    assert (refused.status_code, refused.content) == (401, b"Log in first.\n")
    log_in()
    ws = connect("/ws/")
    assert sent(events_of(ws.open())) == [b"hello ann"]
    assert sent(events_of(ws.send(text("hi")))) == [b"ann says hi"]
    log_out()
    assert closing(ws.send(text("again"))) == (4401, "log in again")


@guards
def test_a_user_who_logs_out_is_closed_at_the_next_tick(routes, connect, log_in, log_out, guard):
    view, wrap = guard(Socket)
    routes.add("ws/", view, wrap=wrap)
    log_in()
    ws = connect("/ws/")
    ws.open()
    assert events_of(ws.send()) == []
    log_out()
    assert closing(ws.send()) == (4401, "log in again")


@guards
@pytest.mark.parametrize("base", [Stream, Poll])
def test_a_stream_and_a_long_poll_are_for_users_alone(routes, http, log_in, guard, base):
    view, wrap = guard(base)
    routes.add("x/", view, wrap=wrap)
    refused = http.get("/x/", headers=proxied())
    assert (refused.status_code, refused["Location"]) == (302, "/login/?next=/x/")
    assert "Grip-Hold" not in refused
    log_in()
    response = http.get("/x/", headers=proxied())
    assert body_of(response) == b"hello ann"
    assert ("Grip-Hold" in response) is (base is Stream)


def test_a_permission_is_asked_again_with_every_request(routes, connect, log_in):
    view = with_mixins(Socket, PermissionRequiredMixin, permission_required="chat.talk", raise_exception=True)
    routes.add("ws/", view)
    log_in()
    assert connect("/ws/").open().status_code == 403
    permissions[1] = {"chat.talk"}
    ws = connect("/ws/")
    assert sent(events_of(ws.open())) == [b"hello ann"]
    permissions[1] = set()
    assert closing(ws.send(text("hi"))) == (4403, "not permitted")


def test_a_permission_by_a_decorator(routes, connect, log_in):
    routes.add("ws/", Socket, wrap=permission_required("chat.talk", raise_exception=True))
    log_in()
    assert connect("/ws/").open().status_code == 403
    permissions[1] = {"chat.talk"}
    assert connect("/ws/").open().status_code == 200


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


def test_several_mixins_work_together(routes, connect, log_in):
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
    assert connect("/ws/").open().status_code == 401
    log_in()
    assert connect("/ws/").open().status_code == 403
    log_in(may=("chat.talk",))
    ws = connect("/ws/")
    assert sent(events_of(ws.open())) == [b"hello ann"]
    assert sent(events_of(ws.send(text("spam"), text("hi")))) == [b"ann says hi"]
    assert closing(ws.send(text("spam"), text("hi"))) == (4008, "spam")
    log_in("bob", pk=2, may=("chat.talk",))
    assert connect("/ws/").open().status_code == 403


LOGIN_MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]


def test_the_login_middleware_guards_every_view(routes, connect, http, settings, log_in, log_out):
    settings.MIDDLEWARE = LOGIN_MIDDLEWARE
    routes.add("ws/", Socket)
    routes.add("stream/", Stream)
    assert connect("/ws/").open().status_code == 401
    assert http.get("/stream/", headers=proxied()).status_code == 302
    log_in()
    ws = connect("/ws/")
    assert sent(events_of(ws.open())) == [b"hello ann"]
    assert "Grip-Hold" in http.get("/stream/", headers=proxied())
    log_out()
    assert closing(ws.send(text("hi"))) == (4401, "log in again")


@pytest.mark.parametrize("how", ["decorator", "method decorator"])
def test_a_view_can_be_let_off_the_login_middleware(routes, connect, settings, how):
    settings.MIDDLEWARE = LOGIN_MIDDLEWARE
    if how == "decorator":
        routes.add("ws/", Socket, wrap=login_not_required)
    else:
        routes.add("ws/", method_decorator(login_not_required, name="dispatch")(with_mixins(Socket)))
    assert sent(events_of(connect("/ws/").open())) == [b"hello "]


# -- links: the proxy asks again by itself, with none of the client's cookies ------------------------------------------


def next_link(response):
    return response["Grip-Link"].partition("<")[2].partition(">")[0]


@pytest.mark.parametrize("base", [Stream, EventStreamView])
def test_a_streams_authority_is_asked_again_at_its_next_link(routes, http, log_in, log_out, base):
    view = with_mixins(base, PermissionRequiredMixin, permission_required="x.y", raise_exception=True, channels=["all"])
    routes.add("x/", view)
    log_in(may=("x.y",))
    link = next_link(http.get("/x/", headers=proxied()))
    log_out()
    again = http.get(link, headers=proxied())
    assert again["Grip-Hold"] == "stream"
    assert body_of(again) == b""
    permissions[1] = set()
    refused = http.get(link, headers=proxied())
    assert "Grip-Hold" not in refused
    assert "Grip-Link" not in refused


def test_in_a_hook_the_user_of_a_link_is_there(routes, http, log_in, log_out):
    class View(Stream):
        def get_channels(self):
            return [f"user:{self.request.user.pk}"]

    routes.add("x/", View)
    log_in()
    first = http.get("/x/", headers=proxied())
    log_out()
    again = http.get(next_link(first), headers=proxied())
    assert again["Grip-Channel"].startswith("user:1")
