"""LongPollView: versions, waiting, and asking again."""

from __future__ import annotations

import time
import uuid
from datetime import datetime
from typing import ClassVar

import pytest
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse

from django_grip import guard
from django_grip.views import LongPollView
from django_grip.views.etags import format_etag, hash_etag, is_known

from ..fake_proxy import proxied
from .conftest import body_of, instructions
from .users import accounts, make_session, make_user

__all__ = ["accounts"]


class Document(LongPollView):
    channels = ["doc:{pk}"]
    timeout = 25

    def get_etag(self):
        return "v1"

    def get_payload(self):
        return {"pk": self.kwargs["pk"]}


@pytest.fixture
def serve(routes, http):
    """Serve a view; the GET of it is returned."""

    def make(view=Document, **initkwargs):
        routes.add("doc/<pk>/", view, **initkwargs)
        return lambda method="get", **headers: getattr(http, method)("/doc/7/", headers=proxied(**headers))

    return make


def is_held(response):
    return response.get("Grip-Hold") == "response"


# -- answering at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [None, "", '"v0"', 'W/"v0"', '"v0", "v2"', "v1", "garbage", '"v1', "'v1'"])
def test_who_has_no_present_version_gets_it_at_once(serve, known):
    response = serve()(**({} if known is None else {"if_none_match": known}))
    assert (response.status_code, response.content) == (200, b'{"pk":"7"}')
    assert response["ETag"] == '"v1"'
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "private, no-cache"
    assert instructions(response) == {}


@pytest.mark.parametrize(
    ("payload", "body", "content_type"),
    [
        ("text", b"text", "text/plain; charset=utf-8"),
        ("ünï", "ünï".encode(), "text/plain; charset=utf-8"),
        (b"\xff", b"\xff", "text/plain; charset=utf-8"),
        ({"a": [1, None]}, b'{"a":[1,null]}', "application/json"),
        ([], b"[]", "application/json"),
        (None, b"null", "application/json"),
        (uuid.UUID(int=5), b'"00000000-0000-0000-0000-000000000005"', "application/json"),
        (HttpResponse("<p>", content_type="text/html"), b"<p>", "text/html"),
    ],
)
def test_a_payload_is_text_bytes_json_or_a_response(serve, payload, body, content_type):
    class View(Document):
        def get_payload(self):
            return payload

    response = serve(View)()
    assert (response.content, response["Content-Type"]) == (body, content_type)
    assert response["ETag"] == '"v1"'


def test_a_route_may_name_the_content_type(serve):
    class View(Document):
        def get_payload(self):
            return "<p>"

    assert serve(View, content_type="text/html")()["Content-Type"] == "text/html"


def test_a_direct_client_gets_the_present_version_too(routes, http):
    routes.add("doc/<pk>/", Document)
    response = http.get("/doc/7/", headers={"if-none-match": '"v0"'})
    assert (response.status_code, response["ETag"]) == (200, '"v1"')


def test_a_cache_control_of_ones_own_stays(serve):
    class View(Document):
        def get_payload(self):
            return HttpResponse("x", headers={"Cache-Control": "public, max-age=1"})

    assert serve(View)()["Cache-Control"] == "public, max-age=1"


@pytest.mark.parametrize("status", [404, 410, 500, 302])
@pytest.mark.parametrize("etag", ["v1", None])
def test_a_response_that_is_no_200_has_no_version(serve, status, etag):
    class View(Document):
        def get_etag(self):
            return etag

        def get_payload(self):
            return HttpResponse("gone", status=status)

    response = serve(View)(if_none_match='"v0"')
    assert response.status_code == status
    assert "ETag" not in response
    assert instructions(response) == {}


def test_an_exception_is_an_error_page_and_no_hold(serve):
    class View(Document):
        def get_etag(self):
            raise Http404

    response = serve(View)(if_none_match="*")
    assert response.status_code == 404
    assert instructions(response) == {}


def test_a_view_without_a_payload_says_so(serve, caplog):
    class View(LongPollView):
        channels = ["doc"]

    assert serve(View)().status_code == 500
    assert "View must define get_payload()." in caplog.text


