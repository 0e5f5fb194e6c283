"""Holds: they survive whatever answers (DESIGN decision 9), and direct clients see nothing of them (10)."""

from __future__ import annotations

import gc

import gripcontrol
import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.http import http_date
from django.views.decorators.cache import cache_control, cache_page, never_cache
from django.views.decorators.http import condition

from django_grip import Channel, set_hold_longpoll, set_hold_stream
from django_grip.exceptions import ChannelNameError, InstructError
from django_grip.holds import MAX_HELD_BODY
from django_grip.request import GripData

from .fake_proxy import PROXIES, proxied

pytest_plugins = ["tests.fixtures"]

GRIP = "django_grip.GripMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH_FROM_CACHE = "django.middleware.cache.FetchFromCacheMiddleware"

NOT_PROXIED = b"This address works only behind a GRIP proxy, such as Pushpin, and this request came directly.\n"


def grip_headers(response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.lower().startswith("grip-")}


def stream_on_request(request):
    set_hold_stream(request, "room")
    return HttpResponse("[open]\n" * 100, content_type="text/plain")


def stream_on_response(request):
    response = HttpResponse("[open]\n" * 100, content_type="text/plain")
    set_hold_stream(response, "room")
    return response


def stream_in_3x_style(request):
    instruct = request.grip.start_instruct()
    instruct.set_hold_stream()
    instruct.add_channel("room")
    return HttpResponse("[open]\n" * 100, content_type="text/plain")


def poll_on_request(request):
    set_hold_longpoll(request, "room", timeout=20)
    return HttpResponse("{}" * 200, headers={"ETag": '"1"'})


def poll_on_response(request):
    response = HttpResponse("{}" * 200, headers={"ETag": '"1"'})
    set_hold_longpoll(response, "room", timeout=20)
    return response


STREAMS = [stream_on_request, stream_on_response, stream_in_3x_style]
POLLS = [poll_on_request, poll_on_response]
HOLDS = [*STREAMS, *POLLS]


