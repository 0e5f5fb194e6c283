"""What is published from elsewhere reaches the event loop in order, bounded, and no faster than it can be passed on."""

from __future__ import annotations

import asyncio
import threading

import pytest

from django_grip.exceptions import PublisherClosed, QueueFull
from django_grip.proxy.published import PublishedItem
from django_grip.proxy.shell.inbox import MAX_BYTES_A_TURN, MAX_ITEMS_A_TURN, Inbox

from .asgi import until
from .core import stream_item


def ids_of(items: list[PublishedItem]) -> list[str | None]:
    return [item.id for item in items]


def numbered(*numbers: int) -> list[PublishedItem]:
    return [stream_item("c", id=str(number)) for number in numbers]


async def test_what_is_published_before_the_server_runs_is_kept_for_it() -> None:
    taken: list[PublishedItem] = []
    inbox = Inbox(taken.extend)
    inbox.put(numbered(1, 2))
    inbox.put(numbered(3))
    assert taken == []
    inbox.open()
    assert ids_of(taken) == ["1", "2", "3"]


async def test_items_come_in_the_next_turn_of_the_loop_and_in_their_order() -> None:
    taken: list[PublishedItem] = []
    inbox = Inbox(taken.extend)
    inbox.open()

    def publish() -> None:
        for number in range(100):
            inbox.put(numbered(number))

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()
    inbox.put(numbered(100))
    assert taken == []
    await asyncio.sleep(0)
    assert ids_of(taken) == [str(number) for number in range(101)]


async def test_a_burst_is_handed_over_in_several_turns_of_the_loop() -> None:
    turns: list[int] = []
    written: list[int] = []

    def take(items: list[PublishedItem]) -> None:
        turns.append(len(items))
        asyncio.get_running_loop().call_soon(written.append, len(turns))

    inbox = Inbox(take)
    inbox.open()
    inbox.put(numbered(*range(2 * MAX_ITEMS_A_TURN + 1)))
    await until(lambda: len(written) == 3)
    assert turns == [MAX_ITEMS_A_TURN, MAX_ITEMS_A_TURN, 1]
    assert written == [1, 2, 3], "whom a turn has woken comes before the next one"


async def test_big_items_are_handed_over_few_at_a_time() -> None:
    turns: list[list[PublishedItem]] = []
    inbox = Inbox(turns.append)
    inbox.open()
    inbox.put([stream_item("c", b"x" * (MAX_BYTES_A_TURN // 2), id=str(number)) for number in range(5)])
    await until(lambda: sum(map(len, turns)) == 5)
    assert [len(items) for items in turns] == [2, 2, 1]


async def test_items_of_other_threads_wake_the_loop() -> None:
    taken: list[PublishedItem] = []
    inbox = Inbox(taken.extend)
    inbox.open()
    await asyncio.to_thread(inbox.put, numbered(1))
    await until(lambda: taken)
    await asyncio.to_thread(inbox.put, numbered(2))
    await until(lambda: len(taken) == 2)


async def test_too_much_is_refused_and_nothing_of_it_taken() -> None:
    taken: list[PublishedItem] = []
    inbox = Inbox(taken.extend, max_waiting=2)
    inbox.put(numbered(1, 2))
    with pytest.raises(QueueFull, match="2 items wait for the embedded proxy; no more are taken in"):
        inbox.put(numbered(3))
    inbox.open()
    inbox.put(numbered(4))
    await until(lambda: len(taken) == 3)
    assert ids_of(taken) == ["1", "2", "4"]


def test_a_loop_that_is_closed_in_the_moment_of_a_publish_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox(lambda items: None)
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        inbox.open()

    loop.run_until_complete(begin())
    loop.close()
    # It was still open when that was asked.
    monkeypatch.setattr(loop, "is_closed", lambda: False)
    for number in range(2):
        with pytest.raises(PublisherClosed, match="the embedded proxy has ended; nothing can be published to it"):
            inbox.put(numbered(number))
    assert not inbox._waiting


async def test_behind_the_end_nothing_is_taken() -> None:
    inbox = Inbox(lambda items: None)
    inbox.open()
    inbox.close()
    with pytest.raises(PublisherClosed, match="the embedded proxy has ended; nothing can be published to it"):
        inbox.put(numbered(1))
