"""GripMiddleware: who is believed, what bad bytes become, wherever it stands and on whatever stack."""

from __future__ import annotations

import copy
import json
import threading
from types import SimpleNamespace

import jwt
import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse, JsonResponse
from django.test import AsyncRequestFactory
from django.urls import path

from django_grip import GripMiddleware, set_hold_stream, websocket_only
from django_grip.conf import grip_settings
from django_grip.links import build_link

from .fake_proxy import EVENTS_TYPE, FEATURES, KEY, OPEN, PROXIES, events_of, grip_sig, proxied, text
from .stacks import Site

pytest_plugins = ["tests.fixtures"]

GRIP = "django_grip.GripMiddleware"
NOW = 1_700_000_000


def look(request):
    """Tell what a view sees."""
    assert (request.grip_proxied, request.grip_signed) == (request.grip.proxied, request.grip.signed)
    assert request.wscontext is None
    return JsonResponse(
        {
            "proxied": request.grip.proxied,
            "signed": request.grip.signed,
            "features": sorted(request.grip.features),
            "last": request.grip.last,
        }
    )


def ask(site: Site, headers=()) -> tuple[bool, bool]:
    """Whether a request with these headers counts as proxied, and as signed."""
    site.route("look/", look)
    seen = json.loads(site.get("/look/", headers=headers).content)
    return seen["proxied"], seen["signed"]


# -- who is believed (DESIGN decision 1) -------------------------------------------------------------------------------


def test_a_signed_request_is_proxied_and_signed(site):
    assert ask(site, proxied()) == (True, True)


def test_a_direct_request_is_neither_and_nothing_it_says_is_believed(site):
    site.route("look/", look)
    response = site.get("/look/", headers={"Grip-Feature": FEATURES, "Grip-Last": "room; last-id=5"})
    assert json.loads(response.content) == {"proxied": False, "signed": False, "features": [], "last": {}}


def test_the_proxy_says_what_it_can_do_and_what_it_saw_last(site, settings):
    settings.GRIP_PREFIX = "mine-"
    site.route("look/", look)
    headers = [*proxied().items(), ("Grip-Last", "mine-räum; last-id=5"), ("Grip-Last", "other; last-id=6")]
    seen = json.loads(site.get("/look/", headers=headers).content)
    assert seen["features"] == ["filter:skip-self", "link:next", "session", "status"]
    assert seen["last"] == {"räum": "5", "other": "6"}


def alg_none() -> str:
    return jwt.encode({"iss": "pushpin", "exp": 2_000_000_000}, None, algorithm="none")


BAD_SIGNATURES = {
    "expired": lambda: grip_sig(age=1),
    "of another key": lambda: grip_sig("another-key-that-is-long-enough-0123456789"),
    "without an expiry": lambda: jwt.encode({"iss": "pushpin"}, KEY, algorithm="HS256"),
    "with an expiry that is a text": lambda: jwt.encode({"iss": "pushpin", "exp": "2000000000"}, KEY, "HS256"),
    "by HS512": lambda: jwt.encode({"iss": "pushpin", "exp": 2_000_000_000}, KEY * 2, algorithm="HS512"),
    "alg none": alg_none,
    "alg none, its dot cut off": lambda: alg_none().rstrip("."),
    "of two headers": lambda: f"{grip_sig()},{grip_sig()}",
    "cut off": lambda: grip_sig()[:-1],
    "empty": lambda: "",
    "no token": lambda: "a.b.c",
    "very long": lambda: "a" * 100_000,
    "not ASCII": lambda: "é.é.é",
}


@pytest.mark.parametrize("make", BAD_SIGNATURES.values(), ids=BAD_SIGNATURES.keys())
def test_a_bad_signature_is_no_signature(site, make):
    assert ask(site, {**proxied(), "grip-sig": make()}) == (False, False)


def test_a_signature_is_good_for_any_issuer_unless_one_is_named(site, settings):
    assert ask(site, {"grip-sig": grip_sig(issuer="somebody")}) == (True, True)
    assert ask(site, {"grip-sig": grip_sig(issuer=None)}) == (True, True)
    settings.GRIP_PROXIES = [{**PROXIES[0], "verify_iss": "pushpin"}]
    assert ask(site, {"grip-sig": grip_sig(issuer="pushpin")}) == (True, True)
    assert ask(site, {"grip-sig": grip_sig(issuer="somebody")}) == (False, False)
    assert ask(site, {"grip-sig": grip_sig(issuer=None)}) == (False, False)


