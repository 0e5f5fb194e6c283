"""Schemas that messages share: each once, whatever others are called."""

from __future__ import annotations

from typing import Any

import pytest

from django_grip.asyncapi.components import Components, find_references

TICKET = {"type": "object", "properties": {"owner": {"$ref": "#/components/schemas/User"}}}
USER = {"type": "object", "properties": {"name": {"type": "string"}}}
OTHER_USER = {"type": "object", "properties": {"email": {"type": "string"}}}
# It holds itself.
NODE = {"type": "object", "properties": {"nodes": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}}}


def refer(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        ({}, set()),
        (refer("A"), {"A"}),
        ({"oneOf": [refer("A"), {"items": refer("B")}]}, {"A", "B"}),
        ({"properties": {"$ref": refer("A")}}, {"A"}),
        ({"$ref": "https://example.com/other"}, set()),
        (True, set()),
    ],
)
def test_references_are_found_wherever_they_stand(schema: Any, names: set[str]) -> None:
    assert find_references(schema) == names


def test_what_a_schema_needs_comes_with_it_and_nothing_else() -> None:
    components = Components()
    assert components.adopt(refer("Ticket"), {"Ticket": TICKET, "User": USER, "Unused": USER}) == refer("Ticket")
    assert components.build() == {"Ticket": TICKET, "User": USER}


def test_the_same_is_there_once() -> None:
    components = Components()
    for _ in range(2):
        components.adopt(refer("Ticket"), {"Ticket": TICKET, "User": USER})
    assert list(components.build()) == ["Ticket", "User"]


def test_two_of_one_name_get_names_of_their_own_and_so_do_those_that_refer_to_them() -> None:
    components = Components()
    components.adopt(refer("Ticket"), {"Ticket": TICKET, "User": USER})
    assert components.adopt(refer("Ticket"), {"Ticket": TICKET, "User": OTHER_USER}) == refer("Ticket2")
    built = components.build()
    assert built["User2"] == OTHER_USER
    assert built["Ticket2"]["properties"]["owner"] == refer("User2")
    assert built["Ticket"] == TICKET


def test_a_schema_may_hold_itself() -> None:
    components = Components()
    for _ in range(2):
        assert components.adopt({"items": refer("Node")}, {"Node": NODE}) == {"items": refer("Node")}
    assert components.build() == {"Node": NODE}


def test_names_are_such_as_a_document_may_have() -> None:
    components = Components()
    assert components.adopt(refer("Größe[int]"), {"Größe[int]": USER}) == refer("Gr_e_int_")
    assert components.build() == {"Gr_e_int_": USER}


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="Ticket"):
        Components().adopt(refer("Ticket"), {})
