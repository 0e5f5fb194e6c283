"""What else clients send to a live WebSocket: bad input is answered in plain words, and the connection stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .models import Ticket
from .project import TicketViewSet
from .sockets import ask, opened, said, socket_urls

__all__ = ["socket_urls"]

pytestmark = pytest.mark.django_db


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


def test_a_query_with_more_parameters_than_a_url_may_have_is_refused_alone(grip_client: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    many = {"action": "list", "ref": 1, "query": dict.fromkeys("abcd", "")}
    with opened(grip_client, "/by-hand/") as ws:
        ws.send(json.dumps(many), '{"action": "list", "ref": 2}')
        bad, good = said(ws)
        assert bad["errors"] == {"query": ["The query has more parameters than this site takes."]}
        assert (bad["status"], bad["ref"], good["ref"]) == (400, 1, 2)


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
    grip_client.raise_request_exception = False
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
