"""What clients say on a WebSocket: what is an action, what is none, and how each is answered."""

from __future__ import annotations

from typing import Any

import pytest

from django_grip.rest.websocket.messages import (
    ActionMessage,
    BadMessage,
    decode_message,
    error_answer,
    parse_message,
    response_answer,
)

GOOD: list[tuple[dict[str, Any], ActionMessage]] = [
    ({"action": "list"}, ActionMessage("list")),
    ({"action": "list", "ref": None, "pk": None, "data": None, "query": None}, ActionMessage("list")),
    ({"action": "create", "ref": 7, "data": {"title": "x"}}, ActionMessage("create", ref=7, data={"title": "x"})),
    ({"action": "create", "data": []}, ActionMessage("create", data=[])),
    ({"action": "create", "data": False}, ActionMessage("create", data=False)),
    ({"action": "destroy", "ref": "a", "pk": 3}, ActionMessage("destroy", ref="a", pk=3)),
    ({"action": "destroy", "ref": "", "pk": "a-slug"}, ActionMessage("destroy", ref="", pk="a-slug")),
    ({"action": "list", "query": {"page": "2"}}, ActionMessage("list", query={"page": "2"})),
    ({"action": "list", "query": {}}, ActionMessage("list", query={})),
    (
        {
            "action": "list",
            "query": {"page": 2, "min": -1.5, "done": True, "open": False, "tag": ["a", 7, True], "b": []},
        },
        ActionMessage(
            "list",
            query={"page": "2", "min": "-1.5", "done": "true", "open": "false", "tag": ["a", "7", "true"], "b": []},
        ),
    ),
    ({"action": "watch", "method": "DELETE"}, ActionMessage("watch", method="DELETE")),
    ({"action": "watch", "method": "delete"}, ActionMessage("watch", method="DELETE")),
    ({"action": "watch", "method": None}, ActionMessage("watch")),
    ({"action": "list", "ref": -(2**53 - 1)}, ActionMessage("list", ref=-(2**53 - 1))),
    ({"action": "list", "ref": "x" * 100}, ActionMessage("list", ref="x" * 100)),
]

NO_OBJECT = 'A message is an object such as {"action": "list", "ref": 1}, not '
NO_REF = "A ref is a string of at most 100 characters, or a whole number from -(2^53-1) to 2^53-1."
NO_ACTION = 'Name the action, as a string such as "list".'
NO_QUERY = 'A query is an object of strings, numbers, booleans, or lists of them, such as {"page": 2}.'

BAD: list[tuple[Any, Any, dict[str, Any]]] = [
    (None, None, {"detail": NO_OBJECT + "null."}),
    ([], None, {"detail": NO_OBJECT + "an array."}),
    ([{"action": "list"}], None, {"detail": NO_OBJECT + "an array."}),
    (7, None, {"detail": NO_OBJECT + "a number."}),
    (1.5, None, {"detail": NO_OBJECT + "a number."}),
    (True, None, {"detail": NO_OBJECT + "a boolean."}),
    ('{"action": "list"}', None, {"detail": NO_OBJECT + "a string."}),
    ({}, None, {"action": [NO_ACTION]}),
    ({"ref": 1}, 1, {"action": [NO_ACTION]}),
    ({"action": None, "ref": 1}, 1, {"action": [NO_ACTION]}),
    ({"action": "", "ref": 1}, 1, {"action": [NO_ACTION]}),
    ({"action": ["list"], "ref": 1}, 1, {"action": [NO_ACTION]}),
    ({"action": {"list": 1}}, None, {"action": [NO_ACTION]}),
    ({"action": "list", "ref": {"id": 1}}, None, {"ref": [NO_REF]}),
    ({"action": "list", "ref": [1]}, None, {"ref": [NO_REF]}),
    ({"action": "list", "ref": 1.5}, None, {"ref": [NO_REF]}),
    ({"action": "list", "ref": True}, None, {"ref": [NO_REF]}),
    ({"action": "list", "ref": 2**53}, None, {"ref": [NO_REF]}),
    ({"action": "list", "ref": -(2**53)}, None, {"ref": [NO_REF]}),
    ({"action": "list", "ref": "x" * 101}, None, {"ref": [NO_REF]}),
    ({"action": "list", "pk": {"id": 1}, "ref": 2}, 2, {"pk": ["A pk is a string or a whole number, not an object."]}),
    ({"action": "list", "pk": [1]}, None, {"pk": ["A pk is a string or a whole number, not an array."]}),
    ({"action": "list", "pk": 1.5}, None, {"pk": ["A pk is a string or a whole number, not a number."]}),
    ({"action": "list", "pk": True}, None, {"pk": ["A pk is a string or a whole number, not a boolean."]}),
    ({"action": "list", "query": "page=2"}, None, {"query": [NO_QUERY]}),
    ({"action": "list", "query": [["page", "2"]]}, None, {"query": [NO_QUERY]}),
    ({"action": "list", "query": {"page": None}}, None, {"query": [NO_QUERY]}),
    ({"action": "list", "query": {"page": {"is": 2}}}, None, {"query": [NO_QUERY]}),
    ({"action": "list", "query": {"page": [None]}}, None, {"query": [NO_QUERY]}),
    ({"action": "list", "query": {"page": [["2"]]}}, None, {"query": [NO_QUERY]}),
    ({"action": "list", "method": 7}, None, {"method": ["A method is a string, not a number."]}),
    ({"action": "list", "method": ["POST"]}, None, {"method": ["A method is a string, not an array."]}),
    (
        {"action": "list", "path": "/", "ref": "r"},
        "r",
        {"detail": "A message has no 'path'; it may have: action, ref, pk, data, query, method."},
    ),
    (
        {"action": "list", "k" * 1000: 1},
        None,
        {"detail": f"A message has no '{'k' * 50}...'; it may have: action, ref, pk, data, query, method."},
    ),
]