# -- waiting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known", ['"v1"', 'W/"v1"', '"v0", "v1"', '"v0","v1" , "v2"', ' "v1" ', '"a,b", "v1"', "*", " * ", ', "v1",']
)
def test_who_has_the_present_version_waits(serve, known):
    response = serve()(if_none_match=known)
    assert (response.status_code, response["Grip-Status"]) == (200, "304")
    assert response.content == b""
    assert is_held(response)
    assert response["Grip-Timeout"] == "25"
    assert response["Grip-Channel"].startswith("doc:7, grip:guard:")
    assert response["ETag"] == '"v1"'
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(("seconds", "told"), [(30, "30"), (5, "5"), (3, "3")])
def test_the_proxy_is_told_how_long(serve, seconds, told):
    # Pushpin makes less than 5 into 5.
    assert serve(timeout=seconds)(if_none_match='"v1"')["Grip-Timeout"] == told


def test_a_payload_that_is_not_needed_is_not_made(serve):
    class View(Document):
        def get_payload(self):
            raise AssertionError

    assert is_held(serve(View)(if_none_match='"v1"'))


def test_head_never_waits(serve):
    response = serve()("head", if_none_match='"v1"')
    assert response.status_code == 304
    assert instructions(response) == {}
    assert serve()("head")["ETag"] == '"v1"'


def test_a_direct_client_that_would_wait_is_told_that_it_needs_a_proxy(routes, http):
    routes.add("doc/<pk>/", Document)
    response = http.get("/doc/7/", headers={"if-none-match": '"v1"'})
    assert response.status_code == 501  # with a 304 at once it would ask again, and again
    head = http.head("/doc/7/", headers={"if-none-match": '"v1"'})
    assert head.status_code == 304


def test_a_url_that_names_no_channel_is_a_400(routes, http):
    routes.add("doc/<pk>/", Document)
    response = http.get(f"/doc/{'x' * 2000}/", headers=proxied(if_none_match="*"))
    assert response.status_code == 400
    assert response.content.startswith(b"This URL names no channel: ")


def test_channels_may_be_computed(serve):
    class View(Document):
        async def get_channels(self):
            return ["one", "two"]

    assert serve(View)(if_none_match="*")["Grip-Channel"].startswith("one, two, grip:guard:")


def test_each_client_is_answered_with_its_own_authority(routes, http, accounts):
    class View(Document):
        versions: ClassVar = {"ann": 1, "bob": 1}

        def get_etag(self):
            return f"{self.request.user.username} {self.versions[self.request.user.username]}"

        def get_payload(self):
            return self.request.user.username

    routes.add("doc/<pk>/", View)
    polls = {}
    for pk, name in enumerate(["ann", "bob"], 1):
        http.cookies["sessionid"] = make_session(make_user(name, pk=pk))
        etag = http.longpoll("/doc/7/").response["ETag"]
        polls[name] = http.longpoll("/doc/7/", headers={"If-None-Match": etag})
    View.versions["bob"] = 2
    View.changed(pk=7)
    assert polls["ann"].held
    assert polls["bob"].response.content == b"bob"
    View.versions["ann"] = 2
    View.changed(pk=7)
    assert polls["ann"].response.content == b"ann"


def test_who_waits_is_answered_when_it_changes_or_time_runs_out(routes, http):
    class View(Document):
        version = 1

        def get_etag(self):
            return View.version

        def get_payload(self):
            return f"version {View.version}"

    routes.add("doc/<pk>/", View)
    known = {"If-None-Match": '"1"'}
    changes, stays = http.longpoll("/doc/7/", headers=known), http.longpoll("/doc/8/", headers=known)
    assert (changes.channels, stays.channels) == ({"doc:7"}, {"doc:8"})
    http.advance(24)
    View.version = 2
    View.changed(pk=7)
    assert (changes.response.content, changes.response["ETag"]) == (b"version 2", '"2"')
    View.version = 1
    http.advance(1)
    assert (stays.status_code, stays.response.content, stays.response["ETag"]) == (304, b"", '"1"')


