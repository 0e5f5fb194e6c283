"""A page of another site opens a WebSocket with its visitor's cookies."""

from __future__ import annotations

import pytest

from django_grip import websocket_only
from django_grip.views import WebSocketView

from ..fake_proxy import events_of, sent, text
from ..views.users import make_session, make_user

REFUSED = b"Pages of this origin may not open this WebSocket.\n"


def greet(session, request):
    session.accept()
    session.send(request.user.get_username())


@websocket_only
def function_view(request):
    if request.wscontext.is_opening():
        greet(request.wscontext, request)


@websocket_only
async def async_function_view(request):
    if request.wscontext.is_opening():
        request.wscontext.accept()
        request.wscontext.send((await request.auser()).get_username())


class ClassView(WebSocketView):
    def on_open(self):
        self.send(self.request.user.get_username())


@pytest.fixture(params=["class", "function", "async function"])
def visit(request, routes, connect, http, accounts):
    """Open the WebSocket from a page of an origin, in the browser of a visitor who is logged in."""
    view = {"class": ClassView, "function": function_view, "async function": async_function_view}[request.param]
    routes.add("ws/", view)
    http.cookies["sessionid"] = make_session(make_user("ann"))

    def open_from(origin, **headers):
        return connect("/ws/", origin=origin, **headers).open()

    return open_from


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://testserver.evil.example",
        "https://evil-testserver",
        "https://example.com",
        "https://api.testserver",
        "https://testserver:444",
        "http://testserver:8000",
        "https://testserver@evil.example",
        "https://testserver/",
        "https://testserver/ws/",
        "https://testserver, https://evil.example",
        "https://testserver https://evil.example",
        "HTTPS://EVIL.EXAMPLE",
        "//testserver",
        "testserver",
        "ftp://testserver",
        "file://",
        "null",
        "",
        "*",
        "https://",
        "https://[::1",
        "https://testserver:port",
        "https://testserver:99999",
        "chrome-extension://abcdefghijklmnop",
        "ü://\xff",
    ],
)
def test_a_page_of_another_origin_is_refused_before_the_view(visit, origin, logged):
    response = visit(origin)
    assert (response.status_code, response.content) == (403, REFUSED)
    assert b"ann" not in response.content
    assert len(logged("django_grip.security")) == 1


@pytest.mark.parametrize(
    "origin",
    ["https://testserver", "http://testserver", "https://TESTSERVER:443", "http://testserver:80"],
)
def test_the_sites_own_pages_are_let_in(visit, origin):
    """https too where the request seems plain: so it is behind a TLS terminator that does not tell."""
    assert sent(events_of(visit(origin))) == [b"ann"]


@pytest.mark.parametrize(("origin", "status"), [("https://testserver", 200), ("http://testserver", 403)])
def test_behind_a_terminator_that_tells_a_plain_page_is_another_origin(site, settings, origin, status):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    site.route("ws/", ClassView.as_view())
    assert site.connect("/ws/", origin=origin, x_forwarded_proto="https").open().status_code == status


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://testserver:8000", "testserver:8000", 200),
        ("https://testserver:8000", "testserver:8000", 200),
        ("http://testserver", "testserver:8000", 403),
        ("http://testserver:8000", "testserver", 403),
        # The attacker's page, and a Host to match it.
        ("https://evil.example", "evil.example", 403),
        ("https://evil.example", "testserver@evil.example", 403),
    ],
)
def test_the_host_decides_and_may_have_a_port(site, origin, host, status):
    site.route("ws/", ClassView.as_view())
    response = site.connect("/ws/", origin=origin, host=host).open()
    assert response.status_code in ((status,) if status == 200 else (400, 403))


def test_a_client_that_is_no_browser_sends_none(routes, connect):
    routes.add("ws/", ClassView)
    assert connect("/ws/").open().status_code == 200


@pytest.mark.parametrize("setting", ["CSRF_TRUSTED_ORIGINS", "GRIP_ALLOWED_ORIGINS"])
@pytest.mark.parametrize(
    ("trusted", "origin", "status"),
    [
        ("https://app.example.com", "https://app.example.com", 200),
        ("https://app.example.com", "http://app.example.com", 403),
        ("https://app.example.com", "https://app.example.com:8443", 403),
        ("https://*.example.com", "https://a.b.example.com", 200),
        ("https://*.example.com", "https://evilexample.com", 403),
        ("https://*.example.com", "http://a.example.com", 403),
    ],
)
def test_other_sites_may_be_trusted(visit, settings, setting, trusted, origin, status):
    setattr(settings, setting, [trusted])
    assert visit(origin).status_code == status


def test_a_view_may_trust_its_own(routes, connect):
    class Open(ClassView):
        allowed_origins = ["https://app.example.com"]

    @websocket_only(allowed_origins=["https://app.example.com"])
    def function(request):
        if request.wscontext.is_opening():
            request.wscontext.accept()

    routes.add("class/", Open)
    routes.add("argument/", ClassView, allowed_origins=["https://app.example.com"])
    routes.add("function/", function)
    routes.add("other/", ClassView)
    for path, status in [("class", 200), ("argument", 200), ("function", 200), ("other", 403)]:
        assert connect(f"/{path}/", origin="https://app.example.com").open().status_code == status


def test_a_decorator_that_hides_the_view_opens_nothing(routes, connect):
    class Open(ClassView):
        allowed_origins = ["https://app.example.com"]

    def hide(view):
        async def hidden_async(*args, **kwargs):
            return await view(*args, **kwargs)

        return hidden_async if routes.hooks == "async" else lambda *args, **kwargs: view(*args, **kwargs)

    routes.add("ws/", Open, wrap=hide)
    assert connect("/ws/", origin="https://evil.example").open().status_code == 403
    assert connect("/ws/", origin="https://app.example.com").open().status_code == 403  # the safe side


def test_after_the_opening_the_origin_is_the_same_as_before(routes, connect):
    """The proxy sends the handshake's headers with every request; they cannot change."""
    routes.add("ws/", ClassView)
    ws = connect("/ws/", origin="http://testserver")
    assert ws.open().status_code == 200
    assert events_of(ws.send(text("x"))) == []
