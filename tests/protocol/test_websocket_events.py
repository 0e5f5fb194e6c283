from __future__ import annotations

import re
from collections import namedtuple

import pytest

from django_grip.exceptions import GripError, ProtocolError, UsageError, WebSocketEventsError
from django_grip.protocol.websocket_events import (
    CONTENT_TYPE,
    WebSocketEvent,
    build_close,
    decode_websocket_events,
    encode_websocket_events,
    is_close_code,
    parse_close,
)

E = WebSocketEvent


def test_the_content_type_is_the_one_the_proxy_compares_byte_for_byte():
    assert CONTENT_TYPE == "application/websocket-events"


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"", []),
        (b"OPEN\r\n", [E("OPEN")]),
        (b"TEXT 5\r\nhello\r\n", [E("TEXT", b"hello")]),
        (b"BINARY 3\r\n\x00\xff\r\r\n", [E("BINARY", b"\x00\xff\r")]),
        (b"PING\r\nPONG\r\n", [E("PING"), E("PONG")]),
        (b"PING 2\r\nhi\r\nPONG 2\r\nhi\r\n", [E("PING", b"hi"), E("PONG", b"hi")]),
        (b"PING 0\r\n\r\n", [E("PING", b"")]),
        (b"CLOSE\r\n", [E("CLOSE")]),
        (b"CLOSE 2\r\n\x03\xe8\r\n", [E("CLOSE", b"\x03\xe8")]),
        (b"CLOSE 5\r\n\x03\xe8bye\r\n", [E("CLOSE", b"\x03\xe8bye")]),
        (b"DISCONNECT\r\n", [E("DISCONNECT")]),
        (b"OPEN\r\nTEXT 1\r\na\r\nCLOSE\r\n", [E("OPEN"), E("TEXT", b"a"), E("CLOSE")]),
    ],
)
def test_bodies_are_read_and_written_the_same(body, events):
    assert decode_websocket_events(body) == events
    assert encode_websocket_events(events) == body


@pytest.mark.parametrize(
    ("body", "events"),
    [
        # Pushpin, 1.36 and 1.41, writes an empty message without a length.
        (b"TEXT\r\n", [E("TEXT", b"")]),
        (b"BINARY\r\n", [E("BINARY", b"")]),
        (b"TEXT 0\r\n\r\n", [E("TEXT", b"")]),
        # Hex in either case, with leading zeros: what every reader takes for the same number.
        (b"TEXT A\r\n0123456789\r\n", [E("TEXT", b"0123456789")]),
        (b"TEXT a\r\n0123456789\r\n", [E("TEXT", b"0123456789")]),
        (b"TEXT 00000001\r\na\r\n", [E("TEXT", b"a")]),
        # The proxy passes on the close code of its client, whatever it is.
        (b"CLOSE 2\r\n\x00\x00\r\n", [E("CLOSE", b"\x00\x00")]),
        (b"CLOSE 2\r\n\xff\xff\r\n", [E("CLOSE", b"\xff\xff")]),
    ],
)
def test_what_a_real_proxy_may_send_is_read(body, events):
    assert decode_websocket_events(body) == events


@pytest.mark.parametrize(
    "content",
    [
        b"\r\n",
        b"\r\n\r\n",
        b"a\r\nb",
        b"\r",
        b"\n",
        b"\r\r\n\n",
        b"\r\nTEXT 1\r\nx\r\n",
        b"TEXT 5\r\nhello\r\n",
        b"CLOSE\r\n",
        b"ends in CR\r",
    ],
)
def test_content_that_looks_like_framing_stays_content(content):
    events = [E("BINARY", content), E("TEXT", b"x"), E("TEXT", content)]
    assert decode_websocket_events(encode_websocket_events(events)) == events


