"""Live viewsets and `WebSocketAPIView` in an AsyncAPI document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.asyncapi.documents import check, make, payload_errors, received, resolve, sent

from ..models import Project, Ticket
from ..sockets import make_user, said

pytestmark = pytest.mark.needs("rest", "simplejwt")

STANDARD = ["list", "create", "retrieve", "update", "partial_update", "destroy"]


# By the way that it was made; it takes a while.
_documents: dict[str, Any] = {}


@pytest.fixture
def document(way: str) -> Any:
    if way not in _documents:
        _documents[way] = make("--urlconf", "tests.rest.schemas.project", "--server", "https://example.com")
    return _documents[way]


def payload(document: Any, channel: str, message: str) -> Any:
    return document["channels"][channel]["messages"][message]["payload"]


def data_of(document: Any, channel: str, message: str) -> Any:
    """The schema of a message's data, with what it refers to."""
    found = payload(document, channel, message)["properties"]["data"]
    return resolve(document, found["$ref"]) if "$ref" in found else found


def test_the_document_is_valid_by_the_official_schema(document: Any) -> None:
    check(document)


def test_each_live_route_is_a_websocket_an_event_stream_and_a_long_poll(document: Any) -> None:
    kinds: dict[str, list[str]] = {}
    for name, channel in document["channels"].items():
        kinds.setdefault(channel["address"], []).append(name)
    assert kinds == {
        "/api/mine/": ["api_mine_events", "api_mine_long_poll", "api_mine_websocket"],
        "/api/projects/": ["api_projects_events", "api_projects_long_poll", "api_projects_websocket"],
        "/api/projects/{slug}/": [f"api_projects_slug_{kind}" for kind in ("events", "long_poll", "websocket")],
        "/api/tickets/": ["api_tickets_events", "api_tickets_long_poll", "api_tickets_websocket"],
        "/api/tickets/{pk}/": [f"api_tickets_pk_{kind}" for kind in ("events", "long_poll", "websocket")],
        "/rooms/{room}/": ["rooms_room_websocket"],
        "/ticker/": ["ticker_events"],
    }


def test_a_channel_says_what_its_viewset_says(document: Any) -> None:
    channel = document["channels"]["api_tickets_websocket"]
    assert channel["title"] == "TicketViewSet"
    assert channel["description"] == (
        "Tickets, page by page.\n\n"
        "The first message is `subscribed`; ask for `list`, or `subscribe`, which is the same, then."
    )
    assert document["channels"]["api_tickets_pk_websocket"]["parameters"] == {
        "pk": {"description": "Matches `[^/.]+`."}
    }
    text = document["channels"]["api_tickets_long_poll"]["description"]
    assert "`Prefer: wait=N`" in text
    assert "60 at the most" in text
    assert "30 at the most" in document["channels"]["api_mine_long_poll"]["description"]


@pytest.mark.parametrize(
    ("channel", "actions"),
    [
        ("api_tickets_websocket", [*STANDARD, "note", "recent"]),
        ("api_tickets_pk_websocket", ["retrieve", "update", "partial_update", "destroy", "note"]),
        ("api_mine_websocket", ["list", "retrieve", "partial_update"]),
    ],
)
def test_clients_send_the_actions_that_are_routed(document: Any, channel: str, actions: list[str]) -> None:
    assert sorted(received(document, channel)) == sorted(actions)


@pytest.mark.parametrize(
    ("channel", "events"),
    [
        # Who hears may not know of objects.
        ("api_tickets_websocket", ["subscribed", "invalidate", "error"]),
        ("api_tickets_events", ["snapshot", "reset", "invalidate"]),
        # An object's own subscribers know it.
        ("api_tickets_pk_websocket", ["subscribed", "updated", "deleted", "invalidate", "error"]),
        # Public.
        ("api_projects_events", ["snapshot", "reset", "created", "updated", "deleted", "invalidate"]),
        # Both channel methods are overridden.
        ("api_mine_events", ["snapshot", "reset", "created", "updated", "deleted", "invalidate"]),
    ],
)
def test_the_server_sends_the_events_that_may_be_heard_there(document: Any, channel: str, events: list[str]) -> None:
    assert sent(document, channel) == events


