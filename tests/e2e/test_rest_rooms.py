"""`WebSocketAPIView`: who may listen and who may speak, what is answered, and what ends a connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from .clients import open_websocket
from .puppets import closing
from .rest_members import OWN, PREFIX, REST_SITE, Member, ask, hear, join
from .sites import Site

__all__ = ["join"]

pytestmark = REST_SITE

Join = Callable[..., Member]

ROOMS = "/rest/rooms/"
KINDS = pytest.mark.parametrize("kind", ["", "async/"])


def enter(site: Site, path: str, member: Member | None = None, **options: Any) -> ClientConnection:
    headers = {} if member is None else member.headers
    return open_websocket(site.ws_url(f"{ROOMS}{path}/"), **{"additional_headers": headers, **options})


def wait_for(site: Site, room: str, count: int) -> None:
    site.wait_subscribed(f"{PREFIX}room:{room}", mode="ws", count=count)


def refusal(site: Site, path: str, member: Member | None = None, **options: Any) -> tuple[int, Any]:
    with pytest.raises(InvalidStatus) as refused, enter(site, path, member, **options):
        pass
    response = refused.value.response
    return response.status_code, json.loads(response.body or b"null")


@KINDS
def test_everybody_may_listen_and_who_is_known_may_speak(join: Join, site: Site, channel: str, kind: str) -> None:
    ada = join("ada")
    with enter(site, f"{kind}{channel}", ada) as speaker, enter(site, f"{kind}{channel}") as listener:
        wait_for(site, channel, 2)
        listener.send(json.dumps({"text": "may I?", "ref": 1}))
        errors = {"detail": "Authentication credentials were not provided."}
        assert hear(listener) == {"type": "error", "ref": 1, "status": 401, "errors": errors}
        speaker.send(json.dumps({"text": "hello"}))
        assert hear(listener) == hear(speaker) == {"from": ada.name, "text": "hello"}
        speaker.close(4000, "done")
        assert hear(listener) == {"left": ada.name, "code": 4000}


@KINDS
def test_one_message_s_failure_undoes_what_it_did_and_nothing_else(
    join: Join, site: Site, channel: str, kind: str
) -> None:
    ada = join("ada")
    with enter(site, f"{kind}{channel}", ada) as ws:
        for number, (action, title) in enumerate([("open", "one"), ("stumble", "two"), ("open", "three")]):
            ws.send(json.dumps({"action": action, "ref": number, "data": {"title": title}}))
        assert [hear(ws)["status"] for _ in range(3)] == [200, 404, 200]
    assert [ticket["title"] for ticket in ada.get(OWN).json()] == ["one", "three"]


@KINDS
def test_each_message_is_validated_and_answered_and_the_connection_stays(
    join: Join, site: Site, channel: str, kind: str
) -> None:
    ada = join("ada")
    with enter(site, f"{kind}{channel}", ada) as ws:
        for message, status, errors in [
            ({"text": ""}, 400, {"text": ["This field may not be blank."]}),
            ({"text": "x" * 21}, 400, {"text": ["Ensure this field has no more than 20 characters."]}),
            ({"action": "open"}, 400, {"title": ["This field is required."]}),
            ({"action": "fail", "data": "known"}, 404, {"detail": "There is nothing."}),
            ({"action": "fail", "data": "not known"}, 500, {"detail": "server error"}),
            ({"action": "opne"}, 400, {"action": ["There is no action 'opne' here, but: fail, open, stumble."]}),
        ]:
            ws.send(json.dumps({**message, "ref": "r"}))
            assert hear(ws) == {"type": "error", "ref": "r", "status": status, "errors": errors}
        ws.send("garbage")
        assert hear(ws) == {
            "type": "error",
            "ref": None,
            "status": 400,
            "errors": {"detail": "The message is not JSON."},
        }
        answer = ask(ws, "open", data={"title": "no coffee"})
        assert (answer["type"], answer["status"], answer["data"]["title"]) == ("response", 200, "no coffee")
    assert ada.get(OWN).json() == [answer["data"]]
    assert "this went wrong" in site.app.log_text()


def test_who_may_not_listen_is_refused_as_over_http(join: Join, site: Site, channel: str) -> None:
    ada = join("ada")
    assert refusal(site, f"closed/{channel}") == (401, {"detail": "Authentication credentials were not provided."})
    with enter(site, f"closed/{channel}", subprotocols=["chat", f"bearer.{ada.token}"], additional_headers={}) as ws:
        assert ws.subprotocol == "chat"
        assert ask(ws, "fail", data="known")["status"] == 404
    offered = {"subprotocols": ["chat", "bearer.nonsense"], "additional_headers": {}}
    assert refusal(site, f"closed/{channel}", **offered) == (401, {"detail": "Invalid token."})


def test_what_is_taken_away_ends_the_connection(join: Join, site: Site, channel: str) -> None:
    ada, bob = join("ada"), join("bob")
    with enter(site, channel, ada) as first, enter(site, channel, bob) as second, enter(site, channel) as nobody:
        wait_for(site, channel, 3)
        site.http.post(f"/revoke/{ada.name}/").raise_for_status()
        first.send(json.dumps({"text": "still here"}))
        assert closing(first)[0] == 4401
        site.http.post("/end/", data={"user": str(bob.pk)}).raise_for_status()
        assert closing(second) == (4401, "log in again")
        nobody.send(json.dumps({"text": "still here", "ref": 1}))
        while (message := hear(nobody)).get("ref") != 1:
            assert "text" not in message
        assert message["status"] == 401


def test_who_says_too_much_is_told_how_long_to_wait(join: Join, site: Site, channel: str) -> None:
    ada = join("ada")
    with enter(site, f"quiet/{channel}", ada) as ws:
        for _ in range(2):
            assert ask(ws, "fail", data="known")["status"] == 404
        answer = ask(ws, "fail", data="known")
        assert (answer["type"], answer["status"]) == ("error", 429)
        assert 0 < answer["retry_after"] <= 60
    assert refusal(site, f"quiet/{channel}", ada)[0] == 429
