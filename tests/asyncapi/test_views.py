"""The views of `django_grip.views` in an AsyncAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from .documents import check, make, received, sent

URLCONF = ("--urlconf", "tests.asyncapi.project")


@pytest.fixture(scope="module")
def document() -> Any:
    return make(*URLCONF, "--server", "https://example.com")


def test_the_document_is_valid_by_the_official_schema(document: Any) -> None:
    check(document)


def test_a_document_of_nothing_is_valid_too() -> None:
    empty = make("--urlconf", "tests.urls")
    assert (empty["channels"], empty["operations"]) == ({}, {})
    check(empty)


def test_every_realtime_view_is_a_channel_and_no_other_is(document: Any) -> None:
    assert {name: channel["address"] for name, channel in document["channels"].items()} == {
        "clock_websocket": "/clock/",
        "frames_websocket": "/frames/",
        "rooms_room_websocket": "/rooms/{room}/",
        "v1_documents_pk_long_poll": "/v1/documents/{pk}/",
        "v1_log_stream": "/v1/log/",
        "v1_ticker_events": "/v1/ticker/",
    }


def test_the_document_says_whose_operations_it_has(document: Any) -> None:
    assert "`receive` is what clients send to it" in document["info"]["description"]


def test_a_channel_is_described_by_its_view(document: Any) -> None:
    room = document["channels"]["rooms_room_websocket"]
    assert (room["title"], room["description"]) == ("Room", "Where people talk.\n\nOne room for each name.")
    assert room["parameters"] == {"room": {"description": "Matches `[-a-zA-Z0-9_]+`."}}
    assert "description" not in document["channels"]["clock_websocket"]


def test_a_websocket_has_its_handshake_and_server(document: Any) -> None:
    room = document["channels"]["rooms_room_websocket"]
    assert room["servers"] == [{"$ref": "#/servers/websocket"}]
    assert room["bindings"]["ws"]["method"] == "GET"
    header = room["bindings"]["ws"]["headers"]["properties"]["Sec-WebSocket-Protocol"]
    assert header["description"] == "Any of these, or none: chat.v1, chat.v2."
    assert "headers" not in document["channels"]["clock_websocket"]["bindings"]["ws"]


def test_what_a_route_says_otherwise_counts(document: Any) -> None:
    frames = document["channels"]["frames_websocket"]["bindings"]["ws"]["headers"]
    assert frames["properties"]["Sec-WebSocket-Protocol"]["description"] == "Any of these, or none: v1."
    assert document["channels"]["v1_log_stream"]["messages"]["chunk"]["contentType"] == "text/plain"
    assert "304 after 40 seconds" in document["channels"]["v1_documents_pk_long_poll"]["description"]


@pytest.mark.parametrize(
    ("channel", "message", "content_type", "payload"),
    [
        ("rooms_room_websocket", "message", "application/json", {}),
        ("clock_websocket", "message", "text/plain", {"type": "string"}),
        ("frames_websocket", "message", "application/octet-stream", {"type": "string", "format": "binary"}),
        ("v1_ticker_events", "event", "text/event-stream", {}),
        ("v1_log_stream", "posted", "text/plain", {"type": "string"}),
        ("v1_documents_pk_long_poll", "version", "text/plain; charset=utf-8", {}),
    ],
)
def test_messages_are_as_the_view_encodes_them(
    document: Any, channel: str, message: str, content_type: str, payload: Any
) -> None:
    found = document["channels"][channel]["messages"][message]
    assert (found["contentType"], found["payload"]) == (content_type, payload)


@pytest.mark.parametrize(
    ("channel", "sends", "receives"),
    [
        ("rooms_room_websocket", ["message"], ["message"]),
        ("clock_websocket", ["message"], []),
        ("v1_ticker_events", ["event"], []),
        ("v1_log_stream", ["chunk"], ["posted"]),
        ("v1_documents_pk_long_poll", ["version"], []),
    ],
)
def test_only_what_has_a_hook_for_it_receives(
    document: Any, channel: str, sends: list[str], receives: list[str]
) -> None:
    assert (sent(document, channel), received(document, channel)) == (sends, receives)


def test_what_goes_over_http_names_the_method(document: Any) -> None:
    operations = document["operations"]
    assert operations["v1_log_stream_send"]["bindings"]["http"]["method"] == "GET"
    assert operations["v1_log_stream_receive"]["bindings"]["http"]["method"] == "POST"
    assert "bindings" not in operations["rooms_room_websocket_send"]
    assert document["channels"]["v1_log_stream"]["servers"] == [{"$ref": "#/servers/http"}]