def test_data_is_shown_only_where_it_may_be(document: Any) -> None:
    assert data_of(document, "api_mine_websocket", "created")["properties"].keys() == {"id", "title"}
    assert data_of(document, "api_projects_slug_websocket", "updated")["properties"].keys() == {"name", "slug"}
    assert "data" not in payload(document, "api_projects_websocket", "deleted")["properties"]
    assert "data" not in payload(document, "api_tickets_pk_websocket", "updated")["properties"]
    assert payload(document, "api_tickets_pk_websocket", "updated")["properties"]["pk"] == {"type": "integer"}
    # Found by its slug.
    assert payload(document, "api_projects_slug_websocket", "updated")["properties"]["pk"] == {"type": "string"}


def test_what_is_asked_and_what_is_answered_are_told_apart(document: Any) -> None:
    asked = data_of(document, "api_tickets_websocket", "create")
    assert set(asked["properties"]) == {"title", "done", "comments", "urgency", "effort", "labels"}
    assert set(asked["required"]) == {"title", "urgency"}
    answered = data_of(document, "api_tickets_websocket", "create_response")
    assert set(answered["properties"]) == {"id", "title", "done", "project", "urgency", "effort", "labels", "age"}
    assert {"id", "title", "project", "urgency", "age"} <= set(answered["required"])
    assert "required" not in data_of(document, "api_tickets_websocket", "partial_update")
    assert payload(document, "api_tickets_websocket", "create")["required"] == ["action", "data"]
    assert payload(document, "api_tickets_websocket", "partial_update")["required"] == ["action", "pk"]


def test_the_answer_to_a_list_is_a_page(document: Any) -> None:
    page = data_of(document, "api_tickets_websocket", "list_response")
    assert set(page["properties"]) == {"count", "next", "previous", "results"}
    assert page["properties"]["results"]["items"] == {"$ref": "#/components/schemas/Ticket"}
    snapshot = data_of(document, "api_tickets_events", "snapshot")
    assert snapshot == page
    assert payload(document, "api_tickets_websocket", "destroy_response")["properties"]["data"] == {"type": "null"}


def test_fields_are_what_they_are(document: Any) -> None:
    fields = document["components"]["schemas"]["TicketRequest"]["properties"]
    null = {"type": "null"}
    assert payload_errors(document, "api_tickets_websocket", "create", call(title="a", urgency=None)) == []
    assert payload_errors(document, "api_tickets_websocket", "create", call(title="a", urgency="so so"))
    assert payload_errors(document, "api_tickets_websocket", "create", call(title=None, urgency=None))
    assert (fields["effort"]["minimum"], fields["effort"]["maximum"]) == (0, 10)
    assert (fields["labels"]["type"], fields["labels"]["items"]["type"]) == ("array", "string")
    project = document["components"]["schemas"]["Ticket"]["properties"]["project"]
    assert null in project.get("anyOf", project.get("oneOf"))


def call(**data: Any) -> Any:
    return {"action": "create", "ref": 7, "data": data}


def test_a_serializer_may_hold_itself(document: Any) -> None:
    comment = document["components"]["schemas"]["CommentRequest"]
    assert comment["properties"]["answers"]["items"] == {"$ref": "#/components/schemas/CommentRequest"}
    assert comment["properties"]["text"]["description"] == "What is said."
    deep = {"text": "a", "answers": [{"text": "b", "answers": [{"text": "c"}]}]}
    assert (
        payload_errors(document, "api_tickets_websocket", "create", call(title="a", urgency=None, comments=[deep]))
        == []
    )
    deep["answers"] = [{"answers": []}]
    assert payload_errors(document, "api_tickets_websocket", "create", call(title="a", urgency=None, comments=[deep]))


