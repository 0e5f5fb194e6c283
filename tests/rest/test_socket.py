"""The WebSocket of a live viewset: who may open it, what it hears, and what ends it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session

from django_grip import publish
from django_grip.rest import events
from django_grip.rest.channels import list_channel, object_channel, pair_channel, user_channel
from django_grip.rest.requests import copy_request
from django_grip.testing import AsyncGripClient, GripClient

from .models import Ticket
from .project import TicketViewSet
from .socket_project import TOKENS, MemberTicketViewSet, TokenTicketViewSet
from .sockets import ask, make_user, may_not, opened, said

pytestmark = pytest.mark.django_db

NO_WEBSOCKET = {"detail": "There is no WebSocket at this address."}


@pytest.fixture(autouse=True)
def urls(settings: Any, project_urls: None) -> Any:
    settings.ROOT_URLCONF = "tests.rest.socket_project"
    yield
    TOKENS.clear()


@pytest.fixture
def ticket() -> Ticket:
    return Ticket.objects.create(title="printer")


# -- opening -----------------------------------------------------------------------------------------------------------


def test_a_list_is_subscribed_to(grip_client: Any) -> None:
    with grip_client.websocket("/by-hand/") as ws:
        assert said(ws) == [{"action": "subscribed", "actions": ["list", "create"]}]
        assert ws.channels == {list_channel(TicketViewSet)}
        publish(list_channel(TicketViewSet), events.invalidate())
        assert said(ws) == [{"action": "invalidate"}]


def test_an_object_is_subscribed_to(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, f"/by-hand/{ticket.pk}/") as ws:
        assert ws.channels == {object_channel(TicketViewSet, ticket.pk)}


def test_a_user_is_reached_in_all_connections_and_in_those_to_a_channel(grip_client: Any, ticket: Ticket) -> None:
    user = make_user("ann")
    grip_client.force_login(user)
    for path, own in (
        ("/by-hand/", list_channel(TicketViewSet)),
        (f"/by-hand/{ticket.pk}/", object_channel(TicketViewSet, ticket.pk)),
    ):
        with opened(grip_client, path) as ws:
            assert ws.channels == {own, user_channel(user.pk), pair_channel(user.pk, own)}


def test_a_subprotocol_of_the_viewset_is_chosen(grip_client: Any) -> None:
    assert opened(grip_client, "/by-hand/", subprotocols=["other", "grip.live"]).subprotocol == "grip.live"
    assert opened(grip_client, "/by-hand/", subprotocols=["other"]).subprotocol is None
    assert opened(grip_client, "/by-hand/").subprotocol is None


def test_each_request_is_anew_asked_as_a_get(grip_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look(self: Any, request: Any) -> None:
        asked.append((self.action, request.method, request.user.is_anonymous, request.content_type))

    monkeypatch.setattr(TicketViewSet, "check_permissions", look)
    with opened(grip_client, "/by-hand/"):
        grip_client.advance(60)
    assert asked == [("list", "GET", True, "")] * 2


@pytest.mark.parametrize("path", ["/api/detail/", "/post-only/", "/api/write/"])
def test_where_get_is_not_live_there_is_no_websocket(grip_client: Any, path: str) -> None:
    ws = grip_client.websocket(path)
    assert (ws.accepted, ws.status_code) == (False, 404)
    assert ws.response.json() == NO_WEBSOCKET
    assert not Ticket.objects.exists()


def test_a_list_that_is_not_live_is_still_a_list(grip_client: Any, ticket: Ticket) -> None:
    assert grip_client.get("/api/detail/").json()[0]["id"] == ticket.pk
    assert opened(grip_client, f"/api/detail/{ticket.pk}/").channels


REFUSED = [
    ("/api/token/", 401, "Authentication credentials were not provided.", "Token"),
    ("/api/member/", 403, "Authentication credentials were not provided.", None),
    ("/api/viewed/", 403, "Authentication credentials were not provided.", None),
    ("/api/extra/99/", 404, "No Ticket matches the given query.", None),
    ("/api/extra/x/", 404, "Not found.", None),
    ("/api/extra.nonsense", 404, "Not found.", None),
]


@pytest.mark.parametrize(("path", "status", "detail", "challenge"), REFUSED)
def test_a_refusal_is_what_a_get_is_answered(
    grip_client: Any, path: str, status: int, detail: str, challenge: str | None
) -> None:
    ws = grip_client.websocket(path)
    assert (ws.accepted, ws.status_code, ws.response.json()) == (False, status, {"detail": detail})
    assert ws.response.headers["Content-Type"] == "application/json"
    assert ws.response.headers.get("WWW-Authenticate") == challenge
    get = grip_client.get(path)
    assert (get.status_code, get.headers.get("WWW-Authenticate")) == (status, challenge)


def test_a_login_page_around_the_viewset_refuses_with_401(grip_client: Any) -> None:
    ws = grip_client.websocket("/api/login/")
    assert (ws.accepted, ws.status_code) == (False, 401)
    grip_client.force_login(make_user("ann"))
    assert opened(grip_client, "/api/login/").channels


def test_a_failure_in_get_live_channels_is_that_of_the_opening(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any) -> list[str]:
        raise RuntimeError("broken")

    monkeypatch.setattr(TicketViewSet, "get_live_channels", fail)
    with pytest.raises(RuntimeError, match="broken"):
        grip_client.websocket("/by-hand/")


# -- never create ------------------------------------------------------------------------------------------------------

WOH = "application/websocket-events"
ALIKE = [
    WOH,
    f"{WOH};charset=utf-8",
    f"{WOH} ; a=b",
    "Application/WebSocket-Events",
    f" {WOH}",
    f"{WOH}, {WOH}",
    f'"{WOH}"',
]
BODIES = [b"OPEN\r\n", b"", b'TEXT f\r\n{"title": "new"}\r\n', b'{"title": "new"}']


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("content_type", ALIKE)
@pytest.mark.parametrize("path", ["/api/extra/", "/api/detail/", "/post-only/"])
def test_what_only_looks_like_websocket_events_never_creates(
    client: Any, path: str, content_type: str, body: bytes
) -> None:
    response = client.generic("POST", path, body, content_type=content_type, headers={"connection-id": "c1"})
    assert response.status_code in (400, 403)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_websocket_events_by_another_method_change_nothing(client: Any, ticket: Ticket, method: str) -> None:
    response = client.generic(
        method, f"/api/extra/{ticket.pk}/", b"OPEN\r\n", content_type=WOH, headers={"connection-id": "c1"}
    )
    assert response.status_code == 400
    assert Ticket.objects.get().title == "printer"


@pytest.mark.parametrize("path", ["/api/extra/", "/by-hand/", "/api/form/"])
def test_no_message_creates_but_that_of_create(grip_client: Any, path: str) -> None:
    with opened(grip_client, path) as ws:
        for text in ('{"title": "new"}', "title=new", '{"action": "list", "data": {"title": "new"}}', "{}"):
            ws.send(text)
    assert not Ticket.objects.exists()


# -- what ends it ------------------------------------------------------------------------------------------------------


def ends(client: Any, ws: Any, *, by_message: bool) -> tuple[int, str, list[Any]]:
    """How a connection ends when it is asked again, by a message or by the proxy's clock, and what it has heard."""
    if by_message:
        ws.send_json({"action": "create", "ref": 1, "data": {"title": "too late"}})
    else:
        client.advance(60)
    assert ws.closed
    assert not Ticket.objects.filter(title="too late").exists()
    return ws.close_code, ws.close_reason, said(ws)


