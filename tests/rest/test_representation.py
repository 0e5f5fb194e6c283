"""A live GET's ETag and 304, and what stands around the view: caches, compression, transactions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.versioning import AcceptHeaderVersioning

from django_grip.testing import GripClient

from .models import Ticket
from .project import TicketViewSet
from .serving import Routes

pytestmark = pytest.mark.django_db

MIDDLEWARE = [
    "django_grip.GripMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
CONDITIONAL_GET = "django.middleware.http.ConditionalGetMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"


@pytest.fixture
def ticket() -> Ticket:
    return Ticket.objects.create(pk=1, title="a")


class JSONOnly(TicketViewSet):
    renderer_classes = [JSONRenderer]


# -- the ETag ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "1/"])
def test_an_etag_names_the_representation(client: Client, routes: Routes, ticket: Ticket, path: str) -> None:
    url = routes.add() + path
    first, again = client.get(url), client.get(url)
    assert first.headers["ETag"] == again.headers["ETag"]
    assert len(first.headers["ETag"]) == 34
    Ticket.objects.update(title="b")
    assert client.get(url).headers["ETag"] != first.headers["ETag"]


def test_another_format_of_the_same_data_has_another_etag(client: Client, routes: Routes, ticket: Ticket) -> None:
    url = routes.add()
    accepts = ["application/json", "application/json; indent=2", "application/x-ndjson"]
    assert len({client.get(url, headers={"accept": accept}).headers["ETag"] for accept in accepts}) == 3


def test_two_formats_of_the_same_bytes_have_two_etags(client: Client, routes: Routes) -> None:
    class Other(JSONRenderer):
        media_type = "application/vnd.tickets+json"
        format = "tickets"

    class View(TicketViewSet):
        renderer_classes = [JSONRenderer, Other]

    url = routes.add(View)
    one, other = client.get(url), client.get(url, headers={"accept": "application/vnd.tickets+json"})
    assert one.content == other.content
    assert one.headers["ETag"] != other.headers["ETag"]


@pytest.mark.parametrize(
    ("if_none_match", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),
        ('"x", {etag}', 304),
        ('"x",W/{etag} , "y"', 304),
        ("*", 304),
        ('"x"', 200),
        ("", 200),
        ("garbage", 200),
        ("{etag} garbage", 200),
        ('"{etag}"', 200),
        ("{bare}", 200),
        ('"' * 10_001, 200),
        ("," * 10_000, 200),
        ('"\x00", {etag}', 200),
        ("W/W/{etag}", 200),
    ],
)
@pytest.mark.parametrize("method", ["get", "head"])
def test_who_has_it_gets_a_304(
    client: Client, routes: Routes, ticket: Ticket, method: str, if_none_match: str, status: int
) -> None:
    url = routes.add()
    etag = client.get(url).headers["ETag"]
    known = if_none_match.format(etag=etag, bare=etag.strip('"'))
    response = getattr(client, method)(url, headers={"if-none-match": known})
    assert response.status_code == status
    assert response.headers["ETag"] == etag
    if status == 304:
        assert response.content == b""
        assert "Content-Type" not in response.headers


def test_a_304_keeps_what_others_have_said(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(JSONOnly):
        def list(self, request: Any) -> Response:
            response: Response = super().list(request)
            for name, value in {"Cache-Control": "max-age=3", "X-Total": "1", "Content-Language": "en"}.items():
                response.headers[name] = value
            response.set_cookie("seen", "yes")
            return response

    url = routes.add(View)
    etag = client.get(url).headers["ETag"]
    response = client.get(url, headers={"if-none-match": etag})
    assert response.status_code == 304
    assert sorted(response.headers) == ["Allow", "Cache-Control", "ETag", "Vary", "X-Total"]
    assert response.cookies["seen"].value == "yes"


@pytest.mark.parametrize("own", ['"v7"', 'W/"v7"'])
def test_an_etag_of_ones_own_stays(client: Client, routes: Routes, own: str) -> None:
    class View(TicketViewSet):
        def list(self, request: Any) -> Response:
            return Response([], headers={"ETag": own})

    url = routes.add(View)
    assert client.get(url).headers["ETag"] == own
    assert client.get(url, headers={"if-none-match": '"v7"'}).status_code == 304
    assert client.get(url, headers={"if-none-match": '"v8"'}).status_code == 200


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Response({}, status=202), 202),
        (Response({}, status=404), 404),
        (Response(status=204), 204),
        (Response([], exception=True), 200),
        (ValidationError("no"), 400),
        (HttpResponse("own"), 200),
    ],
)
def test_what_is_no_representation_has_no_etag(client: Client, routes: Routes, answer: Any, status: int) -> None:
    class View(JSONOnly):
        def list(self, request: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    response = client.get(routes.add(View), headers={"if-none-match": "*"})
    assert (response.status_code, "ETag" in response.headers) == (status, False)


def test_a_page_for_people_has_none(client: Client, routes: Routes, settings: Any, ticket: Ticket) -> None:
    class View(TicketViewSet):
        renderer_classes = [JSONRenderer, BrowsableAPIRenderer]

    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
    url = routes.add(View)
    response = client.get(url, headers={"accept": "text/html", "if-none-match": "*"})
    assert (response.status_code, "ETag" in response.headers) == (200, False)


def test_nor_has_what_is_no_live_get(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(JSONOnly):
        live_actions = ["retrieve"]

    url = routes.add(View)
    assert "ETag" not in client.get(url).headers
    assert "ETag" in client.get(url + "1/").headers
    assert "ETag" not in client.options(url).headers
    created = client.post(url, {"title": "b"}, headers={"if-none-match": "*"})
    assert (created.status_code, "ETag" in created.headers) == (201, False)
    changed = client.patch(url + "1/", {"title": "b"}, content_type="application/json", headers={"if-none-match": "*"})
    assert (changed.status_code, "ETag" in changed.headers) == (200, False)


def test_caches_are_told_what_it_depends_on(client: Client, routes: Routes, ticket: Ticket) -> None:
    # Of one renderer DRF alone says nothing.
    url = routes.add(JSONOnly)
    assert client.get(url).headers["Vary"] == "Accept, Prefer, Cookie"
    assert client.get(url + "9/").headers["Vary"] == "Accept, Cookie"
    assert client.get(url, headers={"if-none-match": "*"}).headers["Vary"] == "Accept, Prefer, Cookie"


# -- what stands around the view ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False])
def test_with_conditional_get(client: Client, routes: Routes, settings: Any, ticket: Ticket, first: bool) -> None:
    settings.MIDDLEWARE = [CONDITIONAL_GET, *MIDDLEWARE] if first else [*MIDDLEWARE, CONDITIONAL_GET]
    url = routes.add(JSONOnly)
    etag = client.get(url).headers["ETag"]
    response = client.get(url, headers={"if-none-match": etag})
    assert (response.status_code, response.headers["ETag"]) == (304, etag)
    assert client.get(url, headers={"if-none-match": '"x"'}).status_code == 200


def test_compressed_it_is_still_known(client: Client, routes: Routes, settings: Any) -> None:
    settings.MIDDLEWARE = [*MIDDLEWARE, GZIP]
    for _ in range(9):
        Ticket.objects.create(title="a" * 90)
    url = routes.add(JSONOnly)
    response = client.get(url, headers={"accept-encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["ETag"].startswith('W/"')
    known = {"accept-encoding": "gzip", "if-none-match": response.headers["ETag"]}
    assert client.get(url, headers=known).status_code == 304


CACHE_MIDDLEWARE = [
    "django.middleware.cache.UpdateCacheMiddleware",
    *MIDDLEWARE,
    "django.middleware.cache.FetchFromCacheMiddleware",
]


@pytest.fixture(params=["action", "dispatch", "site"])
def cached(request: pytest.FixtureRequest, settings: Any, routes: Routes) -> Any:
    """The URL of a viewset that Django's cache stands before, in each way that its documentation has."""
    cache.clear()

    class View(JSONOnly):
        pass

    if request.param == "action":
        View.list = method_decorator(cache_page(60))(JSONOnly.list)
    elif request.param == "dispatch":
        View.dispatch = method_decorator(cache_page(60))(JSONOnly.dispatch)
    else:
        settings.MIDDLEWARE = CACHE_MIDDLEWARE
    yield routes.add(View)
    cache.clear()