# -- what goes to the proxy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", STREAMS)
def test_a_stream_hold_goes_to_the_proxy(site, view):
    site.route("hold/", view)
    response = site.get("/hold/", headers=proxied())
    assert (response.status_code, response.content) == (200, b"[open]\n" * 100)
    assert grip_headers(response) == {"Grip-Hold": "stream", "Grip-Channel": "room"}
    assert response["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize("view", POLLS)
def test_a_long_poll_hold_goes_to_the_proxy(site, view):
    site.route("hold/", view)
    response = site.get("/hold/", headers=proxied())
    assert grip_headers(response) == {"Grip-Hold": "response", "Grip-Channel": "room", "Grip-Timeout": "20"}
    assert response["Cache-Control"] == "no-store, private"


def test_everything_an_instruction_can_say_goes_to_the_proxy(site):
    def view(request):
        instruct = set_hold_stream(request, ["a", Channel("b", filters=["skip-self"])], "still\nhere", 20)
        instruct.set_next_link("/next/?after=5", timeout=30)
        instruct.set_gone_link("/gone/")
        instruct.meta["user"] = 'al"ice'
        instruct.set_status(201, "Made")
        instruct.expose_headers.append("X-Seat")
        return HttpResponse()

    site.route("hold/", view)
    assert grip_headers(site.get("/hold/", headers=proxied())) == {
        "Grip-Hold": "stream",
        "Grip-Channel": "a, b; filter=skip-self",
        "Grip-Keep-Alive": "still\\nhere; format=cstring; timeout=20",
        "Grip-Link": "</next/?after=5>; rel=next; timeout=30, </gone/>; rel=gone",
        "Grip-Set-Meta": 'user="al\\"ice"',
        "Grip-Status": "201 Made",
        "Grip-Expose-Headers": "X-Seat",
    }


def test_an_interval_keep_alive_says_so(site):
    def view(request):
        set_hold_stream(request, "a", b"\xff", 20, keep_alive_mode="interval")
        return HttpResponse()

    site.route("hold/", view)
    headers = grip_headers(site.get("/hold/", headers=proxied()))
    assert headers["Grip-Keep-Alive"] == "/w==; format=base64; timeout=20; mode=interval"


def test_a_next_link_needs_no_hold(site):
    def view(request):
        request.grip.start_instruct().set_next_link("/page/2/")
        return HttpResponse("page 1")

    site.route("page/", view)
    response = site.get("/page/", headers=proxied())
    assert grip_headers(response) == {"Grip-Link": "</page/2/>; rel=next"}


def test_an_instruction_that_says_nothing_has_no_headers(site):
    def view(request):
        request.grip.start_instruct()
        return HttpResponse("plain")

    site.route("plain/", view)
    assert grip_headers(site.get("/plain/", headers=proxied())) == {}


@pytest.mark.parametrize("on_response", [False, True])
def test_names_that_are_not_latin_travel_as_utf_8(site, settings, on_response):
    settings.GRIP_PREFIX = "früh-"

    def view(request):
        response = HttpResponse()
        instruct = set_hold_stream(response if on_response else request, "räum-日本")
        instruct.meta["naïve"] = "日本"
        return response

    site.route("hold/", view)
    response = site.get("/hold/", headers=proxied())
    assert response["Grip-Channel"].encode("latin-1") == "früh-räum-日本".encode()
    assert response["Grip-Set-Meta"].encode("latin-1") == 'naïve="日本"'.encode()


def test_a_channel_that_is_shared_gets_the_prefix_once_each_time(site, settings):
    settings.GRIP_PREFIX = "mine-"
    shared = gripcontrol.Channel("room", prev_id="5")

    def view(request):
        set_hold_longpoll(request, shared)
        return HttpResponse()

    site.route("hold/", view)
    for _ in range(3):
        assert site.get("/hold/", headers=proxied())["Grip-Channel"] == "mine-room; prev-id=5"
    assert (shared.name, shared.prev_id) == ("room", "5")


def test_the_request_of_rest_framework_stands_for_djangos(site):
    class Wrapper:
        def __init__(self, request):
            self._request = request

    def view(request):
        set_hold_stream(Wrapper(request), "room")
        return JsonResponse({})

    site.route("hold/", view)
    assert site.get("/hold/", headers=proxied())["Grip-Hold"] == "stream"


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a,b", "a;b", 'a"b', "a\nGrip-Hold: stream", "\x00", " edge", "", "x" * 10_000], ids=lambda name: name[:10]
)
@pytest.mark.parametrize("set_hold", [set_hold_stream, set_hold_longpoll])
def test_a_name_that_cannot_be_carried_is_refused_at_once_and_leaves_no_half_of_a_hold(site, name, set_hold):
    def view(request):
        response = HttpResponse("plain")
        for target in (request, response):
            with pytest.raises(ChannelNameError):
                set_hold(target, ["room", name])
        assert request.grip.instruct is None
        set_hold(request, "room")
        return response

    site.route("hold/", view)
    assert site.get("/hold/", headers=proxied())["Grip-Channel"] == "room"


def test_a_second_hold_is_an_error(site):
    def view(request):
        response = HttpResponse()
        set_hold_stream(request, "a")
        with pytest.raises(InstructError, match=r"^GRIP instruct already started: this response has a hold"):
            set_hold_longpoll(request, "b")
        with pytest.raises(ValueError, match="already started"):
            request.grip.start_instruct()
        set_hold_stream(HttpResponse(), "c")
        return response

    def on_response(request):
        response = HttpResponse()
        set_hold_stream(response, "a")
        with pytest.raises(InstructError, match=r"^This response has a hold already\.$"):
            set_hold_stream(response, "b")
        return response

    site.route("request/", view)
    site.route("response/", on_response)
    for address in ("/request/", "/response/"):
        assert site.get(address, headers=proxied())["Grip-Channel"] == "a"