@pytest.mark.parametrize(("value", "expected"), GOOD)
def test_an_action_is_read(value: dict[str, Any], expected: ActionMessage) -> None:
    assert parse_message(value) == expected


@pytest.mark.parametrize(("value", "ref", "errors"), BAD)
def test_what_is_no_action_is_told_what_one_is_with_its_ref_if_it_has_one(
    value: Any, ref: Any, errors: dict[str, Any]
) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_message(value)
    assert caught.value.to_answer() == {"type": "error", "ref": ref, "status": 400, "errors": errors}


def test_a_view_may_take_fewer_keys() -> None:
    keys = ("action", "ref", "data")
    assert parse_message({"action": "say", "data": 1}, keys=keys) == ActionMessage("say", data=1)
    with pytest.raises(BadMessage, match="A message has no 'pk'; it may have: action, ref, data"):
        parse_message({"action": "say", "pk": 1}, keys=keys)


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "list", "{'action': 'list'}", '{"a": NaN}', '{"a": 1e999}', '{"a": "\\ud800"}', "1 2", "9" * 5000],
)
def test_what_is_not_json_is_told_so(text: str) -> None:
    with pytest.raises(BadMessage, match=r"^The message is not JSON\.$") as caught:
        decode_message(text)
    assert caught.value.ref is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"data":' * 50_000, "[" * 100_000 + "]" * 100_000])
def test_nesting_too_deep_to_follow_is_not_json_either(text: str) -> None:
    with pytest.raises(BadMessage, match="not JSON"):
        decode_message(text)


def test_json_is_decoded() -> None:
    assert decode_message(' {"action": "list", "ref": 1}\n') == {"action": "list", "ref": 1}


def test_answers_carry_the_ref() -> None:
    assert response_answer(7, 201, {"id": 1}) == {"type": "response", "ref": 7, "status": 201, "data": {"id": 1}}
    assert response_answer(None, 204, None) == {"type": "response", "ref": None, "status": 204, "data": None}
    error = {"type": "error", "ref": "a", "status": 429, "errors": {"detail": "slow down"}}
    assert error_answer("a", 429, {"detail": "slow down"}) == error
    assert error_answer("a", 429, {"detail": "slow down"}, 5) == {**error, "retry_after": 5}


def test_a_message_in_a_log_shows_nothing_of_what_was_sent() -> None:
    message = ActionMessage("create", ref=1, pk="secret", data={"password": "secret"}, query={"token": "secret"})
    assert repr(message) == "<ActionMessage 'create' ref=1>"
