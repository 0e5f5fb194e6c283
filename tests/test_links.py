"""Links that the proxy follows by itself: the request they become, and who may not have it (DESIGN decision 5)."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from asgiref.sync import iscoroutinefunction
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth import get_user_model, login
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.decorators import login_required
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, JsonResponse
from django.test import Client, RequestFactory
from django.urls import path as url_path
from django.urls import re_path

from django_grip import set_hold_stream
from django_grip.conf import derive_keys
from django_grip.exceptions import InstructError
from django_grip.links import ACCEPT_KEY, LINK_MARK, abuild_link, build_link
from django_grip.protocol.links import Link, build_link_token

from .fake_proxy import proxied
from .stacks import Site

pytest_plugins = ["tests.fixtures"]

GRIP = "django_grip.GripMiddleware"
SESSIONS = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
ORDERS = {"grip first": [GRIP, *SESSIONS], "grip last": [*SESSIONS, GRIP], "between": [SESSIONS[0], GRIP, SESSIONS[1]]}

PROXY_ONLY = "This address is for the GRIP proxy alone."
LOGGED_OUT = "The link's user is no longer logged in."


def tell(request, **kwargs):
    """What the request has become."""
    link = request.grip.link
    return JsonResponse(
        {
            "path": request.path,
            "path_info": request.path_info,
            "full": request.get_full_path(),
            "meta": [request.META["PATH_INFO"], request.META["QUERY_STRING"]],
            "get": dict(request.GET.lists()),
            "kwargs": kwargs,
            "method": request.method,
            "link": link and [link.kind, list(link.channels), link.data and dict(link.data)],
        }
    )


def make_link(request, **kwargs):
    """A page whose answer is its own next link."""
    return HttpResponse(build_link(request, query=request.META["QUERY_STRING"]))


def follow(site: Site, link: str, *, method: str = "GET", **headers: str) -> Any:
    return site.request(method, link, headers=proxied(**headers))


# -- there and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/room/5/",
        "/room/5",
        "/room/räum-日本/",
        "/room/a b/",
        "/room/100%/",
        "/room/a,b;c=d/",
        "/room/%2F/",
        '/room/"<>/',
    ],
)
def test_a_link_becomes_the_request_it_was_made_in(site, path):
    # Seen as the server hands it over.
    name = path.split("/")[2]
    link = build_link(RequestFactory().get("/"), path=path)
    assert link.isascii()
    assert link.endswith("/")
    site.urlpatterns.append(re_path("^room/(?P<name>[^/]+)(/?)$", site.adapt(tell)))
    response = follow(site, link)
    assert response.status_code == 200, response.content
    seen = response.json()
    assert (seen["path"], seen["path_info"], seen["meta"]) == (path, path, [path, ""])
    assert seen["kwargs"] == {"name": name}
    assert seen["link"] == ["next", [], None]


def test_the_root_has_links_too(site):
    site.route("", tell)
    link = build_link(RequestFactory().get("/"))
    assert link.startswith(LINK_MARK)
    assert follow(site, link).json()["path"] == "/"


def test_a_path_with_two_slashes_before_it_does_not_name_another_host(site):
    site.urlpatterns.append(re_path("^(?P<any>.*)$", site.adapt(make_link)))
    link = site.get("//evil.example/room/").content.decode()
    assert link.startswith("/%2Fevil.example/room/.grip/")
    site.urlpatterns[:] = [re_path("^(?P<any>.*)$", site.adapt(tell))]
    assert follow(site, link).json()["path"] == "//evil.example/room/"


@pytest.mark.parametrize(
    ("query", "get"),
    [
        ("", {}),
        ("after=5&after=6&x=", {"after": ["5", "6"], "x": [""]}),
        ("q=caf%C3%A9%20%26", {"q": ["café &"]}),
        ("q=" + "café".encode().decode("latin-1"), {"q": ["café"]}),
    ],
)
def test_the_query_comes_back(site, query, get):
    site.route("link/", make_link)
    link = site.get("/link/", query=query).content.decode()
    assert "?" not in link  # fetches are shared by URL without it
    site.urlpatterns.clear()
    site.route("link/", tell)
    seen = follow(site, link).json()
    assert seen["get"] == get
    assert seen["meta"][1].isascii()
    assert seen["full"] == "/link/" + (f"?{seen['meta'][1]}" if query else "")


def test_a_query_that_code_gives_may_have_any_letters(site):
    site.route("link/", tell)
    link = build_link(RequestFactory().get("/link/"), query="q=日本&r=a b")
    assert follow(site, link).json()["get"] == {"q": ["日本"], "r": ["a b"]}


def test_what_stood_in_the_query_of_the_fetch_is_not_believed(site):
    site.route("link/", tell)
    link = build_link(RequestFactory().get("/link/"), query="a=1")
    assert site.get(link, query="a=2&b=3", headers=proxied()).json()["get"] == {"a": ["1"]}


def test_a_middleware_that_looked_at_the_query_before_does_not_matter(site, settings):
    settings.MIDDLEWARE = [f"{__name__}.QueryReader", GRIP]
    site.route("link/", tell)
    assert follow(site, build_link(RequestFactory().get("/link/"), query="a=1")).json()["get"] == {"a": ["1"]}


class QueryReader:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        assert not request.GET
        return self.get_response(request)


def test_the_script_prefix_stands_before_a_link(site):
    site.script_name = "/app"
    site.route("link/", make_link)
    link = site.get("/app/link/", query="a=1").content.decode()
    assert link.startswith("/app/link/.grip/")
    site.urlpatterns.clear()
    site.route("link/", tell)
    seen = follow(site, link).json()
    assert (seen["path"], seen["path_info"], seen["full"]) == ("/app/link/", "/link/", "/app/link/?a=1")


def test_a_link_carries_channels_and_data(site):
    site.route("link/", tell)
    link = build_link(RequestFactory().get("/link/"), "gone", channels=["a", "b"], data={"seat": "5", "naïve": "é"})
    seen = follow(site, link, method="POST").json()
    assert seen["link"] == ["gone", ["a", "b"], {"seat": "5", "naïve": "é"}]


def test_a_link_may_say_what_its_fetch_accepts(site):
    def accepts(request):
        return JsonResponse([request.headers.get("Accept"), request.META.get("HTTP_ACCEPT")], safe=False)

    site.route("link/", accepts)
    request = RequestFactory().get("/link/")
    assert follow(site, build_link(request, data={ACCEPT_KEY: "text/event-stream"})).json() == ["text/event-stream"] * 2
    assert follow(site, build_link(request, data={"other": "x"})).json() == [None, None]


def test_a_link_may_lead_to_another_path(site):
    site.route("there/", tell)
    assert follow(site, build_link(RequestFactory().get("/here/"), path="/there/")).json()["path"] == "/there/"


def test_equal_clients_have_equal_links_and_others_have_not():
    request = RequestFactory().get("/link/")
    link = build_link(request)
    assert build_link(RequestFactory().get("/link/")) == link
    assert (
        len({link, build_link(request, "gone"), build_link(request, query="a"), build_link(request, path="/b/")}) == 4
    )
    ab, ba = ({"a": "1", "b": "2"}, {"b": "2", "a": "1"})
    assert build_link(request, data=ab) == build_link(request, data=ba)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"path": "/a/.grip/b/"}, r"^the path of a link must not have '/\.grip/', behind which its token stands$"),
        ({"path": "a/"}, r"^the path of a link must be a str that begins with '/'"),
        ({"kind": "prev"}, r"^a link is 'next' or 'gone', not 'prev'$"),
        ({"data": {"a": "b" * 5000}}, r"^the link token is [0-9,]+ characters long; the limit is 4,096$"),
        ({"data": {"a": 5}}, r"^the data of a link must be str, not int$"),
    ],
)
def test_what_a_link_cannot_hold_is_refused_at_once(options, problem):
    with pytest.raises(InstructError, match=problem):
        build_link(RequestFactory().get("/"), options.pop("kind", "next"), **options)


def test_the_token_is_gone_from_what_reports_show(site):
    site.route("link/", lambda request: HttpResponse(repr({k: v for k, v in request.META.items() if "wsgi" not in k})))
    link = build_link(RequestFactory().get("/link/"), query="a=1")
    token = link.split(LINK_MARK)[1].strip("/")
    response = follow(site, link)
    assert response.status_code == 200
    assert token not in response.content.decode()


# -- who may not have it -----------------------------------------------------------------------------------------------


def sign(**fields: Any) -> str:
    fields = {"kind": "next", "path": "/link/", "expires": int(time.time()) + 60, **fields}
    return build_link_token(Link(**fields), fields.pop("key", None) or derive_keys("links")[0])


def token_of(key: bytes) -> str:
    return build_link_token(Link("next", "/link/", expires=int(time.time()) + 60), key)


REFUSED = {
    "stale": (lambda: f"/link/.grip/{sign(expires=100)}/", "the link is stale: it expired 1,699,999,900 s ago"),
    "forged": (lambda: f"/link/.grip/{token_of(b'x' * 32)}/", "the link is forged, or was signed with another key"),
    "of a state": (
        lambda: f"/link/.grip/{token_of(derive_keys('state')[0])}/",
        "the link is forged, or was signed with another key",
    ),
    "cut off": (lambda: f"/link/.grip/{sign()[:-1]}/", "the link is forged, or was signed with another key"),
    "without a token": (lambda: "/link/.grip/", "the link is malformed: this is no token"),
    "nonsense": (lambda: "/link/.grip/a/b/c/", "the link is malformed: this is no token"),
    "very long": (lambda: f"/link/.grip/{'a' * 10_000}.b.c/", "the link is malformed: this is no token"),
    "not ASCII": (lambda: "/link/.grip/é.é.é/", "the link is forged, or was signed with another key"),
    "of another path": (lambda: f"/admin/.grip/{sign()}/", "The link was made for another path."),
    "of a longer path": (lambda: f"/link/more/.grip/{sign()}/", "The link was made for another path."),
    "two tokens": (lambda: f"/link/.grip/{sign()}/.grip/{sign()}/", "the link is malformed: this is no token"),
}


@pytest.mark.parametrize(("make", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_a_link_that_is_not_believed_is_a_403(site, logged, monkeypatch, make, problem):
    monkeypatch.setattr("django_grip.links.time", SimpleNamespace(time=lambda: 1_700_000_000))
    site.urlpatterns.append(re_path("", site.adapt(tell)))
    link = make()
    response = follow(site, link)
    assert (response.status_code, response.content.decode()) == (403, f"{problem}\n")
    assert logged("django_grip.security") == [f"Refused with 403: GET {link.split('/.grip/')[0]}: {problem}"]
    assert logged("django.request") == []


@pytest.mark.parametrize(
    ("kind", "method"), [("next", "POST"), ("next", "HEAD"), ("next", "DELETE"), ("gone", "GET"), ("gone", "PUT")]
)
def test_each_kind_has_its_method(site, kind, method):
    site.route("link/", tell)
    response = follow(site, build_link(RequestFactory().get("/link/"), kind), method=method)
    assert response.status_code == 403
    if method != "HEAD":
        assert response.content.decode() == f"A {kind} link is not fetched with {method}.\n"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Grip-Sig": "a.b.c"},
        {**proxied(), "Cookie": "sessionid=abc"},
        {**proxied(), "Origin": "http://testserver"},
        {**proxied(), "Referer": "http://testserver/"},
        {**proxied(), "Sec-Fetch-Mode": "navigate"},
    ],
    ids=lambda headers: ", ".join(headers) or "direct",
)
def test_a_link_is_the_proxys_alone(site, headers):
    site.route("link/", tell)
    response = site.get(build_link(RequestFactory().get("/link/")), headers=headers)
    assert (response.status_code, response.content.decode()) == (403, f"{PROXY_ONLY}\n")


def test_a_header_that_the_proxys_route_adds_does_not_matter(site):
    site.route("link/", tell)
    link = build_link(RequestFactory().get("/link/"))
    assert site.get(link, headers={**proxied(), "Authorization": "Basic abc"}).status_code == 200


def test_a_websocket_cannot_be_opened_with_a_links_authority(site):
    site.route("link/", tell)
    link = build_link(RequestFactory().get("/link/"), "gone")
    response = site.connect(link).open()
    assert (response.status_code, response.content.decode()) == (403, f"{PROXY_ONLY}\n")


def test_a_refused_links_token_is_not_logged(site, logged):
    link = build_link(RequestFactory().get("/link/"))
    site.get(link)
    assert logged("django_grip.security") == [f"Refused with 403: GET /link: {PROXY_ONLY}"]


# -- whose it is -------------------------------------------------------------------------------------------------------


@pytest.fixture
def user(db):
    return get_user_model().objects.create_user("alice", password="one")


def cookie_of(user) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def whoami(request):
    return HttpResponse(f"{request.user.get_username() or 'nobody'} {request.user.is_authenticated}")


async def awhoami(request):
    user = await request.auser()
    return HttpResponse(f"{user.get_username() or 'nobody'} {user.is_authenticated} {request.user == user}")


async def amake_link(request):
    return HttpResponse(await abuild_link(request))


def link_of(site: Site, user, *, kind: str = "next") -> str:
    """The link that a user's page has: made in one request."""

    def make(request):
        return HttpResponse(build_link(request, kind))

    async def amake(request):
        return HttpResponse(await abuild_link(request, kind))

    patterns, site.urlpatterns[:] = site.urlpatterns[:], []
    site.route("link/", amake if site.stack == "asgi" else make)
    response = site.get("/link/", headers={"Cookie": cookie_of(user)} if user else {})
    assert response.status_code == 200, response.content
    site.urlpatterns[:] = patterns
    return response.content.decode()


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
def test_the_user_comes_back(site, settings, user, order):
    settings.MIDDLEWARE = order
    site.route("link/", awhoami if site.stack == "asgi" else whoami)
    answer = follow(site, link_of(site, user)).content.decode()
    assert answer == ("alice True True" if site.stack == "asgi" else "alice True")
    answer = follow(site, link_of(site, None)).content.decode()
    assert answer == ("nobody False True" if site.stack == "asgi" else "nobody False")