def test_an_answer_of_the_cache_has_its_etag(client: Client, cached: str, ticket: Ticket) -> None:
    etag = client.get(cached).headers["ETag"]
    Ticket.objects.update(title="b")
    again = client.get(cached)
    assert (again.json()[0]["title"], again.headers["ETag"]) == ("a", etag)


def test_the_cache_keeps_no_304_for_others(client: Client, cached: str, ticket: Ticket) -> None:
    etag = client.get(cached).headers["ETag"]
    cache.clear()
    assert client.get(cached, headers={"if-none-match": etag}).status_code == 304
    assert client.get(cached).json()[0]["title"] == "a"


def test_nobody_who_waits_or_streams_is_answered_by_the_cache(client: Client, cached: str, ticket: Ticket) -> None:
    grip_client = GripClient()
    etag = client.get(cached).headers["ETag"]
    for _ in range(2):
        assert grip_client.longpoll(cached, headers={"if-none-match": etag, "prefer": "wait=9"}).held
        stream = grip_client.stream(cached, headers={"accept": "text/event-stream"})
        assert stream.receive_event().json()["action"] == "snapshot"
    Ticket.objects.update(title="b")
    assert client.get(cached).json()[0]["title"] == "a"
    fresh = grip_client.longpoll(cached, headers={"if-none-match": etag, "prefer": "wait=9"})
    assert fresh.response.json()[0]["title"] == "b"
    # The second look of the streams, too.
    grip_client.advance(1)
    assert stream.receive_event().json() == {"action": "reset"}
    assert stream.receive_event().json()["data"][0]["title"] == "b"


