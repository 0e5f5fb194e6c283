"""The WebSocket of a live viewset: who may open it and what it hears. It never creates by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from django_grip import publish
from django_grip.refusals import BEHIND_PROXY_ONLY, NOT_OVER_HTTP
from django_grip.rest import events
from django_grip.rest.channels import list_channel, object_channel, pair_channel, user_channel
from django_grip.testing import AsyncGripClient

from ..fake_proxy import DISCONNECT, OPEN, PING, PROXIES, FakeProxy, close, events_of, proxied, text
from .models import Ticket
from .project import TicketViewSet
from .sockets import make_user, opened, said, socket_urls, ticket

__all__ = ["socket_urls", "ticket"]

pytestmark = pytest.mark.django_db

NO_WEBSOCKET = {"detail": "There is no WebSocket at this address."}


# -- opening -----------------------------------------------------------------------------------------------------------


def test_a_list_is_subscribed_to(grip_client: Any) -> None:
    with grip_client.websocket("/by-hand/") as ws:
        assert said(ws) == [{"action": "subscribed", "actions": ["list", "create"]}]
        assert ws.channels == {list_channel(TicketViewSet)}
        publish(list_channel(TicketViewSet), events.invalidate())
        assert said(ws) == [{"action": "invalidate"}]


def test_an_object_is_subscribed_to(grip_client: Any, ticket: Ticket) -> None:
    with opened(grip_client, f"/by-hand/{ticket.pk}/") as ws:
        assert ws.channels == {object_channel(TicketViewSet, ticket)}


def test_a_user_is_reached_in_all_connections_and_in_those_to_a_channel(grip_client: Any, ticket: Ticket) -> None:
    user = make_user("ann")
    grip_client.force_login(user)
    for path, own in (
        ("/by-hand/", list_channel(TicketViewSet)),
        (f"/by-hand/{ticket.pk}/", object_channel(TicketViewSet, ticket)),
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


CREATE = text('{"action": "create", "ref": 1, "data": {"title": "new"}}')
FORGED = [[CREATE], [], [PING], [close(1000)], [DISCONNECT], [CREATE, close(1000)], [text("title=new")]]


@pytest.mark.parametrize("events_in", FORGED)
@pytest.mark.parametrize("path", ["/api/extra/", "/api/form/"])
def test_a_connection_that_was_never_opened_does_nothing(settings: Any, path: str, events_in: list[Any]) -> None:
    settings.GRIP_PROXIES = PROXIES
    response = FakeProxy(path).send(*events_in)
    assert response.status_code == 200
    assert [kind for kind, _ in events_of(response) if kind not in ("PONG", "CLOSE")] == []
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("events_in", [[OPEN], [OPEN, CREATE], *FORGED])
@pytest.mark.parametrize("path", ["/api/detail/", "/post-only/", "/api/write/"])
def test_signed_events_create_nothing_where_there_is_no_websocket(
    settings: Any, path: str, events_in: list[Any]
) -> None:
    settings.GRIP_PROXIES = PROXIES
    response = FakeProxy(path).send(*events_in)
    if OPEN in events_in:
        assert (response.status_code, response.json()) == (404, NO_WEBSOCKET)
    else:
        assert {kind for kind, _ in events_of(response)} <= {"CLOSE", "PONG"}
    assert not Ticket.objects.exists()


def test_a_connection_of_one_viewset_is_none_of_another(settings: Any) -> None:
    settings.GRIP_PROXIES = PROXIES
    proxy = FakeProxy("/api/extra/")
    assert proxy.open().status_code == 200
    assert events_of(proxy.send(text("{}")))[0][0] == "TEXT"
    proxy.path = "/api/odd/"
    ((kind, content),) = events_of(proxy.send(CREATE))
    assert (kind, content) == ("CLOSE", (4401).to_bytes(2, "big") + b"log in again")
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("path", ["/by-hand/", "/by-hand/{pk}/"])
@pytest.mark.parametrize("is_proxied", [False, True])
def test_a_handshake_that_is_no_events_is_told_what_is_missing(
    client: Client, settings: Any, ticket: Ticket, path: str, is_proxied: bool
) -> None:
    settings.GRIP_PROXIES = PROXIES
    headers = {"Upgrade": "websocket", **(proxied() if is_proxied else {})}
    response = client.get(path.format(pk=ticket.pk), headers=headers)
    text = NOT_OVER_HTTP if is_proxied else BEHIND_PROXY_ONLY
    assert (response.status_code, response.content.decode()) == (501, f"{text}\n")
    assert client.get(path.format(pk=ticket.pk), headers={"Upgrade": "h2c"}).status_code == 200


def test_without_the_middleware_a_handshake_is_a_get_as_it_always_was(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = []
    assert client.get("/by-hand/", headers={"Upgrade": "websocket"}).status_code == 200


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


def test_the_order_of_channels_is_nothing_to_them(grip_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["one", "two", "one"]
    monkeypatch.setattr(TicketViewSet, "get_live_channels", lambda self: list(names))
    with opened(grip_client, "/by-hand/") as ws:
        assert ws.channels == {"one", "two"}
        names.reverse()
        names.pop()
        grip_client.advance(60)
        assert ws.channels == {"one", "two"}
        assert said(ws) == []


def channels_of(user: User, group: str) -> set[str]:
    return {f"group:{group}", pair_channel(user.pk, f"group:{group}")}


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
