from __future__ import annotations

import re
from struct import pack

import pytest

from django_grip.exceptions import (
    ChannelNameError,
    InstructError,
    MessageDecodeError,
    ProtocolError,
    ResponseTooLarge,
    UsageError,
)
from django_grip.protocol.session import MAX_PONGS, WebSocketResponse, WebSocketSession
from django_grip.protocol.websocket_events import WebSocketEvent, decode_websocket_events, encode_websocket_events

E = WebSocketEvent
OPEN, DISCONNECT, CLOSE = E("OPEN"), E("DISCONNECT"), E("CLOSE")
PING, PONG = E("PING"), E("PONG")


def session(*events, meta=(), **options):
    return WebSocketSession("c-1", dict(meta), decode_websocket_events(encode_websocket_events(events)), **options)


def text(content):
    return E("TEXT", content.encode())


def close(code, reason=""):
    return E("CLOSE", pack(">H", code) + reason.encode())


def answer(ws):
    return decode_websocket_events(ws.build_response().body)


def received(ws):
    messages = []
    while ws.can_recv():
        messages.append(ws.recv())
    return messages


# Receiving


def test_messages_come_in_order_as_str_and_bytes():
    ws = session(text("a"), E("BINARY", b"\xff"), E("PONG", b"x"), text("é"), E("TEXT", b""), E("BINARY", b""))
    assert received(ws) == ["a", b"\xff", "é", "", b""]


def test_the_view_of_the_seed_echoes_until_the_close():
    ws = session(OPEN, text("hello"), CLOSE)
    if ws.is_opening():
        ws.accept()
        ws.subscribe("test")
    while ws.can_recv():
        message = ws.recv()
        if message is None:
            ws.close()
            break
        ws.send(message)
    response = ws.build_response()
    assert response == WebSocketResponse(
        b'OPEN\r\nTEXT 27\r\nc:{"type":"subscribe","channel":"test"}\r\nTEXT 7\r\nm:hello\r\nCLOSE\r\n',
        [("Sec-WebSocket-Extensions", "grip")],
    )


@pytest.mark.parametrize("events", [(), (OPEN,), (PING, PONG)])
def test_recv_without_a_message_says_to_ask_first(events):
    ws = session(*events)
    assert not ws.can_recv()
    with pytest.raises(IndexError, match=r"^no message is left in this request: ask can_recv\(\) before recv\(\)$"):
        ws.recv()


def test_a_close_is_received_as_none_with_its_code_and_reason():
    ws = session(text("a"), close(4000, "bye é"))
    assert (ws.close_code, ws.close_reason) == (None, "")
    assert received(ws) == ["a", None]
    assert (ws.close_code, ws.close_reason) == (4000, "bye é")


def test_a_close_without_a_code_has_none():
    ws = session(CLOSE)
    assert received(ws) == [None]
    assert (ws.close_code, ws.close_reason) == (None, "")


def test_a_lost_client_is_received_as_none_with_1006():
    ws = session(DISCONNECT)
    assert ws.is_disconnected()
    assert received(ws) == [None]
    assert (ws.close_code, ws.close_reason) == (1006, "")


def test_text_that_is_not_utf8_is_an_error_and_the_next_message_comes():
    ws = session(E("TEXT", b"ab\xff"), text("next"))
    with pytest.raises(MessageDecodeError, match=r"^a text message is not UTF-8 at byte 2$") as caught:
        ws.recv()
    assert isinstance(caught.value, ProtocolError)
    assert ws.recv() == "next"


def test_a_surrogate_in_text_is_not_utf8():
    with pytest.raises(MessageDecodeError):
        session(E("TEXT", b"\xed\xa0\x80")).recv()


@pytest.mark.parametrize(
    ("events", "opening", "tick", "disconnected"),
    [
        ((), False, True, False),
        ((OPEN,), True, False, False),
        ((OPEN, text("a")), True, False, False),
        ((text("a"),), False, False, False),
        ((PING,), False, False, False),
        ((CLOSE,), False, False, False),
        ((DISCONNECT,), False, False, True),
        ((text("a"), DISCONNECT), False, False, True),
    ],
)
def test_a_session_knows_what_kind_of_request_it_is(events, opening, tick, disconnected):
    ws = session(*events)
    assert (ws.is_opening(), ws.is_tick(), ws.is_disconnected()) == (opening, tick, disconnected)


