"""Live viewsets over a WebSocket: actions with the permissions and throttles of the requests they stand for."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .clients import http_client, open_websocket
from .puppets import closing, cookie_header
from .rest_members import FORMS, OWN, PROJECTS, REST_SITE, THROTTLED, TICKETS, Member, ask, hear, join
from .sites import Site

__all__ = ["join"]

pytestmark = REST_SITE

Join = Callable[..., Member]

FORBIDDEN = {"detail": "You do not have permission to perform this action."}


def errors_of(answer: Any) -> tuple[str, int, Any]:
    return answer["type"], answer["status"], answer["errors"]


# -- actions -------------------------------------------------------------------------------------------------------


def test_each_action_is_answered_with_its_ref_and_heard_by_others(join: Join) -> None:
    ada, bob = join("ada", "red"), join("bob", "red")
    with ada.ws() as ws, bob.ws() as other:
        bob.wait_subscribed("ws", 2)
        ws.send(json.dumps({"action": "create", "ref": "seven", "data": {"title": "one", "group": ada.groups[0]}}))
        first, second = hear(ws), hear(ws)
        answer, event = (first, second) if first.get("ref") else (second, first)
        ticket = answer["data"]
        assert answer == {"type": "response", "ref": "seven", "status": 201, "data": ticket}
        assert event == hear(other) == {"action": "created", "pk": ticket["id"], "data": ticket}
        changed = ask(ws, "partial_update", pk=ticket["id"], data={"done": True})["data"]
        assert changed == {**ticket, "done": True}
        assert hear(other) == {"action": "updated", "pk": ticket["id"], "data": changed}
        assert ask(other, "retrieve", pk=ticket["id"])["data"] == changed
        assert ask(ws, "destroy", pk=ticket["id"])["status"] == 204
        assert hear(other) == {"action": "deleted", "pk": ticket["id"]}
        assert ask(other, "list")["data"] == []


def test_one_message_s_failure_undoes_what_it_did_and_nothing_else(join: Join) -> None:
    ada = join("ada", "red")
    with ada.ws() as ws:
        ada.wait_subscribed("ws")
        # At once, so that the proxy may bring several in one request.
        for number, (action, title) in enumerate([("create", "one"), ("stumble", "two"), ("create", "three")]):
            ws.send(json.dumps({"action": action, "ref": number, "data": {"title": title, "group": ada.groups[0]}}))
        messages = [hear(ws) for _ in range(5)]
    assert {message["ref"]: message["status"] for message in messages if "ref" in message} == {0: 201, 1: 400, 2: 201}
    # Two that are published by two processes may pass each other.
    assert sorted(event["data"]["title"] for event in messages if "ref" not in event) == ["one", "three"]
    assert [ticket["title"] for ticket in ada.get(TICKETS).json()] == ["one", "three"]


def test_nested_routes_keep_what_they_are_nested_in(join: Join, channel: str) -> None:
    ada = join("ada")
    here, there = f"{PROJECTS}p-{channel}/tickets/", f"{PROJECTS}q-{channel}/tickets/"
    for slug in (f"p-{channel}", f"q-{channel}"):
        ada.http.post(PROJECTS, json={"name": "one", "slug": slug}).raise_for_status()
    elsewhere = ada.create("elsewhere", there)
    with ada.ws(here) as ws:
        ticket = ask(ws, "create", data={"title": "here"})["data"]
        assert ask(ws, "list")["data"] == [ticket]
        assert ask(ws, "retrieve", pk=elsewhere["id"])["status"] == 404
    with ada.events(f"{here}{ticket['id']}/") as events:
        assert events.snapshot == ticket
    assert ada.pks(there) == [elsewhere["id"]]


def test_where_http_speaks_forms_and_pages_a_websocket_speaks_json(join: Join) -> None:
    ada = join("ada")
    with ada.ws(FORMS) as ws:
        ticket = ask(ws, "create", data={"title": "on paper"})["data"]
        assert ask(ws, "list")["data"] == [ticket]
    with ada.events(FORMS) as events:
        assert events.snapshot == [ticket]
    assert ada.http.post(FORMS, json={"title": "as JSON"}).status_code == 415


def test_what_the_socket_itself_posts_is_never_taken_for_create(join: Join) -> None:
    ada = join("ada", "red")
    event = json.dumps({"title": "sneaked in", "group": ada.groups[0]})
    with ada.ws() as ws:
        assert errors_of(ask(ws, "no-such-action", data=json.loads(event)))[:2] == ("error", 400)
        ws.send(event)
        assert errors_of(hear(ws))[:2] == ("error", 400)
    for kind, body in (
        ("application/websocket-events", f"TEXT {len(event):x}\r\n{event}\r\n"),
        ("application/websocket-events; a=b", f"OPEN\r\nTEXT {len(event):x}\r\n{event}\r\n"),
    ):
        for client in (ada.http, ada.site.direct):
            answer = client.post(TICKETS, content=body, headers={**ada.headers, "Content-Type": kind})
            assert answer.status_code != 201
    assert ada.get(TICKETS).json() == []


def test_what_is_no_action_is_an_error_and_the_socket_stays(join: Join) -> None:
    ada = join("ada", "red")
    with ada.ws() as ws:
        for message, ref in [
            ("garbage", None),
            ("[]", None),
            ('"list"', None),
            ("7", None),
            ("[" * 5000 + "]" * 5000, None),
            ('{"ref": 1}', 1),
            ('{"action": 7, "ref": 2}', 2),
            ('{"action": "list", "ref": {}}', None),
            ('{"action": "list", "ref": 1e400}', None),
            ('{"action": "list", "ref": 3, "extra": 1}', 3),
            ('{"action": "drop table", "ref": 4}', 4),
            ('{"action": "retrieve", "ref": 5}', 5),
            ('{"action": "retrieve", "ref": 6, "pk": ["1"]}', 6),
            ('{"action": "create", "ref": 7, "data": [1]}', 7),
            ('{"action": "create", "ref": 8, "data": {}}', 8),
            ('{"action": "__init__", "ref": 9}', 9),
            ('{"action": "create", "ref": 10, "data": ' + '{"a":' * 200 + "1" + "}" * 200 + "}", 10),
        ]:
            ws.send(message)
            answer = hear(ws)
            assert (answer["type"], answer["ref"], answer["status"]) == ("error", ref, 400), message[:60]
        for pk in ("999999999", "../projects", "x", -1):
            assert ask(ws, "retrieve", pk=pk)["status"] == 404
        assert ask(ws, "list")["data"] == []


def test_a_megabyte_of_json_ends_its_own_socket_and_no_other(join: Join) -> None:
    ada, bob = join("ada", "red"), join("bob", "red")
    with ada.ws() as ws, bob.ws() as other:
        with suppress(ConnectionClosed):
            ws.send(json.dumps({"action": "create", "ref": 1, "data": {"title": "x" * 1_000_000}}))
        # Pushpin hangs up without a word, maybe before it has read all of it.
        assert closing(ws)[0] == (1009 if ada.site.stack.is_embedded else 1006)
        assert ask(other, "list")["data"] == []


# -- permissions ---------------------------------------------------------------------------------------------------


def test_who_may_only_look_may_subscribe_and_not_create(join: Join) -> None:
    ada, eve = join("ada", "red"), join("eve", "red", may=("view",))
    ticket = ada.create("one")
    with eve.ws() as ws:
        assert ask(ws, "list")["data"] == [ticket]
        for action, message in [
            ("create", {"data": {"title": "two", "group": eve.groups[0]}}),
            ("update", {"pk": ticket["id"], "data": {"title": "two", "group": eve.groups[0]}}),
            ("partial_update", {"pk": ticket["id"], "data": {"title": "two"}}),
            ("destroy", {"pk": ticket["id"]}),
        ]:
            assert errors_of(ask(ws, action, **message)) == ("error", 403, FORBIDDEN)
        eve.wait_subscribed("ws")
        changed = ada.change(ticket["id"], done=True)
        assert hear(ws) == {"action": "updated", "pk": ticket["id"], "data": changed}


def test_who_may_only_add_may_not_destroy_nor_subscribe(join: Join) -> None:
    ada, eve = join("ada", "red"), join("eve", "red", may=("view", "add"))
    with eve.ws() as ws:
        ticket = ask(ws, "create", data={"title": "one", "group": eve.groups[0]})["data"]
        assert errors_of(ask(ws, "destroy", pk=ticket["id"])) == ("error", 403, FORBIDDEN)
        eve.become([f"red-{eve.name.removeprefix('eve-')}"], ("add",))
        assert ada.pks() == [ticket["id"]]
        # What may no longer be looked at may not be subscribed to either.
        ws.send('{"action": "list"}')
        assert closing(ws)[0] == 4403
    with pytest.raises(InvalidStatus) as refused, eve.ws():
        pass
    assert refused.value.response.status_code == 403


def test_the_socket_of_an_object_ends_when_it_is_deleted(join: Join) -> None:
    ada, bob = join("ada", "red"), join("bob", "red")
    ticket = ada.create("one")
    path = f"{TICKETS}{ticket['id']}/"
    with bob.ws(path) as ws:
        assert ask(ws, "retrieve")["data"] == ticket
        bob.wait_shown(ticket["id"], "ws")
        ada.delete(ticket["id"])
        assert hear(ws) == {"action": "deleted", "pk": ticket["id"]}
        assert closing(ws) == (4404, "deleted")
    with pytest.raises(InvalidStatus) as refused, bob.ws(path):
        pass
    assert refused.value.response.status_code == 404


# -- credentials ---------------------------------------------------------------------------------------------------


def test_a_token_comes_by_header_or_subprotocol_and_is_not_echoed(join: Join) -> None:
    ada = join("ada", "red")
    ticket = ada.create("one")
    for options in (
        {"additional_headers": {"Authorization": f"Bearer {ada.jwt}"}},
        {"subprotocols": ["grip.live", f"bearer.{ada.token}"]},
        {"subprotocols": [f"bearer.{ada.jwt}", "grip.live"]},
    ):
        with ada.ws(**{"additional_headers": {}, **options}) as ws:
            assert ws.subprotocol == ("grip.live" if "subprotocols" in options else None)
            assert ask(ws, "list")["data"] == [ticket]
    assert ada.jwt not in ada.site.app.log_text() + ada.site.proxy.log_text()
    for protocols, status in (
        ([f"bearer.{ada.token}"], 400),
        (["grip.live", f"bearer.{ada.token}", f"bearer.{ada.jwt}"], 400),
        (["grip.live", "bearer.nonsense"], 401),
        (["grip.live", f"bearer.{ada.stale_jwt}"], 401),
        (["grip.live"], 401),
    ):
        with pytest.raises(InvalidStatus) as refused, ada.ws(additional_headers={}, subprotocols=protocols):
            pass
        assert refused.value.response.status_code == status


def test_a_session_opens_a_socket_from_the_site_s_own_pages_only(join: Join, site: Site) -> None:
    ada = join("ada", "red")
    with http_client(site.url) as browser:
        browser.post(f"/views/log-in/{ada.name}/").raise_for_status()
        cookies = cookie_header(browser)
        with ada.ws(additional_headers=cookies, origin=site.url) as ws:
            # No CSRF token: a WebSocket has none, and its page's origin was looked at.
            created = ask(ws, "create", data={"title": "one", "group": ada.groups[0]})
            assert created["status"] == 201
            browser.post("/views/log-out/").raise_for_status()
            ws.send('{"action": "list"}')
            assert closing(ws)[0] == 4401
        with pytest.raises(InvalidStatus) as refused:
            open_websocket(site.ws_url(TICKETS), additional_headers=cookies, origin="https://evil.example")
        assert refused.value.response.status_code == 403


def test_a_token_that_is_taken_away_ends_the_socket_at_its_next_word(join: Join) -> None:
    ada, bob = join("ada", "red"), join("bob", "red")
    with ada.ws() as goes, bob.ws() as stays:
        ada.site.http.post(f"/revoke/{ada.name}/").raise_for_status()
        goes.send('{"action": "list", "ref": 1}')
        assert closing(goes)[0] == 4401
        assert ask(stays, "list")["status"] == 200


def test_who_asks_too_often_is_told_how_long_to_wait(join: Join) -> None:
    ada, bob = join("ada"), join("bob")
    # The opening counts as one request, and each action as one.
    with ada.ws(THROTTLED) as ws:
        assert ask(ws, "list")["status"] == 200
        answer = ask(ws, "list")
        assert errors_of(answer)[:2] == ("error", 429)
        assert 0 < answer["retry_after"] <= 60
        over_http = ada.get(THROTTLED)
        assert over_http.status_code == 429
        assert 0 < int(over_http.headers["Retry-After"]) <= 60
    with pytest.raises(InvalidStatus) as refused, ada.ws(THROTTLED):
        pass
    assert refused.value.response.status_code == 429
    assert bob.get(THROTTLED).status_code == 200
    assert ada.get(OWN).status_code == 200
