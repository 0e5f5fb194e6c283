"""Which pages may open a WebSocket (DESIGN decision 3)."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt

from django_grip import websocket_only
from django_grip.origins import parse_origin

from .fake_proxy import close, events_of, text

pytest_plugins = ["tests.fixtures"]

REFUSED = b"Pages of this origin may not open this WebSocket.\n"


@websocket_only
def open_to_all(request):
    request.wscontext.accept()


@websocket_only(allowed_origins=["https://partner.example", "https://*.cdn.example:8443"])
def partners_only(request):
    request.wscontext.accept()


@websocket_only(allowed_origins=["*"])
def anybody(request):
    request.wscontext.accept()


def may_open(site, origin, *, view=open_to_all, **headers) -> bool:
    """Whether a page of this origin gets through to the view; if not, that it is told so."""
    called = []

    def watched(request):
        called.append(request)
        return view(request)

    watched.__dict__.update(view.__dict__)
    site.urlpatterns.clear()
    site.route("ws/", watched)
    response = site.connect("/ws/", **headers).open(**({} if origin is None else {"origin": origin}))
    assert bool(called) == (response.status_code == 200)
    if not called:
        assert (response.status_code, response.content) == (403, REFUSED)
    return bool(called)


@pytest.mark.parametrize(
    ("host", "scheme", "origin", "allowed"),
    [
        ("testserver", "http", "http://testserver", True),
        ("testserver", "http", "HTTP://TestServer", True),
        ("TestServer", "http", "http://testserver", True),
        ("testserver", "http", "http://testserver:80", True),
        ("testserver", "http", "http://testserver:8000", False),
        ("testserver:8000", "http", "http://testserver:8000", True),
        ("testserver:8000", "http", "http://testserver", False),
        ("testserver:8000", "http", "http://testserver:8001", False),
        # A TLS terminator in front that does not tell: the page is https, the request seems to be plain.
        ("testserver", "http", "https://testserver", True),
        ("testserver", "http", "https://testserver:443", True),
        ("testserver", "http", "https://testserver:80", False),
        ("testserver:8443", "http", "https://testserver:8443", True),
        ("testserver:443", "http", "https://testserver", True),
        # Where https is known to be asked for, a plain page is another's.
        ("testserver", "https", "https://testserver", True),
        ("testserver", "https", "http://testserver", False),
        ("testserver", "https", "https://testserver:8443", False),
        ("testserver", "https", "ws://testserver", False),
        ("testserver", "http", "ftp://testserver", False),
        ("testserver", "http", "wss://testserver", False),
        ("testserver", "http", "http://elsewhere", False),
        ("testserver", "http", "http://sub.testserver", False),
        ("testserver", "http", "http://testserver.elsewhere", False),
        ("testserver", "http", "http://xtestserver", False),
        ("testserver", "http", "http://testserver.", False),
        ("testserver.", "http", "http://testserver.", True),
        ("testserver.", "http", "http://testserver", False),
        ("xn--bcher-kva.example", "http", "http://xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "http", "http://bücher.example", False),
        ("[::1]", "http", "http://[::1]", True),
        ("[::1]:8000", "http", "http://[::1]:8000", True),
        ("[::1]:8000", "http", "http://[::1]:8001", False),
        ("[::1]", "http", "http://[::2]", False),
        ("127.0.0.1", "http", "http://localhost", False),
    ],
)
def test_a_page_of_the_site_itself_may_open_its_websockets(site, settings, host, scheme, origin, allowed):
    settings.ALLOWED_HOSTS = ["*"]
    site.scheme = scheme
    assert may_open(site, origin, host=host) == allowed


MALFORMED = [
    "",
    "null",
    "testserver",
    "//testserver",
    "http:testserver",
    "http:/testserver",
    "http://",
    "http://:80",
    "http://testserver/",
    "http://testserver/path",
    "http://testserver?query",
    "http://testserver#fragment",
    "http://testserver:",
    "http://testserver:x",
    "http://testserver:-80",
    "http://testserver:٨٠",
    "http://testserver:800000",
    "http://user@testserver",
    "http://user:password@testserver",
    "http://elsewhere@testserver",
    "http://testserver@elsewhere",
    "http://elsewhere\\.testserver",
    "http://elsewhere\\@testserver",
    "http://test server",
    " http://testserver",
    "http://testserver ",
    "http://testserver\t",
    "http://testserver, http://testserver",
    "http://testserver,http://elsewhere",
    "http://testserver http://elsewhere",
    "http://*.testserver",
    "http://*",
    "*",
    "http://[::1",
    "http://[testserver]",
    "http://ⓣestserver",
    "http://testserver%00",
    "://testserver",
]


@pytest.mark.parametrize("origin", MALFORMED)
@pytest.mark.parametrize("view", [open_to_all, anybody])
def test_an_origin_that_names_no_site_is_refused_even_where_everybody_may_come(site, settings, origin, view):
    settings.ALLOWED_HOSTS = ["*"]
    settings.GRIP_ALLOWED_ORIGINS = ["http://testserver"]
    assert not may_open(site, origin, view=view)


def test_what_sends_no_origin_is_no_browser(site):
    assert may_open(site, None)
    assert may_open(site, None, view=partners_only)


@pytest.mark.parametrize("setting", ["CSRF_TRUSTED_ORIGINS", "GRIP_ALLOWED_ORIGINS"])
@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("https://www.example.com", "https://www.example.com", True),
        ("https://www.example.com", "https://www.example.com:443", True),
        ("https://www.example.com:443", "https://www.example.com", True),
        ("https://WWW.example.com", "https://www.Example.com", True),
        ("https://www.example.com", "http://www.example.com", False),
        ("https://www.example.com", "https://www.example.com:8443", False),
        ("https://www.example.com", "https://example.com", False),
        ("https://www.example.com:8443", "https://www.example.com:8443", True),
        ("https://*.example.com", "https://www.example.com", True),
        ("https://*.example.com", "https://a.b.example.com", True),
        ("https://*.example.com", "https://example.com", True),
        ("https://*.example.com", "http://www.example.com", False),
        ("https://*.example.com", "https://www.example.com:8443", False),
        ("https://*.example.com", "https://wwwexample.com", False),
        ("https://*.example.com", "https://www.example.com.evil.com", False),
        ("https://*.example.com:8443", "https://www.example.com:8443", True),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("chrome-extension://abcdef", "chrome-extension://abcdef", True),
        ("chrome-extension://abcdef", "chrome-extension://abcdeg", False),
    ],
)
def test_pages_of_other_origins_may_if_the_settings_say_so(site, settings, setting, pattern, origin, allowed):
    setattr(settings, setting, ["https://unrelated.example", pattern])
    assert may_open(site, origin) == allowed


def test_any_page_may_where_the_setting_is_a_star(site, settings):
    settings.GRIP_ALLOWED_ORIGINS = ["*"]
    assert may_open(site, "http://anywhere.example:1234")
    assert not may_open(site, "null")


def test_a_view_may_let_in_more(site):
    assert may_open(site, "https://partner.example", view=partners_only)
    assert may_open(site, "https://eu.cdn.example:8443", view=partners_only)
    assert may_open(site, "http://testserver", view=partners_only)
    assert not may_open(site, "https://other.example", view=partners_only)
    assert not may_open(site, "https://partner.example")
    assert may_open(site, "https://other.example", view=anybody)


CSRF = "django.middleware.csrf.CsrfViewMiddleware"
GRIP = "django_grip.GripMiddleware"
ORDERS = {"grip first": [GRIP, CSRF], "csrf first": [CSRF, GRIP]}


def post_only(request):
    """An ordinary view, for forms that have a CSRF token."""
    if request.wscontext:
        request.wscontext.accept()
    return HttpResponse("the account is deleted")


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_a_page_that_may_open_websockets_does_not_get_past_the_csrf_check_of_other_views(site, settings, logged, order):
    settings.MIDDLEWARE, settings.GRIP_ALLOWED_ORIGINS = order, ["https://partner.example"]
    assert may_open(site, "https://partner.example", view=open_to_all)
    assert may_open(site, "http://testserver", view=post_only)
    assert not may_open(site, "https://partner.example", view=post_only)
    assert logged("django_grip.security") == [
        "Refused with 403: POST /ws/: Pages of this origin may not open this WebSocket. "
        "Its Origin is 'https://partner.example'; "
        "GRIP_ALLOWED_ORIGINS names it, but for views that are websocket_only or csrf_exempt."
    ]
    settings.CSRF_TRUSTED_ORIGINS = ["https://partner.example"]
    assert may_open(site, "https://partner.example", view=post_only)


@pytest.mark.parametrize("middleware", [[GRIP], *ORDERS.values()])
def test_where_a_view_does_without_that_check_they_come_in_but_unexempted(site, settings, middleware):
    settings.MIDDLEWARE, settings.GRIP_ALLOWED_ORIGINS = middleware, ["https://partner.example"]
    exempt = []

    def view(request):
        exempt.append(request._dont_enforce_csrf_checks)
        return post_only(request)

    assert may_open(site, "https://partner.example", view=csrf_exempt(view))
    assert may_open(site, "https://partner.example", view=csrf_exempt(websocket_only(view)))
    # The first one may ask for a token itself, as REST framework's session authentication does.
    assert exempt == [False, True]


def test_decorators_around_hand_on_what_the_view_allows(site):
    assert may_open(site, "https://partner.example", view=csrf_exempt(partners_only))


def test_a_view_without_a_decorator_is_held_to_the_same(site):
    def plain(request):
        request.wscontext.accept()
        return HttpResponse()

    assert may_open(site, "http://testserver", view=plain)
    assert not may_open(site, "http://elsewhere", view=plain)


@pytest.mark.parametrize(
    ("origin", "problem"),
    [
        ("https://www.example.com/", "which is not an origin"),
        ("www.example.com", "which is not an origin"),
        ("https://user@www.example.com", "which is not an origin"),
        ("http://[", "which is not an origin"),
        ("null", "which is not an origin"),
        ("https://bücher.example", "which browsers send in ASCII. Write the host as xn--..., as they do."),
        (5, "which is not a str"),
    ],
)
def test_an_origin_in_code_that_no_page_can_have_is_refused_at_once(origin, problem):
    with pytest.raises(ImproperlyConfigured, match=r"^allowed_origins has ") as raised:
        websocket_only(allowed_origins=[origin])
    assert problem in str(raised.value)


def test_the_host_a_proxy_in_front_names_counts_where_django_believes_it(site, settings):
    settings.ALLOWED_HOSTS = ["testserver", "www.example.com"]
    forwarded = {"x_forwarded_host": "www.example.com"}
    assert not may_open(site, "http://www.example.com", **forwarded)
    settings.USE_X_FORWARDED_HOST = True
    assert may_open(site, "http://www.example.com", **forwarded)
    assert not may_open(site, "http://testserver", **forwarded)


def test_the_scheme_a_proxy_in_front_names_counts_where_django_believes_it(site, settings):
    forwarded = {"x_forwarded_proto": "https"}
    assert may_open(site, "http://testserver", **forwarded)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert may_open(site, "https://testserver", **forwarded)
    assert not may_open(site, "http://testserver", **forwarded)


def test_a_host_that_is_not_the_sites_is_djangos_400(site):
    site.route("ws/", open_to_all)
    response = site.connect("/ws/", host="evil.example").open(origin="http://evil.example")
    assert response.status_code == 400
    assert REFUSED not in response.content


def test_the_log_says_which_origin_it_was_and_what_would_let_it_in(site, logged):
    assert not may_open(site, "http://elsewhere\x01" + "x" * 500)
    assert logged("django_grip.security") == [
        "Refused with 403: POST /ws/: Pages of this origin may not open this WebSocket. "
        f"Its Origin is 'http://elsewhere\\x01{'x' * 183}'; GRIP_ALLOWED_ORIGINS may name it."
    ]


def test_only_an_opening_is_asked_for_its_origin(site):
    site.route("ws/", lambda request: HttpResponse())
    assert events_of(site.connect("/ws/", origin="http://elsewhere").send(text("a"), close(1000)))


def test_an_ordinary_request_is_not_asked_for_its_origin(site):
    site.route("look/", lambda request: HttpResponse("looked"))
    assert site.get("/look/", headers={"Origin": "null"}).content == b"looked"


@pytest.mark.parametrize("origin", MALFORMED)
def test_the_parser_knows_them_too(origin):
    assert parse_origin(origin) is None or "*." in origin


def test_the_parser_is_linear():
    assert parse_origin("http://" + "a." * 100_000 + "/") is None
