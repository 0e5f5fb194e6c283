"""Django's usual middleware around the realtime views, in front of and behind GripMiddleware."""

from __future__ import annotations

import pytest
from django.contrib import messages
from django.core.cache import cache
from django.utils import translation
from django.utils.translation import gettext
from django.views.decorators.cache import cache_page

from django_grip import HttpStreamFormat, publish
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

from ..fake_proxy import proxied
from .conftest import instructions, make_client
from .users import accounts, make_session, make_user

__all__ = ["accounts"]

GRIP = "django_grip.GripMiddleware"
PLACES = ["first", "last"]


@pytest.fixture(params=PLACES, ids=[f"GripMiddleware {place}" for place in PLACES])
def around(request, settings):
    """Put middleware around; GripMiddleware stands before, or behind it."""

    def put(*names, **more):
        settings.MIDDLEWARE = [GRIP, *names] if request.param == "first" else [*names, GRIP]
        for name, value in more.items():
            setattr(settings, name, value)

    yield put
    cache.clear()


SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"


class Echo(WebSocketView):
    channels = ["all"]

    def on_open(self):
        self.send("x" * 1000)

    def on_message(self, message):
        self.send(message)


class Stream(StreamView):
    channels = ["all"]

    def on_open(self):
        return "x" * 1000


class Events(EventStreamView):
    channels = ["all"]

    def on_open(self):
        return iter(["x" * 1000, "y"])


class Poll(LongPollView):
    channels = ["all"]
    version = 1

    def get_etag(self):
        return type(self).version

    def get_payload(self):
        return "x" * 1000


@pytest.mark.parametrize(
    "names",
    [
        ["django.middleware.security.SecurityMiddleware"],
        ["django.middleware.gzip.GZipMiddleware"],
        ["django.middleware.http.ConditionalGetMiddleware"],
        ["django.middleware.csrf.CsrfViewMiddleware"],
        ["django.middleware.locale.LocaleMiddleware"],
        ["django.middleware.clickjacking.XFrameOptionsMiddleware"],
        ["django.middleware.common.CommonMiddleware"],
        ["django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"],
        [SESSIONS, AUTH, "django.contrib.messages.middleware.MessageMiddleware"],
        [
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.cache.UpdateCacheMiddleware",
            "django.middleware.gzip.GZipMiddleware",
            "django.middleware.http.ConditionalGetMiddleware",
            SESSIONS,
            "django.middleware.locale.LocaleMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            AUTH,
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.cache.FetchFromCacheMiddleware",
        ],
    ],
    ids=lambda names: names[0].rsplit(".", 1)[-1] if len(names) < 4 else "all",
)
def test_every_view_works_inside(routes, http, around, names):
    around(*names, ALLOWED_HOSTS=["*"])
    routes.add("ws/", Echo)
    routes.add("stream/", Stream)
    routes.add("events/", Events)
    routes.add("poll/", Poll)
    gzip = {"Accept-Encoding": "gzip"}

    with http.websocket("/ws/", headers=gzip) as ws:
        ws.send("a", "b" * 1000)
        assert ws.receive_all() == ["x" * 1000, "a", "b" * 1000]
        http.advance(60)
        Echo.broadcast("more")
        assert ws.receive_all() == ["more"]
        ws.close(1000)
        assert ws.close_code == 1000

    for _ in range(2):  # the second time out of no cache
        for path in ("/stream/", "/events/"):
            with http.stream(path, headers=gzip) as stream:
                assert "x" * 1000 in stream.read()
                assert "Content-Encoding" not in stream.response
                assert "no-store" in stream.response["Cache-Control"]
                publish("all", HttpStreamFormat("more"))
                assert stream.read() == "more"

        first = http.longpoll("/poll/", headers=gzip)
        assert first.status_code == 200
        etag = first.response["ETag"]
        with http.longpoll("/poll/", headers={**gzip, "If-None-Match": etag}) as poll:
            assert poll.held
            http.advance(25)
            assert (poll.status_code, poll.response.content) == (304, b"")
            assert poll.response["ETag"].removeprefix("W/") == etag.removeprefix("W/")