@pytest.mark.parametrize(
    ("body", "message"),
    [
        # cut off
        (b"TEXT 5\r\nhe", "the body is cut off: it does not end with CRLF"),
        (b"TEXT 5\r\nhello", "the body is cut off: it does not end with CRLF"),
        (b"TEXT 5\r\nhello\r", "the body is cut off: it does not end with CRLF"),
        (b"TEXT 5\r\n", "event 1: the content is cut off: not the 5 bytes announced"),
        (b"TEXT 5\r\nhe\r\n", "event 1: the content is cut off: not the 5 bytes announced"),
        (b"TEXT 0\r\n", "event 1: the content is cut off: not the 0 bytes announced"),
        (b"OPEN", "the body is cut off: it does not end with CRLF"),
        (b"OPEN\r", "the body is cut off: it does not end with CRLF"),
        (b"OPEN\n", "the body is cut off: it does not end with CRLF"),
        (b"TEXT 5\r\nhello\r\nTEXT 5\r\n", "event 2: the content is cut off: not the 5 bytes announced"),
        # wrong terminators
        (b"TEXT 5\r\nhelloXX", "the body is cut off: it does not end with CRLF"),
        (b"TEXT 5\r\nhelloXX\r\n", "event 1: no CRLF after the 5 bytes of content"),
        (b"TEXT 5\r\nhello\n\r\n", "event 1: no CRLF after the 5 bytes of content"),
        (b"TEXT 3\r\na\r\nbc\r\n", "event 1: no CRLF after the 3 bytes of content"),
        (b"TEXT 5\nhello\r\n", "event 1: 'TEXT 5\\nhello' is not a type, or a type and a length in hex"),
        (b"PING\r\r\n", "event 1: 'PING\\r' is not a type, or a type and a length in hex"),
        (b"\r\n", "event 1: '' is not a type, or a type and a length in hex"),
        (b"PING\r\n\r\n", "event 2: '' is not a type, or a type and a length in hex"),
        # types
        (b"open\r\n", "event 1: 'open' is not a type, or a type and a length in hex"),
        (b"Text 1\r\na\r\n", "event 1: 'Text 1' is not a type, or a type and a length in hex"),
        (b"TEXTS 1\r\na\r\n", "event 1: unknown type 'TEXTS'"),
        (b"CONTINUATION 1\r\na\r\n", "event 1: unknown type 'CONTINUATION'"),
        (b"X\r\n", "event 1: unknown type 'X'"),
        (b" 5\r\nhello\r\n", "event 1: ' 5' is not a type, or a type and a length in hex"),
        (b" TEXT 1\r\na\r\n", "event 1: ' TEXT 1' is not a type, or a type and a length in hex"),
        (b"T\xc3\x89XT 1\r\na\r\n", "event 1: 'T\\xc3\\x89XT 1' is not a type, or a type and a length in hex"),
        (b"A" * 30 + b"\r\n", "event 1: unknown type 'AAAAAAAAAAAAAAAAAAAA'..."),
        # order
        (b"TEXT 1\r\na\r\nOPEN\r\n", "event 2: OPEN is not the first event"),
        (b"OPEN\r\nOPEN\r\n", "event 2: OPEN is not the first event"),
        (b"CLOSE\r\nTEXT 1\r\na\r\n", "event 2: TEXT follows CLOSE"),
        (b"TEXT 1\r\na\r\nCLOSE\r\nTEXT 1\r\na\r\n", "event 3: TEXT follows CLOSE"),
        (b"CLOSE\r\nCLOSE\r\n", "event 2: CLOSE follows CLOSE"),
        (b"DISCONNECT\r\nPING\r\n", "event 2: PING follows DISCONNECT"),
        (b"CLOSE\r\nDISCONNECT\r\n", "event 2: DISCONNECT follows CLOSE"),
        # content
        (b"OPEN 0\r\n\r\n", "event 1: OPEN has content"),
        (b"OPEN 2\r\nhi\r\n", "event 1: OPEN has content"),
        (b"DISCONNECT 0\r\n\r\n", "event 1: DISCONNECT has content"),
        (b"PING 7e\r\n" + b"x" * 126 + b"\r\n", "event 1: PING has more than 125 bytes"),
        (b"PONG ffffffff\r\n", "event 1: PONG has more than 125 bytes"),
        (b"CLOSE 7e\r\n" + b"x" * 126 + b"\r\n", "event 1: CLOSE has more than 125 bytes"),
        (b"CLOSE 1\r\n\x03\r\n", "event 1: CLOSE has one byte of content; a code takes two"),
        (b"PING\r\nCLOSE 3\r\n\x03\xe8\xff\r\n", "event 2: the reason in CLOSE is not UTF-8"),
    ],
)
def test_what_is_not_well_formed_is_refused_in_one_sentence(body, message):
    with pytest.raises(WebSocketEventsError) as caught:
        decode_websocket_events(body)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "length",
    [
        b"+5",
        b"-5",
        b"-0",
        b"5_0",
        b"0_5",
        b"0x5",
        b"0X5",
        b"5h",
        b"g",
        b"5.0",
        b"5e+1",
        b" 5",
        b"5 ",
        b"5 5",
        b"\t5",
        b"5\t",
        b"5;",
        b"",
        b"000000005",
        b"f" * 30,
        b"9" * 100_000,
        b"\xd9\xa5",  # an Arabic five
        b"\xef\xbc\x95",  # a fullwidth five
        b"5\x00",
    ],
)
def test_a_length_is_one_to_eight_hex_digits_and_nothing_else(length):
    with pytest.raises(WebSocketEventsError, match=r"is not a type, or a type and a length in hex$") as caught:
        decode_websocket_events(b"TEXT " + length + b"\r\nhello\r\n")
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("length", [b"6", b"4", b"ffffffff", b"7fffffff", b"80000000"])
def test_a_length_other_than_the_content_is_refused(length):
    with pytest.raises(WebSocketEventsError):
        decode_websocket_events(b"TEXT " + length + b"\r\nhello\r\n")