def test_events_made_by_hand_may_lack_their_empty_content():
    ws = WebSocketSession("c", {}, [E("TEXT"), E("BINARY"), E("CLOSE")])
    assert received(ws) == ["", b"", None]


# Sending


def test_messages_carry_the_prefix_that_keeps_them_from_being_control_messages():
    ws = session(text("a"))
    ws.send('c:{"type":"detach"}')
    ws.send("é")
    ws.send(b"bytes")
    ws.send("")
    ws.send_binary(b"\xff")
    ws.send_binary("é")
    ws.send_binary(bytearray(b"a"))
    assert ws.out_events == (
        E("TEXT", b'm:c:{"type":"detach"}'),
        E("TEXT", b"m:\xc3\xa9"),
        E("TEXT", b"m:bytes"),
        E("TEXT", b"m:"),
        E("BINARY", b"m:\xff"),
        E("BINARY", b"m:\xc3\xa9"),
        E("BINARY", b"m:a"),
    )
    assert tuple(answer(ws)) == ws.out_events


@pytest.mark.parametrize(
    ("send", "error", "message"),
    [
        (lambda ws: ws.send(b"\xff"), UsageError, "bytes that are not UTF-8 cannot go as text: use send_binary()"),
        (
            lambda ws: ws.send("a\ud800"),
            UsageError,
            "a message that UTF-8 cannot hold: surrogates not allowed at character 1",
        ),
        (
            lambda ws: ws.send_binary("\ud800"),
            UsageError,
            "a message that UTF-8 cannot hold: surrogates not allowed at character 0",
        ),
        (lambda ws: ws.send(None), TypeError, "send() takes str, not NoneType"),
        (lambda ws: ws.send({"a": 1}), TypeError, "send() takes str, not dict"),
        (lambda ws: ws.send_binary(5), TypeError, "send_binary() takes bytes, not int"),
        (lambda ws: ws.ping(b"x" * 126), UsageError, "PING has 126 bytes of content; a control frame takes 125"),
        (lambda ws: ws.ping("text"), TypeError, "the content of PING is bytes or None, not str"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_nothing_is_queued(send, error, message):
    ws = session(text("a"))
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        send(ws)
    assert ws.build_response().body == b""


def test_a_ping_of_ours_is_sent_as_it_is():
    ws = session()
    ws.ping()
    ws.ping(b"are you there")
    assert ws.build_response().body == b"PING\r\nPING d\r\nare you there\r\n"


def test_control_messages_are_sent_with_the_prefix_on_their_channels():
    ws = session(OPEN, prefix="app-")
    ws.accept()
    ws.subscribe("room")
    ws.subscribe("other", ["skip-self"])
    ws.unsubscribe("room")
    ws.detach()
    ws.send_delayed("later", timeout=5)
    ws.send_delayed(b"\xff", binary=True)
    ws.flush_delayed()
    ws.set_keep_alive("beat", timeout=20, mode="interval")
    ws.set_keep_alive(None)
    ws.send_control('{"type": "session", "id": "s"}')
    ws.send_control(b'{"type": "detach"}')
    ws.send_control({"type": "subscribe", "channel": "as it is"})
    assert [event.content.decode() for event in ws.out_events] == [
        'c:{"type":"subscribe","channel":"app-room"}',
        'c:{"type":"subscribe","channel":"app-other","filters":["skip-self"]}',
        'c:{"type":"unsubscribe","channel":"app-room"}',
        'c:{"type":"detach"}',
        'c:{"type":"send-delayed","content":"later","message-type":"text","timeout":5}',
        'c:{"type":"send-delayed","content-bin":"/w==","message-type":"binary","timeout":1}',
        'c:{"type":"flush-delayed"}',
        'c:{"type":"keep-alive","content":"beat","message-type":"text","timeout":20,"mode":"interval"}',
        'c:{"type":"keep-alive"}',
        'c:{"type": "session", "id": "s"}',
        'c:{"type": "detach"}',
        'c:{"type":"subscribe","channel":"as it is"}',
    ]
    assert {event.type for event in ws.out_events} == {"TEXT"}


@pytest.mark.parametrize("name", ["", "room, admin", "a;b", "a\r\nb", "x" * 10_000, None, 5])
def test_a_channel_that_no_header_carries_is_refused_at_once(name):
    ws = session(OPEN, prefix="app-")
    with pytest.raises(ChannelNameError):
        ws.subscribe(name)
    with pytest.raises(ChannelNameError):
        ws.unsubscribe(name)
    assert ws.out_events == ()


@pytest.mark.parametrize(
    "message",
    ["", "detach", "{}", '{"type": "Detach"}', '{"type": "subscribe"}', b"\xff", '{"type": "detach"} {}', "[]"],
)
def test_a_control_message_the_proxy_would_ignore_is_refused(message):
    ws = session()
    with pytest.raises(InstructError, match=r"^the proxy would not understand this control message: "):
        ws.send_control(message)
    assert ws.out_events == ()


def test_more_channels_than_the_proxy_keeps_are_refused():
    ws = session(OPEN, max_channels=2)
    ws.subscribe("a")
    ws.subscribe("b")
    ws.subscribe("a")
    with pytest.raises(InstructError, match=r"^more than 2 channels: the proxy drops the rest in silence$"):
        ws.subscribe("c")
    ws.unsubscribe("b")
    ws.subscribe("c")
    assert len(ws.out_events) == 5


def test_twenty_channels_are_the_most_by_default():
    ws = session(OPEN)
    for number in range(20):
        ws.subscribe(f"room:{number}")
    with pytest.raises(InstructError, match="more than 20 channels"):
        ws.subscribe("one more")


# The size of the answer


def test_a_message_over_the_size_is_refused_with_both_sizes_and_the_rest_goes_out():
    ws = session(text("a"), max_response_size=1000)
    ws.send("x" * 500)
    with pytest.raises(
        ResponseTooLarge, match=r"^with this message the response would have 1,071 bytes; the proxy takes 1,000$"
    ):
        ws.send("y" * 400)
    ws.close(1009, "x" * 123)
    response = ws.build_response()
    assert len(response.body) <= 1000
    assert decode_websocket_events(response.body)[0] == text("m:" + "x" * 500)


@pytest.mark.parametrize(
    "send",
    [
        lambda ws: ws.send("x" * 1_000_000),
        lambda ws: ws.send_binary(b"x" * 1_000_000),
        lambda ws: [ws.ping(b"x" * 100) for _ in range(10_000)],
        lambda ws: [ws.detach() for _ in range(50_000)],
    ],
)
def test_no_kind_of_event_passes_the_size_the_proxy_takes(send):
    ws = session(text("a"))
    with pytest.raises(ResponseTooLarge, match=r"the proxy takes 1,000,000$"):
        send(ws)
    assert len(ws.build_response().body) <= 1_000_000


def test_the_largest_answer_has_room_for_everything_around_the_messages():
    ws = session(OPEN, *[E("PING", b"x" * 125)] * MAX_PONGS)
    ws.accept()
    ws.send("z" * 986_000)
    with pytest.raises(ResponseTooLarge):
        [ws.send("z") for _ in range(1000)]
    ws.close(4000, "x" * 123)
    size = len(ws.build_response().body)
    assert 999_980 < size <= 1_000_000


# Pings


def test_every_ping_is_answered_also_behind_the_opening_and_without_being_read():
    ws = session(OPEN, PING, E("PING", b"\x00\xff"), text("a"), E("PONG", b"x"), E("PING", b"later"))
    ws.accept()
    assert not answer(session(PONG))
    assert answer(ws) == [OPEN, PONG, E("PONG", b"\x00\xff"), E("PONG", b"later")]


def test_a_million_pings_are_answered_with_the_latest_hundred():
    ws = session(*[PING] * 1_000_000, *[E("PING", b"%d" % number) for number in range(60)])
    assert not ws.can_recv()
    assert answer(ws) == [PONG] * 40 + [E("PONG", b"%d" % number) for number in range(60)]


# Closing


@pytest.mark.parametrize(
    ("events", "closing", "last"),
    [
        # ours
        ((text("a"),), (), CLOSE),
        ((text("a"),), (None,), CLOSE),
        ((text("a"),), (4001,), close(4001)),
        ((text("a"),), (4001, "log in"), close(4001, "log in")),
        # the client's is echoed, whether or not the view closes
        ((CLOSE,), (), CLOSE),
        ((close(1000),), (), close(1000)),
        ((close(4000, "bye"),), (), close(4000)),
        ((close(1001, "going away"),), (), close(1001)),
        ((close(4000),), (1008,), close(1008)),
        # what its client sent and may not be sent
        ((close(0),), (), close(1002)),
        ((close(1005),), (), close(1002)),
        ((close(1006, "made up"),), (), close(1002)),
        ((close(999),), (), close(1002)),
        ((close(5000),), (), close(1002)),
        ((close(65535),), (), close(1002)),
    ],
)
def test_a_close_has_the_code_of_the_view_or_of_the_client(events, closing, last):
    ws = session(*events)
    ws.close(*closing)
    assert answer(ws) == [last]
    if not closing:
        assert answer(session(*events)) == ([last] if events[-1].type == "CLOSE" else [])


def test_close_keeps_what_it_was_given():
    ws = session()
    assert (ws.closed, ws.out_close_code, ws.out_close_reason) == (False, None, "")
    ws.close(4001, "bye")
    assert (ws.closed, ws.out_close_code, ws.out_close_reason) == (True, 4001, "bye")
    ws.close(1000)
    assert answer(ws) == [close(1000)]


@pytest.mark.parametrize("code", [0, 1005, 1006, 999, 5000, "1000", 1000.5])
def test_an_illegal_close_code_is_refused_at_once(code):
    ws = session(text("a"))
    with pytest.raises(UsageError, match="is not a close code"):
        ws.close(code)
    assert not ws.closed
    assert answer(ws) == []


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62, "\ud800"])
def test_a_reason_too_long_or_not_unicode_is_refused_at_once(reason):
    ws = session(text("a"))
    with pytest.raises(UsageError, match="a close reason"):
        ws.close(1000, reason)
    assert not ws.closed


def test_a_reason_with_line_ends_stays_inside_its_event():
    ws = session(text("a"))
    ws.close(1000, "bye\r\nTEXT 1\r\nx")
    assert answer(ws) == [close(1000, "bye\r\nTEXT 1\r\nx")]


def test_what_is_sent_after_the_close_goes_out_before_it():
    ws = session(text("a"))
    ws.close(1000)
    ws.send("last words")
    assert answer(ws) == [text("m:last words"), close(1000)]


def test_nothing_is_sent_to_a_lost_client():
    ws = session(PING, DISCONNECT, meta={"nick": "ann"})
    ws.recv()
    ws.send("hello?")
    ws.meta["nick"] = "bob"
    ws.close(1000)
    ws.keep_alive_interval = 30
    assert ws.build_response() == WebSocketResponse(b"", [])


# Accepting


def test_an_opening_that_is_not_accepted_has_no_answer_of_events():
    ws = session(OPEN, PING)
    ws.send("too early")
    ws.close(1000)
    ws.keep_alive_interval = 30
    assert ws.build_response() == WebSocketResponse(b"", [])


def test_an_opening_is_accepted_with_the_extension_that_turns_control_messages_on():
    ws = session(OPEN)
    ws.accept()
    assert ws.accepted
    assert ws.build_response() == WebSocketResponse(b"OPEN\r\n", [("Sec-WebSocket-Extensions", "grip")])


def test_an_opening_can_be_accepted_and_closed():
    ws = session(OPEN)
    ws.accept()
    ws.send("sorry")
    ws.close(4403, "no")
    assert answer(ws) == [OPEN, text("m:sorry"), close(4403, "no")]


def test_accept_in_mid_session_sends_no_second_opening():
    ws = session(text("a"))
    ws.accept()
    assert ws.build_response() == WebSocketResponse(b"", [])


# Headers


def test_a_tick_is_answered_with_nothing():
    assert session(meta={"nick": "ann"}).build_response() == WebSocketResponse(b"", [])


def test_meta_goes_back_where_it_changed():
    ws = session(text("a"), meta={"nick": "ann", "room": "1", "gone": "x", "emptied": "x"})
    assert ws.meta == {"nick": "ann", "room": "1", "gone": "x", "emptied": "x"}
    ws.meta["nick"] = "bob"
    ws.meta["room"] = "1"
    ws.meta["New"] = "é"
    ws.meta["emptied"] = ""
    ws.meta["never"] = ""
    del ws.meta["gone"]
    assert ws.orig_meta == {"nick": "ann", "room": "1", "gone": "x", "emptied": "x"}
    assert ws.build_response().headers == [
        ("Set-Meta-nick", "bob"),
        ("Set-Meta-emptied", ""),
        ("Set-Meta-new", "\xc3\xa9"),
        ("Set-Meta-gone", ""),
    ]


def test_meta_can_be_replaced_as_a_whole():
    ws = session(text("a"), meta={"nick": "ann", "room": "1"})
    ws.meta = {"nick": "bob"}
    assert ws.build_response().headers == [("Set-Meta-nick", "bob"), ("Set-Meta-room", "")]


@pytest.mark.parametrize(("interval", "value"), [(20, "20"), (55, "55"), (1, "1"), (0, "0")])
def test_a_keep_alive_interval_asks_the_proxy_for_ticks(interval, value):
    ws = session()
    ws.keep_alive_interval = interval
    assert ws.build_response().headers == [("Keep-Alive-Interval", value)]


@pytest.mark.parametrize("interval", [-1, 2.5, "20", True])
def test_an_interval_that_is_no_number_of_seconds_is_refused(interval):
    ws = session()
    ws.keep_alive_interval = interval
    with pytest.raises(UsageError, match=f"^a keep-alive interval is a whole number of seconds, not {interval!r}$"):
        ws.build_response()


# What is not read


def test_unread_messages_are_counted_without_pings_and_without_the_close():
    ws = session(text("a"), PING, E("BINARY", b"b"), text("c"), close(1000))
    assert (ws.unread, ws.lost) == (3, 3)
    ws.recv()
    assert (ws.unread, ws.lost) == (2, 2)
    assert ws.discard_unread() == 2
    assert (ws.unread, ws.lost) == (0, 0)
    assert received(ws) == [None]
    assert ws.close_code == 1000
    assert (ws.unread, ws.lost) == (0, 0)
    assert ws.discard_unread() == 0


def test_discarding_leaves_nothing_to_read_where_nothing_ends():
    ws = session(text("a"), text("b"))
    assert ws.discard_unread() == 2
    assert not ws.can_recv()


def test_an_older_proxy_gets_no_header_it_would_not_understand():
    ws = session(text("a"), text("b"))
    ws.recv()
    assert ws.build_response().headers == []


def test_a_proxy_that_replays_is_told_how_much_was_taken():
    ws = session(E("PING", b"p"), text("ab"), text("c"), E("PING", b"later"), content_bytes_replayed=0)
    assert ws.recv() == "ab"
    assert (ws.unread, ws.lost) == (1, 0)
    # The ping behind the unread message comes again with it, and is answered then.
    assert ws.build_response() == WebSocketResponse(b"PONG 1\r\np\r\n", [("Content-Bytes-Accepted", "3")])


def test_a_proxy_that_replays_is_told_nothing_when_all_is_taken():
    ws = session(text("a"), PING, content_bytes_replayed=0)
    ws.recv()
    assert ws.build_response() == WebSocketResponse(b"PONG\r\n", [])


def test_messages_of_a_client_that_closed_are_not_asked_for_again():
    ws = session(text("a"), text("b"), close(1000), content_bytes_replayed=0)
    ws.recv()
    assert ws.lost == 1
    assert ws.build_response() == WebSocketResponse(b"CLOSE 2\r\n\x03\xe8\r\n", [])


def test_messages_behind_our_close_are_not_asked_for_again():
    ws = session(text("a"), text("b"), content_bytes_replayed=0)
    ws.close(1000)
    assert ws.lost == 2
    assert ws.build_response() == WebSocketResponse(b"CLOSE 2\r\n\x03\xe8\r\n", [])


# Itself


def test_the_repr_shows_counts_and_neither_meta_nor_messages():
    ws = session(OPEN, text("secret"), meta={"token": "hidden"})
    ws.accept()
    ws.send("secret")
    ws.close()
    assert repr(ws) == "<WebSocketSession 'c-1': 2 in, 1 out, accepted, closed>"
    assert repr(session()) == "<WebSocketSession 'c-1': 0 in, 0 out>"


def test_a_session_has_what_the_context_of_gripcontrol_has():
    ws = session(OPEN, text("a"), prefix="app-", meta={"nick": "ann"})
    assert ws.id == "c-1"
    assert ws.in_events == [OPEN, text("a")]
    assert ws.in_events[1].type == "TEXT"
    assert ws.in_events[1].content == b"a"
    assert (ws.accepted, ws.closed, ws.close_code, ws.out_close_code) == (False, False, None, None)
    assert ws.orig_meta == {"nick": "ann"}
    assert ws.grip_prefix == "app-"
    assert ws.out_events == ()


def test_a_hundred_thousand_messages_are_echoed():
    ws = session(*[text("")] * 100_000, max_response_size=2_000_000)
    while ws.can_recv():
        ws.send(ws.recv())
    assert ws.build_response().body == b"TEXT 2\r\nm:\r\n" * 100_000