by = pytest.mark.parametrize("by_message", [True, False], ids=["a message", "the clock"])


@by
def test_a_permission_revoked_closes_with_4403(grip_client: Any, by_message: bool) -> None:
    user = make_user("ann", "view", "add")
    grip_client.force_login(user)
    ws = opened(grip_client, "/api/viewed/")
    may_not(user, "view")
    assert ends(grip_client, ws, by_message=by_message) == (4403, "not permitted", [])


@by
@pytest.mark.parametrize("path", ["/by-hand/", "/api/own/", "/api/viewed/"])
def test_a_user_who_logs_out_is_closed_with_4401(grip_client: Any, path: str, by_message: bool) -> None:
    # Two that an anonymous user may read; one that DRF refuses with a 403, having no challenge.
    grip_client.force_login(make_user("ann", "view", "add"))
    ws = opened(grip_client, path)
    Session.objects.all().delete()
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_a_user_who_is_locked_out_or_has_another_password_is_closed_with_4401(
    grip_client: Any, by_message: bool
) -> None:
    user = make_user("ann")
    grip_client.force_login(user)
    ws = opened(grip_client, "/api/member/")
    user.set_password("another")
    user.save()
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_a_token_revoked_closes_with_4401(grip_client: Any, by_message: bool) -> None:
    TOKENS["t1"] = make_user("ann")
    ws = opened(grip_client, "/api/token/", headers={"authorization": "Token t1"})
    TOKENS.clear()
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_a_token_of_another_user_now_closes_with_4401(grip_client: Any, by_message: bool) -> None:
    TOKENS["t1"] = make_user("ann")
    ws = opened(grip_client, "/api/token/", headers={"authorization": "Token t1"})
    TOKENS["t1"] = make_user("bob")
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_an_object_deleted_closes_its_websocket_with_4404(grip_client: Any, ticket: Ticket, by_message: bool) -> None:
    ws = opened(grip_client, f"/api/upper/{ticket.pk}/")
    ticket.delete()
    assert ends(grip_client, ws, by_message=by_message) == (4404, "not found", [])