def test_an_error_is_a_protocol_error_that_knows_its_event():
    with pytest.raises(ProtocolError) as caught:
        decode_websocket_events(b"PING\r\nPANG\r\n")
    assert isinstance(caught.value, GripError)
    assert isinstance(caught.value, ValueError)
    assert (caught.value.event, caught.value.problem) == (2, "unknown type 'PANG'")


def test_an_error_shows_no_more_than_twenty_bytes_of_the_body():
    with pytest.raises(WebSocketEventsError) as caught:
        decode_websocket_events(b"a secret that a client sent\r\n")
    assert str(caught.value) == "event 1: 'a secret that a clie'... is not a type, or a type and a length in hex"


@pytest.mark.parametrize("body", ["OPEN\r\n", None, bytearray(b"OPEN\r\n"), 5])
def test_a_body_that_is_not_bytes_is_a_type_error(body):
    with pytest.raises(TypeError, match="a body of WebSocket events is bytes, not "):
        decode_websocket_events(body)


def test_the_number_of_events_can_be_limited():
    body = b"PING\r\n" * 3
    assert len(decode_websocket_events(body, max_events=3)) == 3
    with pytest.raises(WebSocketEventsError, match=r"^3 events in one body; 2 are allowed$"):
        decode_websocket_events(body, max_events=2)


def test_a_hundred_thousand_tiny_events_are_read():
    assert decode_websocket_events(b"TEXT 0\r\n\r\n" * 100_000) == [E("TEXT", b"")] * 100_000
    assert decode_websocket_events(b"TEXT 1\r\na\r\n" * 100_000) == [E("TEXT", b"a")] * 100_000


def test_a_million_pings_are_one_event_in_memory():
    events = decode_websocket_events(b"PING\r\n" * 1_000_000)
    assert len(events) == 1_000_000
    assert len({id(event) for event in events}) == 1


def test_a_million_line_ends_in_one_message_are_read():
    content = b"\r\n" * 1_000_000
    assert decode_websocket_events(b"BINARY %x\r\n%b\r\n" % (len(content), content)) == [E("BINARY", content)]


def test_a_million_line_ends_are_refused():
    with pytest.raises(WebSocketEventsError, match=r"^event 1: '' is not a type"):
        decode_websocket_events(b"\r\n" * 1_000_000)


def test_a_large_message_is_read():
    content = b"x" * 5_000_000
    assert decode_websocket_events(b"BINARY 4c4b40\r\n%b\r\n" % content) == [E("BINARY", content)]


def test_an_event_has_equality_a_repr_and_cannot_be_changed():
    assert E("PING") == E("PING", None) != E("PING", b"")
    assert repr(E("TEXT", b"a")) == "WebSocketEvent(type='TEXT', content=b'a')"
    with pytest.raises(AttributeError):
        E("PING").type = "PONG"