def test_a_token_that_is_remembered_is_refused_once_it_has_expired(site, monkeypatch):
    clock = SimpleNamespace(now=NOW)
    monkeypatch.setattr("django_grip.request.time", SimpleNamespace(time=lambda: clock.now))
    headers = {"grip-sig": jwt.encode({"iss": "pushpin", "exp": NOW + 10}, KEY, algorithm="HS256")}
    for clock.now in (NOW, NOW + 5, NOW + 9.99):
        assert ask(site, headers) == (True, True)
    for clock.now in (NOW + 10, NOW + 11):
        assert ask(site, headers) == (False, False)


NO_KEY = [{"control_uri": "http://127.0.0.1:1"}]


@pytest.mark.parametrize(
    ("options", "believed"),
    [
        ({}, False),
        ({"DEBUG": True}, True),
        ({"GRIP_ALLOW_UNSIGNED": True}, True),
        ({"GRIP_ALLOW_UNSIGNED": False}, False),
    ],
)
def test_without_any_key_a_proxy_is_believed_only_where_that_is_allowed(site, settings, options, believed):
    settings.GRIP_PROXIES = NO_KEY
    for name, value in options.items():
        setattr(settings, name, value)
    # Pushpin says what it can do whether it signs or not.
    assert ask(site, {"grip-feature": FEATURES}) == (believed, False)
    assert ask(site, {"grip-sig": "who.ever.signed"}) == (believed, False)
    assert ask(site) == (False, False)


def test_without_a_proxy_nobody_is_believed(site, settings):
    settings.GRIP_PROXIES = []
    settings.DEBUG = settings.GRIP_ALLOW_UNSIGNED = True
    assert ask(site, proxied()) == (False, False)


def test_one_proxy_without_a_key_lets_nobody_in_beside_one_that_has_a_key(site, settings):
    settings.GRIP_PROXIES = [*NO_KEY, *PROXIES]
    settings.DEBUG = settings.GRIP_ALLOW_UNSIGNED = True
    assert ask(site, {"grip-feature": FEATURES}) == (False, False)
    assert ask(site, {"grip-feature": FEATURES, "grip-sig": grip_sig("not-the-key")}) == (False, False)
    assert ask(site, proxied()) == (True, True)


def test_the_proxies_of_several_entries_and_of_the_url_are_all_believed(site, settings):
    settings.GRIP_PROXIES = [{"control_uri": "http://127.0.0.1:1", "key": "key-one"}, {"verify_key": "key-two"}]
    settings.GRIP_URL = "http://127.0.0.1:2?iss=me&key=key-three&verify-iss=pushpin"
    for key in ("key-one", "key-two", "key-three"):
        assert ask(site, {"grip-sig": grip_sig(key)}) == (True, True)
    assert ask(site, {"grip-sig": grip_sig("key-three", issuer="other")}) == (False, False)
    assert ask(site, {"grip-sig": grip_sig("key-four")}) == (False, False)


def test_a_proxys_own_verify_key_goes_before_grip_verify_key_and_that_before_its_key(site, settings):
    settings.GRIP_VERIFY_KEY = "key-of-all"
    settings.GRIP_PROXIES = [
        {"control_uri": "http://127.0.0.1:1", "key": "key-one"},
        {"control_uri": "http://127.0.0.1:2", "verify_key": "key-two"},
    ]
    believed = [key for key in ("key-of-all", "key-one", "key-two") if ask(site, {"grip-sig": grip_sig(key)})[1]]
    assert believed == ["key-of-all", "key-two"]


def test_requests_leave_the_settings_alone(site, settings):
    settings.GRIP_URL = "http://127.0.0.1:2?key=key-two"
    settings.GRIP_VERIFY_KEY = "key-of-all"
    before = copy.deepcopy((settings.GRIP_PROXIES, settings.GRIP_URL))
    for _ in range(3):
        ask(site, proxied())
    assert before == (django_settings.GRIP_PROXIES, django_settings.GRIP_URL)
    assert len(grip_settings().proxies) == 2