def test_it_is_rendered_when_others_have_had_their_say(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(JSONOnly):
        def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
            response = super().finalize_response(request, response, *args, **kwargs)
            response.data = {"rows": response.data}
            return response

    url = routes.add(View)
    response = client.get(url)
    assert list(response.json()) == ["rows"]
    assert client.get(url, headers={"if-none-match": response.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("atomic", [True, False])
def test_atomic_requests(client: Client, routes: Routes, settings: Any, ticket: Ticket, atomic: bool) -> None:
    in_block = []

    class View(JSONOnly):
        def list(self, request: Any) -> Any:
            in_block.append(len(connection.savepoint_ids))
            return super().list(request)

    url = routes.add(View)
    connection.settings_dict["ATOMIC_REQUESTS"], before = atomic, connection.settings_dict["ATOMIC_REQUESTS"]
    try:
        etag = client.get(url).headers["ETag"]
        assert client.get(url, headers={"if-none-match": etag}).status_code == 304
        stream = GripClient().stream(url, headers={"accept": "text/event-stream"})
        assert stream.held
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = before
    # The test itself is in a block; that of the request is a savepoint in it.
    assert in_block == [1 if atomic else 0] * 3


@pytest.mark.django_db(transaction=True)
async def test_on_the_async_stack(routes: Routes) -> None:
    url = routes.add(JSONOnly)
    await Ticket.objects.acreate(title="a")
    client = AsyncClient()
    etag = (await client.get(url)).headers["ETag"]
    response = await client.get(url, headers={"if-none-match": etag})
    assert (response.status_code, response.content) == (304, b"")


def test_versions_have_etags_of_their_own(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(JSONOnly):
        versioning_class = AcceptHeaderVersioning

        def list(self, request: Any) -> Response:
            return Response({"version": request.version})

    url = routes.add(View)
    accept = [{"accept": f"application/json; version={version}"} for version in ("1.0", "2.0")]
    etags = [client.get(url, headers=headers).headers["ETag"] for headers in accept]
    assert etags[0] != etags[1]
    assert client.get(url, headers={**accept[1], "if-none-match": etags[1]}).status_code == 304
    assert client.get(url, headers={**accept[1], "if-none-match": etags[0]}).status_code == 200


def test_pages_have_etags_of_their_own(client: Client, routes: Routes) -> None:
    class Pagination(LimitOffsetPagination):
        default_limit = 1

    class View(JSONOnly):
        pagination_class = Pagination

    for title in "ab":
        Ticket.objects.create(title=title)
    url = routes.add(View)
    etags = [client.get(url, {"offset": offset}).headers["ETag"] for offset in (0, 1)]
    assert etags[0] != etags[1]
    assert client.get(url, {"offset": 1}, headers={"if-none-match": etags[1]}).status_code == 304


def test_without_the_middleware_json_is_as_it_is_with_it(ticket: Ticket) -> None:
    view = JSONOnly.as_view({"get": "list"})
    first = view(APIRequestFactory().get("/")).render()
    assert json.loads(first.content)[0]["title"] == "a"
    known = APIRequestFactory().get("/", headers={"if-none-match": first.headers["ETag"], "prefer": "wait=9"})
    assert view(known).render().status_code == 304


def test_each_user_has_the_etag_of_what_it_sees(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
    etags = []
    for name in ("ann", "bob"):
        user = User.objects.create_user(name)
        Ticket.objects.create(title=f"of {name}", owner=user)
        client.force_login(user)
        etags.append(client.get("/api/own/").headers["ETag"])
        assert client.get("/api/own/", headers={"if-none-match": etags[0]}).status_code == (
            304 if name == "ann" else 200
        )
    assert etags[0] != etags[1]