def test_a_message_without_content_is_written_with_its_length():
    assert encode_websocket_events([E("TEXT"), E("BINARY")]) == b"TEXT 0\r\n\r\nBINARY 0\r\n\r\n"


def test_any_object_with_type_and_content_is_written():
    other = namedtuple("other", "content type")
    assert encode_websocket_events([other(b"a", "TEXT")]) == b"TEXT 1\r\na\r\n"


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([E("open")], "'open' is not a type of WebSocket event"),
        ([E("")], "'' is not a type of WebSocket event"),
        ([E("TEXT 5\r\nhello\r\nCLOSE")], "'TEXT 5\\r\\nhello\\r\\nCLOSE' is not a type of WebSocket event"),
        ([E("PING"), E("OPEN")], "OPEN cannot follow PING: OPEN only comes first, CLOSE and DISCONNECT only last"),
        ([E("CLOSE"), E("PING")], "PING cannot follow CLOSE: OPEN only comes first, CLOSE and DISCONNECT only last"),
        ([E("OPEN", b"")], "OPEN carries no content"),
        ([E("PING", b"x" * 126)], "PING has 126 bytes of content; a control frame takes 125"),
    ],
)
def test_what_the_decoder_would_refuse_is_not_written(events, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        encode_websocket_events(events)


@pytest.mark.parametrize("content", [b"\x03", b"\x03\xe8\xff"])
def test_a_malformed_close_is_not_written(content):
    with pytest.raises(ValueError, match="CLOSE"):
        encode_websocket_events([E("CLOSE", content)])


def test_content_that_is_text_is_a_type_error():
    with pytest.raises(TypeError, match=r"^the content of TEXT is bytes or None, not str$"):
        encode_websocket_events([E("TEXT", "hello")])


@pytest.mark.parametrize(
    ("content", "close"),
    [
        (None, (None, "")),
        (b"", (None, "")),
        (b"\x03\xe8", (1000, "")),
        (b"\x03\xe8bye", (1000, "bye")),
        (b"\x0f\xa1\xc3\xa9\xe2\x82\xac", (4001, "é€")),
        (b"\x00\x00", (0, "")),
    ],
)
def test_a_close_is_read_into_code_and_reason(content, close):
    assert parse_close(content) == close


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x03", "CLOSE has one byte of content; a code takes two"),
        (b"\x03\xe8\xc3", "the reason in CLOSE is not UTF-8"),
        (b"\x03\xe8\xed\xa0\x80", "the reason in CLOSE is not UTF-8"),
    ],
)
def test_a_malformed_close_is_refused(content, message):
    with pytest.raises(WebSocketEventsError, match=f"^{message}$"):
        parse_close(content)


@pytest.mark.parametrize(
    ("code", "reason", "content"),
    [
        (None, "", b""),
        (1000, "", b"\x03\xe8"),
        (1000, "bye", b"\x03\xe8bye"),
        (4403, "é", b"\x11\x33\xc3\xa9"),
        (4999, "x" * 123, b"\x13\x87" + b"x" * 123),
    ],
)
def test_a_close_is_built_and_read_back(code, reason, content):
    assert build_close(code, reason) == content
    assert parse_close(content) == (code, reason)


@pytest.mark.parametrize("code", [0, 1, -1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, True, 1000.0, "1000"])
def test_a_code_that_may_not_be_sent_is_refused(code):
    with pytest.raises(UsageError, match=f"^{code!r} is not a close code: use 1000-1003, 1007-1014 or your own from "):
        build_close(code)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999])
def test_every_code_of_the_registry_may_be_sent(code):
    assert is_close_code(code)


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (None, "bye", "a close reason needs a close code before it; 1000 is a normal close"),
        (1000, "x" * 124, "a close reason of 124 bytes; a close frame takes 123"),
        (1000, "é" * 62, "a close reason of 124 bytes; a close frame takes 123"),
        (1000, "\ud800", "a close reason that is not valid Unicode: surrogates not allowed"),
    ],
)
def test_a_reason_that_a_close_frame_cannot_hold_is_refused(code, reason, message):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        build_close(code, reason)