def test_without_djangos_users_a_link_has_none(site, settings):
    settings.MIDDLEWARE = [GRIP]
    site.route("link/", lambda request: HttpResponse(str(hasattr(request, "user"))))
    assert follow(site, build_link(RequestFactory().get("/link/"))).content == b"False"


def test_the_user_comes_back_without_djangos_middleware_too(site, settings, user):
    settings.MIDDLEWARE = [GRIP]
    site.route("link/", awhoami if site.is_async else whoami)
    link = build_link(RequestFactory().get("/link/"), user=user)
    assert follow(site, link).content == (b"alice True True" if site.is_async else b"alice True")


def rename(user):
    user.username = "alicia"


def deactivate(user):
    user.is_active = False


def change_password(user):
    user.set_password("two")


def assert_ends_the_stream(response) -> None:
    """What is no 2xx the proxy would take for an outage, and ask again and again."""
    assert (response.status_code, response.content) == (200, b"")
    assert not [name for name in response.headers if name.lower().startswith(("grip-", "location"))]
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("kind", ["next", "gone"])
@pytest.mark.parametrize(
    ("change", "text"),
    [(rename, "alicia True"), (deactivate, LOGGED_OUT), (change_password, LOGGED_OUT), ("delete", LOGGED_OUT)],
    ids=["renamed", "inactive", "password changed", "deleted"],
)
def test_a_user_who_may_not_log_in_any_more_is_not_believed(site, settings, logged, user, kind, change, text):
    settings.MIDDLEWARE = ORDERS["grip first"]
    site.route("link/", whoami)
    link = link_of(site, user, kind=kind)
    if change == "delete":
        user.delete()
    else:
        change(user)
        user.save()
    response = follow(site, link, method="GET" if kind == "next" else "POST")
    if text == LOGGED_OUT and kind == "next":
        assert_ends_the_stream(response)
    else:
        assert (response.status_code, response.content.decode().strip()) == (403 if text == LOGGED_OUT else 200, text)
    if text == LOGGED_OUT:
        method = "GET" if kind == "next" else "POST"
        assert logged("django_grip.security") == [f"Refused with 403: {method} /link: {LOGGED_OUT}"]


