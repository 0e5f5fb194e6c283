from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.protocol.acceptance import Acceptance, accept_messages
from django_grip.protocol.websocket_events import WebSocketEvent

E = WebSocketEvent


def replayed_by_the_proxy(events, content_bytes):
    """What Pushpin 1.41 keeps of a request when so many bytes of it are accepted (websocketoverhttp.cpp)."""
    kept = [(event.type, event.content or b"") for event in events]
    left = content_bytes
    while kept:
        kind, content = kept[0]
        size = min(left, len(content))
        left -= size
        if size < len(content):
            kept[0] = (kind, content[size:])
            break
        kept.pop(0)
    assert left == 0
    return kept


@pytest.mark.parametrize(
    ("events", "unread", "acceptance"),
    [
        ([E("TEXT", b"ab"), E("TEXT", b"c")], 2, Acceptance(0, 0, 0)),
        ([E("TEXT", b"ab"), E("TEXT", b"c")], 1, Acceptance(1, 2, 0)),
        ([E("TEXT", b"ab"), E("TEXT", b"c")], 0, Acceptance(2, None, 0)),
        ([E("PING", b"pp"), E("TEXT", b"a"), E("PONG", b"q"), E("BINARY", b"b")], 2, Acceptance(1, 2, 0)),
        ([E("PING", b"pp"), E("TEXT", b"a"), E("PONG", b"q"), E("BINARY", b"b")], 1, Acceptance(3, 4, 0)),
        # What is empty behind the last byte taken is gone.
        ([E("TEXT", b"a"), E("TEXT", b""), E("TEXT", b"b")], 2, Acceptance(2, 1, 1)),
        ([E("TEXT", b"a"), E("TEXT", b"b"), E("TEXT", b"")], 2, Acceptance(1, 1, 0)),
        ([E("TEXT", b"a"), E("TEXT", b""), E("PING")], 1, Acceptance(3, None, 1)),
        ([E("TEXT", b""), E("PING"), E("TEXT", b"b"), E("TEXT", b"")], 3, Acceptance(2, 0, 1)),
        # An end takes all.
        ([E("TEXT", b"a"), E("TEXT", b"b"), E("CLOSE")], 2, Acceptance(3, None, 2)),
        ([E("TEXT", b"a"), E("DISCONNECT")], 1, Acceptance(2, None, 1)),
        ([], 0, Acceptance(0, None, 0)),
    ],
)
def test_the_first_unread_message_is_the_border(events, unread, acceptance):
    assert accept_messages(events, unread=unread, replays=True) == acceptance


@pytest.mark.parametrize(
    "events",
    [[E("TEXT", b"x")] * 1_001, [E("TEXT", b"x" * 100_001)], [E("PING", b"p"), *[E("BINARY", b"x" * 50_000)] * 2]],
    ids=["many", "long", "long, behind a ping"],
)
def test_who_reads_nothing_of_much_does_not_listen(events):
    messages = sum(event.type != "PING" for event in events)
    assert accept_messages(events, unread=messages, replays=True) == Acceptance(len(events), None, messages)
    # One that is read means that the others are waited for.
    assert accept_messages([E("TEXT", b""), *events], unread=messages, replays=True).lost == 0


@pytest.mark.parametrize("events", [[E("TEXT", b"x")] * 1_000, [E("TEXT", b"x" * 100_000)]], ids=["many", "long"])
def test_so_much_may_be_left_for_later(events):
    assert accept_messages(events, unread=len(events), replays=True) == Acceptance(0, 0, 0)


def test_without_replay_all_is_taken_and_the_unread_are_lost():
    events = [E("TEXT", b"a"), E("TEXT", b"b")]
    assert accept_messages(events, unread=1, replays=False) == Acceptance(2, None, 1)


events = st.lists(
    st.one_of(
        st.builds(E, st.sampled_from(["TEXT", "BINARY"]), st.binary(max_size=3)),
        st.builds(E, st.sampled_from(["PING", "PONG"]), st.one_of(st.none(), st.binary(max_size=3))),
    ),
    max_size=8,
)


@given(events, st.data())
def test_the_proxy_brings_again_exactly_what_was_not_taken(events, data):
    messages = [event for event in events if event.type in ("TEXT", "BINARY")]
    unread = data.draw(st.integers(0, len(messages)))
    acceptance = accept_messages(events, unread=unread, replays=True)
    not_taken = [(event.type, event.content or b"") for event in events[acceptance.events :]]
    if acceptance.content_bytes is None:
        assert not_taken == []
    else:
        assert replayed_by_the_proxy(events, acceptance.content_bytes) == not_taken
        assert not_taken
    again = sum(1 for kind, _ in not_taken if kind in ("TEXT", "BINARY"))
    assert acceptance.lost + again == unread
