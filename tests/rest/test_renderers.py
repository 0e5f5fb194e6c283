"""Renderers, and which of them a request gets."""

from __future__ import annotations

import json
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer, TemplateHTMLRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from django_grip import Event
from django_grip.rest import EventStreamRenderer, LiveViewSetMixin, NDJSONRenderer
from django_grip.rest.renderers import is_html

from .models import Ticket
from .project import TicketSerializer, TicketViewSet
from .serving import Routes
from .sockets import ask, opened

# -- EventStreamRenderer by itself -------------------------------------------------------------------------------------


class Say(APIView):
    """Answers with what the test gives it."""

    renderer_classes = [EventStreamRenderer]
    permission_classes = [AllowAny]
    answer: Any = None

    def get(self, request: Any) -> Response:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, Response) else Response(self.answer)

    post = get


@pytest.fixture
def say(client: Any, routes: Routes) -> Any:
    def ask(answer: Any, *, renderers: Any = (EventStreamRenderer,), method: str = "get", **headers: str) -> Any:
        routes.urlpatterns.clear()
        url = routes.add_view("say/", Say.as_view(answer=answer, renderer_classes=list(renderers)))
        return getattr(client, method)(url, headers=headers)

    return ask


@pytest.mark.parametrize(
    ("data", "block"),
    [
        ({"a": 1}, 'data: {"a":1}\n\n'),
        ([1, 2], "data: [1,2]\n\n"),
        ([], "data: []\n\n"),
        (0, "data: 0\n\n"),
        ("two\nlines", "data: two\ndata: lines\n\n"),
        ("", "data:\n\n"),
        ({"text": "a\nb\u2028ü"}, 'data: {"text":"a\\nb\\u2028ü"}\n\n'),
        (Event({"a": 1}, event="news", id="5", retry=100), 'event: news\nid: 5\nretry: 100\ndata: {"a":1}\n\n'),
        (Event("text"), "data: text\n\n"),
        (gettext_lazy("Yes"), "data: Yes\n\n"),
        (
            Event({"when": date(2026, 1, 2), "id": UUID(int=5)}),
            'data: {"when":"2026-01-02","id":"00000000-0000-0000-0000-000000000005"}\n\n',
        ),
        (Event(None, event="tick"), "event: tick\ndata: null\n\n"),
    ],
)
def test_data_becomes_one_event(say: Any, data: Any, block: str) -> None:
    response = say(data)
    assert response.content.decode() == block
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"


def test_no_data_is_no_event(say: Any) -> None:
    response = say(Response(status=204))
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("renderers", [(EventStreamRenderer,), (JSONRenderer, EventStreamRenderer)])
@pytest.mark.parametrize(
    ("error", "status", "data"),
    [
        (NotFound(), 404, {"detail": "Not found."}),
        (ValidationError({"title": ["Bad."]}), 400, {"title": ["Bad."]}),
        (Response({"own": "error"}, status=503), 503, {"own": "error"}),
        (Response("text", status=409), 409, "text"),
    ],
)
def test_an_error_is_json_with_its_status(say: Any, renderers: Any, error: Any, status: int, data: Any) -> None:
    response = say(error, renderers=renderers, accept="text/event-stream")
    assert (response.status_code, response.json()) == (status, data)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "accept", "status"),
    [("get", "application/json", 406), ("put", "text/event-stream", 405), ("get", "text/html", 406)],
)
def test_what_the_framework_refuses_is_json_too(say: Any, method: str, accept: str, status: int) -> None:
    response = say({}, method=method, accept=accept)
    assert (response.status_code, list(response.json())) == (status, ["detail"])
    assert response.headers["Content-Type"] == "application/json"


def test_a_page_that_shows_an_error_of_a_stream_stays_a_page(say: Any, settings: Any) -> None:
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
    response = say(NotFound(), renderers=(EventStreamRenderer, BrowsableAPIRenderer), accept="text/html")
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


# -- newline-delimited JSON --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([{"a": 1}, {"a": 2}], '{"a":1}\n{"a":2}\n'),
        ([], ""),
        ([None, 1, "x\ny", [1]], 'null\n1\n"x\\ny"\n[1]\n'),
        ({"a": [1, 2]}, '{"a":[1,2]}\n'),
        ({"results": [1, 2], "next": "http://x/"}, '{"results":[1,2],"next":"http://x/"}\n'),
        ("text", '"text"\n'),
        ("\u2028", '"\\u2028"\n'),
    ],
)
def test_every_row_is_a_line(say: Any, data: Any, text: str) -> None:
    response = say(data, renderers=[NDJSONRenderer], accept="application/x-ndjson; indent=4")
    assert response.content.decode() == text
    assert all(json.loads(line) in (data if isinstance(data, list) else [data]) for line in text.splitlines())


def test_an_error_is_json(say: Any) -> None:
    response = say(NotFound(), renderers=[NDJSONRenderer])
    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
    assert response.headers["Content-Type"] == "application/json"


class Pages(PageNumberPagination):
    page_size = 2