# -- hashed payloads ---------------------------------------------------------------------------------------------------


class Hashed(Document):
    content = "one"

    def get_etag(self):
        return None

    def get_payload(self):
        return type(self).content


def test_without_an_etag_the_payload_is_hashed(routes, http):
    class View(Hashed):
        pass

    routes.add("doc/<pk>/", View)
    etag = http.longpoll("/doc/7/").response["ETag"]
    assert etag == hash_etag(b"one")
    poll = http.longpoll("/doc/7/", headers={"If-None-Match": etag})
    assert poll.held
    routes.urlpatterns[-1].callback.view_class.content = "two"
    View.changed(pk=7)
    assert (poll.status_code, poll.response.content) == (200, b"two")
    assert poll.response["ETag"] == hash_etag(b"two")


def test_a_json_response_is_hashed_too(serve):
    class View(Hashed):
        def get_payload(self):
            return JsonResponse({"a": 1})

    get = serve(View)
    assert is_held(get(if_none_match=get()["ETag"]))


def test_what_streams_cannot_be_hashed(serve, caplog):
    class View(Hashed):
        def get_payload(self):
            return StreamingHttpResponse(["x"])

    assert serve(View)().status_code == 500
    assert "View.get_payload returned a response that streams; define get_etag() for that." in caplog.text


def test_what_streams_has_the_etag_that_is_defined(serve, stack):
    class View(Document):
        def get_payload(self):
            async def pieces():
                yield b"x"

            return StreamingHttpResponse(pieces() if stack == "asgi" else iter([b"x"]))

    response = serve(View)()
    assert (body_of(response), response["ETag"]) == (b"x", '"v1"')


# -- ETags -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("etag", "header"),
    [
        ("v1", '"v1"'),
        (7, '"7"'),
        (1.5, '"1.5"'),
        ('"v1"', '"v1"'),
        ('W/"v1"', 'W/"v1"'),
        ("a,b;c=%", '"a,b;c=%"'),
        ("", hash_etag(b"")),
        ("two words", hash_etag(b"two words")),
        ('quo"te', hash_etag(b'quo"te')),
        ('"a" "b"', hash_etag(b'"a" "b"')),
        ("ünï", hash_etag("ünï".encode())),
        ("a\r\nX-Forged: 1", hash_etag(b"a\r\nX-Forged: 1")),
        ("\ud800", hash_etag(b"\xed\xa0\x80")),
        (datetime(2026, 1, 2, 3, 4, 5), hash_etag(b"2026-01-02 03:04:05")),
        (uuid.UUID(int=5), '"00000000-0000-0000-0000-000000000005"'),
        (True, '"True"'),
    ],
)
def test_an_etag_is_written_as_a_header_has_it(etag, header):
    assert format_etag(etag) == header
    assert is_known(header, header)


@pytest.mark.parametrize(
    ("etag", "if_none_match", "known"),
    [
        ('"a"', '"a"', True),
        ('"a"', 'W/"a"', True),
        ('W/"a"', '"a"', True),
        ('W/"a"', 'W/"a"', True),
        ('"a"', '"b", W/"a"', True),
        ('"a,b"', '"a,b"', True),
        ('"a,b"', '"x", "a,b","y"', True),
        ('"*"', '"*"', True),
        ('"a"', "*", True),
        ('"a"', '"*"', False),
        ('"a"', '"b", *', False),
        ('"a"', "a", False),
        ('"a"', '"A"', False),
        ('"a"', 'w/"a"', False),
        ('"a"', '"a" "b"', False),
        ('"a"', '"b" "a"', False),
        ('"a"', '"a"x', False),
        ('"a"', '"a', False),
        ('"a"', "", False),
        ('"a"', " ", False),
        ('"a"', ",,", False),
        ('"a"', ',"a",,', True),
        ('"a"', '\t"a"\t', True),
        ('"a"', '"\xff", "a"', True),
        ('"a"', '"\x00", "a"', False),
        ('"a"', '"a"' + ', "b"' * 2000, True),
        ('"a"', "," * 100_000, False),
        ('"a"', '"' * 100_001, False),
    ],
)
def test_what_a_client_knows_is_compared_weakly(etag, if_none_match, known):
    assert is_known(etag, if_none_match) is known


