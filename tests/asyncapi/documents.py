"""Documents that ``manage.py asyncapi`` writes, and what holds for each of them."""

from __future__ import annotations

import json
from functools import cache
from io import StringIO
from typing import Any

from django.core.management import call_command

from tests.needs import ASYNCAPI_SCHEMA, require


def write(*options: str) -> str:
    out = StringIO()
    call_command("asyncapi", *options, stdout=out)
    return out.getvalue()


def make(*options: str) -> Any:
    return json.loads(write(*options))


def check(document: Any) -> None:
    """By the official schema; and its references, of which that knows nothing."""
    check_references(document)
    require("asyncapi-schema")
    errors = [
        f"{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in _validator().iter_errors(document)
    ]
    assert errors == []


@cache
def _validator() -> Any:
    import jsonschema

    return jsonschema.Draft7Validator(json.loads(ASYNCAPI_SCHEMA.read_text()))


def check_references(document: Any) -> None:
    """Every reference leads somewhere; and what an operation has is of its own channel."""
    for reference in _references(document):
        assert resolve(document, reference) is not None
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"]
        for message in [*operation["messages"], *operation.get("reply", {}).get("messages", [])]:
            assert message["$ref"].startswith(f"{channel}/messages/")


def resolve(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for inner in value.values() for each in _references(inner)]
    return [each for inner in value for each in _references(inner)] if isinstance(value, list) else []


def payload_errors(document: Any, channel: str, message: str, data: Any) -> list[str]:
    """What is wrong with a message by its schema in the document."""
    import jsonschema

    payload = document["channels"][channel]["messages"][message]["payload"]
    schema = {**payload, "components": document.get("components", {})}
    if "$ref" in payload:
        schema = {"allOf": [payload], "components": document["components"]}
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(data)]


def sent(document: Any, channel: str) -> list[str]:
    """The names of what the server sends on a channel without being asked."""
    return _names(document, channel, "send", "messages")


def received(document: Any, channel: str) -> list[str]:
    """The names of what clients send on a channel."""
    return _names(document, channel, "receive", "messages")


def _names(document: Any, channel: str, action: str, key: str) -> list[str]:
    return [
        message["$ref"].rpartition("/")[2]
        for operation in document["operations"].values()
        if operation["channel"]["$ref"] == f"#/channels/{channel}" and operation["action"] == action
        for message in operation[key]
    ]
