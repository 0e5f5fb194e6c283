"""The live transports in the OpenAPI document that drf-spectacular makes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import include, path
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.versioning import AcceptHeaderVersioning

from django_grip.rest import EventStreamRenderer

from ..models import Ticket
from ..project import TicketSerializer
from .project import ShownSerializer, TicketViewSet

pytestmark = pytest.mark.needs("spectacular", "simplejwt")

URLCONF = "tests.rest.schemas.project"
EVENT_STREAM = "text/event-stream"


@pytest.fixture(autouse=True)
def spectacular(settings: Any) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}


def make(urlconf: Any = URLCONF, options: Sequence[str] = ()) -> Any:
    """The document, by the command: valid, and without a warning."""
    if not isinstance(urlconf, str):
        sys.modules["openapi_urlconf"], urlconf = urlconf, "openapi_urlconf"
    out = StringIO()
    try:
        options = ("--validate", "--fail-on-warn", "--format", "openapi-json", *options)
        call_command("spectacular", *options, "--urlconf", urlconf, stdout=out)
    finally:
        sys.modules.pop("openapi_urlconf", None)
    return json.loads(out.getvalue())


def route(viewset: Any, **options: Any) -> Any:
    router = DefaultRouter(**options)
    router.register("tickets", viewset, basename="ticket")
    urlconf: Any = ModuleType("openapi_urlconf")
    urlconf.urlpatterns = [path("api/", include(router.urls))]
    return urlconf


def get_of(viewset: Any, address: str = "/api/tickets/") -> Any:
    return make(route(viewset))["paths"][address]["get"]


_documents: dict[str, Any] = {}


@pytest.fixture
def document() -> Any:
    if not _documents:
        _documents[URLCONF] = make()
    return _documents[URLCONF]


def events_of(operation: Any) -> dict[str, Any]:
    schemas = operation["responses"]["200"]["content"][EVENT_STREAM]["schema"]["oneOf"]
    return {schema["properties"]["action"]["enum"][0]: schema for schema in schemas}


# -- a live GET --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_the_document_is_valid_and_has_no_warnings(version: str) -> None:
    from drf_spectacular.settings import patched_settings

    with patched_settings({"OAS_VERSION": version}):
        assert make()["openapi"] == version


def test_a_live_get_answers_with_events_and_lines(document: Any) -> None:
    content = document["paths"]["/api/tickets/"]["get"]["responses"]["200"]["content"]
    assert list(content) == ["application/json", "application/x-ndjson", EVENT_STREAM]
    # A line has a row.
    assert content["application/x-ndjson"]["schema"] == {"$ref": "#/components/schemas/Ticket"}
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/PaginatedTicketList"}


def test_a_version_in_the_accept_header_is_that_of_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TicketViewSet, "versioning_class", AcceptHeaderVersioning)
    content = make(options=["--api-version", "v2"])["paths"]["/api/tickets/"]["get"]["responses"]["200"]["content"]
    types = ["application/json", "application/x-ndjson", EVENT_STREAM]
    assert list(content) == [f"{each}; version=v2" for each in types]
    assert content["application/x-ndjson; version=v2"]["schema"] == {"$ref": "#/components/schemas/Ticket"}


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("/api/tickets/", ["snapshot", "reset", "invalidate"]),
        ("/api/tickets/{id}/", ["snapshot", "reset", "updated", "deleted", "invalidate"]),
        ("/api/projects/", ["snapshot", "reset", "created", "updated", "deleted", "invalidate"]),
        ("/api/mine/", ["snapshot", "reset", "created", "updated", "deleted", "invalidate"]),
    ],
)
def test_the_events_are_those_that_may_be_heard_there(document: Any, address: str, names: list[str]) -> None:
    operation = document["paths"][address]["get"]
    assert list(events_of(operation)) == names
    assert operation["x-websocket"]["events"] == ["subscribed", *names[2:]]


def test_events_have_the_data_that_is_shown(document: Any) -> None:
    tickets = events_of(document["paths"]["/api/tickets/"]["get"])
    assert tickets["snapshot"]["properties"]["data"] == {"$ref": "#/components/schemas/PaginatedTicketList"}
    mine = events_of(document["paths"]["/api/mine/"]["get"])
    assert mine["created"]["properties"]["data"] == {"$ref": "#/components/schemas/Shown"}
    assert mine["created"]["properties"]["pk"] == {"type": "integer"}
    assert mine["created"]["required"] == ["action", "pk"]
    assert "data" not in mine["deleted"]["properties"]


def test_a_composite_key_is_a_list_of_any(monkeypatch: pytest.MonkeyPatch) -> None:
    from django_grip.rest.schemas import openapi_live

    composite = {"type": "array", "items": {"type": ["string", "integer"]}}
    monkeypatch.setattr(openapi_live, "pk_schema", lambda view: composite)
    items = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    assert json.dumps({"type": "array", "items": items}) in json.dumps(make())


def test_long_polls_have_their_headers_and_304(document: Any) -> None:
    operation = document["paths"]["/api/mine/"]["get"]
    headers = {each["name"]: each for each in operation["parameters"] if each["in"] == "header"}
    assert list(headers) == ["If-None-Match", "Prefer"]
    assert "30 at the most" in headers["Prefer"]["description"]
    for status in ("200", "304"):
        assert set(operation["responses"][status]["headers"]) == {"ETag", "Preference-Applied"}
    assert operation["responses"]["304"]["description"] == "The representation is the one that you have."


def test_the_websocket_is_named(document: Any) -> None:
    operation = document["paths"]["/api/mine/"]["get"]
    assert operation["x-websocket"]["subprotocols"] == ["grip.live", "v2"]
    assert operation["description"].startswith("Those of one user.\n\nThis address is live.")
    assert '`{"action": "list", "ref": 1}`' in operation["description"]


def test_the_package_does_not_speak_in_the_place_of_the_project(document: Any) -> None:
    # ProjectViewSet has no docstring; that of its base is of no use to an API's clients.
    assert document["paths"]["/api/projects/"]["get"]["description"].startswith("This address is live.")
    assert "description" not in document["paths"]["/api/projects/"]["post"]


class CSVRenderer(BaseRenderer):
    media_type = "text/csv"
    format = "csv"


@pytest.mark.parametrize(
    ("renderers", "formats"),
    [
        # Without a choice of the project's own there is no parameter, as without the live transports.
        ([JSONRenderer], None),
        ([JSONRenderer, BrowsableAPIRenderer], None),
        ([JSONRenderer, CSVRenderer], ["csv", "json", "ndjson", "sse"]),
        ([JSONRenderer, EventStreamRenderer], ["json", "ndjson", "sse"]),
    ],
)
def test_formats_are_those_that_clients_may_ask_for(
    monkeypatch: pytest.MonkeyPatch, renderers: Any, formats: list[str] | None
) -> None:
    monkeypatch.setattr(TicketViewSet, "renderer_classes", renderers)
    parameters = make()["paths"]["/api/tickets/"]["get"]["parameters"]
    found = [sorted(each["schema"]["enum"]) for each in parameters if each["name"] == "format"]
    assert found == ([] if formats is None else [formats])


@pytest.mark.parametrize(
    ("address", "method"),
    [
        ("/api/tickets/", "post"),
        ("/api/tickets/{id}/", "put"),
        ("/api/tickets/recent/", "get"),
        # Not among live_actions.
        ("/api/mine/{id}/", "get"),
    ],
)
def test_all_else_is_as_without(document: Any, address: str, method: str) -> None:
    operation = document["paths"][address][method]
    assert "x-websocket" not in operation
    assert "304" not in operation["responses"]
    assert not [each for each in operation.get("parameters", []) if each["in"] == "header"]
    text = json.dumps(operation)
    for unwanted in (EVENT_STREAM, "websocket", "live"):
        assert unwanted not in text


def test_websocket_views_are_no_paths_and_tickets_for_streams_are(document: Any) -> None:
    assert not [address for address in document["paths"] if "rooms" in address]
    ticket = document["paths"]["/api/ticket/"]["post"]
    assert set(document["components"]["schemas"]["Ticket"]["properties"]) > {"title"}
    assert ticket["requestBody"]["content"]["application/json"]["schema"] != {"$ref": "#/components/schemas/Ticket"}


def test_routes_with_a_suffix_are_no_websockets() -> None:
    paths = make(route(TicketViewSet, use_regex_path=False))["paths"]
    suffixed = paths["/api/tickets{format}"]["get"]
    assert EVENT_STREAM in suffixed["responses"]["200"]["content"]
    assert "x-websocket" not in suffixed
    assert "x-websocket" in paths["/api/tickets/"]["get"]


# -- what a project says itself ----------------------------------------------------------------------------------------


def test_extend_schema_on_the_action_counts_first() -> None:
    from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

    class Viewset(TicketViewSet):
        @extend_schema(
            operation_id="my_tickets",
            description="My own words.",
            parameters=[
                OpenApiParameter("Prefer", str, OpenApiParameter.HEADER, description="Mine."),
                OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, exclude=True),
                OpenApiParameter("ETag", str, OpenApiParameter.HEADER, description="Mine.", response=[200]),
            ],
            responses={200: ShownSerializer(many=True), 304: OpenApiResponse(description="Mine.")},
        )
        def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return super().list(request, *args, **kwargs)

    operation = get_of(Viewset)
    assert operation["operationId"] == "my_tickets"
    assert operation["description"].startswith("My own words.\n\nThis address is live.")
    headers = {each["name"]: each.get("description") for each in operation["parameters"] if each["in"] == "header"}
    assert headers == {"Prefer": "Mine."}
    assert operation["responses"]["200"]["headers"]["ETag"]["description"] == "Mine."
    assert operation["responses"]["304"]["description"] == "Mine."
    assert events_of(operation)["snapshot"]["properties"]["data"] == {"$ref": "#/components/schemas/PaginatedShownList"}


def test_extend_schema_view_and_tags_of_the_class_count() -> None:
    from drf_spectacular.utils import extend_schema, extend_schema_view

    @extend_schema(tags=["all"])
    @extend_schema_view(list=extend_schema(summary="The list"), retrieve=extend_schema(exclude=True))
    class Viewset(TicketViewSet):
        pass

    paths = make(route(Viewset))["paths"]
    operation = paths["/api/tickets/"]["get"]
    assert (operation["summary"], operation["tags"]) == ("The list", ["all"])
    assert "x-websocket" in operation
    assert "get" not in paths["/api/tickets/{id}/"]


def test_an_operation_that_is_given_whole_stays_as_it_is() -> None:
    from drf_spectacular.utils import extend_schema

    whole = {"operationId": "whole", "responses": {"200": {"description": "Mine."}}}

    class Viewset(TicketViewSet):
        @extend_schema(operation=whole)
        def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
            return super().list(request, *args, **kwargs)

    assert get_of(Viewset) == whole
    assert set(whole) == {"operationId", "responses"}


def test_an_auto_schema_of_ones_own_is_used(settings: Any) -> None:
    from drf_spectacular.openapi import AutoSchema

    class Mine(AutoSchema):
        def __init__(self, suffix: str = "x") -> None:
            super().__init__()
            self.suffix = suffix

        def get_operation_id(self) -> str:
            return f"{super().get_operation_id()}_{self.suffix}"

        def get_operation(self, *args: Any) -> Any:
            operation = super().get_operation(*args)
            return {**operation, "x-mine": True} if operation else None

    class Viewset(TicketViewSet):
        schema = Mine(suffix="mine")

    operation = get_of(Viewset)
    assert operation["operationId"].endswith("_list_mine")
    assert operation["x-mine"] is True
    assert "x-websocket" in operation


def test_an_extension_of_ones_own_for_the_same_viewset_is_used() -> None:
    from drf_spectacular.extensions import OpenApiViewExtension

    class Viewset(TicketViewSet):
        """Without its extension."""

    class Extension(OpenApiViewExtension):
        target_class = Viewset

        def view_replacement(self) -> Any:
            class Replaced(self.target):
                """With its extension."""

            return Replaced

    try:
        operation = get_of(Viewset)
    finally:
        OpenApiViewExtension._registry.remove(Extension)
    assert operation["description"].startswith("With its extension.\n\nThis address is live.")
    assert Viewset.__subclasses__()[0].__name__ == "Replaced"


def test_the_viewset_itself_is_left_as_it_was(document: Any) -> None:
    assert "live_schema" not in vars(TicketViewSet)
    assert "schema" not in vars(TicketViewSet)
    assert TicketViewSet.schema is not None


def test_a_viewset_that_is_kept_out_stays_out() -> None:
    class Viewset(TicketViewSet):
        schema = None

    assert "/api/tickets/" not in make(route(Viewset))["paths"]


def test_a_live_action_of_another_name_is_live() -> None:
    class Viewset(TicketViewSet):
        live_actions = ["feed"]
        serializer_class = TicketSerializer

        @action(detail=False, pagination_class=None)
        def feed(self, request: Any) -> Response:
            return Response(TicketSerializer(Ticket.objects.all(), many=True).data)

    paths = make(route(Viewset))["paths"]
    assert "x-websocket" in paths["/api/tickets/feed/"]["get"]
    assert "x-websocket" not in paths["/api/tickets/"]["get"]


# -- where it comes from -----------------------------------------------------------------------------------------------


def run(script: str) -> str:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.strip()


SETUP = """
import sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS={apps!r}, GRIP_URL="http://127.0.0.1:1/")
django.setup()
print("django_grip.rest.schemas.spectacular" in sys.modules, "drf_spectacular.openapi" in sys.modules)
"""


def test_it_is_there_by_itself_where_drf_spectacular_is_an_app_and_not_imported_where_it_is_not() -> None:
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "django_grip"]
    assert run(SETUP.format(apps=apps)) == "False False"
    assert run(SETUP.format(apps=[*apps, "drf_spectacular"])) == "True True"
