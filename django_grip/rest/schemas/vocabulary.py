"""Schemas of what goes over a live viewset's transports (`rest.events`, `rest.websocket.messages`), but for data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...asyncapi.channels import Message
from ...asyncapi.components import PREFIX
from ..events import CREATED, DELETED, UPDATED
from ..websocket.messages import MAX_REF_LENGTH

__all__ = [
    "DEFINITIONS",
    "ERROR",
    "INVALIDATE",
    "RESET",
    "call_message",
    "change_messages",
    "event_schema",
    "response_message",
    "snapshot_message",
    "subscribed_message",
]

Schema = dict[str, Any]

# Of a query string: numbers and booleans are written as text.
_PARAMETER: Schema = {"type": ["string", "number", "boolean"]}

DEFINITIONS: dict[str, Schema] = {
    "MessageRef": {
        "type": ["string", "integer", "null"],
        "maxLength": MAX_REF_LENGTH,
        "description": "The client's own name for its message; the answer has it too.",
    },
    "MessageQuery": {
        "type": "object",
        "additionalProperties": {"anyOf": [_PARAMETER, {"type": "array", "items": _PARAMETER}]},
        "description": "Instead of the URL's query string.",
    },
    "MessageError": {
        "type": "object",
        "required": ["type", "ref", "status", "errors"],
        "properties": {
            "type": {"type": "string", "const": "error"},
            "ref": {"$ref": PREFIX + "MessageRef"},
            "status": {"type": "integer", "description": "As HTTP has it."},
            "errors": {"type": "object", "description": "By field, or as `detail`."},
            "retry_after": {"type": "integer", "minimum": 0, "description": "Seconds to wait."},
        },
        "additionalProperties": False,
    },
}
"""What all messages share, by the names that they refer to."""

_REF: Schema = {"$ref": PREFIX + "MessageRef"}
_SAID: dict[str, str] = {
    CREATED: "An object is there that was not, or was elsewhere.",
    UPDATED: "An object has changed.",
    DELETED: "An object is gone, or has gone elsewhere.",
}


def event_schema(action: str, required: Schema, optional: Schema | None = None) -> Schema:
    """The schema of an event. required, optional: what it has beside its action."""
    return {
        "type": "object",
        "required": ["action", *required],
        "properties": {"action": {"type": "string", "const": action}, **required, **(optional or {})},
        "additionalProperties": False,
    }


RESET = Message("reset", event_schema("reset", {}), "Something was missed; a snapshot follows.")
INVALIDATE = Message(
    "invalidate", event_schema("invalidate", {}), "Something has changed: ask again, with your own credentials."
)
ERROR = Message(
    "error",
    {"$ref": PREFIX + "MessageError"},
    "A message could not be understood, was refused or has failed; the connection stays.",
)


def subscribed_message(actions: list[str]) -> Message:
    """The first message on a WebSocket."""
    offered: Schema = {"type": "array", "items": {"type": "string", "enum": actions}}
    return Message("subscribed", event_schema("subscribed", {"actions": offered}), "What may be asked for here.")


def snapshot_message(data: Schema) -> Message:
    """The first event of a stream."""
    return Message("snapshot", event_schema("snapshot", {"data": data}), "The representation, as a GET has it.")


def change_messages(actions: Iterable[str], pk: Schema, data: Schema | None) -> list[Message]:
    """What is said of an object's changes. data: what `live_serializer_class` makes; None: nothing is shown."""
    shown = {} if data is None else {"data": data}
    return [
        # Of an object that is gone there is nothing to show.
        Message(action, event_schema(action, {"pk": pk}, {} if action == DELETED else shown), _SAID[action])
        for action in actions
    ]


def call_message(
    action: str,
    data: Schema | None,
    *,
    needs_data: bool = False,
    pk: Schema | None = None,
    has_query: bool = False,
    methods: Sequence[str] = (),
) -> Message:
    """What a client sends for an action. data: None: it takes none. pk: of the object; None: it is not asked for.

    methods: in capitals, where there are several to choose among.
    """
    properties: Schema = {"action": {"type": "string", "const": action}, "ref": _REF}
    required = ["action"]
    if pk is not None:
        properties["pk"] = pk
        required.append("pk")
    if data is not None:
        properties["data"] = data
        required += ["data"] if needs_data else []
    if has_query:
        properties["query"] = {"$ref": PREFIX + "MessageQuery"}
    if len(methods) > 1:
        properties["method"] = {"type": "string", "enum": list(methods)}
    payload = {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
    return Message(action, payload)


def response_message(action: str, data: Schema | None) -> Message:
    """The answer to an action that has succeeded. data: None: it answers without."""
    return Message(
        f"{action}_response",
        {
            "type": "object",
            "required": ["type", "ref", "status", "data"],
            "properties": {
                "type": {"type": "string", "const": "response"},
                "ref": _REF,
                "status": {"type": "integer", "description": "As HTTP has it."},
                "data": {"type": "null"} if data is None else data,
            },
            "additionalProperties": False,
        },
    )
