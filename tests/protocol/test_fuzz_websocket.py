"""Whatever bytes come, the codec and the session answer with events or with their own errors."""

from __future__ import annotations

from contextlib import suppress
from json import dumps

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from django_grip.exceptions import ControlMessageError, MessageDecodeError, UsageError, WebSocketEventsError
from django_grip.protocol.control import build_keep_alive, build_send_delayed, build_set_meta, parse_control
from django_grip.protocol.session import WebSocketSession
from django_grip.protocol.websocket_events import (
    WebSocketEvent,
    build_close,
    decode_websocket_events,
    encode_websocket_events,
    is_close_code,
    parse_close,
)

# Bytes that often make framing, so that random ones come near to it.
pieces = st.sampled_from(b"OPEN TEXT BINARY PING PONG CLOSE DISCONNECT hello 0 1 2 5 a F _ + - x".split()).flatmap(
    lambda word: st.sampled_from([word, word, b" ", b"\r\n", b"\r\n", b"\r", b"\n", b"\x03\xe8", b"\xff"])
)
bodies = st.one_of(st.binary(max_size=60), st.lists(pieces, max_size=20).map(b"".join))

contents = st.one_of(st.binary(max_size=40), st.lists(pieces, max_size=8).map(b"".join))
controls = contents.filter(lambda content: len(content) <= 125)
closes = st.one_of(
    st.none(),
    st.just(b""),
    st.builds(lambda code, reason: code + reason.encode(), st.binary(min_size=2, max_size=2), st.text(max_size=20)),
)
middles = st.one_of(
    st.builds(WebSocketEvent, st.sampled_from(["TEXT", "BINARY"]), contents),
    st.builds(WebSocketEvent, st.sampled_from(["PING", "PONG"]), st.one_of(st.none(), controls)),
)
ends = st.one_of(st.builds(WebSocketEvent, st.just("CLOSE"), closes), st.just(WebSocketEvent("DISCONNECT")))
sequences = st.builds(
    lambda first, middle, last: [*first, *middle, *last],
    st.lists(st.just(WebSocketEvent("OPEN")), max_size=1),
    st.lists(middles, max_size=8),
    st.lists(ends, max_size=1),
)


@given(sequences)
def test_what_is_encoded_decodes_to_the_same(events):
    assert decode_websocket_events(encode_websocket_events(events)) == events


@given(bodies)
@example(b"TEXT 2\r\n\r\n\r\n")
@example(b"TEXT\r\n\r\n")
def test_any_bytes_are_events_or_one_kind_of_error(body):
    try:
        events = decode_websocket_events(body)
    except WebSocketEventsError:
        return
    # What was read is all that was there: written again it differs only where several spellings are allowed.
    assert decode_websocket_events(encode_websocket_events(events)) == events
    assert sum(len(event.type) + len(event.content or b"") + 2 for event in events) <= len(body)


@given(sequences, st.data())
def test_a_body_that_is_cut_anywhere_is_refused_or_is_whole_events(events, data):
    body = encode_websocket_events(events)
    cut = data.draw(st.integers(0, len(body)))
    try:
        some = decode_websocket_events(body[:cut])
    except WebSocketEventsError:
        return
    # Nothing is made up: what is left reads as the events that were there, except where a content that is cut
    # leaves its type line behind, which is refused.
    assert some == events[: len(some)]


@given(sequences, st.integers(0, 8))
def test_the_limit_counts_events(events, limit):
    body = encode_websocket_events(events)
    if len(events) <= limit:
        assert decode_websocket_events(body, max_events=limit) == events
    else:
        with pytest.raises(WebSocketEventsError):
            decode_websocket_events(body, max_events=limit)


@given(sequences, st.booleans(), st.integers(0, 5), st.booleans())
def test_a_session_answers_any_request_with_a_body_the_proxy_reads(events, replays, reads, accepts):
    ws = WebSocketSession("c", {}, events, content_bytes_replayed=0 if replays else None)
    if accepts:
        ws.accept()
    while ws.can_recv() and reads:
        reads -= 1
        try:
            message = ws.recv()
        except MessageDecodeError:
            continue
        if isinstance(message, str):
            ws.send(message)
        elif message is not None:
            ws.send_binary(message)
    unread, lost = ws.unread, ws.lost
    answer = decode_websocket_events(ws.build_response().body)
    assert 0 <= lost <= unread
    if answer and answer[0].type == "OPEN":
        assert accepts
    if events and events[-1].type == "CLOSE" and (accepts or events[0].type != "OPEN"):
        assert answer[-1].type == "CLOSE"
        code, _ = parse_close(answer[-1].content)
        assert code is None or is_close_code(code)


@given(st.one_of(st.none(), st.integers(-10, 70_000)), st.text(max_size=130))
def test_a_close_that_is_built_is_read_back(code, reason):
    try:
        content = build_close(code, reason)
    except UsageError:
        return
    assert parse_close(content) == (code, reason)
    assert len(content) <= 125


@given(st.binary(max_size=130))
def test_any_bytes_are_a_close_or_one_kind_of_error(content):
    try:
        code, reason = parse_close(content)
    except WebSocketEventsError:
        return
    if code is not None and is_close_code(code) and len(content) <= 125:
        assert build_close(code, reason) == content


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
fields = st.dictionaries(
    st.sampled_from(["channel", "filters", "id", "name", "value", "content", "content-bin", "timeout", "mode"]),
    json,
    max_size=4,
)
kinds = st.sampled_from(
    ["subscribe", "unsubscribe", "detach", "session", "set-meta", "keep-alive", "send-delayed", "flush-delayed", "x"]
)


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40)))
def test_any_text_is_a_control_message_or_one_kind_of_error(content):
    with suppress(ControlMessageError):
        parse_control(content)


@given(kinds, fields)
def test_any_fields_are_a_control_message_or_one_kind_of_error(kind, fields):
    try:
        message = parse_control(dumps({"type": kind, **fields}))
    except ControlMessageError:
        return
    assert message.type == kind
    assert message.content is None or isinstance(message.content, bytes)


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40)), st.integers(1, 1000))
def test_the_content_of_a_control_message_comes_back(content, timeout):
    for build in (build_keep_alive, build_send_delayed):
        try:
            text = build(content, timeout=timeout)
        except UsageError:
            assert not content or isinstance(content, str)
            continue
        message = parse_control(text)
        assert message.content == (content if isinstance(content, bytes) else content.encode())
        assert message.timeout == timeout


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_the_meta_of_a_subscription_comes_back(name, value):
    try:
        text = build_set_meta(name, value)
    except UsageError:
        return
    message = parse_control(text)
    assert (message.name, message.value) == (name, value)