def test_a_new_secret_key_keeps_links_alive_as_long_as_the_old_one_is_a_fallback(site, settings, user):
    settings.MIDDLEWARE = ORDERS["grip last"]
    site.route("link/", whoami)
    link, old = link_of(site, user), settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-" * 8, [old]
    assert follow(site, link).content == b"alice True"
    assert link_of(site, user) != link
    settings.SECRET_KEY_FALLBACKS = []
    response = follow(site, link)
    assert (response.status_code, response.content) == (403, b"the link is forged, or was signed with another key\n")


def test_permissions_are_asked_again(site, settings, user):
    settings.MIDDLEWARE = ORDERS["grip first"]

    def staff_only(request):
        if not request.user.is_staff:
            raise PermissionDenied
        return HttpResponse("staff")

    user.is_staff = True
    user.save()
    site.route("link/", staff_only)
    link = link_of(site, user)
    assert follow(site, link).content == b"staff"
    user.is_staff = False
    user.save()
    assert_ends_the_stream(follow(site, link))


def test_a_link_can_be_made_for_nobody_or_for_another(site, settings, user):
    from django.contrib.auth.models import AnonymousUser

    settings.MIDDLEWARE = ORDERS["grip first"]
    site.route("link/", whoami)
    request = RequestFactory().get("/link/")
    request.user = user
    assert site.stack == "asgi" or follow(site, build_link(request)).content == b"alice True"
    assert follow(site, build_link(request, user=AnonymousUser())).content == b"nobody False"
    other = get_user_model().objects.create_user("bob")
    assert follow(site, build_link(request, user=other)).content == b"bob True"