# -- the guard: a second look, and how long a client has waited --------------------------------------------------------


@pytest.fixture
def at(monkeypatch):
    """Set the clock: ``at(seconds)`` from the start of the test."""
    start = int(time.time())

    def move(seconds):
        monkeypatch.setattr(guard, "hold_time", lambda: start + seconds)

    move(0)
    return move


def replay(get, held, **headers):
    """The request as the proxy makes it again, for a hint or for the second look."""
    name, _, since = held["Grip-Channel"].split(", ")[-1].partition("; prev-id=")
    return get(if_none_match='"v1"', grip_last=f"{name}; last-id={since}", **headers)


def guard_of(held):
    return held["Grip-Channel"].split(", ")[-1].partition(";")[0]


def test_each_client_that_waits_has_a_guard_of_its_own(serve):
    get = serve()
    first, second = (get(if_none_match='"v1"')["Grip-Channel"] for _ in range(2))
    assert first.startswith("doc:7, grip:guard:")
    assert "; prev-id=" in first
    assert first != second


def test_a_change_between_the_look_and_the_hold_is_seen_at_the_second_look(serve, routes):
    class View(Document):
        version = "v1"

        def get_etag(self):
            return type(self).version

    get = serve(View)
    held = get(if_none_match='"v1"')
    routes.urlpatterns[-1].callback.view_class.version = "v2"
    response = replay(get, held)
    assert (response.status_code, response["ETag"]) == (200, '"v2"')
    assert not is_held(response)


def test_the_second_look_keeps_the_time_that_is_left(serve, at):
    get = serve()
    held = get(if_none_match='"v1"')
    at(1)
    again = replay(get, held)
    assert (is_held(again), again["Grip-Timeout"]) == (True, "24")
    # With the same guard: a new one would make the proxy look again every second.
    assert guard_of(again) == guard_of(held)


def test_who_is_asked_for_a_hint_after_that_gets_another_second_look(serve):
    get = serve()
    held = get(if_none_match='"v1"')
    names = [guard_of(held)]
    for _ in range(4):
        held = replay(get, held)
        names.append(guard_of(held))
    # The first hold and its second look; one for a hint and its second look; another hint.
    assert [names.index(name) for name in names] == [0, 0, 2, 2, 4]


def test_hints_without_a_change_do_not_prolong_the_wait(serve, at):
    get = serve()
    held = get(if_none_match='"v1"')
    for seconds, left in [(1, "24"), (10, "15"), (19, "6"), (22, "5"), (24, "5")]:
        at(seconds)
        held = replay(get, held)
        assert held["Grip-Timeout"] == left
    at(25)
    over = replay(get, held)
    assert (over.status_code, instructions(over)) == (304, {})


def test_a_clock_that_was_set_back_prolongs_nothing_either(serve, at):
    get = serve()
    held = get(if_none_match='"v1"')
    at(-500)
    assert replay(get, held)["Grip-Timeout"] == "25"


@pytest.mark.parametrize(
    "last", ["grip:guard:x; last-id=never", "doc:7; last-id=5", "grip:guard:x; last-id=" + "9" * 13]
)
def test_an_id_that_is_no_time_begins_a_new_wait(serve, last):
    held = serve()(if_none_match='"v1"', grip_last=last)
    assert held["Grip-Timeout"] == "25"


def test_a_prefix_changes_nothing(serve, at, settings):
    settings.GRIP_PREFIX = "site-"
    get = serve()
    held = get(if_none_match='"v1"')
    assert held["Grip-Channel"].startswith("site-doc:7, site-grip:guard:")
    at(1)
    assert guard_of(replay(get, held)) == guard_of(held)


def test_nobody_can_shorten_the_wait_of_a_direct_request(routes, http):
    routes.add("doc/<pk>/", Document)
    response = http.get("/doc/7/", headers={"if-none-match": '"v1"', "grip-last": "grip:guard:x; last-id=5"})
    assert response.status_code == 501