class Cursors(CursorPagination):
    page_size = 2
    ordering = "pk"


@pytest.mark.django_db
@pytest.mark.parametrize("pagination", [Pages, Cursors])
def test_of_a_page_the_rows_are_its_results(client: Any, routes: Routes, pagination: Any) -> None:
    class Paged(TicketViewSet):
        pagination_class = pagination

    for title in "abcde":
        Ticket.objects.create(title=title)
    url = routes.add(Paged)
    titles, rels = [], []
    while url:
        response = client.get(url, headers={"accept": "application/x-ndjson"})
        assert response.headers["Content-Type"] == "application/x-ndjson"
        titles.append([json.loads(line)["title"] for line in response.content.splitlines()])
        links = dict(link.strip("<>").split(">; rel=") for link in response.headers.get("Link", "").split(", <"))
        links = {rel.strip('"'): target for target, rel in links.items()}
        rels.append(sorted(links))
        url = links.get("next", "")
    assert titles == [["a", "b"], ["c", "d"], ["e"]]
    assert rels == [["next"], ["next", "prev"], ["prev"]]


# -- which renderer a live URL has -------------------------------------------------------------------------------------

STREAM, JSON, LINES, PAGE = "text/event-stream", "application/json", "application/x-ndjson", "text/html"
LISTS_ALL = "text/html,application/json;q=0.9,text/event-stream;q=0.8,application/x-ndjson,*/*;q=0.1"


@pytest.fixture
def negotiate(client: Any, routes: Routes) -> Any:
    """Ask a viewset with these renderers; returns the media type of the answer, or its status if that is no 200."""
    Ticket.objects.create(pk=1, title="a")

    def ask(accept: str | None, path: str = "", *, renderers: Any = (JSONRenderer,), method: str = "get") -> Any:
        class View(TicketViewSet):
            renderer_classes = list(renderers)

        routes.urlpatterns.clear()
        url = routes.add(View).rstrip("/") + (path or "/")
        response = getattr(client, method)(url, headers={} if accept is None else {"accept": accept})
        # Without a proxy, who asks for a stream is told so.
        if response.status_code == 501:
            return STREAM
        return (
            response.headers["Content-Type"].partition(";")[0] if response.status_code == 200 else response.status_code
        )

    return ask


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/1/"])
@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("", 406),
        (JSON, JSON),
        (LISTS_ALL, JSON),
        ("application/json, text/event-stream", JSON),
        ("text/event-stream, application/json", JSON),
        ("text/event-stream, */*", STREAM),
        (STREAM, STREAM),
        ("Text/Event-Stream; q=0.5", STREAM),
        (LINES, LINES),
        ("application/*", JSON),
        ("text/*", 406),
        ("text/event-streams", 406),
        ("text/plain", 406),
        ("text/event-stream" * 500, 406),
        ("\x00, text/event-stream", STREAM),
    ],
)
def test_a_live_get_has_what_it_asks_for(negotiate: Any, path: str, accept: str | None, media_type: Any) -> None:
    assert negotiate(accept, path) == media_type


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "accept", "media_type"),
    [
        (".sse", "*/*", STREAM),
        (".sse", STREAM, STREAM),
        (".sse", JSON, 406),
        (".ndjson", "*/*", LINES),
        (".json", STREAM, 406),
        (".json", "*/*", JSON),
        ("/1.sse", "*/*", STREAM),
        ("/1.ndjson", "*/*", LINES),
        ("/?format=sse", "text/html,*/*;q=0.8", STREAM),
        ("/?format=ndjson", "*/*", LINES),
        ("/1/?format=sse", "*/*", STREAM),
        (".nothing", "*/*", 404),
        ("/?format=nothing", "*/*", 404),
    ],
)
def test_a_format_suffix_says_it_too(negotiate: Any, path: str, accept: str, media_type: Any) -> None:
    assert negotiate(accept, path) == media_type


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "accept", "result"),
    [
        ("post", "/", STREAM, 406),
        ("put", "/1/", STREAM, 406),
        ("delete", "/1/", STREAM, 406),
        ("options", "/", STREAM, 406),
        ("post", ".sse", "*/*", 404),
        ("post", "/", LINES, 406),
        ("post", "/", LISTS_ALL, 400),
    ],
)
def test_what_is_no_live_get_offers_no_stream(negotiate: Any, method: str, path: str, accept: str, result: int) -> None:
    assert negotiate(accept, path, method=method) == result


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", ".sse", "/?format=sse"])
def test_an_action_that_is_not_live_offers_no_stream(client: Any, routes: Routes, path: str) -> None:
    class View(TicketViewSet):
        live_actions = ["retrieve"]
        renderer_classes = [JSONRenderer]

    response = client.get(routes.add(View).rstrip("/") + path, headers={"accept": STREAM})
    assert response.status_code == (406 if path == "/" else 404)