def test_an_object_that_its_user_sees_no_longer_closes_with_4404(grip_client: Any) -> None:
    user = make_user("ann")
    ticket = Ticket.objects.create(title="printer", owner=user)
    grip_client.force_login(user)
    ws = opened(grip_client, f"/api/own/{ticket.pk}/")
    Ticket.objects.update(owner=make_user("bob"))
    assert ends(grip_client, ws, by_message=False) == (4404, "not found", [])


def test_who_goes_is_asked_nothing_more(
    grip_client: Any, ticket: Ticket, caplog: pytest.LogCaptureFixture, django_assert_num_queries: Any
) -> None:
    ws = opened(grip_client, f"/api/upper/{ticket.pk}/")
    lost = opened(grip_client, f"/api/upper/{ticket.pk}/")
    ticket.delete()
    with django_assert_num_queries(0):
        ws.close(1001, "bye")
        lost.lose()
    assert (ws.close_code, ws.close_reason) == (1001, "bye")
    assert not [record for record in caplog.records if record.name.startswith("django_grip")]


def test_messages_before_a_close_are_done(grip_client: Any) -> None:
    with opened(grip_client, "/by-hand/") as ws:
        ws.send_json({"action": "create", "data": {"title": "last words"}})
    assert Ticket.objects.get().title == "last words"


# -- channels that change ----------------------------------------------------------------------------------------------


def test_who_leaves_a_group_hears_it_no_longer(grip_client: Any) -> None:
    user = make_user("ann")
    old, new, both = (Group.objects.create(name=name) for name in ("old", "new", "both"))
    user.groups.set([old, both])
    grip_client.force_login(user)
    with opened(grip_client, "/api/member/") as ws:
        own = {user_channel(user.pk)}
        assert ws.channels == own | {name for group in ("old", "both") for name in channels_of(user, group)}
        user.groups.set([new, both])
        grip_client.advance(60)
        assert ws.channels == own | {name for group in ("new", "both") for name in channels_of(user, group)}
        # What was said on the new one before, nobody here has heard.
        assert said(ws) == [{"action": "invalidate"}]
        publish("group:old", events.change("created", 7))
        assert said(ws) == []
        publish("group:new", events.change("created", 8))
        assert said(ws) == [{"action": "created", "pk": 8}]
        grip_client.advance(60)
        assert said(ws) == []
    assert MemberTicketViewSet.get_live_channels is not TicketViewSet.get_live_channels


def channels_of(user: User, group: str) -> set[str]:
    return {f"group:{group}", pair_channel(user.pk, f"group:{group}")}


# -- by whose authority ------------------------------------------------------------------------------------------------


def test_each_action_is_authenticated_as_if_it_came_alone(grip_client: Any) -> None:
    TOKENS["t1"] = make_user("ann")
    for path in ("/api/token/", "/api/session/"):
        with opened(grip_client, path, headers={"authorization": "Token t1"}) as ws:
            # Not as a user of a session whom an earlier authentication has left on the request.
            assert ask(ws, "whoami")["data"] == ["ann", "t1", "ann"]
            assert ask(ws, "whoami")["data"] == ["ann", "t1", "ann"]
            assert user_channel(TOKENS["t1"].pk) in ws.channels