@pytest.mark.parametrize(
    "order",
    [[GRIP, *SESSIONS, LOGIN_REQUIRED], [*SESSIONS, LOGIN_REQUIRED, GRIP], [*SESSIONS, GRIP, LOGIN_REQUIRED]],
    ids=["grip first", "grip last", "between"],
)
def test_login_required_lets_a_links_user_in_and_nobody_else(site, settings, user, order):
    settings.MIDDLEWARE = order
    site.route("link/", awhoami if site.stack == "asgi" else whoami)
    assert follow(site, link_of(site, user)).content.startswith(b"alice True")
    assert_ends_the_stream(follow(site, build_link(RequestFactory().get("/link/"))))
    gone = follow(site, build_link(RequestFactory().get("/link/"), "gone"), method="POST")
    assert (gone.status_code, gone["Location"]) == (302, "/accounts/login/?next=/link/")


def test_the_decorator_does_so_too(site, settings, user):
    settings.MIDDLEWARE = ORDERS["grip first"]

    async def member(request):
        return HttpResponse("member")

    site.route("link/", login_required(member))
    assert follow(site, link_of(site, user)).content == b"member"
    assert_ends_the_stream(follow(site, build_link(RequestFactory().get("/link/"))))


ENGINES = ["db", "cached_db", "cache"]


