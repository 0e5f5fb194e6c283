"""What an AsyncAPI document is made of."""

from __future__ import annotations

from typing import Any

from django_grip.asyncapi.channels import Channel, Message, Operation
from django_grip.asyncapi.document import build_document

from .documents import check

MESSAGE = Message("message", {"$ref": "#/components/schemas/Said"})
SAID = {"Said": {"type": "object"}}
BASIC = {"Basic": {"type": "http", "scheme": "basic"}}


def channel(address: str, kind: str = "websocket", **options: Any) -> Channel:
    options = {"messages": [MESSAGE], "operations": [Operation("send", "send", ["message"])], **options}
    return Channel(kind, address, {}, definitions=SAID, **options)


def build(*channels: Channel) -> Any:
    document = build_document(channels, title="t", version="1")
    check(document)
    return document


def test_addresses_that_look_alike_are_channels_of_their_own() -> None:
    document = build(channel("/a-b/"), channel("/a/b/"), channel("/a_b/"), channel("/"), channel("//"))
    assert {name: found["address"] for name, found in document["channels"].items()} == {
        "root_websocket": "/",
        "root_websocket_2": "//",
        "a_b_websocket": "/a-b/",
        "a_b_websocket_2": "/a/b/",
        "a_b_websocket_3": "/a_b/",
    }
    assert document["operations"]["a_b_websocket_2_send"]["channel"] == {"$ref": "#/channels/a_b_websocket_2"}


def test_operations_that_look_alike_are_operations_of_their_own() -> None:
    document = build(
        channel("/a/", "x", operations=[Operation("y_z", "send", ["message"])]),
        channel("/a/x/", "y", operations=[Operation("z", "send", ["message"])]),
    )
    assert list(document["operations"]) == ["a_x_y_z", "a_x_y_z_2"]


def test_who_may_is_said_by_each_operation() -> None:
    document = build(channel("/a/", security=BASIC), channel("/b/"))
    assert document["components"]["securitySchemes"] == BASIC
    assert document["operations"]["a_websocket_send"]["security"] == [{"$ref": "#/components/securitySchemes/Basic"}]
    assert "security" not in document["operations"]["b_websocket_send"]


def test_shared_schemas_are_components() -> None:
    document = build(channel("/a/"), channel("/b/"))
    assert document["components"] == {"schemas": SAID}


def test_answers_are_on_the_same_channel() -> None:
    operation = Operation("ask", "receive", ["message"], replies=["answer"])
    document = build(channel("/a/", messages=[MESSAGE, Message("answer")], operations=[operation]))
    assert document["operations"]["a_websocket_ask"]["reply"] == {
        "channel": {"$ref": "#/channels/a_websocket"},
        "messages": [{"$ref": "#/channels/a_websocket/messages/answer"}],
    }