def test_a_hold_on_the_request_and_another_on_its_response_is_an_error(site, caplog):
    def view(request):
        response = HttpResponse()
        set_hold_stream(request, "a")
        set_hold_stream(response, "b")
        return response

    site.route("hold/", view)
    assert site.get("/hold/", headers=proxied()).status_code == 500
    assert "There is a hold on the request and another one on its response" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda instruct: instruct.add_channels([f"c{n}" for n in range(20)]), "21 channels in one hold"),
        (lambda instruct: instruct.channels.clear(), "a hold without a channel would never end"),
        (lambda instruct: instruct.add_channel(Channel("b", "5")), "its stream needs a next link"),
        (lambda instruct: instruct.meta.update(user="a\r\nX-Evil: 1"), "the control character U+000D"),
        (lambda instruct: instruct.meta.update({'a="b", role': "admin"}), "meta name"),
    ],
)
def test_what_the_proxy_would_drop_or_misread_is_an_error(site, caplog, spoil, problem):
    def view(request):
        spoil(set_hold_stream(request, "room"))
        return HttpResponse()

    site.route("hold/", view)
    response = site.get("/hold/", headers=proxied())
    assert (response.status_code, grip_headers(response)) == (500, {})
    assert problem in caplog.text


@pytest.mark.parametrize("link", ["/a\r\nX-Evil: 1", "javascript:alert(1)", "//elsewhere/", ""])
def test_a_link_that_cannot_be_carried_is_refused_at_once(link):
    instruct = set_hold_stream(HttpResponse(), "room")
    with pytest.raises(InstructError):
        instruct.set_next_link(link)


def test_grip_max_channels_may_allow_more(site, settings):
    settings.GRIP_MAX_CHANNELS = 30

    def view(request):
        set_hold_stream(request, [f"c{n}" for n in range(30)])
        return HttpResponse()

    site.route("hold/", view)
    assert len(site.get("/hold/", headers=proxied())["Grip-Channel"].split(", ")) == 30


def test_keep_alive_data_needs_a_timeout():
    with pytest.raises(InstructError, match=r"keep_alive_timeout \(seconds\) must be set too"):
        set_hold_stream(HttpResponse(), "room", "data")


def test_a_hold_is_set_on_a_request_or_a_response():
    with pytest.raises(TypeError, match=r"^A hold is set on a request or a response, not on 'str'\.$"):
        set_hold_stream("room", "room")


def test_without_the_middleware_a_hold_says_what_to_do():
    with pytest.raises(ImproperlyConfigured, match=r'put "django_grip\.GripMiddleware" first in MIDDLEWARE'):
        set_hold_stream(RequestFactory().get("/"), "room")
    with pytest.raises(ImproperlyConfigured):
        set_hold_stream(HttpRequest(), "room")


def test_a_long_poll_with_more_than_the_proxy_can_hold_is_an_error(site, caplog):
    def view(request):
        set_hold_longpoll(request, "room")
        return HttpResponse("x" * int(request.GET["size"]))

    site.route("hold/", view)
    assert site.get("/hold/", query=f"size={MAX_HELD_BODY}", headers=proxied())["Grip-Hold"] == "response"
    assert site.get("/hold/", query=f"size={MAX_HELD_BODY + 1}", headers=proxied()).status_code == 500
    assert "A long-poll's response is held with a body of 100,001 bytes, but the proxy takes 100,000" in caplog.text


def test_a_stream_may_begin_with_as_much_as_it_likes(site):
    def view(request):
        set_hold_stream(request, "room")
        return StreamingHttpResponse(parts()) if "streaming" in request.GET else HttpResponse("x" * 200_000)

    async def parts_in_turn():
        yield "x" * 200_000

    parts = parts_in_turn if site.is_async else lambda: ["x" * 200_000]
    site.route("hold/", view)
    for query in ("", "streaming"):
        response = site.get("/hold/", query=query, headers=proxied())
        assert (response["Grip-Hold"], len(b"".join(response))) == ("stream", 200_000)


