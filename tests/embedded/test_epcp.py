"""A publish body is read whole or refused whole, in Pushpin's words."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from django_grip.event import Event
from django_grip.exceptions import ProtocolError
from django_grip.protocol.formats import HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat
from django_grip.protocol.items import Item, export_item
from django_grip.proxy.epcp import parse_items
from django_grip.proxy.published import PublishedItem, ResponseMessage, SocketMessage, StreamMessage

STREAM = {"content": "x"}


def body_of(*items: Any) -> bytes:
    return json.dumps({"items": items}).encode()


def parse_one(**fields: Any) -> PublishedItem:
    (item,) = parse_items(body_of({"channel": "c", **fields}))
    return item


def error_of(body: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        parse_items(body)
    return str(caught.value)


def error_of_item(**fields: Any) -> str:
    return error_of(body_of({"channel": "c", **fields}))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"content": "hé\n"}, StreamMessage("send", "hé\n".encode())),
        ({"content": ""}, StreamMessage("send", b"")),
        ({"content-bin": "/wA="}, StreamMessage("send", b"\xff\x00")),
        ({"content-bin": "/wA"}, StreamMessage("send", b"\xff\x00")),
        ({"content": "x", "content-bin": "eQ=="}, StreamMessage("send", b"y")),
        ({"content": "x", "content-filters": ["var-subst"]}, StreamMessage("send", b"x")),
        ({"action": "send", "content": "x"}, StreamMessage("send", b"x")),
        ({"action": "hint"}, StreamMessage("hint")),
        ({"action": "close"}, StreamMessage("close")),
    ],
)
def test_a_stream_format_is_read(source: dict[str, Any], expected: StreamMessage) -> None:
    assert parse_one(formats={"http-stream": source}).stream == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"body": "x"}, ResponseMessage(body=b"x")),
        ({"body-bin": "/w=="}, ResponseMessage(body=b"\xff")),
        ({"body": "", "code": 404, "reason": "Gone away"}, ResponseMessage("send", 404, "Gone away")),
        ({"body": "", "code": "201"}, ResponseMessage("send", 201)),
        ({"body": "", "headers": {"X-A": "é"}}, ResponseMessage(headers=[(b"x-a", "é".encode())])),
        ({"body": "", "headers": [["A", "1 "], ["A", "2"]]}, ResponseMessage(headers=[(b"a", b"1"), (b"a", b"2")])),
        ({"body-patch": [{"op": "remove", "path": "/a"}]}, ResponseMessage(patch=[{"op": "remove", "path": "/a"}])),
        ({"action": "hint"}, ResponseMessage("hint")),
    ],
)
def test_a_response_format_is_read(source: dict[str, Any], expected: ResponseMessage) -> None:
    assert parse_one(formats={"http-response": source}).response == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"content": "hé"}, SocketMessage(content="hé".encode())),
        ({"content-bin": "/w=="}, SocketMessage(type="binary", content=b"\xff")),
        ({"type": "binary", "content": "é"}, SocketMessage(type="binary", content="é".encode())),
        ({"type": "text", "content-bin": "aA=="}, SocketMessage(content=b"h")),
        ({"type": "ping"}, SocketMessage(type="ping")),
        ({"type": "pong", "content": "p"}, SocketMessage(type="pong", content=b"p")),
        ({"action": "close"}, SocketMessage("close")),
        ({"action": "close", "code": 4000, "reason": "bye"}, SocketMessage("close", code=4000, reason="bye")),
        ({"action": "refresh"}, SocketMessage("refresh")),
    ],
)
def test_a_websocket_format_is_read(source: dict[str, Any], expected: SocketMessage) -> None:
    assert parse_one(formats={"ws-message": source}).socket == expected


def test_what_an_item_says_beside_its_formats_is_read() -> None:
    item = parse_one(
        **{"id": "2", "prev-id": "1", "no-seq": True, "meta": {"sender": "me"}, "size": 3}, formats={"x": 1}
    )
    assert item == PublishedItem("c", id="2", prev_id="1", no_seq=True, meta={"sender": "me"})


def test_formats_may_stand_in_the_item_itself() -> None:
    item = parse_one(**{"http-stream": STREAM, "ws-message": {"content": "y"}})
    assert (item.stream, item.socket, item.response) == (StreamMessage(content=b"x"), SocketMessage(content=b"y"), None)


def test_an_empty_id_is_none() -> None:
    assert parse_one(**{"id": "", "prev-id": ""}, formats={"x": 1}) == PublishedItem("c")


def test_items_keep_their_order_and_an_empty_list_is_fine() -> None:
    items = parse_items(body_of(*({"channel": name, "http-stream": STREAM} for name in "abc")))
    assert [item.channel for item in items] == ["a", "b", "c"]
    assert parse_items(b'{"items": []}') == []


@pytest.mark.parametrize(
    "message",
    [
        HttpStreamFormat("é\n"),
        HttpStreamFormat(b"\xff"),
        HttpStreamFormat(close=True),
        HttpResponseFormat(code=404, headers={"A": "b"}, body=b"\xff"),
        HttpResponseFormat(action="hint"),
        HttpResponseFormat(body_patch=[{"op": "test", "path": ""}]),
        WebSocketMessageFormat("é"),
        WebSocketMessageFormat(b"\xff", binary=True),
        WebSocketMessageFormat(action="close", code=4001, reason="bye"),
        WebSocketMessageFormat(action="refresh"),
        WebSocketMessageFormat(type="ping"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_this_package_publishes_is_read(message: Any) -> None:
    exported = export_item("c", Item(message, id="1"))
    (item,) = parse_items(json.dumps({"items": [exported]}, ensure_ascii=False).encode())
    assert item.channel == "c"
    assert item.id == "1"
    assert any(part is not None for part in (item.stream, item.response, item.socket))


def test_an_event_is_read_for_every_kind_of_client() -> None:
    (item,) = parse_items(json.dumps({"items": [export_item("c", Item(Event({"a": 1}).to_formats()))]}).encode())
    assert item.stream == StreamMessage(content=b'data: {"a":1}\n\n')
    assert item.response == ResponseMessage("hint")
    assert item.socket == SocketMessage(content=b'{"a":1}')


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "the body is not valid JSON"),
        (b"{", "the body is not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "the body is not valid JSON"),
        ('{"items": []}'.encode("utf-16-le"), "the body is not valid JSON"),
        (b'{"items": [NaN]}', "the body is not valid JSON"),
        (b'{"items": ' + b"9" * 5000 + b"}", "the body is not valid JSON"),
        (b"[" * 100_000, "the body is not valid JSON"),
        (b'{"items": [{"channel": "\\ud800"}]}', "the body has a lone surrogate, which no bytes stand for"),
        (b"[]", "the body is not an object"),
        (b"{}", "object does not contain 'items'"),
        (b'{"items": {}}', "object contains 'items' with wrong type"),
        (b'{"items": [1]}', "publish item object is not an object"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_a_body_that_is_none_is_refused(body: bytes, text: str) -> None:
    assert error_of(body) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"channel": 1}, "publish item object contains 'channel' with wrong type"),
        ({"channel": ""}, "publish item object contains 'channel' with invalid value"),
        ({"channel": "a\r\nb"}, "publish item object contains 'channel' with invalid value"),
        ({"id": 1}, "publish item object contains 'id' with wrong type"),
        ({"id": None}, "publish item object contains 'id' with wrong type"),
        ({"id": "1\r\nGrip-Hold: stream"}, "publish item object contains 'id' with invalid value"),
        ({"prev-id": "\x00"}, "publish item object contains 'prev-id' with invalid value"),
        ({"no-seq": 1}, "publish item object contains 'no-seq' with wrong type"),
        ({"size": "1"}, "publish item object contains 'size' with wrong type"),
        ({"size": -1}, "publish item object contains 'size' with invalid value"),
        ({"meta": []}, "publish item object contains 'meta' with wrong type"),
        ({"meta": {"a\nb": 1}}, "'meta' contains 'a\\nb' with wrong type"),
        ({"formats": []}, "publish item object contains 'formats' with wrong type"),
        ({"formats": {}}, "no formats specified"),
    ],
)
def test_an_item_that_is_none_is_refused(fields: dict[str, Any], text: str) -> None:
    assert error_of_item(**{"http-stream": STREAM, **fields}) == text


def test_an_item_needs_a_channel_and_a_format() -> None:
    assert error_of(body_of({"http-stream": STREAM})) == "publish item object does not contain 'channel'"
    assert error_of(body_of({"channel": "c"})) == "no formats specified"


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        ("http-stream", "x", "'http-stream' is not an object"),
        ("http-stream", {}, "'http-stream' does not contain 'content' or 'content-bin'"),
        ("http-stream", {"content": 1}, "'http-stream' contains 'content' with wrong type"),
        ("http-stream", {"content-bin": "?"}, "'http-stream' contains 'content-bin' that is not base64"),
        ("http-stream", {"content-bin": "é"}, "'http-stream' contains 'content-bin' that is not base64"),
        ("http-stream", {"action": "refresh"}, "'http-stream' contains 'action' with unknown value"),
        ("http-stream", {"action": 1}, "'http-stream' contains 'action' with wrong type"),
        (
            "http-stream",
            {"content": "", "content-filters": 1},
            "'http-stream' contains 'content-filters' with wrong type",
        ),
        ("http-stream", {"content": "", "content-filters": [1]}, "content-filters contains element with wrong type"),
        ("http-response", [], "'http-response' is not an object"),
        ("http-response", {}, "'http-response' does not contain 'body', 'body-bin', or 'body-patch'"),
        ("http-response", {"action": "close"}, "'http-response' contains 'action' with unknown value"),
        ("http-response", {"body": "", "code": True}, "'http-response' contains 'code' with wrong type"),
        ("http-response", {"body": "", "code": 99}, "'http-response' contains 'code' with invalid value"),
        ("http-response", {"body": "", "code": 101}, "'http-response' contains 'code' with invalid value"),
        ("http-response", {"body": "", "reason": "a\r\nb"}, "'http-response' contains 'reason' with invalid value"),
        ("http-response", {"body": "", "headers": "x"}, "'http-response' contains 'headers' with wrong type"),
        ("http-response", {"body": "", "headers": ["x"]}, "headers contains element with wrong type"),
        ("http-response", {"body": "", "headers": [["x"]]}, "headers contains list with wrong number of elements"),
        ("http-response", {"body": "", "headers": [[1, "x"]]}, "header contains name element with wrong type"),
        ("http-response", {"body": "", "headers": {"A": 1}}, "headers contains 'A' with wrong type"),
        (
            "http-response",
            {"body": "", "headers": {"A": "a\r\nSet-Cookie: x"}},
            "'http-response' contains 'headers' with invalid value: the value of header A has U+000D at position 1",
        ),
        (
            "http-response",
            {"body": "", "headers": {"A B": "a"}},
            "'http-response' contains 'headers' with invalid value: 'A B' is no header name",
        ),
        ("http-response", {"body-patch": {}}, "'http-response' contains 'body-patch' with wrong type"),
        ("http-response", {"body-patch": [1]}, "body-patch contains element with wrong type"),
        ("ws-message", {}, "'ws-message' does not contain 'content' or 'content-bin'"),
        ("ws-message", {"action": "hint"}, "'ws-message' contains 'action' with unknown value"),
        ("ws-message", {"type": "x", "content": ""}, "'ws-message' contains 'type' with unknown value"),
        (
            "ws-message",
            {"type": "text", "content-bin": "/w=="},
            "'ws-message' contains a text message that is not UTF-8",
        ),
        ("ws-message", {"type": "ping", "content": "x" * 126}, "'ws-message' contains a ping of more than 125 bytes"),
        ("ws-message", {"action": "close", "code": 0}, "'ws-message' contains 'code' with invalid value"),
        ("ws-message", {"action": "close", "code": 1006}, "'ws-message' contains 'code' with invalid value"),
        ("ws-message", {"action": "close", "code": []}, "'ws-message' contains 'code' with wrong type"),
        (
            "ws-message",
            {"action": "close", "reason": "é" * 62},
            "'ws-message' contains a 'reason' of more than 123 bytes",
        ),
    ],
)
def test_a_format_that_is_none_is_refused(name: str, source: Any, text: str) -> None:
    assert error_of_item(formats={name: source}) == text


def test_one_bad_item_refuses_them_all_and_shows_no_content() -> None:
    good = {"channel": "c", "http-stream": {"content": "secret"}}
    bad = {"channel": "c", "http-stream": {"content-bin": "secret!"}}
    assert error_of(body_of(good, bad)) == "'http-stream' contains 'content-bin' that is not base64"


def test_a_long_key_is_shortened_in_the_text() -> None:
    assert error_of_item(formats={"x": 1}, meta={"k" * 9000: 1}) == f"'meta' contains '{'k' * 40}...' with wrong type"


def test_a_content_in_base64_is_what_it_was() -> None:
    content = bytes(range(256))
    coded = b64encode(content).decode()
    assert parse_one(formats={"http-stream": {"content-bin": coded}}).stream == StreamMessage(content=content)