def log_out_of(link_cookie: str) -> None:
    client = Client()
    client.cookies["sessionid"] = link_cookie.removeprefix("sessionid=")
    client.logout()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_log_out_ends_the_links_of_that_session_and_of_no_other(site, settings, user, engine, monkeypatch):
    settings.MIDDLEWARE = ORDERS["grip first"]
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    cookies = [cookie_of(user), cookie_of(user)]
    monkeypatch.setitem(globals(), "cookie_of", lambda user: cookies[0])
    site.route("link/", amake_link if site.stack == "asgi" else make_link)
    first = link_of(site, user)
    # A link made in answer to a link still knows the session, though no cookie came.
    second = follow(site, first).content.decode()
    assert second == first
    monkeypatch.setitem(globals(), "cookie_of", lambda user: cookies[1])
    other = link_of(site, user)
    assert other != second
    site.urlpatterns.clear()
    site.route("link/", whoami)
    assert follow(site, second).content == b"alice True"
    log_out_of(cookies[0])
    assert_ends_the_stream(follow(site, second))
    assert follow(site, other).content == b"alice True"


def test_a_session_that_has_expired_ends_its_links(site, settings, user):
    from django.contrib.sessions.models import Session

    settings.MIDDLEWARE = ORDERS["grip last"]
    site.route("link/", whoami)
    link = link_of(site, user)
    Session.objects.update(expire_date="2020-01-01T00:00:00Z")
    assert_ends_the_stream(follow(site, link))


