"""The actions of a live WebSocket: which there are, and that each runs as the request it stands for."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import clear_script_prefix, set_script_prefix
from rest_framework.decorators import action
from rest_framework.parsers import FileUploadParser, JSONParser, MultiPartParser
from rest_framework.response import Response
from rest_framework.versioning import QueryParameterVersioning

from django_grip.endpoints import find_endpoints
from django_grip.rest.websocket import routes

from .models import Project, Ticket
from .project import TicketViewSet
from .serving import Routes
from .sockets import ask, opened, socket_urls, ticket

__all__ = ["socket_urls", "ticket"]

pytestmark = pytest.mark.django_db

MODEL = ["list", "create", "retrieve", "update", "partial_update", "destroy"]
NOT_FOUND = {"type": "error", "status": 404, "errors": {"detail": "Not found."}}
NO_TICKET = {"type": "error", "status": 404, "errors": {"detail": "No Ticket matches the given query."}}


def shown(ticket: Ticket, **changed: Any) -> dict[str, Any]:
    return {"id": ticket.pk, "title": ticket.title, "done": ticket.done, "project": None, **changed}


def response(status: int, data: Any) -> dict[str, Any]:
    return {"type": "response", "status": status, "data": data}


# -- which there are ---------------------------------------------------------------------------------------------------

EXTRA_DETAIL = ["clear_tags", "close", "notes", "tags"]
OFFERED = [
    ("/api/upper/", MODEL),
    ("/api/upper/1/", ["retrieve", "update", "partial_update", "destroy"]),
    ("/api/extra/", [*MODEL, *EXTRA_DETAIL, "echo", "recent"]),
    ("/api/extra/1/", ["retrieve", "update", "partial_update", "destroy", *EXTRA_DETAIL]),
    ("/api/extra.json", [*MODEL, *EXTRA_DETAIL, "echo", "recent"]),
    ("/one/tickets/", [*MODEL, *EXTRA_DETAIL, "echo", "recent"]),
    ("/api/read/", ["list", "retrieve"]),
    ("/api/detail/1/", ["retrieve", "update", "partial_update", "destroy"]),
    ("/api/recent/of/2026/", ["in_year", *MODEL]),
    ("/api/recent/", MODEL),
    ("/api/of/3/tickets/", MODEL),
    ("/api/v1/versioned/tickets/", [*MODEL, "version"]),
    ("/by-hand/", ["list", "create"]),
    ("/by-hand/1/", ["retrieve", "destroy"]),
]


@pytest.mark.parametrize(("path", "names"), OFFERED)
def test_a_websocket_offers_what_its_viewset_is_routed_for(grip_client: Any, path: str, names: list[str]) -> None:
    Ticket.objects.create(pk=1, title="printer")
    subscribed = grip_client.websocket(path).receive_json()
    # The order of routes is the router's; the route's own come first.
    assert (subscribed["action"], sorted(subscribed["actions"])) == ("subscribed", sorted(names))
    assert subscribed["actions"][0] == names[0]


# -- each runs as its request ------------------------------------------------------------------------------------------


def test_the_urlconf_is_read_once_for_the_websockets_of_all_viewsets(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def find(urlconf: Any) -> Any:
        read.append(urlconf)
        return find_endpoints(urlconf)

    monkeypatch.setattr(routes, "find_endpoints", find)
    for path in ("/api/upper/", "/api/extra/", "/api/upper/"):
        opened(grip_client, path)
    assert read == ["tests.rest.socket_project"]


def test_a_list_answers_all_actions_of_its_viewset(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/upper/") as ws:
        assert ask(ws, "list") == response(200, [shown(ticket)])
    with opened(grip_client, "/api/extra/") as ws:
        created = ask(ws, "create", data={"title": "new"})
        new = Ticket.objects.get(title="new")
        assert created == response(201, shown(new))
        assert ask(ws, "retrieve", pk=new.pk) == response(200, shown(new))
        assert ask(ws, "retrieve", pk=str(new.pk)) == response(200, shown(new))
        assert ask(ws, "update", pk=new.pk, data={"title": "newer"}) == response(200, shown(new, title="newer"))
        assert ask(ws, "partial_update", pk=new.pk, data={"done": True})["data"]["done"] is True
        assert ask(ws, "destroy", pk=new.pk) == response(204, None)
        assert ask(ws, "retrieve", pk=new.pk) == NO_TICKET
        assert ask(ws, "destroy", pk=new.pk) == NO_TICKET


def test_an_objects_websocket_answers_for_that_object(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, f"/api/extra/{ticket.pk}/") as ws:
        assert ask(ws, "retrieve") == response(200, shown(ticket))
        assert ask(ws, "partial_update", data={"title": "y"}) == response(200, shown(ticket, title="y"))
        assert ask(ws, "close") == response(200, {"done": True})
        refused = ask(ws, "destroy", pk=ticket.pk)
        assert refused["errors"] == {"pk": ["destroy takes no pk at this address."]}
        assert "There is no action 'create' here" in ask(ws, "create", data={})["errors"]["action"][0]
        assert Ticket.objects.get().done


def test_subscribe_is_another_name_for_the_routes_get(grip_client: Any, ticket: Ticket) -> None:
    assert ask(opened(grip_client, "/api/upper/"), "subscribe") == response(200, [shown(ticket)])
    answer = ask(opened(grip_client, f"/api/extra/{ticket.pk}/"), "subscribe")
    assert answer == response(200, shown(ticket))
    assert ask(opened(grip_client, "/api/recent/of/2026/"), "subscribe") == response(200, "2026")


def test_an_action_of_the_viewset_named_subscribe_is_that(grip_client: Any) -> None:
    assert ask(opened(grip_client, "/api/subscribed/"), "subscribe") == response(200, "to the newsletter")


def test_extra_actions_go_by_their_names(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/extra/") as ws:
        assert ask(ws, "close", pk=ticket.pk) == response(200, {"done": True})
        assert ask(ws, "recent") == response(200, {"path": "/api/extra/the-recent/", "action": "recent"})
        assert ask(ws, "tags", pk=ticket.pk) == response(200, ["tags"])
        assert ask(ws, "clear_tags", pk=ticket.pk) == response(200, ["clear_tags"])
        assert ask(ws, "notes")["errors"] == {"pk": ["notes needs the pk of an object."]}
        assert ask(ws, "recent", pk=1)["errors"] == {"pk": ["recent takes no pk at this address."]}


def test_of_several_methods_data_chooses_one_that_takes_it(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/extra/") as ws:
        assert ask(ws, "notes", pk=ticket.pk)["data"] == {"method": "GET", "data": {}, "pk": ticket.pk}
        assert ask(ws, "notes", pk=ticket.pk, data=["a"])["data"] == {"method": "POST", "data": ["a"], "pk": ticket.pk}
        assert ask(ws, "notes", pk=ticket.pk, data={})["data"] == {"method": "POST", "data": {}, "pk": ticket.pk}
    # Nothing is deleted by who asks, and happens to send data with everything.
    with opened(grip_client, "/api/odd/") as ws:
        assert [ask(ws, "bin", **data)["data"] for data in ({}, {"data": {}})] == ["GET", "GET"]


def test_of_several_methods_one_may_be_named(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/odd/") as ws:
        named = [ask(ws, "bin", method=method) for method in ("DELETE", "delete", "GET")]
        assert [answer["data"] for answer in named] == ["DELETE", "DELETE", "GET"]
        assert ask(ws, "bin", method="DELETE", data={})["data"] == "DELETE"
        refused = ask(ws, "bin", method="PATCH")
        assert refused["errors"] == {"method": ["The methods of bin are: GET, DELETE; not 'PATCH'."]}
        assert ask(ws, "list", method="GET")["status"] == 200
        assert ask(ws, "destroy", pk=ticket.pk, method="GET")["status"] == 400
    with opened(grip_client, "/api/extra/") as ws:
        assert ask(ws, "notes", pk=ticket.pk, method="POST")["data"]["method"] == "POST"
        assert ask(ws, "notes", pk=ticket.pk, method="GET", data=["a"])["data"]["method"] == "GET"


def test_a_query_has_numbers_and_several_values_of_a_parameter(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/extra/") as ws:
        data = ask(ws, "recent", query={"page": 2, "done": True, "tag": ["a", 7], "none": [], "q": "é&"})["data"]
    assert data["path"] == "/api/extra/the-recent/?page=2&done=true&tag=a&tag=7&q=%C3%A9%26"
    with opened(grip_client, "/api/paged/") as ws:
        assert ask(ws, "list", query={"page": 1})["status"] == 200


def test_what_takes_files_alone_is_not_offered(grip_client: Any, ticket: Ticket, routes: Any) -> None:
    class Files(TicketViewSet):
        parser_classes = [MultiPartParser, FileUploadParser]

        @action(detail=True, methods=["post"], parser_classes=[JSONParser])
        def close(self, request: Any, pk: Any = None) -> Response:
            return Response(request.data)

        @action(detail=True, methods=["get", "put"])
        def picture(self, request: Any, pk: Any = None) -> Response:
            return Response(request.method)

    with grip_client.websocket(routes.add(Files)) as ws:
        assert sorted(ws.receive_json()["actions"]) == ["close", "destroy", "list", "picture", "retrieve"]
        assert ask(ws, "close", pk=ticket.pk, data={"a": 1})["data"] == {"a": 1}
        assert ask(ws, "picture", pk=ticket.pk, data={"a": 1})["data"] == "GET"
        assert "There is no action 'create'" in ask(ws, "create", data={"title": "x"})["errors"]["action"][0]
        assert ask(ws, "destroy", pk=ticket.pk)["status"] == 204


def test_an_action_is_a_request_of_its_own(grip_client: Any) -> None:
    with opened(grip_client, "/api/extra/?format=json&a=1") as ws:
        data = ask(ws, "echo", query={"q": "ä&b=c", "format": "api"})["data"]
    assert data == {
        "get": {"q": "ä&b=c"},
        "method": "GET",
        "type": "",
        "url": "http://testserver/api/extra/echo/?q=%C3%A4%26b%3Dc",
        "accept": "application/json",
    }


def test_the_query_of_the_address_is_for_actions_at_that_address(grip_client: Any, ticket: Ticket) -> None:
    last = Ticket.objects.create(title="last")
    with opened(grip_client, "/api/paged/?page=2") as ws:
        second = ask(ws, "list")["data"]
        assert second["results"] == [shown(last)]
        assert second["previous"] == "http://testserver/api/paged/"
        first = ask(ws, "list", query={"page": "1"})["data"]
        assert (first["results"], first["next"]) == ([shown(ticket)], "http://testserver/api/paged/?page=2")
        assert ask(ws, "list", query={})["data"] == first
        assert ask(ws, "list", query={"page": "9"}) == {
            "type": "error",
            "status": 404,
            "errors": {"detail": "Invalid page."},
        }
    with opened(grip_client, "/api/extra/?page=2") as ws:
        assert ask(ws, "echo")["data"]["get"] == {}


def test_a_version_in_the_query_of_the_address_is_that_of_all_actions(
    grip_client: Any, ticket: Ticket, settings: Any
) -> None:
    class Versioned(TicketViewSet):
        versioning_class = QueryParameterVersioning

        def list(self, request: Any) -> Response:
            return Response(request.GET)

        def retrieve(self, request: Any, pk: Any) -> Response:
            return Response([request.version, request.GET])

    settings.ROOT_URLCONF = urls = Routes()
    with opened(grip_client, f"{urls.add(Versioned)}?version=2&page=3") as ws:
        assert ask(ws, "list")["data"] == {"version": "2", "page": "3"}
        assert ask(ws, "list", query={"page": "1"})["data"] == {"version": "2", "page": "1"}
        assert ask(ws, "retrieve", pk=1)["data"] == ["2", {"version": "2"}]
        assert ask(ws, "retrieve", pk=1, query={"version": "3"})["data"] == ["3", {"version": "3"}]


def test_errors_of_validation_are_under_errors(grip_client: Any) -> None:
    with opened(grip_client, "/api/extra/") as ws:
        required = {"title": ["This field is required."]}
        assert ask(ws, "create") == {"type": "error", "status": 400, "errors": required}
        assert ask(ws, "create", data=None) == {"type": "error", "status": 400, "errors": required}
        assert ask(ws, "create", data={}) == {"type": "error", "status": 400, "errors": required}
        answer = ask(ws, "create", data=[1])
        assert answer["status"] == 400
        assert list(answer["errors"]) == ["non_field_errors"]
        assert ask(ws, "create", data="title")["status"] == 400
        assert ask(ws, "create", data={"title": "x" * 101})["errors"]["title"][0].startswith("Ensure this field has")
    assert not Ticket.objects.exists()


def test_errors_that_are_a_list_are_an_object_all_the_same(grip_client: Any) -> None:
    answer = ask(opened(grip_client, "/api/odd/"), "several")
    assert answer == {"type": "error", "status": 400, "errors": {"detail": ["one", "two"]}}


# -- where it is routed ------------------------------------------------------------------------------------------------


def test_nested_routes_keep_what_they_are_nested_in(grip_client: Any) -> None:
    ours, other = (Project.objects.create(name=name, slug=name) for name in ("ours", "other"))
    hidden = Ticket.objects.create(title="hidden", project=other)
    with opened(grip_client, f"/api/of/{ours.pk}/tickets/") as ws:
        new = ask(ws, "create", data={"title": "new"})["data"]
        assert new["project"] == ours.pk
        assert ask(ws, "list")["data"] == [new]
        assert ask(ws, "retrieve", pk=new["id"])["data"] == new
        assert ask(ws, "destroy", pk=hidden.pk) == NO_TICKET
    assert Ticket.objects.filter(pk=hidden.pk).exists()


def test_an_object_goes_by_what_stands_in_its_url(grip_client: Any) -> None:
    Project.objects.create(name="Printers", slug="printers")
    with opened(grip_client, "/api/slugged/") as ws:
        assert ask(ws, "retrieve", pk="printers") == response(200, {"name": "Printers", "slug": "printers"})
        # Of another spelling than lookup_value_regex lets in: no URL has it.
        assert ask(ws, "retrieve", pk="Printers") == NOT_FOUND
        assert ask(ws, "retrieve", pk=1) == NOT_FOUND
    with opened(grip_client, "/api/slugged/printers/") as ws:
        assert ask(ws, "retrieve")["data"]["name"] == "Printers"


@pytest.mark.parametrize("space", ["one", "two"])
def test_included_under_several_namespaces_each_has_its_own(grip_client: Any, ticket: Ticket, space: str) -> None:
    with opened(grip_client, f"/{space}/tickets/") as ws:
        assert ask(ws, "recent")["data"]["path"] == f"/{space}/tickets/the-recent/"
        assert ask(ws, "close", pk=ticket.pk) == response(200, {"done": True})


def test_the_version_in_the_address_is_kept(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/v2/versioned/tickets/") as ws:
        assert ask(ws, "version", pk=ticket.pk) == response(200, "v2")
        assert ask(ws, "list") == response(200, [shown(ticket)])


def test_a_format_suffix_is_nothing_to_the_actions(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/extra.json") as ws:
        assert ask(ws, "list") == response(200, [shown(ticket)])
        assert ask(ws, "retrieve", pk=ticket.pk) == response(200, shown(ticket))
        assert ask(ws, "recent")["data"]["path"] == "/api/extra/the-recent/"


def test_what_is_routed_by_hand_has_its_own_actions_alone(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/by-hand/") as ws:
        assert ask(ws, "create", data={"title": "new"})["status"] == 201
        assert "but: list, create." in ask(ws, "destroy", pk=ticket.pk)["errors"]["action"][0]
    with opened(grip_client, f"/by-hand/{ticket.pk}/") as ws:
        assert ask(ws, "destroy") == response(204, None)


def test_an_extra_live_action_has_the_others_beside_it(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, "/api/recent/of/2026/") as ws:
        assert ask(ws, "in_year") == response(200, "2026")
        assert ask(ws, "list") == response(200, [shown(ticket)])
        assert ask(ws, "retrieve", pk=ticket.pk) == response(200, shown(ticket))


def test_under_a_script_prefix_actions_find_their_routes(grip_client: Any, ticket: Ticket, settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/mounted"
    # As every handler does but those of Django's test clients.
    set_script_prefix("/mounted/")
    try:
        with opened(grip_client, "/api/extra/") as ws:
            assert ask(ws, "recent")["data"]["path"] == "/mounted/api/extra/the-recent/"
            assert ask(ws, "retrieve", pk=ticket.pk) == response(200, shown(ticket))
    finally:
        clear_script_prefix()


HOSTILE = [
    "../1",
    "..",
    ".",
    "",
    "1/close",
    "1/",
    "/1",
    "1.json",
    "1?a=b",
    "1#",
    "%31",
    "\x00",
    "é",
    "9" * 400,
]


@pytest.mark.parametrize("pk", HOSTILE)
@pytest.mark.parametrize("path", ["/api/extra/", "/api/greedy/"])
def test_a_pk_leads_to_an_object_or_to_nothing(grip_client: Any, ticket: Ticket, path: str, pk: str) -> None:
    with opened(grip_client, path) as ws:
        for action in ("retrieve", "destroy", "close"):
            answer = ask(ws, action, pk=pk)
            assert (answer["type"], answer["status"]) == ("error", 404), action
    assert not Ticket.objects.get().done


@pytest.mark.parametrize("place", ["public", "internal"])
def test_of_two_includes_an_action_stays_in_its_own(grip_client: Any, ticket: Ticket, place: str) -> None:
    with opened(grip_client, f"/{place}/tickets/") as ws:
        path = f"/{place}/tickets/{ticket.pk}/where/"
        assert ask(ws, "where", pk=ticket.pk) == response(200, [place, path])
    with opened(grip_client, f"/{place}/tickets/{ticket.pk}/") as ws:
        assert ask(ws, "where") == response(200, [place, path])


def test_of_two_includes_with_the_same_names_an_action_leaves_neither(grip_client: Any, ticket: Ticket) -> None:
    offered = {}
    for place in ("first", "second"):
        ws = grip_client.websocket(f"/{place}/tickets/")
        offered[place] = ws.receive_json()["actions"]
        assert ask(ws, "create", data={"title": place})["status"] == 201
    # The names lead to the last of them; on the other there is what its own address answers.
    assert offered == {
        "first": ["list", "create"],
        "second": ["list", "create", "retrieve", "update", "partial_update", "destroy"],
    }


def test_a_pk_does_not_lead_below_something_else(grip_client: Any, ticket: Ticket) -> None:
    # As a URL it would be that of a ticket at "here/tickets/there".
    assert grip_client.get(f"/api/at/here/tickets/there/tickets/{ticket.pk}/").json() == shown(ticket)
    with opened(grip_client, "/api/at/here/tickets/") as ws:
        assert ask(ws, "retrieve", pk=ticket.pk) == response(200, shown(ticket))
        assert ask(ws, "retrieve", pk=f"there/tickets/{ticket.pk}") == NOT_FOUND