# -- what stands in between --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", HOLDS)
@pytest.mark.parametrize("order", [[GRIP, GZIP], [GZIP, GRIP]], ids=["gzip behind", "gzip before"])
def test_a_hold_is_not_compressed(site, settings, view, order):
    settings.MIDDLEWARE = order
    site.route("hold/", view)
    response = site.get("/hold/", headers={**proxied(), "Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response
    assert response.content in (b"[open]\n" * 100, b"{}" * 200)
    assert response["Grip-Channel"] == "room"


def test_all_else_is_compressed_as_ever(site, settings):
    settings.MIDDLEWARE = [GRIP, GZIP]
    site.route("plain/", lambda request: HttpResponse("a" * 1000))
    response = site.get("/plain/", headers={**proxied(), "Accept-Encoding": "gzip"})
    assert response["Content-Encoding"] == "gzip"


CONDITIONS = [{"If-None-Match": '"1"'}, {"If-None-Match": 'W/"1", "2"'}, {"If-None-Match": "*"}]


@pytest.mark.parametrize("view", POLLS)
@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
@pytest.mark.parametrize(
    "order",
    [[GRIP, CONDITIONAL], [CONDITIONAL, GRIP], [CONDITIONAL, GRIP, CONDITIONAL], [GRIP, GZIP, CONDITIONAL]],
    ids=["behind", "before", "around", "behind, with gzip"],
)
def test_a_long_poll_survives_the_304_that_a_middleware_makes_of_it(site, settings, view, condition, order):
    settings.MIDDLEWARE = order
    site.route("hold/", view)
    response = site.get("/hold/", headers={**proxied(), **condition, "Accept-Encoding": "gzip"})
    assert (response.status_code, response.content) == (200, b"")
    assert grip_headers(response) == {
        "Grip-Hold": "response",
        "Grip-Channel": "room",
        "Grip-Timeout": "20",
        "Grip-Status": "304",
    }
    assert response["ETag"].endswith('"1"')
    assert response["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize("on_response", [False, True])
@pytest.mark.parametrize("order", [[GRIP, CONDITIONAL], [CONDITIONAL, GRIP]], ids=["behind", "before"])
def test_so_it_does_with_a_date(site, settings, order, on_response):
    settings.MIDDLEWARE = order
    date = http_date(1_700_000_000)

    def view(request):
        response = HttpResponse("{}", headers={"Last-Modified": date})
        set_hold_longpoll(response if on_response else request, "room")
        return response

    site.route("hold/", view)
    response = site.get("/hold/", headers={**proxied(), "If-Modified-Since": date})
    assert (response.status_code, response["Grip-Hold"], response["Grip-Status"]) == (200, "response", "304")


def test_an_etag_that_does_not_match_changes_nothing(site, settings):
    settings.MIDDLEWARE = [GRIP, CONDITIONAL]
    site.route("hold/", poll_on_response)
    response = site.get("/hold/", headers={**proxied(), "If-None-Match": '"2"'})
    assert (response.content, "Grip-Status" in response) == (b"{}" * 200, False)


@pytest.mark.parametrize("on_response", [False, True])
def test_a_304_of_the_views_own_travels_as_a_200(site, on_response):
    def view(request):
        response = HttpResponseNotModified(headers={"ETag": '"1"'})
        set_hold_longpoll(response if on_response else request, "room")
        return response

    site.route("hold/", view)
    response = site.get("/hold/", headers={**proxied(), "If-None-Match": '"1"'})
    assert (response.status_code, response.reason_phrase, response["Grip-Status"]) == (200, "OK", "304")
    assert response["Grip-Hold"] == "response"


def test_a_304_that_is_not_held_stays_one(site, settings):
    settings.MIDDLEWARE = [GRIP, CONDITIONAL]

    def view(request):
        set_hold_longpoll(HttpResponse(headers={"ETag": '"another"'}), "discarded")
        return HttpResponse("page", headers={"ETag": '"1"'})

    site.route("page/", view)
    response = site.get("/page/", headers={**proxied(), "If-None-Match": '"1"'})
    assert (response.status_code, grip_headers(response)) == (304, {})


def test_a_304_that_has_nothing_of_a_held_response_is_not_taken_for_it(site):
    def view(request):
        set_hold_longpoll(HttpResponse("discarded"), "discarded")
        return HttpResponseNotModified()

    site.route("page/", view)
    response = site.get("/page/", headers=proxied())
    assert (response.status_code, grip_headers(response)) == (304, {})


def test_a_response_is_kept_out_of_caches_as_soon_as_it_is_held():
    response = HttpResponse()
    set_hold_stream(response, "room")
    assert response["Cache-Control"] == "no-store, private"


def test_a_304_of_the_condition_decorator_stays_one(site):
    def view(request):
        raise AssertionError("not modified, so not called")

    view = condition(etag_func=lambda request: '"1"')(view)
    site.route("page/", view)
    assert site.get("/page/", headers={**proxied(), "If-None-Match": '"1"'}).status_code == 304


@pytest.mark.parametrize("on_response", [False, True])
@pytest.mark.parametrize("order", [[GRIP, CONDITIONAL], [CONDITIONAL, GRIP]], ids=["behind", "before"])
def test_a_stream_never_becomes_a_304_which_would_end_it(site, settings, order, on_response):
    settings.MIDDLEWARE = order

    def view(request):
        response = HttpResponse("[open]\n", headers={"ETag": '"1"'})
        set_hold_stream(response if on_response else request, "room")
        return response

    site.route("hold/", view)
    response = site.get("/hold/", headers={**proxied(), "If-None-Match": '"1"'})
    assert (response.status_code, response["Grip-Hold"], "Grip-Status" in response) == (200, "stream", False)
    if on_response or order[0] == CONDITIONAL:
        assert response.content == b"[open]\n"


public = cache_control(public=True, max_age=60)


@pytest.fixture
def caching(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "holds"}}
    cache.clear()


@pytest.mark.parametrize("view", HOLDS)
@pytest.mark.parametrize(
    "order",
    [
        [GRIP, UPDATE_CACHE, FETCH_FROM_CACHE],
        [UPDATE_CACHE, GRIP, FETCH_FROM_CACHE],
        [UPDATE_CACHE, FETCH_FROM_CACHE, GRIP],
    ],
    ids=["behind", "around", "before"],
)
def test_a_hold_is_not_cached_by_the_middleware(site, settings, caching, view, order):
    settings.MIDDLEWARE = order
    called = []

    def watched(request):
        called.append(request)
        return view(request)

    site.route("hold/", watched)
    for _ in range(2):
        assert site.get("/hold/", headers=proxied())["Grip-Channel"] == "room"
    # Nor is what a direct client gets instead, which would then be everybody's.
    assert grip_headers(site.get("/hold/")) == {}
    assert len(called) == 3


@pytest.mark.parametrize("view", HOLDS)
@pytest.mark.parametrize(
    "decorate", [cache_page(60), lambda view: cache_page(60)(cache_control(public=True, max_age=60)(view))]
)
def test_a_hold_is_not_cached_by_cache_page(site, caching, view, decorate):
    if site.stack == "asgi":
        site.stack = "asgi, sync views"  # cache_page has no async form
    called = []

    def watched(request):
        called.append(request)
        return view(request)

    site.route("hold/", decorate(watched))
    for _ in range(2):
        response = site.get("/hold/", headers=proxied())
        assert response["Grip-Channel"] == "room"
        assert {"no-store", "private"} <= set(response["Cache-Control"].split(", "))
        assert "public" not in response["Cache-Control"]
    assert len(called) == 2


def test_what_is_not_held_is_cached_as_ever(site, settings, caching):
    settings.MIDDLEWARE = [GRIP, UPDATE_CACHE, FETCH_FROM_CACHE]
    called = []
    site.route("page/", lambda request: called.append(1) or HttpResponse("page"))
    for _ in range(2):
        assert site.get("/page/", headers=proxied()).content == b"page"
    assert called == [1]


def test_what_a_view_says_of_caching_stays(site):
    def view(request):
        response = HttpResponse(headers={"Cache-Control": "max-age=0, public"})
        set_hold_stream(response, "room")
        return response

    site.route("hold/", never_cache(view) if site.stack != "asgi" else view)
    directives = site.get("/hold/", headers=proxied())["Cache-Control"].split(", ")
    assert {"max-age=0", "no-store", "private"} <= set(directives)
    assert "public" not in directives


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, 500), (PermissionDenied, 403)])
def test_an_error_page_is_not_held(site, error, status):
    def view(request):
        set_hold_stream(request, "room")
        raise error

    site.route("hold/", view)
    response = site.get("/hold/", headers=proxied())
    assert (response.status_code, grip_headers(response)) == (status, {})