def test_an_action_of_the_viewsets_own_takes_what_its_serializer_says(way: str, document: Any) -> None:
    found = payload(document, "api_tickets_websocket", "note")
    if way == "spectacular":
        assert data_of(document, "api_tickets_websocket", "note")["required"] == ["text"]
    else:
        # Django REST framework cannot tell.
        assert found["properties"]["data"] == {}
    assert "pk" in found["required"]
    assert "pk" not in payload(document, "api_tickets_pk_websocket", "note")["properties"]


@pytest.mark.parametrize(
    "message",
    [
        {"action": "list"},
        {"action": "list", "ref": None},
        {"action": "list", "ref": "a" * 100, "query": {"page": "2"}},
        {"action": "list", "ref": 7},
        {"action": "list", "query": {"page": 2, "min": 0.5, "done": True, "tag": ["a", 7]}},
    ],
)
def test_messages_are_valid_as_they_are_taken(document: Any, message: Any) -> None:
    assert payload_errors(document, "api_tickets_websocket", "list", message) == []


@pytest.mark.parametrize(
    "message",
    [
        {"action": "create"},
        {"action": "list", "ref": 1.5},
        {"action": "list", "ref": "a" * 101},
        {"action": "list", "pk": 1},
        {"action": "list", "query": {"page": None}},
        {"action": "list", "method": "GET"},
        {"action": "list", "more": 1},
        {"ref": 1},
        ["list"],
    ],
)
def test_messages_are_invalid_as_they_are_refused(document: Any, message: Any) -> None:
    assert payload_errors(document, "api_tickets_websocket", "list", message)


def test_who_may_open_it_is_said_as_far_as_it_is_known(document: Any) -> None:
    assert document["components"]["securitySchemes"] == {
        "Basic": {"type": "http", "scheme": "basic"},
        "JWT": {"type": "http", "scheme": "bearer"},
        "Session": {"type": "httpApiKey", "in": "cookie", "name": "sessionid"},
        "Token": {
            "type": "httpApiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The word `Token`, a space, and the token.",
        },
    }
    operations = document["operations"]
    prefix = "#/components/securitySchemes/"
    assert operations["api_tickets_websocket_create"]["security"] == [
        {"$ref": f"{prefix}Session"},
        {"$ref": f"{prefix}Token"},
    ]
    assert operations["api_mine_events_send"]["security"] == [{"$ref": f"{prefix}Basic"}, {"$ref": f"{prefix}JWT"}]
    assert "security" not in operations["api_projects_events_send"]


@pytest.mark.parametrize(
    ("channel", "names"),
    [
        ("api_tickets_websocket", "grip.live, bearer.<token>"),
        ("api_mine_websocket", "grip.live, v2, bearer.<token>"),
        ("api_projects_websocket", "grip.live"),
        ("rooms_room_websocket", "chat, bearer.<token>"),
    ],
)
def test_the_subprotocols_are_those_that_may_be_offered(document: Any, channel: str, names: str) -> None:
    headers = document["channels"][channel]["bindings"]["ws"]["headers"]["properties"]
    assert headers["Sec-WebSocket-Protocol"]["description"] == f"Any of these, or none: {names}."


def test_a_websocket_api_view_has_its_actions(document: Any) -> None:
    channel = "rooms_room_websocket"
    assert document["channels"][channel]["description"] == "A room to talk in."
    assert received(document, channel) == ["rename", "say", "wave", "posted"]
    assert sent(document, channel) == ["message", "error"]
    assert data_of(document, channel, "rename")["required"] == ["title"]
    assert data_of(document, channel, "say")["required"] == ["text"]
    assert data_of(document, channel, "wave") == {}
    assert payload(document, channel, "wave")["required"] == ["action"]
    assert payload(document, channel, "say")["required"] == ["action", "data"]
    assert resolve(document, payload(document, channel, "posted")["$ref"])["required"] == ["text"]
    assert "query" not in payload(document, channel, "say")["properties"]