def test_the_order_of_authenticators_is_the_viewsets(grip_client: Any) -> None:
    TOKENS["t1"] = make_user("ann")
    grip_client.force_login(make_user("bob"))
    token = {"authorization": "Token t1"}
    assert ask(opened(grip_client, "/api/token/", headers=token), "whoami")["data"] == ["ann", "t1", "ann"]
    assert ask(opened(grip_client, "/api/session/", headers=token), "whoami")["data"] == ["bob", None, "bob"]
    assert TokenTicketViewSet.live_actions == ("list", "retrieve")


def test_a_session_needs_no_csrf_token_as_the_origin_was_looked_at() -> None:
    client = GripClient(enforce_csrf_checks=True)
    client.force_login(make_user("ann"))
    with opened(client, "/api/own/", headers={"origin": "http://testserver"}) as ws:
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
    assert client.post("/api/own/", {"title": "y"}).status_code == 403
    assert client.websocket("/api/own/", headers={"origin": "http://elsewhere.example"}).status_code == 403
    assert Ticket.objects.count() == 1


def test_pages_of_allowed_origins_may_act(settings: Any) -> None:
    settings.GRIP_ALLOWED_ORIGINS = ["https://app.example"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]
    client = GripClient(enforce_csrf_checks=True)
    client.force_login(make_user("ann"))
    with opened(client, "/api/own/", headers={"origin": "https://app.example"}) as ws:
        assert ask(ws, "create", data={"title": "x"})["status"] == 201


# -- bad input ---------------------------------------------------------------------------------------------------------

NO_OBJECT = 'A message is an object such as {"action": "list", "ref": 1}, not '
BAD: list[tuple[str, Any, dict[str, Any]]] = [
    ("", None, {"detail": "The message is not JSON."}),
    ("hello", None, {"detail": "The message is not JSON."}),
    ("[" * 60_000, None, {"detail": "The message is not JSON."}),
    ('{"action": NaN}', None, {"detail": "The message is not JSON."}),
    ("[]", None, {"detail": NO_OBJECT + "an array."}),
    ("7", None, {"detail": NO_OBJECT + "a number."}),
    ('{"ref": 7}', 7, {"action": ['Name the action, as a string such as "list".']}),
    ('{"action": "list", "ref": 7, "pk": {}}', 7, {"pk": ["A pk is a string or a whole number, not an object."]}),
    ('{"action": "dispatch", "ref": 7}', 7, {"action": ["There is no action 'dispatch' here, but: list, create."]}),
    ('{"action": "__init__", "ref": 7}', 7, {"action": ["There is no action '__init__' here, but: list, create."]}),
    ('{"action": "get", "ref": 7}', 7, {"action": ["There is no action 'get' here, but: list, create."]}),
    (
        json.dumps({"action": "list\n" * 20, "ref": 7}),
        7,
        {"action": [f"There is no action {('list' + chr(10)) * 10 + '...'!r} here, but: list, create."]},
    ),
    (
        '{"action": "create", "ref": 7, "data": ' + "[" * 100 + "]" * 100 + "}",
        7,
        {"detail": "The message is nested too deeply: 100 levels are the most."},
    ),
]


@pytest.mark.parametrize(("text", "ref", "errors"), BAD)
def test_bad_input_is_answered_and_the_connection_stays(
    grip_client: Any, caplog: pytest.LogCaptureFixture, text: str, ref: Any, errors: dict[str, Any]
) -> None:
    with opened(grip_client, "/by-hand/") as ws:
        ws.send(text, '{"action": "list", "ref": "next"}')
        bad, good = said(ws)
        assert bad == {"type": "error", "ref": ref, "status": 400, "errors": errors}
        assert good == {"type": "response", "ref": "next", "status": 200, "data": []}
    (line,) = [record.getMessage() for record in caplog.records if record.name == "django_grip"]
    assert line.startswith("The WebSocket at /by-hand/ asked for no action: ")
    assert "\n" not in line
    assert len(line) < 300


def test_deep_nesting_that_is_let_through_reaches_the_serializer(grip_client: Any) -> None:
    with opened(grip_client, "/by-hand/") as ws:
        deep: Any = "x"
        for _ in range(98):
            deep = [deep]
        assert ask(ws, "create", data={"title": deep})["errors"] == {"title": ["Not a valid string."]}