def test_an_error_page_of_a_middleware_is_not_held(site, settings):
    settings.MIDDLEWARE = [GRIP, f"{__name__}.Failing"]
    site.route("hold/", stream_on_request)
    response = site.get("/hold/", headers=proxied())
    assert (response.status_code, grip_headers(response)) == (500, {})


class Failing:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        self.get_response(request)
        raise RuntimeError


def test_a_hold_set_by_a_middleware_counts(site, settings):
    settings.MIDDLEWARE = [GRIP, f"{__name__}.Holding"]
    site.route("page/", lambda request: HttpResponse("page"))
    assert site.get("/page/", headers=proxied())["Grip-Channel"] == "from-middleware"


class Holding:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        set_hold_stream(response, "from-middleware")
        return response


# -- direct clients ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", HOLDS)
def test_a_direct_client_gets_the_response_and_no_grip_header(site, view):
    site.route("hold/", view)
    for headers in ({}, {"Grip-Sig": "a.b.c", "Grip-Feature": "status"}):
        response = site.get("/hold/", headers=headers)
        assert (response.status_code, grip_headers(response)) == (200, {})
        assert response.content in (b"[open]\n" * 100, b"{}" * 200)


@pytest.mark.parametrize("view", HOLDS)
def test_or_a_501_where_a_proxy_is_required(site, settings, logged, view):
    settings.GRIP_PROXY_REQUIRED = True
    site.route("hold/", view)
    response = site.get("/hold/")
    assert (response.status_code, response.content) == (501, NOT_PROXIED)
    assert (response["Content-Type"], grip_headers(response)) == ("text/plain; charset=utf-8", {})
    # As an error it would go to the admins by mail.
    assert logged("django.request") == []
    assert site.get("/hold/", headers=proxied())["Grip-Hold"]