# -- what really goes over the wire ------------------------------------------------------------------------------------


@pytest.fixture
def user(db: None) -> User:
    return make_user("ann", "view", "add", "change", "delete")


def name_of(message: Any, asked: str = "") -> str:
    if message.get("type") == "error":
        return "error"
    return f"{asked}_response" if message.get("type") == "response" else str(message["action"])


def test_what_goes_over_a_websocket_is_valid(
    document: Any, grip_client: Any, user: User, django_capture_on_commit_callbacks: Any
) -> None:
    grip_client.force_login(user)
    ticket = Ticket.objects.create(title="printer", owner=user, project=Project.objects.create(name="a", slug="a"))
    calls = [
        {"action": "list", "ref": 1},
        {"action": "list", "ref": 1, "query": {"page": "9"}},
        {"action": "retrieve", "ref": "a", "pk": ticket.pk},
        {"action": "create", "ref": 1, "data": {"title": ""}},
        {"action": "destroy", "ref": 2, "pk": ticket.pk},
    ]
    seen = []
    for address, channel in (("/api/tickets/", "api_tickets_websocket"), ("/api/projects/", "api_projects_websocket")):
        with grip_client.websocket(address) as ws:
            for asked in [None, *calls, {"action": "create", "ref": 3, "data": {"name": "b", "slug": "b"}}]:
                if asked is not None:
                    with django_capture_on_commit_callbacks(execute=True):
                        ws.send_json(asked)
                for message in said(ws):
                    name = name_of(message, asked["action"] if asked else "")
                    assert payload_errors(document, channel, name, message) == []
                    seen.append(name)
    assert set(seen) >= {"subscribed", "list_response", "retrieve_response", "destroy_response", "create_response"}
    assert set(seen) >= {"error", "invalidate", "created"}


def test_what_comes_in_a_stream_is_valid(document: Any, grip_client: Any, user: User) -> None:
    grip_client.force_login(user)
    Ticket.objects.create(title="printer", owner=user)
    with grip_client.stream("/api/tickets/", headers={"Accept": "text/event-stream"}) as stream:
        snapshot = json.loads(stream.receive_event().data)
        assert snapshot["data"]["results"][0]["title"] == "printer"
        assert payload_errors(document, "api_tickets_events", "snapshot", snapshot) == []


@pytest.mark.parametrize("path", ["/api/tickets/", "/api/projects/", "/api/tickets/{pk}/"])
def test_the_actions_are_those_that_the_websocket_tells(document: Any, grip_client: Any, user: User, path: str) -> None:
    grip_client.force_login(user)
    ticket = Ticket.objects.create(title="printer", owner=user)
    with grip_client.websocket(path.format(pk=ticket.pk)) as ws:
        (subscribed,) = said(ws)
    (channel,) = [
        name for name, each in document["channels"].items() if each["address"] == path and name.endswith("websocket")
    ]
    told = payload(document, channel, "subscribed")["properties"]["actions"]["items"]["enum"]
    assert told == subscribed["actions"]


def test_actions_of_all_kinds_are_those_that_the_websocket_tells(
    grip_client: Any, user: User, settings: Any, way: str
) -> None:
    settings.ROOT_URLCONF = "tests.rest.schemas.extra_project"
    ticket = Ticket.objects.create(title="printer", owner=user)
    document = make()
    check(document)
    told = {
        channel["address"]: channel["messages"]["subscribed"]["payload"]["properties"]["actions"]["items"]["enum"]
        for name, channel in document["channels"].items()
        if name.endswith("websocket")
    }
    assert set(told) == {"/api/extra/", "/api/extra/{pk}/", "/by-hand/", "/by-hand/{pk}/"}
    for path in told:
        (subscribed,) = said(grip_client.websocket(path.format(pk=ticket.pk)))
        assert told[path] == subscribed["actions"]