def test_a_sessions_key_is_not_in_its_links_for_others_to_read(settings, user):
    settings.MIDDLEWARE = ORDERS["grip first"]
    request = RequestFactory().get("/link/")
    request.session = SessionStore()
    login(request, user, backend=MODELS)
    key = request.session.session_key
    claims = jwt.decode(build_link(request, user=user).split("/")[-2], options={"verify_signature": False})
    assert set(claims["u"]) == {"pk", "hash", "session"}
    assert key not in str(claims)


def test_a_session_that_is_the_cookie_itself_cannot_be_asked_for(site, settings, user):
    settings.MIDDLEWARE = ORDERS["grip first"]
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    site.route("link/", whoami)
    assert follow(site, link_of(site, user)).content == b"alice True"


def choose(link_cookie: str, value: str) -> None:
    client = Client()
    client.cookies["sessionid"] = link_cookie.removeprefix("sessionid=")
    session = client.session
    session["group"] = value
    session.save()


def read_group(get_response):
    """A middleware that goes by the session, such as one that finds the tenant."""
    if iscoroutinefunction(get_response):

        async def amiddleware(request):
            request.group = await request.session.aget("group")
            return await get_response(request)

        return amiddleware

    def middleware(request):
        request.group = request.session.get("group")
        return get_response(request)

    return middleware


read_group.async_capable = True


def write_all_over(request):
    """All that a view can do to its session."""
    session = request.session
    found = [request.group, session["group"], session.session_key is not None]
    session["group"] = "another"
    session.save()
    session.cycle_key()
    session.set_expiry(5)
    session.flush()
    session["group"] = "a third"
    return JsonResponse(found, safe=False)


async def awrite_all_over(request):
    session = request.session
    found = [request.group, await session.aget("group"), session.session_key is not None]
    await session.aset("group", "another")
    await session.asave()
    await session.acycle_key()
    await session.aset_expiry(5)
    await session.aflush()
    await session.aset("group", "a third")
    return JsonResponse(found, safe=False)