def test_the_requirement_is_for_holds_alone(site, settings):
    settings.GRIP_PROXY_REQUIRED = True
    site.route("plain/", lambda request: HttpResponse("plain"))
    assert site.get("/plain/").content == b"plain"


def test_grip_headers_made_by_hand_do_not_reach_a_direct_client(site):
    def view(request):
        return HttpResponse("x", headers={"Grip-Hold": "stream", "grip-channel": "secret", "X-Grip": "stays"})

    site.route("hold/", view)
    response = site.get("/hold/")
    assert (grip_headers(response), response["X-Grip"]) == ({}, "stays")
    assert grip_headers(site.get("/hold/", headers=proxied())) == {"Grip-Hold": "stream", "grip-channel": "secret"}


@pytest.mark.parametrize(
    "content_type",
    ["application/grip-instruct", "application/grip-instruct; charset=utf-8", "Application/Grip-Instruct"],
)
def test_an_instruction_in_a_body_does_not_reach_a_direct_client(site, content_type):
    site.route("hold/", lambda request: HttpResponse('{"hold": {}}', content_type=content_type))
    response = site.get("/hold/")
    assert (response.status_code, response.content) == (501, NOT_PROXIED)
    assert site.get("/hold/", headers=proxied()).content == b'{"hold": {}}'


def test_what_a_refused_response_held_open_is_closed(site, settings):
    settings.GRIP_PROXY_REQUIRED = True
    closed = []

    def view(request):
        response = HttpResponse()
        response._resource_closers.append(lambda: closed.append(True))
        set_hold_stream(response, "room")
        return response

    site.route("hold/", view)
    assert site.get("/hold/").status_code == 501
    assert closed == [True]


@pytest.mark.parametrize("condition", [{}, {"If-None-Match": '"1"'}], ids=["held", "304"])
def test_a_request_leaves_nothing_for_the_garbage_collector(settings, condition):
    settings.ROOT_URLCONF, settings.GRIP_PROXIES, settings.MIDDLEWARE = __name__, PROXIES, [GRIP, CONDITIONAL]
    handler, environ = WSGIHandler(), RequestFactory(headers={**proxied(), **condition})._base_environ()
    environ["PATH_INFO"] = "/hold/"

    def ask() -> None:
        assert handler.get_response(WSGIRequest(dict(environ)))["Grip-Hold"] == "response"

    def count() -> int:
        return sum(type(thing) in (GripData, WSGIRequest) for thing in gc.get_objects())

    ask()
    gc.collect()
    gc.disable()
    try:
        before = count()
        for _ in range(3):
            ask()
        assert count() == before
    finally:
        gc.enable()


urlpatterns = [path("hold/", poll_on_response)]