def test_binary_messages_are_not_taken(grip_client: Any) -> None:
    ws = opened(grip_client, "/by-hand/")
    ws.send(b'{"action": "list"}')
    assert (ws.close_code, ws.close_reason) == (1003, "only text messages are taken")


def test_a_message_too_big_closes_and_does_nothing(grip_client: Any) -> None:
    ws = opened(grip_client, "/by-hand/")
    ws.send_json({"action": "create", "data": {"title": "x" * 150_000}})
    assert (ws.close_code, ws.close_reason) == (1009, "a message may have 131072 bytes")
    assert not Ticket.objects.exists()


def test_a_megabyte_of_json_ends_the_connection_and_nobody_elses(grip_client: Any) -> None:
    ws, other = opened(grip_client, "/by-hand/"), opened(grip_client, "/by-hand/")
    ws.send(json.dumps({"action": "create", "data": {"title": "x" * 1_000_000}}))
    assert ws.closed
    assert not Ticket.objects.exists()
    assert ask(other, "list")["data"] == []


def test_several_messages_share_a_request_and_each_has_its_answer(grip_client: Any) -> None:
    with opened(grip_client, "/api/odd/") as ws:
        messages = [
            {"action": "create", "ref": 1, "data": {"title": "one"}},
            {"action": "create", "ref": 2, "data": {}},
            {"action": "fail", "ref": 3},
            {"action": "create", "ref": 4, "data": {"title": "four"}},
            {"action": "nonsense", "ref": 5},
            {"action": "list", "ref": 6},
        ]
        ws.send(*map(json.dumps, messages))
        answers = said(ws)
    assert [(answer["ref"], answer["status"]) for answer in answers] == [
        (1, 201),
        (2, 400),
        (3, 500),
        (4, 201),
        (5, 400),
        (6, 200),
    ]
    assert [each["title"] for each in answers[-1]["data"]] == ["one", "four"]


def test_more_answers_than_the_proxy_takes_at_once_close_with_1009(
    grip_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ws = opened(grip_client, "/by-hand/")
    ws.send(*["{}"] * 12_000)
    assert (ws.close_code, ws.close_reason) == (1009, "too much at once")
    assert len(said(ws)) > 5_000
    # One line for each request that brought them: the first message alone, then all others.
    assert len(caplog.records) == 2


def test_a_value_of_the_url_that_names_no_channel_is_refused(grip_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TicketViewSet, "get_live_channels", lambda self: [f"of,{self.kwargs['project_pk']}"])
    ws = grip_client.websocket("/api/of/3/tickets/")
    assert (ws.accepted, ws.status_code) == (False, 400)
    assert ws.response.json()["detail"].startswith("This URL names no channel: ")


# -- the async stack ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
async def test_on_an_async_stack_it_is_the_same(async_grip_client: AsyncGripClient) -> None:
    async with async_grip_client.websocket("/by-hand/", subprotocols=["grip.live"]) as ws:
        assert ws.subprotocol == "grip.live"
        assert await ws.receive_json() == {"action": "subscribed", "actions": ["list", "create"]}
        await ws.send_json({"action": "create", "ref": 1, "data": {"title": "new"}})
        answers = [json.loads(text) for text in await ws.receive_all()]
        (created,) = [answer for answer in answers if answer.get("type") == "response"]
        assert (created["status"], created["data"]["title"]) == (201, "new")
        await ws.send_json({"action": "list", "ref": 2})
        assert (await ws.receive_json())["data"] == [created["data"]]
        await ws.send("hello")
        assert (await ws.receive_json())["errors"] == {"detail": "The message is not JSON."}
        await async_grip_client.advance(60)
        assert not ws.closed
    refused = await async_grip_client.websocket("/api/token/")
    assert (refused.status_code, refused.response.headers["WWW-Authenticate"]) == (401, "Token")


def test_a_copy_of_a_request_leaves_the_request_as_it_was(rf: Any) -> None:
    request = rf.post("/a/", b"{}", content_type="application/json", headers={"if-none-match": "*"})
    assert request.headers["If-None-Match"] == "*"
    copy = copy_request(request)
    assert "If-None-Match" not in copy.headers
    assert request.headers["If-None-Match"] == "*"
    assert (request.method, request.content_type, request.body) == ("POST", "application/json", b"{}")
