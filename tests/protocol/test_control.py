from __future__ import annotations

import json
import re

import pytest

from django_grip.exceptions import ChannelNameError, ControlMessageError, InstructError, ProtocolError
from django_grip.protocol.control import (
    MAX_CONTROL_MESSAGE,
    MAX_TIMEOUT,
    ControlMessage,
    build_control,
    build_detach,
    build_flush_delayed,
    build_keep_alive,
    build_send_delayed,
    build_session,
    build_set_meta,
    build_subscribe,
    build_unsubscribe,
    parse_control,
)


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        (
            build_subscribe("room:1"),
            {"type": "subscribe", "channel": "room:1"},
            ControlMessage("subscribe", channel="room:1"),
        ),
        (
            build_subscribe("é", ["skip-self", "build-id"]),
            {"type": "subscribe", "channel": "é", "filters": ["skip-self", "build-id"]},
            ControlMessage("subscribe", channel="é", filters=("skip-self", "build-id")),
        ),
        (
            build_unsubscribe("room:1"),
            {"type": "unsubscribe", "channel": "room:1"},
            ControlMessage("unsubscribe", channel="room:1"),
        ),
        (build_detach(), {"type": "detach"}, ControlMessage("detach")),
        (build_session("s-1"), {"type": "session", "id": "s-1"}, ControlMessage("session", id="s-1")),
        (build_session(None), {"type": "session"}, ControlMessage("session")),
        (
            build_set_meta("user", "alice"),
            {"type": "set-meta", "name": "user", "value": "alice"},
            ControlMessage("set-meta", name="user", value="alice"),
        ),
        (
            build_set_meta("user", ""),
            {"type": "set-meta", "name": "user", "value": ""},
            ControlMessage("set-meta", name="user", value=""),
        ),
        (
            build_set_meta("user", None),
            {"type": "set-meta", "name": "user"},
            ControlMessage("set-meta", name="user"),
        ),
        (
            build_keep_alive("beat"),
            {"type": "keep-alive", "content": "beat", "message-type": "text", "timeout": 55},
            ControlMessage("keep-alive", content=b"beat", timeout=55),
        ),
        (
            build_keep_alive(b"\x00\xff", timeout=20, mode="interval", message_type="ping"),
            {"type": "keep-alive", "content-bin": "AP8=", "message-type": "ping", "timeout": 20, "mode": "interval"},
            ControlMessage("keep-alive", content=b"\x00\xff", message_type="ping", timeout=20, mode="interval"),
        ),
        (build_keep_alive(None), {"type": "keep-alive"}, ControlMessage("keep-alive", timeout=55)),
        (
            build_send_delayed("later"),
            {"type": "send-delayed", "content": "later", "message-type": "text", "timeout": 1},
            ControlMessage("send-delayed", content=b"later", timeout=1),
        ),
        (
            build_send_delayed(b"later", timeout=MAX_TIMEOUT, message_type="binary"),
            {"type": "send-delayed", "content-bin": "bGF0ZXI=", "message-type": "binary", "timeout": MAX_TIMEOUT},
            ControlMessage("send-delayed", content=b"later", message_type="binary", timeout=MAX_TIMEOUT),
        ),
        (build_flush_delayed(), {"type": "flush-delayed"}, ControlMessage("flush-delayed")),
    ],
)
def test_each_control_message_is_built_and_read_back(text, fields, message):
    assert json.loads(text) == fields
    assert parse_control(text) == parse_control(text.encode()) == message


