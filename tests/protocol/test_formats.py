from __future__ import annotations

import gripcontrol
import pytest

from django_grip.exceptions import ItemError
from django_grip.protocol.formats import HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat


@pytest.mark.parametrize(
    ("message", "exported"),
    [
        (HttpStreamFormat("hello\n"), {"content": "hello\n"}),
        (HttpStreamFormat(""), {"content": ""}),
        (HttpStreamFormat(b"hello"), {"content": "hello"}),
        (HttpStreamFormat(bytearray(b"\xff\x00")), {"content-bin": "/wA="}),
        (HttpStreamFormat("x", action="send"), {"content": "x"}),
        (HttpStreamFormat("x", content_filters=["build-id"]), {"content": "x", "content-filters": ["build-id"]}),
        (HttpStreamFormat("x", content_filters=()), {"content": "x", "content-filters": []}),
        (HttpStreamFormat(close=True), {"action": "close"}),
        (HttpStreamFormat(action="close"), {"action": "close"}),
        (HttpStreamFormat(action="hint"), {"action": "hint"}),
        (HttpResponseFormat(), {"body": ""}),
        (HttpResponseFormat(body="x"), {"body": "x"}),
        (HttpResponseFormat(body=b"\xff"), {"body-bin": "/w=="}),
        (
            HttpResponseFormat(201, "Made", {"ETag": '"x"'}, "b", ["build-id"]),
            {"code": 201, "reason": "Made", "headers": {"ETag": '"x"'}, "body": "b", "content-filters": ["build-id"]},
        ),
        (
            HttpResponseFormat(headers=[("Link", "a"), ("Link", "b")], body=""),
            {"headers": [["Link", "a"], ["Link", "b"]], "body": ""},
        ),
        (
            HttpResponseFormat(body_patch=[{"op": "add", "path": "/a", "value": [1]}]),
            {"body-patch": [{"op": "add", "path": "/a", "value": [1]}]},
        ),
        (HttpResponseFormat(action="hint"), {"action": "hint"}),
        (WebSocketMessageFormat("hello"), {"content": "hello"}),
        (WebSocketMessageFormat(b"hello"), {"content": "hello"}),
        (WebSocketMessageFormat(b"\xff", binary=True), {"content-bin": "/w=="}),
        (WebSocketMessageFormat("text", binary=True), {"content-bin": "dGV4dA=="}),
        (WebSocketMessageFormat(b"\xff", type="binary"), {"content-bin": "/w=="}),
        (WebSocketMessageFormat("x", type="text"), {"content": "x"}),
        (WebSocketMessageFormat(type="ping"), {"type": "ping"}),
        (WebSocketMessageFormat("x", type="pong"), {"type": "pong", "content": "x"}),
        (WebSocketMessageFormat(b"\xff", type="ping"), {"type": "ping", "content-bin": "/w=="}),
        (
            WebSocketMessageFormat("x", content_filters=["var-subst"]),
            {"content": "x", "content-filters": ["var-subst"]},
        ),
        (WebSocketMessageFormat(action="close"), {"action": "close"}),
        (WebSocketMessageFormat(action="close", code=4001), {"action": "close", "code": 4001}),
        (
            WebSocketMessageFormat(action="close", code=1000, reason="größer"),
            {"action": "close", "code": 1000, "reason": "größer"},
        ),
        (WebSocketMessageFormat(action="refresh"), {"action": "refresh"}),
    ],
)
def test_a_format_exports_what_the_control_port_takes(message, exported):
    assert message.export() == exported


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HttpStreamFormat(), "HttpStreamFormat has no content and no action"),
        (lambda: HttpStreamFormat(5), "HttpStreamFormat: content must be a str or bytes, not int"),
        (lambda: HttpStreamFormat({"a": 1}), "HttpStreamFormat: content must be a str or bytes, not dict"),
        (
            lambda: HttpStreamFormat("x", close=True),
            "HttpStreamFormat: close sends no content; publish the content before",
        ),
        (lambda: HttpStreamFormat("x", action="hint"), "HttpStreamFormat: hint sends no content"),
        (lambda: HttpStreamFormat(close=True, action="hint"), "HttpStreamFormat: close=True contradicts action='hint'"),
        (
            lambda: HttpStreamFormat(action="refresh"),
            "HttpStreamFormat: action must be one of 'send', 'hint', 'close', not 'refresh'",
        ),
        (
            lambda: HttpStreamFormat("x", content_filters="build-id"),
            "HttpStreamFormat: content_filters must be a list of names, not 'build-id'",
        ),
        (lambda: HttpStreamFormat("x", content_filters=[1]), "content_filters has 1, which is no filter's name"),
        (lambda: HttpResponseFormat(99), "a status code must be an int from 200 to 599, not 99"),
        (lambda: HttpResponseFormat("200"), "a status code must be an int from 200 to 599, not '200'"),
        (lambda: HttpResponseFormat(reason="a\r\nb"), "the reason of a status must be printable ASCII"),
        (lambda: HttpResponseFormat(headers={"A": "b\r\nC: d"}), "the value of header A has U+000D at position 1"),
        (lambda: HttpResponseFormat(headers={"A": 5}), "the value of header A must be a str, not int"),
        (lambda: HttpResponseFormat(headers={"a b": "c"}), "'a b' is no header name"),
        (lambda: HttpResponseFormat(headers=["A: b"]), "headers must be pairs of a name and a value, not 'A: b'"),
        (lambda: HttpResponseFormat(body=5), "HttpResponseFormat: content must be a str or bytes, not int"),
        (lambda: HttpResponseFormat(body="x", action="hint"), "HttpResponseFormat: hint sends no body"),
        (lambda: HttpResponseFormat(action="close"), "action must be one of 'send', 'hint', not 'close'"),
        (
            lambda: HttpResponseFormat(body="x", body_patch=[]),
            "HttpResponseFormat: body and body_patch exclude each other",
        ),
        (lambda: HttpResponseFormat(body_patch={"op": "add"}), "body_patch must be a list of operations, not dict"),
        (lambda: HttpResponseFormat(body_patch=[{"op": "set", "path": "/"}]), "which is no JSON Patch operation"),
        (lambda: HttpResponseFormat(body_patch=["x"]), "which is no JSON Patch operation"),
        (lambda: HttpResponseFormat(body_patch=[{"op": "remove"}]), "which has no path"),
        (lambda: WebSocketMessageFormat(), "WebSocketMessageFormat has no content and no action"),
        (lambda: WebSocketMessageFormat(b"a\xff"), "a text message must be UTF-8, but byte 1 is not; pass binary=True"),
        (lambda: WebSocketMessageFormat("\ud800", binary=True), "a lone surrogate at position 0"),
        (lambda: WebSocketMessageFormat(5, binary=True), "content must be a str or bytes, not int"),
        (lambda: WebSocketMessageFormat("x", binary=True, type="text"), "binary=True contradicts type='text'"),
        (
            lambda: WebSocketMessageFormat("x", type="blob"),
            "type must be 'text', 'binary', 'ping' or 'pong', not 'blob'",
        ),
        (lambda: WebSocketMessageFormat("x" * 126, type="ping"), "a ping holds 125 bytes at most, not 126"),
        (lambda: WebSocketMessageFormat(action="close", code=0), "0 is not a close code"),
        (lambda: WebSocketMessageFormat(action="close", code=1006), "1006 is not a close code"),
        (lambda: WebSocketMessageFormat(action="close", code=5000), "5000 is not a close code"),
        (lambda: WebSocketMessageFormat(action="close", code="1000"), "'1000' is not a close code"),
        (lambda: WebSocketMessageFormat(action="close", reason="x"), "a close reason needs a close code before it"),
        (lambda: WebSocketMessageFormat(action="close", code=1000, reason="x" * 124), "a close reason of 124 bytes"),
        (lambda: WebSocketMessageFormat(action="close", code=1000, reason=5), "WebSocketMessageFormat: "),
        (lambda: WebSocketMessageFormat("x", code=1000), "code and reason go with action='close'"),
        (lambda: WebSocketMessageFormat("x", action="close"), "close sends no content"),
        (lambda: WebSocketMessageFormat(action="hint"), "action must be one of 'send', 'close', 'refresh', not 'hint'"),
    ],
)
def test_a_format_that_the_control_port_would_refuse_says_what_is_wrong(make, message):
    with pytest.raises(ItemError) as caught:
        make().export()
    assert message in str(caught.value)


def test_our_formats_are_gripcontrols():
    assert isinstance(HttpStreamFormat("x"), gripcontrol.HttpStreamFormat)
    assert isinstance(HttpResponseFormat(), gripcontrol.HttpResponseFormat)
    assert isinstance(WebSocketMessageFormat("x"), gripcontrol.WebSocketMessageFormat)
    assert [HttpStreamFormat("x").name(), HttpResponseFormat().name(), WebSocketMessageFormat("x").name()] == [
        "http-stream",
        "http-response",
        "ws-message",
    ]
    assert HttpStreamFormat(action="close").close is True
    assert HttpStreamFormat(close=True).action == "close"