def test_a_new_version_is_never_hidden_by_a_cache(routes, http, around):
    around("django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware")
    view = routes.add("poll/", type("Poll", (Poll,), {"version": 1, "__module__": __name__}))
    assert http.get("/poll/", headers=proxied())["ETag"] == '"1"'
    view.version = 2
    assert http.get("/poll/", headers=proxied(if_none_match='"1"'))["ETag"] == '"2"'
    assert http.get("/poll/")["ETag"] == '"2"'


@pytest.mark.parametrize("view", [Stream, Events, Poll])
def test_cache_page_around_a_view_stores_no_hold(routes, http, around, view):
    if routes.hooks == "async":
        return  # cache_page is for sync views alone
    around()
    routes.add("x/", view, wrap=cache_page(600))
    headers = proxied(if_none_match='"1"') if view is Poll else proxied()
    first, second = (http.get("/x/", headers=headers) for _ in range(2))
    assert "Grip-Hold" in first
    assert instructions(first).keys() == instructions(second).keys()


def test_sessions_are_read_in_every_hook_and_written_as_in_any_view(routes, http, around):
    around(SESSIONS, AUTH, SESSION_ENGINE="django.contrib.sessions.backends.cache")

    class View(WebSocketView):
        def on_open(self):
            self.request.session["visits"] = self.request.session.get("visits", 0) + 1

        def on_message(self, message):
            self.send(f"{self.request.session['visits']}")

    routes.add("ws/", View)
    http.websocket("/ws/")
    assert http.cookies["sessionid"].value  # the client's new session, with the 101
    with http.websocket("/ws/") as one, http.websocket("/ws/"):
        one.send("x")
        assert one.receive() == "3"


def test_messages_of_django_wait_in_the_session_for_the_next_page(routes, http, around, accounts):
    """No cookie of a WebSocket's later answers reaches the client, so messages kept in one would be lost."""
    storage = "django.contrib.messages.storage.session.SessionStorage"
    around(SESSIONS, AUTH, "django.contrib.messages.middleware.MessageMiddleware", MESSAGE_STORAGE=storage)
    http.cookies["sessionid"] = make_session(make_user("ann"))

    class View(WebSocketView):
        def on_message(self, message):
            messages.info(self.request, message)

        def on_refresh(self):
            self.send(",".join(map(str, messages.get_messages(self.request))))

    routes.add("ws/", View)
    with http.websocket("/ws/") as ws:
        ws.send("saved", "twice")
        http.advance(60)
        assert ws.receive() == "saved,twice"


def test_the_clients_language_is_that_of_every_hook(routes, http, around):
    around("django.middleware.locale.LocaleMiddleware", LANGUAGE_CODE="en", USE_I18N=True)

    class View(WebSocketView):
        def on_message(self, message):
            self.send(f"{translation.get_language()} {gettext('Yes')}")

    routes.add("ws/", View)
    with http.websocket("/ws/", headers={"Accept-Language": "de"}) as ws:
        assert ws.response["Content-Language"] == "de"
        ws.send("x")
        assert ws.receive() == "de Ja"


def test_a_redirect_to_https_refuses_an_opening(routes, http, around):
    around("django.middleware.security.SecurityMiddleware", SECURE_SSL_REDIRECT=True)
    routes.add("ws/", Echo)
    response = http.websocket("/ws/").response
    assert (response.status_code, response["Location"]) == (301, "https://testserver/ws/")
    assert http.websocket("/ws/", secure=True).accepted


def test_csrf_is_asked_of_a_post_and_not_of_a_websocket(routes, stack, around):
    around("django.middleware.csrf.CsrfViewMiddleware")
    strict = make_client(stack, enforce_csrf_checks=True, raise_request_exception=False)

    class Log(StreamView):
        channels = ["log"]

        def on_message(self, message):
            raise AssertionError

    routes.add("ws/", Echo)
    routes.add("log/", Log)
    with strict.websocket("/ws/") as ws:
        ws.send("x")
        assert ws.receive_all()[-1] == "x"
    assert strict.post("/log/", "hello", content_type="text/plain").status_code == 403
    assert strict.post("/log/", "hello", content_type="text/plain", headers=proxied()).status_code == 403