def test_the_json_is_compact_and_keeps_letters_as_they_are():
    assert build_subscribe("é€") == '{"type":"subscribe","channel":"é€"}'


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: build_keep_alive(""), "a keep-alive with empty content would stop it; None says that openly"),
        (lambda: build_keep_alive(b""), "a keep-alive with empty content would stop it; None says that openly"),
        (lambda: build_keep_alive("a", mode="often"), "a keep-alive mode is one of idle, interval, not 'often'"),
        (
            lambda: build_keep_alive("a", message_type="close"),
            "a message type is one of text, binary, ping, pong, not 'close'",
        ),
        (
            lambda: build_keep_alive("a", timeout=0),
            "a timeout is a whole number of seconds, 1 to 2147483, not 0",
        ),
        (
            lambda: build_send_delayed("a", timeout=2.5),
            "a timeout is a whole number of seconds, 1 to 2147483, not 2.5",
        ),
        (
            lambda: build_send_delayed("a", timeout=True),
            "a timeout is a whole number of seconds, 1 to 2147483, not True",
        ),
        (
            lambda: build_send_delayed("a", timeout=2_147_484),
            "a timeout is a whole number of seconds, 1 to 2147483, not 2147484",
        ),
        (lambda: build_send_delayed(5), "the content of a control message is str or bytes, not int"),
        (lambda: build_send_delayed(None), "the content of a control message is str or bytes, not NoneType"),
        (lambda: build_session(""), "the session id is empty"),
        (lambda: build_session(5), "the session id is a str, not int"),
        (lambda: build_set_meta("", "a"), "the name of set-meta is empty"),
        (lambda: build_set_meta("a", 5), "the value of set-meta is a str, not int"),
        (
            lambda: build_set_meta("a", "\ud800"),
            "the control message 'set-meta' cannot be written as JSON: "
            "'utf-8' codec can't encode character '\\ud800' in position 39: surrogates not allowed",
        ),
        (lambda: build_control({}), 'a control message is a JSON object with a string "type"'),
        (lambda: build_control({"type": 5}), 'a control message is a JSON object with a string "type"'),
        (lambda: build_control(["detach"]), 'a control message is a JSON object with a string "type"'),
        (
            lambda: build_control({"type": "new", "value": float("nan")}),
            "the control message 'new' cannot be written as JSON: Out of range float values are not JSON compliant",
        ),
        (
            lambda: build_control({"type": "new", "value": b"a"}),
            "the control message 'new' cannot be written as JSON: Object of type bytes is not JSON serializable",
        ),
    ],
)
def test_what_the_proxy_would_ignore_is_refused(build, message):
    with pytest.raises(InstructError, match=f"^{re.escape(message)}"):
        build()


@pytest.mark.parametrize("build", [build_subscribe, build_unsubscribe])
@pytest.mark.parametrize(
    "name", ["", "room, admin", "a;b", 'a"b', "a\nb", "\x00", "\x7f", " a", "\ud800", "x" * 10_000]
)
def test_a_channel_name_that_no_header_carries_is_refused(build, name):
    with pytest.raises(ChannelNameError):
        build(name)


@pytest.mark.parametrize("filters", ["skip-self", [""], ["a b"], [5], ["a"] * 6])
def test_filters_that_the_proxy_would_not_take_are_refused(filters):
    with pytest.raises(ChannelNameError, match="filter"):
        build_subscribe("a", filters)


def test_a_control_message_fills_one_frame_of_the_proxy_and_no_more():
    overhead = len('c:{"type":"set-meta","name":"a","value":""}')
    room = MAX_CONTROL_MESSAGE - overhead
    assert len("c:" + build_set_meta("a", "x" * room)) == MAX_CONTROL_MESSAGE == 16_384
    with pytest.raises(
        InstructError,
        match=r"^the control message 'set-meta' has 16,385 bytes; the proxy ignores one of more than 16,384$",
    ):
        build_set_meta("a", "x" * (room + 1))
    with pytest.raises(InstructError, match=r"has 16,385 bytes"):
        build_set_meta("a", "x" * (room - 1) + "é")