def test_settings_that_cannot_be_used_are_told_when_the_server_starts(site, settings):
    settings.GRIP_PROXIES = [{"control_uri": "ftp://nowhere"}]
    with pytest.raises(ImproperlyConfigured, match=r"^GRIP_PROXIES cannot be used: the control URI must begin with"):
        site.get("/look/")


# -- bad bytes (DESIGN decision 16) ------------------------------------------------------------------------------------


BAD_HEADERS = {
    ("Grip-Last", "room"): "Grip-Last has a channel without last-id",
    ("Grip-Last", "; last-id=5"): "Grip-Last: a channel name must not be empty",
    ("Grip-Last", b"\xff; last-id=5"): "the header value 'ÿ; last-id=5' is not UTF-8 at byte 0",
    ("Grip-Feature", b"status, \xff"): "Grip-Feature has characters that no feature has",
}


@pytest.mark.parametrize(("header", "problem"), BAD_HEADERS.items(), ids=repr)
def test_a_header_of_the_proxys_that_does_not_parse_is_a_400(site, logged, header, problem):
    site.route("look/", look)
    response = site.get("/look/", headers=[("Grip-Sig", grip_sig()), header])
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert response.content.decode() == f"The request breaks the GRIP protocol: {problem}.\n"
    assert logged("django_grip.security") == [
        f"Refused with 400: GET /look/: The request breaks the GRIP protocol: {problem}."
    ]
    assert logged("django.request") == []


@pytest.mark.parametrize("header", BAD_HEADERS, ids=repr)
def test_the_same_from_a_direct_client_is_passed_over(site, header):
    assert ask(site, [header]) == (False, False)


def test_a_huge_header_is_read_or_refused_but_breaks_nothing(site):
    huge = "a" * 1_000_000
    assert ask(site, {**proxied(), "Grip-Feature": huge, "Cookie": huge, "User-Agent": huge}) == (True, True)
    response = site.get("/look/", headers={**proxied(), "Grip-Last": f"{huge}; last-id=1"})
    assert response.status_code == 400
    assert len(response.content) < 500


def test_bad_bytes_found_by_a_view_are_a_400_too(site, logged):
    def parse(request):
        from django_grip.protocol.headers import parse_grip_link

        parse_grip_link("nonsense")

    site.route("parse/", parse)
    response = site.get("/parse/")
    assert response.status_code == 400
    assert response.content == b"The request breaks the GRIP protocol: Grip-Link has a link that is not <url>.\n"
    assert len(logged("django_grip.security")) == 1


def test_a_path_is_logged_in_one_line_and_not_for_ever(site, logged):
    site.route("<path:any>", look)
    site.get("/a\nRefused with 200: everybody\n" + "b" * 1000, headers=[("Grip-Sig", grip_sig()), ("Grip-Last", "x")])
    [line] = logged("django_grip.security")
    assert line.startswith("Refused with 400: GET /a%0ARefused%20with%20200:%20everybody%0Abbb")
    assert "\n" not in line
    assert len(line) < 350


# -- wherever it stands ------------------------------------------------------------------------------------------------

AROUND = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


@websocket_only
def echo(request):
    ws = request.wscontext
    if ws.is_opening():
        ws.accept()
    while ws.can_recv():
        ws.send(ws.recv())


def hold(request):
    set_hold_stream(request, "room")
    return HttpResponse("[open]\n" * 100, content_type="text/plain")