@pytest.mark.parametrize("engine", [*ENGINES, "file"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("always", [False, True], ids=["if modified", "every request"])
def test_the_session_comes_back_to_be_read(site, settings, user, order, engine, always, monkeypatch, tmp_path):
    settings.MIDDLEWARE = [*order, f"{__name__}.read_group"]
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    settings.SESSION_SAVE_EVERY_REQUEST = always
    cookie = cookie_of(user)
    choose(cookie, "one")
    monkeypatch.setitem(globals(), "cookie_of", lambda user: cookie)
    site.route("link/", awrite_all_over if site.stack == "asgi" else write_all_over)
    link = link_of(site, user)
    for value in ("one", "one", "two"):
        # What the client has chosen since counts, and what a fetch has written does not.
        choose(cookie, value)
        response = follow(site, link)
        assert response.json() == [value, value, True]
        assert not response.cookies


def test_whose_session_is_not_sealed_in_the_link_has_an_empty_one(site, settings, user):
    settings.MIDDLEWARE = ORDERS["grip first"]
    site.route("link/", lambda request: JsonResponse(dict(request.session.items())))
    assert follow(site, link_of(site, None)).json() == {}


class Directory(ModelBackend):
    """A backend that may lock out users whom another one still knows."""

    locked: bool = False

    def get_user(self, user_id):
        return None if self.locked else super().get_user(user_id)

    async def aget_user(self, user_id):
        return None if self.locked else await super().aget_user(user_id)


DIRECTORY = f"{__name__}.Directory"
MODELS = "django.contrib.auth.backends.ModelBackend"


def cookie_through_directory(user) -> str:
    client = Client()
    client.force_login(user, backend=DIRECTORY)
    return f"sessionid={client.cookies['sessionid'].value}"


def test_the_backend_that_logged_the_user_in_must_still_vouch(site, settings, user, monkeypatch):
    settings.MIDDLEWARE = ORDERS["grip first"]
    settings.AUTHENTICATION_BACKENDS = [MODELS, DIRECTORY]
    monkeypatch.setitem(globals(), "cookie_of", cookie_through_directory)
    site.route("link/", amake_link if site.stack == "asgi" else make_link)
    first = link_of(site, user)
    # A link made in answer to a link still knows the backend.
    second = follow(site, first).content.decode()
    assert second == first
    site.urlpatterns.clear()
    site.route("link/", whoami)
    assert follow(site, second).content == b"alice True"
    monkeypatch.setattr(Directory, "locked", True)
    assert_ends_the_stream(follow(site, second))
    monkeypatch.setattr(Directory, "locked", False)
    settings.AUTHENTICATION_BACKENDS = [MODELS]
    assert_ends_the_stream(follow(site, second))


# -- what stands around ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("order", [[GRIP, COMMON, LOCALE], [COMMON, LOCALE, GRIP], [LOCALE, GRIP, COMMON]])
def test_slashes_and_languages_around_change_nothing(site, settings, order, slash):
    settings.MIDDLEWARE, settings.APPEND_SLASH, settings.USE_I18N = order, True, True
    site.route(f"link{slash}", tell)
    assert follow(site, build_link(RequestFactory().get(f"/link{slash}"))).json()["path"] == f"/link{slash}"


@pytest.mark.parametrize("order", [[GRIP, LOCALE, COMMON], [LOCALE, COMMON, GRIP]], ids=["grip first", "grip last"])
def test_a_path_with_a_language_keeps_it(site, settings, order):
    from django.utils.translation import get_language

    settings.MIDDLEWARE, settings.USE_I18N = order, True
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    view = site.adapt(lambda request: HttpResponse(get_language()))
    site.urlpatterns.extend(i18n_patterns(url_path("link/", view)))
    for language in ("de", "en"):
        link = build_link(RequestFactory().get(f"/{language}/link/"))
        assert follow(site, link).content.decode() == language


@pytest.mark.parametrize("order", [[GRIP, CSRF], [CSRF, GRIP]], ids=["grip first", "csrf first"])
def test_a_gone_link_needs_no_csrf_token_and_has_no_body(site, settings, order):
    settings.MIDDLEWARE = order

    def view(request):
        return HttpResponse(
            repr((request.POST.dict(), request.FILES.dict(), request.body, request.read(), request.grip.link.kind))
        )

    site.route("link/", view)
    link = build_link(RequestFactory().get("/link/"), "gone")
    form = "application/x-www-form-urlencoded"
    for content_type, body in [("", b""), (form, b"delete=everything"), ("text/plain", b"OPEN\r\n")]:
        response = site.post(link, body, content_type=content_type, headers=proxied())
        assert (response.status_code, response.content) == (200, b"({}, {}, b'', b'', 'gone')")
    # What is no true link gets no exemption.
    for path, headers in [
        ("/link/", proxied()),
        (link, {}),
        (link, proxied(cookie="a=b")),
        (link[:-3] + "/", proxied()),
        (build_link(RequestFactory().get("/link/")), proxied()),
    ]:
        response = site.post(path, b"a=b", content_type=form, headers=headers)
        request = response.asgi_request if site.is_async else response.wsgi_request
        assert (response.status_code, request._dont_enforce_csrf_checks) == (403, False)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 405, 410])
def test_a_next_link_that_is_refused_ends_its_stream(site, caplog, status):
    caplog.set_level("INFO")

    def view(request):
        set_hold_stream(request, "room")
        return HttpResponse("page", status=status)

    site.route("link/", view)
    assert_ends_the_stream(follow(site, build_link(RequestFactory().get("/link/"))))
    assert f"The stream at /link/ is ended: its next link was answered with {status}." in caplog.messages


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_may_pass_is_left_for_the_proxy_to_try_again(site, status):
    site.route("link/", lambda request: HttpResponse("page", status=status))
    assert follow(site, build_link(RequestFactory().get("/link/"))).status_code == status


def test_a_link_that_leads_nowhere_any_more_ends_its_stream(site):
    assert_ends_the_stream(follow(site, build_link(RequestFactory().get("/link/"))))
    assert follow(site, build_link(RequestFactory().get("/link/"), "gone"), method="POST").status_code == 404
