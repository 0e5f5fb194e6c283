"""OpenAPI's schemas as JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from django_grip.rest.schemas.json_schema import for_requests, for_responses, to_json_schema

REFERENCE = {"$ref": "#/components/schemas/A"}


@pytest.mark.parametrize(
    ("openapi", "expected"),
    [
        ({}, {}),
        (True, True),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"nullable": True}, {}),
        ({"type": "string", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"enum": ["a", 1], "nullable": True}, {"anyOf": [{"enum": ["a", 1]}, {"type": "null"}]}),
        (REFERENCE, REFERENCE),
        ({**REFERENCE, "readOnly": True}, {"allOf": [REFERENCE], "readOnly": True}),
        ({**REFERENCE, "nullable": True}, {"anyOf": [REFERENCE, {"type": "null"}]}),
        (
            {**REFERENCE, "nullable": True, "readOnly": True},
            {"anyOf": [REFERENCE, {"type": "null"}], "readOnly": True},
        ),
        ({"allOf": [REFERENCE], "nullable": True}, {"anyOf": [{"allOf": [REFERENCE]}, {"type": "null"}]}),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 1}),
        ({"type": "number", "maximum": 1, "exclusiveMaximum": False}, {"type": "number", "maximum": 1}),
        ({"type": "number", "exclusiveMinimum": 1}, {"type": "number", "exclusiveMinimum": 1}),
        ({"type": "string", "example": "a"}, {"type": "string", "examples": ["a"]}),
        ({"oneOf": [REFERENCE], "discriminator": {"propertyName": "kind"}}, {"oneOf": [REFERENCE]}),
        ({"type": "string", "description": gettext_lazy("Yes")}, {"type": "string", "description": "Yes"}),
        ({"enum": (gettext_lazy("Yes"), "b")}, {"enum": ["Yes", "b"]}),
        (
            {"type": "array", "items": {"type": "string", "nullable": True}},
            {"type": "array", "items": {"type": ["string", "null"]}},
        ),
        (
            {"properties": {"nullable": {"type": "string", "nullable": True}}},
            {"properties": {"nullable": {"type": ["string", "null"]}}},
        ),
        (
            {"additionalProperties": {"nullable": True, "type": "string"}},
            {"additionalProperties": {"type": ["string", "null"]}},
        ),
        ({"additionalProperties": False}, {"additionalProperties": False}),
        ({"default": {"nullable": True}}, {"default": {"nullable": True}}),
    ],
)
def test_a_schema_of_openapi_becomes_json_schema(openapi: Any, expected: Any) -> None:
    before = repr(openapi)
    assert to_json_schema(openapi) == expected
    assert repr(openapi) == before


TICKET = {
    "type": "object",
    "required": ["title", "secret"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "title": {"type": "string"},
        "secret": {"type": "string", "writeOnly": True},
        "inner": {"type": "object", "properties": {"at": {"type": "string", "readOnly": True}}},
    },
}


def test_requests_have_nothing_that_is_only_read() -> None:
    assert for_requests(TICKET) == {
        "type": "object",
        "required": ["title", "secret"],
        "properties": {
            "title": {"type": "string"},
            "secret": {"type": "string", "writeOnly": True},
            "inner": {"type": "object", "properties": {}},
        },
    }


def test_responses_have_nothing_that_is_only_written_and_always_what_is_only_read() -> None:
    assert for_responses(TICKET) == {
        "type": "object",
        "required": ["id", "title"],
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "title": {"type": "string"},
            "inner": {
                "type": "object",
                "required": ["at"],
                "properties": {"at": {"type": "string", "readOnly": True}},
            },
        },
    }