@pytest.mark.parametrize("place", range(len(AROUND) + 1))
def test_it_gives_the_same_answers_in_every_place(site, settings, place):
    settings.MIDDLEWARE = [*AROUND[:place], GRIP, *AROUND[place:]]
    site.route("look/", look)
    site.route("echo/", echo)
    site.route("hold/", hold)
    assert ask(site, proxied()) == (True, True)

    held = site.get("/hold/", headers={**proxied(), "Accept-Encoding": "gzip"})
    assert (held.status_code, held["Grip-Hold"], held["Grip-Channel"]) == (200, "stream", "room")
    assert (held.content, held["Cache-Control"]) == (b"[open]\n" * 100, "no-store, private")

    direct = site.get("/hold/")
    assert not [name for name in direct.headers if name.startswith("Grip-")]

    ws = site.connect("/echo/", accept_encoding="gzip")
    answer = ws.open(text("x" * 500), origin="http://testserver")
    assert events_of(answer) == [("OPEN", None), ("TEXT", b"m:" + b"x" * 500)]
    assert answer["Content-Length"] == str(len(answer.content))
    assert answer["Sec-WebSocket-Extensions"] == "grip"

    foreign = ws.open(origin="http://elsewhere")
    assert (foreign.status_code, foreign.content) == (403, b"Pages of this origin may not open this WebSocket.\n")
    assert site.get("/echo/", headers=proxied()).status_code == 400

    unsigned = site.post("/echo/", b"OPEN\r\n", content_type=EVENTS_TYPE, headers={"Connection-Id": "c1"})
    assert unsigned.status_code == 403


@pytest.mark.parametrize("sync_only", ["before", "behind", "both"])
def test_it_works_beside_a_middleware_that_is_sync_only(site, settings, sync_only):
    before, behind = sync_only != "behind", sync_only != "before"
    settings.MIDDLEWARE = [f"{__name__}.SyncOnly"] * before + [GRIP] + [f"{__name__}.SyncOnly"] * behind
    site.route("echo/", echo)
    assert ask(site, proxied()) == (True, True)
    answer = site.connect("/echo/").send(OPEN, text("hello"))
    assert events_of(answer) == [("OPEN", None), ("TEXT", b"m:hello")]


class SyncOnly:
    sync_capable = True
    async_capable = False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)


def test_a_subclass_changes_what_it_likes_on_either_stack(site, settings):
    settings.MIDDLEWARE = [f"{__name__}.Strict"]
    site.route("look/", look)
    assert site.get("/look/").content == b"proxied requests only"
    assert ask(site, proxied()) == (True, True)


class Strict(GripMiddleware):
    def process_view(self, request, view, args, kwargs):
        if not request.grip.proxied:
            return HttpResponse("proxied requests only", status=403)
        return super().process_view(request, view, args, kwargs)


# -- threads -----------------------------------------------------------------------------------------------------------


async def alook(request):
    return HttpResponse(str(threading.get_ident()))


async def aecho(request):
    echo(request)
    return HttpResponse()


async def ahold(request):
    return hold(request)


urlpatterns = [path("look/", alook), path("echo/", aecho), path("hold/", ahold)]


@pytest.fixture
def hops(monkeypatch) -> list[str]:
    """What was sent through a thread."""
    hops: list[str] = []
    call = SyncToAsync.__call__

    def spy(self, *args, **kwargs):
        hops.append(getattr(self.func, "__qualname__", repr(self.func)))
        return call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", spy)
    return hops


def make_request(case: str):
    make = AsyncRequestFactory()
    if case == "websocket":
        events = b"OPEN\r\nTEXT 5\r\nhello\r\n"
        headers = {**proxied(), "connection-id": "c1", "origin": "http://testserver"}
        return make.post("/echo/", events, content_type=EVENTS_TYPE, headers=headers)
    if case == "link":
        link = build_link(make.get("/look/"))
        return make.get(link, headers=proxied())
    return make.get("/hold/" if case == "hold" else "/look/", headers=proxied() if case != "direct" else {})


@pytest.mark.parametrize("case", ["direct", "signed", "hold", "websocket", "link"])
async def test_an_async_stack_gets_no_thread_hop_from_it(settings, hops, case):
    settings.ROOT_URLCONF, settings.MIDDLEWARE, settings.GRIP_PROXIES = __name__, [GRIP], PROXIES
    response = await ASGIHandler().get_response_async(make_request(case))
    assert response.status_code == 200, response.content
    assert hops == []
    if case not in ("websocket", "hold"):
        assert response.content.decode() == str(threading.get_ident())


async def test_the_spy_on_threads_would_have_seen_one(settings, hops):
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, [GRIP, f"{__name__}.SyncOnly"]
    await ASGIHandler().get_response_async(make_request("direct"))
    assert "GripMiddleware.process_view" in hops