class TextRenderer(BaseRenderer):
    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
        return str(len(data))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("renderers", "accept", "media_type"),
    [
        ([TextRenderer], "*/*", "text/plain"),
        ([TextRenderer], STREAM, STREAM),
        ([TextRenderer], JSON, 406),
        ([BrowsableAPIRenderer, JSONRenderer], LISTS_ALL, PAGE),
        # Who names it chooses its place.
        ([EventStreamRenderer], "*/*", STREAM),
        ([EventStreamRenderer, JSONRenderer], LISTS_ALL, STREAM),
        ([JSONRenderer, EventStreamRenderer], LISTS_ALL, JSON),
        ([NDJSONRenderer, JSONRenderer], "*/*", LINES),
    ],
)
def test_the_viewsets_own_renderers_come_first(
    negotiate: Any, settings: Any, renderers: Any, accept: str, media_type: Any
) -> None:
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
    assert negotiate(accept, renderers=renderers) == media_type


class UpperCaseRenderer(JSONRenderer):
    """As those that turn keys into camel case."""

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        rows = data if isinstance(data, list) else [data]
        rows = [{key.upper(): value for key, value in row.items()} for row in rows]
        rendered: bytes = super().render(
            rows if isinstance(data, list) else rows[0], accepted_media_type, renderer_context
        )
        return rendered


@pytest.mark.django_db
def test_all_transports_write_the_viewsets_own_json(client: Any, grip_client: Any, routes: Routes) -> None:
    class View(TicketViewSet):
        renderer_classes = [UpperCaseRenderer]

    Ticket.objects.create(pk=1, title="a")
    url = routes.add(View)
    rows = client.get(url).json()
    assert list(rows[0]) == ["ID", "TITLE", "DONE", "PROJECT"]
    assert json.loads(client.get(url, headers={"accept": LINES}).content) == rows[0]
    assert grip_client.stream(url, headers={"accept": STREAM}).receive_event().json()["data"] == rows
    with opened(grip_client, url) as ws:
        assert ask(ws, "list")["data"] == rows


@pytest.mark.django_db
@pytest.mark.parametrize("renderers", [[TextRenderer], [TemplateHTMLRenderer]])
def test_an_action_of_a_websocket_is_answered_in_json_whatever_else_there_is(
    grip_client: Any, routes: Routes, renderers: Any
) -> None:
    class View(TicketViewSet):
        renderer_classes = renderers

    with opened(grip_client, routes.add(View)) as ws:
        assert ask(ws, "list") == {"type": "response", "status": 200, "data": []}
        refused = {"type": "error", "status": 400, "errors": {"title": ["This field is required."]}}
        assert ask(ws, "create", data={}) == refused


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "status"), [("", 406), ("?format=websocket", 404)])
def test_nobody_else_is_answered_as_an_action_is(client: Any, routes: Routes, path: str, status: int) -> None:
    url = routes.add(TicketViewSet)
    headers = {} if path else {"accept": "application/websocket-events"}
    assert client.get(url + path, headers=headers).status_code == status
    assert client.get(url.rstrip("/") + ".websocket").status_code == 404


@pytest.mark.django_db
def test_no_lines_are_lines_too(client: Any, routes: Routes) -> None:
    class Own(TicketViewSet):
        def list(self, request: Any) -> Response:
            return Response([], content_type="application/vnd.own+ndjson")

    headers = {"accept": LINES}
    for url, media_type in (
        (routes.add(TicketViewSet), LINES),
        (routes.add(Own, "own"), "application/vnd.own+ndjson"),
    ):
        response = client.get(url, headers=headers)
        assert (response.content, response.headers["Content-Type"]) == (b"", media_type)
    again = client.get(url, headers={**headers, "if-none-match": response.headers["ETag"]})
    assert (again.status_code, "Content-Type" in again.headers) == (304, False)


@pytest.mark.django_db
def test_a_viewset_without_the_mixin_has_nothing_of_it(client: Any, routes: Routes) -> None:
    from rest_framework.viewsets import ModelViewSet

    class Plain(ModelViewSet):
        queryset = Ticket.objects.all()
        serializer_class = TicketSerializer
        permission_classes = [AllowAny]
        renderer_classes = [JSONRenderer]

    assert not issubclass(Plain, LiveViewSetMixin)
    url = routes.add(Plain)
    response = client.get(url)
    assert sorted(response.headers) == ["Allow", "Content-Type", "Vary"]
    assert response.headers["Vary"] == "Cookie"
    assert client.get(url, headers={"accept": STREAM}).status_code == 406
    assert "live" not in client.options(url).json()


@pytest.mark.parametrize(
    ("media_type", "format", "html"),
    [
        ("text/html", "api", True),
        ("text/html", "anything", True),
        ("text/html; charset=utf-8", "html", True),
        ("application/xhtml+xml", "x", True),
        ("application/json", "json", False),
        ("text/csv", "csv", False),
        ("application/vnd.api+json", "vnd.api+json", False),
    ],
)
def test_pages_for_people_are_told_apart(media_type: str, format: str, html: bool) -> None:
    class Renderer(BaseRenderer):
        pass

    Renderer.media_type, Renderer.format = media_type, format
    assert is_html(Renderer()) is html
