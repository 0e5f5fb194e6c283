"""What of a batch is taken by so many content bytes, and what comes again: Pushpin 1.41's arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.exceptions import ProtocolError
from django_grip.protocol.acceptance import accept_messages
from django_grip.protocol.websocket_events import WebSocketEvent, decode_websocket_events
from django_grip.proxy.websocket.client_queue import ClientQueue

from .socket_driver import text

CLOSE = WebSocketEvent("CLOSE", b"\x03\xe8")
DISCONNECT = WebSocketEvent("DISCONNECT")


def make(*contents: str, end: WebSocketEvent | None = None) -> ClientQueue:
    queue = ClientQueue()
    for content in contents:
        queue.add(text(content))
    queue.end = end
    return queue


def contents(queue: ClientQueue) -> list[str]:
    return [event.content.decode() for event in decode_websocket_events(queue.offer()) if event.type == "TEXT"]


TAKEN = [
    # batch, bytes taken, what is left, bytes of it that were offered before
    (["one", "two"], None, [], 0),
    (["one", "two"], 6, [], 0),
    (["one", "two"], 3, ["two"], 3),
    (["one", "two"], 4, ["wo"], 2),
    (["one", "two"], 1, ["ne", "two"], 5),
    (["one", "two"], 0, ["one", "two"], 6),
    (["", "", "one"], 0, ["one"], 3),
    (["one", "", "two"], 3, ["two"], 3),
    (["one", "", "two"], 2, ["e", "", "two"], 4),
    (["one", "two", ""], 6, [], 0),
    ([""], 0, [], 0),
    ([], 0, [], 0),
    ([], None, [], 0),
]


@pytest.mark.parametrize(("batch", "count", "left", "replayed"), TAKEN)
def test_a_part_is_taken_by_content_bytes(batch, count, left, replayed):
    queue = make(*batch)
    queue.offer()
    assert queue.accept(count) == (left != batch)
    assert (queue.replayed_bytes, queue.has_news) == (replayed, False)
    assert contents(queue) == left


@pytest.mark.parametrize(("batch", "count", "left", "replayed"), TAKEN)
def test_what_came_meanwhile_stays_however_empty_and_is_news(batch, count, left, replayed):
    queue = make(*batch)
    queue.offer()
    queue.add(text(""))
    queue.accept(count)
    assert (queue.replayed_bytes, queue.has_news) == (replayed, True)
    assert contents(queue) == [*left, ""]


@pytest.mark.parametrize("count", [7, 8, 1000])
def test_no_more_is_taken_than_was_offered(count):
    queue = make("one", "two")
    queue.offer()
    queue.add(text("three"))
    with pytest.raises(ProtocolError, match=rf"^Content-Bytes-Accepted says {count}, of 6$"):
        queue.accept(count)


def test_the_end_is_behind_the_last_message_and_offered_once():
    queue = make("one", end=CLOSE)
    assert queue.has_news
    assert decode_websocket_events(queue.offer()) == [text("one"), CLOSE]
    queue.accept()
    assert (queue.has_news, queue.end_offered) == (False, True)


@pytest.mark.parametrize("end", [CLOSE, DISCONNECT, WebSocketEvent("CLOSE")])
def test_an_end_is_offered_again_if_messages_before_it_were_not_taken(end):
    queue = make("one", "two", end=end)
    queue.offer()
    queue.accept(1)
    assert (queue.has_news, queue.end_offered) == (True, False)
    assert decode_websocket_events(queue.offer()) == [text("ne"), text("two"), end]
    queue.accept(5 + len(end.content or b""))
    assert (queue.has_news, queue.end_offered) == (False, True)


@pytest.mark.parametrize("count", [3, 4])
def test_who_takes_all_messages_takes_the_close_too(count):
    queue = make("one", end=CLOSE)
    queue.offer()
    with pytest.raises(
        ProtocolError, match=r"^Content-Bytes-Accepted takes all messages, but not the CLOSE behind them$"
    ):
        queue.accept(count)


def test_the_bytes_of_the_close_count():
    queue = make("one", end=CLOSE)
    queue.offer()
    with pytest.raises(ProtocolError, match=r"^Content-Bytes-Accepted says 6, of 5$"):
        queue.accept(6)


@pytest.mark.parametrize("end", [CLOSE, DISCONNECT])
def test_something_of_the_last_messages_must_be_taken(end):
    queue = make("one", end=end)
    queue.offer()
    with pytest.raises(
        ProtocolError, match=r"^Content-Bytes-Accepted takes nothing of the last messages of a closed client$"
    ):
        queue.accept(0)


def test_an_opening_may_bring_messages_but_no_end():
    queue = make("one", end=CLOSE)
    assert decode_websocket_events(queue.offer(opening=True)) == [WebSocketEvent("OPEN"), text("one")]
    queue.accept()
    assert queue.has_news


def test_empty_messages_take_room_too():
    queue = make("one", *[""] * 10)
    assert queue.size == 3 + 11 * 32
    queue.offer()
    queue.accept(0)
    assert queue.size == 3 + 11 * 32
    queue.discard()
    assert (queue.size, queue.has_news) == (0, False)


@given(st.lists(st.text(max_size=4), max_size=6), st.integers(0, 6))
def test_what_our_own_application_leaves_unread_comes_again_and_nothing_else(batch, unread):
    """Both sides' arithmetic: the session says what it took, the queue keeps the rest."""
    unread = min(unread, len(batch))
    queue = make(*batch)
    events = decode_websocket_events(queue.offer())
    taken = accept_messages(events, unread=unread, replays=True)
    queue.accept(taken.content_bytes)
    expected = batch[len(batch) - unread :]
    # What has no content cannot be held back in front of what has (`Acceptance.lost`).
    assert contents(queue) == expected[taken.lost :]
    assert not any(expected[: taken.lost])
