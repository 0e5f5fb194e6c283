"""Stand-in requests: what of a WebSocket's request they have, and what they do not."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.backends.cache import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import resolve
from django.utils.functional import SimpleLazyObject
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from django_grip.request import GripData
from django_grip.rest.media_types import find_media_types, is_json
from django_grip.rest.websocket.requests import copy_request, make_stand_in, strip_format

HEADERS = {
    "accept": "application/websocket-events",
    "authorization": "Token t",
    "connection-id": "c1",
    "grip-feature": "link:next",
    "if-match": "*",
    "if-none-match": "*",
    "prefer": "wait=60",
    "sec-websocket-extensions": "grip",
    "sec-websocket-protocol": "grip.live",
    "upgrade": "websocket",
    "x-forwarded-for": "1.2.3.4",
}
DROPPED = set(HEADERS) - {"accept", "authorization", "x-forwarded-for"}


@pytest.fixture(params=[RequestFactory, AsyncRequestFactory])
def outer(request: pytest.FixtureRequest) -> Any:
    """A request with WebSocket events, as middleware leaves it."""
    outer = request.param().post(
        "/api/tickets/?page=2", b"OPEN\r\n", content_type="application/websocket-events", headers=HEADERS
    )
    outer.grip = GripData(outer)
    outer.grip.proxied = outer.grip_proxied = outer.grip_signed = True
    outer.wscontext = object()
    outer.resolver_match = resolve("/api/tickets/")
    outer.tenant = "ours"
    outer.session = SessionStore()
    # Looked at before, so that Django keeps them.
    assert outer.headers["Connection-Id"] == "c1"
    assert outer.GET["page"] == "2"
    assert outer.body == b"OPEN\r\n"
    assert not outer.POST
    return outer


def make(outer: Any, **options: Any) -> Any:
    match = resolve("/api/tickets/7/")
    return make_stand_in(copy_request(outer), match, path="/api/tickets/7/", **{"method": "PUT", **options})


def test_a_stand_in_has_what_middleware_has_put_on_the_request(outer: Any) -> None:
    new = make(outer)
    assert isinstance(new, type(outer))
    assert new.tenant == "ours"
    assert new.session is outer.session
    assert new.headers["Authorization"] == "Token t"
    assert new.headers["X-Forwarded-For"] == "1.2.3.4"


def test_a_stand_in_has_an_address_a_method_and_a_body_of_its_own(outer: Any) -> None:
    new = make(outer, query="a=1&a=2", data={"title": "ä"})
    assert (new.method, new.path, new.path_info, new.get_full_path()) == (
        "PUT",
        "/api/tickets/7/",
        "/api/tickets/7/",
        "/api/tickets/7/?a=1&a=2",
    )
    assert new.resolver_match.kwargs == {"pk": "7"}
    assert new.GET.getlist("a") == ["1", "2"]
    assert new.body == b'{"title":"\xc3\xa4"}'
    assert (new.content_type, new.headers["Content-Type"]) == ("application/json", "application/json")
    assert new.headers["Content-Length"] == str(len(new.body))
    assert new.headers["Accept"] == "application/json"
    assert not new.POST
    assert not new.FILES
    assert new.read() == new.body
    assert Request(new, parsers=[JSONParser()]).data == {"title": "ä"}


def test_a_stand_in_without_data_has_no_body(outer: Any) -> None:
    new = make(outer, method="GET")
    assert (new.method, new.body, new.content_type, new.read()) == ("GET", b"", "", b"")
    assert not {"Content-Type", "Content-Length"} & set(new.headers)
    assert Request(new, parsers=[JSONParser()]).data == {}


@pytest.mark.parametrize("header", sorted(DROPPED))
def test_what_is_of_the_websocket_alone_is_not_in_a_stand_in(outer: Any, header: str) -> None:
    assert header in outer.headers
    assert header not in make(outer).headers


def test_a_stand_in_is_of_no_proxy_and_of_no_websocket(outer: Any) -> None:
    new = make(outer)
    assert (new.wscontext, new.grip.proxied, new.grip.signed) == (None, False, False)
    assert (new.grip_proxied, new.grip_signed) == (False, False)
    assert (new.grip.features, new.grip.last, new.grip.link) == (frozenset(), {}, None)
    assert new._dont_enforce_csrf_checks
    new.grip.start_instruct()
    assert outer.grip.instruct is None


def test_the_request_itself_stays_as_it_is(outer: Any) -> None:
    before = dict(outer.META)
    new = make(outer, data={})
    new.user = new.META["HTTP_X"] = "changed"
    assert before == outer.META
    assert (outer.method, outer.path, outer.body, outer.GET["page"]) == ("POST", "/api/tickets/", b"OPEN\r\n", "2")
    assert outer.headers["Connection-Id"] == "c1"
    assert not hasattr(outer, "user")
    assert outer.grip.proxied


def test_a_user_whom_somebody_elses_middleware_has_put_there_is_kept(outer: Any) -> None:
    outer.user = SimpleLazyObject(lambda: "impersonated")
    assert make(outer).user is outer.user
    outer.user = "plain"
    assert make(outer).user == "plain"


async def test_a_stand_in_loads_its_user_by_itself_where_djangos_middleware_would(outer: Any) -> None:
    AuthenticationMiddleware(lambda request: HttpResponse()).process_request(outer)
    one, two = make(outer), make(outer)
    for each in (one, two):
        assert each.user.is_anonymous
        assert (await each.auser()).is_anonymous
    one.user.mark = "scribbled"
    assert not hasattr(two.user, "mark")
    assert not hasattr(outer.user, "mark")


def test_format_suffixes_are_no_kwargs_of_an_action() -> None:
    assert strip_format({"pk": "1", "format": "json"}) == {"pk": "1"}


def view_with(renderers: list[Any], parsers: list[Any], **initkwargs: Any) -> Any:
    class ViewSet:
        renderer_classes = renderers
        parser_classes = parsers

    def view(request: HttpRequest) -> None: ...

    view.cls, view.initkwargs = ViewSet, initkwargs  # type: ignore[attr-defined]
    return view


def kind(media_type: str | None) -> Any:
    return type("Kind", (), {"media_type": media_type})


JSON, API, FORM, ANY = map(kind, ["application/json", "application/vnd.api+json", "application/form", "*/*"])
EVENTS = "application/websocket-events"
MEDIA_TYPES = [
    (view_with([JSON], [JSON]), ("application/json", "application/json")),
    (view_with([FORM, API, JSON], [API, JSON]), ("application/json", "application/json")),
    (view_with([FORM, API], [ANY, API]), ("application/vnd.api+json", "application/vnd.api+json")),
    (view_with([FORM], [kind(None), ANY]), (EVENTS, EVENTS)),
    (view_with([JSON], [JSON], parser_classes=[FORM], renderer_classes=[API]), ("application/vnd.api+json", EVENTS)),
    (lambda request: None, (EVENTS, EVENTS)),
]


@pytest.mark.parametrize(("view", "expected"), MEDIA_TYPES)
def test_an_action_speaks_the_json_of_its_view(view: Any, expected: tuple[str, str]) -> None:
    assert find_media_types(view) == expected


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("application/websocket-events", True),
        ("application/x-ndjson", False),
        ("text/html; a=application/json", False),
        ("", False),
    ],
)
def test_what_is_json(media_type: str, expected: bool) -> None:
    assert is_json(media_type) is expected