def test_a_message_of_a_newer_proxy_can_be_built():
    assert build_control({"type": "new", "value": [1, None]}) == '{"type":"new","value":[1,null]}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "type is missing or empty"),
        ('{"type": ""}', "type is missing or empty"),
        ('{"type": 5}', "type is not a string"),
        ('{"type": null}', "type is not a string"),
        ('{"type": "Subscribe"}', "unknown type of control message: 'Subscribe'"),
        ('{"type": "%s"}' % ("x" * 50), "unknown type of control message: '" + "x" * 40 + "'"),
        ("", "a control message that is not JSON"),
        ("subscribe", "a control message that is not JSON"),
        ('{"type": "detach"', "a control message that is not JSON"),
        ('\ufeff{"type": "detach"}', "a control message that is not JSON"),
        (b'\xff{"type": "detach"}', "a control message that is not JSON"),
        ('{"type": "detach"}'.encode("utf-16"), "a control message that is not JSON"),
        ("[" * 16_000, "a control message that is not JSON"),
        ('{"type": "keep-alive", "timeout": %s}' % ("9" * 30), "the timeout in keep-alive is not a number of seconds"),
        ('["detach"]', "a control message that is not a JSON object"),
        ('"detach"', "a control message that is not a JSON object"),
        ('{"type": "subscribe"}', "channel is missing or empty"),
        ('{"type": "subscribe", "channel": ""}', "channel is missing or empty"),
        ('{"type": "unsubscribe", "channel": 5}', "channel is not a string"),
        ('{"type": "subscribe", "channel": "\\ud800"}', "channel is not valid Unicode"),
        ('{"type": "subscribe", "channel": "a", "filters": "skip-self"}', "filters is not a list of strings"),
        ('{"type": "subscribe", "channel": "a", "filters": [5]}', "filters is not a list of strings"),
        ('{"type": "set-meta", "value": "a"}', "name is missing or empty"),
        ('{"type": "set-meta", "name": "a", "value": 5}', "value is not a string"),
        ('{"type": "session", "id": 5}', "id is not a string"),
        ('{"type": "send-delayed", "content": 5}', "content is not a string"),
        ('{"type": "send-delayed", "content": "\\udfff"}', "content is not valid Unicode"),
        ('{"type": "send-delayed", "content-bin": "a"}', "content-bin is not base64"),
        ('{"type": "send-delayed", "content-bin": "é"}', "content-bin is not base64"),
        ('{"type": "send-delayed", "content-bin": null}', "content-bin is not a string"),
        ('{"type": "send-delayed", "message-type": "close"}', "unknown message-type 'close' in send-delayed"),
        ('{"type": "keep-alive", "timeout": -1}', "the timeout in keep-alive is not a number of seconds"),
        ('{"type": "keep-alive", "timeout": "5"}', "the timeout in keep-alive is not a number of seconds"),
        ('{"type": "keep-alive", "timeout": true}', "the timeout in keep-alive is not a number of seconds"),
        ('{"type": "keep-alive", "timeout": 2147484}', "the timeout in keep-alive is not a number of seconds"),
        ('{"type": "keep-alive", "mode": 5}', "mode is not a string"),
        ('{"type": "detach", "padding": "%s"}' % ("x" * 17_000), "17,035 bytes; a control message has at most 16,384"),
    ],
)
def test_what_the_proxy_ignores_as_a_whole_is_an_error(text, message):
    with pytest.raises(ControlMessageError, match=f"^{re.escape(message)}$"):
        parse_control(text)


def test_a_control_message_error_is_a_protocol_error():
    assert issubclass(ControlMessageError, ProtocolError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "detach", "more": [1]}', ControlMessage("detach")),
        ('{"type": "session", "id": ""}', ControlMessage("session")),
        ('{"type": "send-delayed"}', ControlMessage("send-delayed", timeout=1)),
        (
            '{"type": "keep-alive", "content": "a", "timeout": 0}',
            ControlMessage("keep-alive", content=b"a", timeout=55),
        ),
        ('{"type": "keep-alive", "mode": "often"}', ControlMessage("keep-alive", timeout=55)),
        # As Pushpin: content-bin alone does not make it binary, and goes before content.
        (
            '{"type": "send-delayed", "content-bin": "AA==", "content": "a"}',
            ControlMessage("send-delayed", content=b"\x00", timeout=1),
        ),
    ],
)
def test_what_the_proxy_takes_leniently_is_taken(text, message):
    assert parse_control(text) == message
