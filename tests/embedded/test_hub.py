"""Subscriptions; ids, order and what waits for what; and that nothing of it grows without end."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.proxy.engine import Engine
from django_grip.proxy.published import PublishedItem

from .core import Subscriber, make_engine, response_item, stream_item


@pytest.fixture
def engine() -> Engine:
    return make_engine()


def publish(engine: Engine, *items: PublishedItem, now: float = 0.0) -> None:
    engine.publish(items, now)


def chained(id: str, prev_id: str | None = None, **facts: bool) -> PublishedItem:
    return stream_item("c", id=id, prev_id=prev_id, **facts)


def test_an_item_reaches_the_subscribers_of_its_channel_alone(engine: Engine) -> None:
    first, second, other = Subscriber(engine, "c"), Subscriber(engine, "c", "d"), Subscriber(engine, "d")
    publish(engine, stream_item("c", b"one"), stream_item("d", b"two"))
    assert (first.received, second.received, other.received) == (["one"], ["one", "two"], ["two"])


def test_who_came_first_is_told_first(engine: Engine) -> None:
    order: list[int] = []

    class Orderly(Subscriber):
        __slots__ = ("number",)

        def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
            order.append(self.number)

    for number in range(20):
        Orderly(engine, "c").number = number
    publish(engine, stream_item("c"))
    assert order == list(range(20))


def test_a_double_subscription_brings_an_item_once(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c", "c")
    publish(engine, stream_item("c", b"one"))
    assert subscriber.received == ["one"]


def test_after_an_unsubscription_nothing_comes(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c", "d")
    engine.hub.unsubscribe(subscriber, "c")
    engine.hub.unsubscribe(subscriber, "c")
    engine.hub.unsubscribe(subscriber, "never")
    assert engine.hub.channels_of(subscriber) == {"d"}
    publish(engine, stream_item("c", b"one"), stream_item("d", b"two"))
    assert subscriber.received == ["two"]
    engine.hub.unsubscribe(subscriber, "d")
    engine.hub.unsubscribe(subscriber, "d")
    assert engine.hub._subscriptions == {}


def test_what_is_dropped_has_no_subscription_left(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c", "d")
    engine.hub.drop(subscriber)
    engine.hub.drop(subscriber)
    publish(engine, stream_item("c"), stream_item("d"))
    assert subscriber.received == []


def test_one_that_fails_does_not_keep_the_item_from_others(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Subscriber):
        __slots__ = ()

        def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
            raise RuntimeError("broken")

    before, _, after = Subscriber(engine, "c"), Broken(engine, "c"), Subscriber(engine, "c")
    publish(engine, stream_item("c", b"one"))
    assert (before.received, after.received) == (["one"], ["one"])
    assert caplog.messages == ["An item on channel 'c' did not reach one of its subscribers."]


def test_subscribers_may_leave_and_come_while_an_item_goes_out(engine: Engine) -> None:
    class Restless(Subscriber):
        __slots__ = ()

        def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
            super().receive_item(item, channel, now)
            engine.hub.drop(self)
            Restless(engine, "c")

    subscriber = Restless(engine, "c")
    publish(engine, stream_item("c", b"one"))
    publish(engine, stream_item("c", b"two"))
    assert subscriber.received == ["one"]
    assert engine.hub.subscribers()["stream"] == {"c": 1}


def test_what_is_published_by_one_who_got_an_item_comes_to_all_behind_it(engine: Engine) -> None:
    class Answering(Subscriber):
        __slots__ = ()

        def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
            super().receive_item(item, channel, now)
            if item.id == "1":
                engine.publish([chained("2", "1"), chained("4", "3")], now)

    subscribers = [Subscriber(engine, "c"), Answering(engine, "c"), Subscriber(engine, "c")]
    publish(engine, chained("1"), chained("3", "2"))
    assert [subscriber.received for subscriber in subscribers] == [["1", "2", "3", "4"]] * 3


def test_subscribers_are_counted_by_kind_and_channel(engine: Engine) -> None:
    Subscriber(engine, "c", "d", kind="ws")
    Subscriber(engine, "c", kind="ws")
    Subscriber(engine, "c", kind="response")
    left = Subscriber(engine, "e")
    engine.hub.drop(left)
    assert engine.hub.subscribers() == {"ws": {"c": 2, "d": 1}, "stream": {}, "response": {"c": 1}}


# Ids


def test_a_repeated_id_is_dropped_on_its_own_channel_alone(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c", "d")
    publish(engine, chained("1"), chained("1"), stream_item("d", id="1"))
    publish(engine, chained("1"), now=59.9)
    assert subscriber.received == ["1", "1"]


def test_an_id_is_forgotten_after_a_minute(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), now=10.0)
    publish(engine, chained("1"), now=70.0)
    assert subscriber.received == ["1", "1"]


def test_items_without_an_id_are_never_repeats(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, stream_item("c", b"one"), stream_item("c", b"one"))
    assert subscriber.received == ["one", "one"]


# Order


def test_an_item_waits_for_the_one_before_it(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), chained("3", "2"), chained("4", "3"))
    assert subscriber.received == ["1"]
    publish(engine, chained("2", "1"))
    assert subscriber.received == ["1", "2", "3", "4"]
    assert engine.hub.last_id("c") == "4"


def test_an_item_goes_out_when_it_has_waited_long_enough(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), now=0.0)
    publish(engine, chained("3", "2"), now=1.0)
    publish(engine, chained("4", "3"), now=2.0)
    assert engine.deadline == 6.0
    engine.wake(5.9)
    assert subscriber.received == ["1"]
    engine.wake(6.0)
    assert subscriber.received == ["1", "3", "4"]
    assert caplog.messages == ["Item '3' on channel 'c' goes out without the one before it, which did not come."]


def test_the_first_item_of_a_channel_waits_for_nothing(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("7", "6"))
    assert subscriber.received == ["7"]


def test_an_item_without_a_prev_id_does_not_wait(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), chained("9"))
    assert (subscriber.received, engine.hub.last_id("c")) == (["1", "9"], "9")


def test_an_item_without_an_id_breaks_the_chain_off(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), stream_item("c", b"bare"), chained("3", "2"))
    assert subscriber.received == ["1", "bare", "3"]


def test_an_item_with_no_seq_leaves_the_chain_alone(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), chained("aside", no_seq=True), chained("aside", no_seq=True), chained("2", "1"))
    assert (subscriber.received, engine.hub.last_id("c")) == (["1", "aside", "2"], "2")


def test_a_late_item_that_others_waited_for_comes_too_late_only_once(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), chained("3", "2"))
    engine.wake(5.0)
    publish(engine, chained("2", "1"), now=6.0)
    assert subscriber.received == ["1", "3"]
    engine.wake(11.0)
    assert subscriber.received == ["1", "3", "2"]


def test_what_cannot_wait_goes_out_before_its_turn(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), chained("3a", "2"), chained("3b", "2"))
    assert subscriber.received == ["1", "3b"]
    assert caplog.messages == ["Item '3b' on channel 'c' goes out before its turn: too many wait."]


def test_a_hundred_items_of_a_channel_wait_and_no_more(engine: Engine) -> None:
    subscriber, other = Subscriber(engine, "c"), Subscriber(engine, "d")
    publish(engine, chained("0"), stream_item("d", id="0"))
    publish(engine, *(chained(f"b{number}", f"a{number}") for number in range(100)))
    assert subscriber.received == ["0"]
    publish(engine, chained("b100", "a100"))
    assert subscriber.received == ["0", "b100"]
    publish(engine, stream_item("d", id="2", prev_id="1"))
    assert other.received == ["0"]


@given(st.permutations(range(1, 12)), st.data())
def test_a_chain_comes_out_in_order_whatever_the_order_it_came_in(numbers: list[int], data: st.DataObject) -> None:
    engine = make_engine()
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("0"))
    now = 0.0
    for number in numbers:
        now += data.draw(st.floats(0, 0.4))
        publish(engine, chained(str(number), str(number - 1)), now=now)
    assert subscriber.received == [str(number) for number in range(12)]


@given(st.lists(st.tuples(st.sampled_from("123456"), st.sampled_from("0123456"), st.floats(0, 9)), max_size=30))
def test_every_item_comes_out_once_within_its_time(steps: list[tuple[str, str, float]]) -> None:
    engine = make_engine(remember_ids=1e9)
    subscriber = Subscriber(engine, "c")
    now, ids = 0.0, {id for id, _, _ in steps}
    for id, prev_id, pause in steps:
        publish(engine, chained(id, prev_id), now=now)
        now += pause
        engine.wake(now)
    engine.wake(now + 5.0)
    assert sorted(subscriber.received) == sorted(ids)
    assert not engine.hub._held_back


# What was published before


def test_a_publish_for_long_polls_is_a_change(engine: Engine) -> None:
    hub = engine.hub
    publish(engine, response_item("c"), response_item("d"))
    mark = hub.mark()
    assert not hub.changed_since("c", mark)
    publish(engine, response_item("c"))
    assert (hub.changed_since("c", mark), hub.changed_since("d", mark), hub.changed_since("e", mark)) == (
        True,
        False,
        False,
    )
    assert not hub.changed_since("c", hub.mark())


def test_what_is_not_for_long_polls_is_no_change_to_them(engine: Engine) -> None:
    mark = engine.hub.mark()
    publish(engine, stream_item("c"))
    assert not engine.hub.changed_since("c", mark)


def test_a_repeat_is_no_change(engine: Engine) -> None:
    publish(engine, response_item("c", id="1"))
    mark = engine.hub.mark()
    publish(engine, response_item("c", id="1"))
    assert not engine.hub.changed_since("c", mark)


def test_a_change_that_is_forgotten_is_taken_for_one_to_be_sure(engine: Engine) -> None:
    hub = engine.hub
    before = hub.mark()
    publish(engine, response_item("c"))
    after = hub.mark()
    engine.wake(60.0)
    assert "c" not in hub._channels
    assert (hub.changed_since("c", before), hub.changed_since("c", after)) == (True, False)


def test_the_last_id_outlives_the_last_subscriber_for_a_minute(engine: Engine) -> None:
    subscriber = Subscriber(engine, "c")
    publish(engine, chained("1"), now=100.0)
    engine.wake(1000.0)
    assert engine.hub.last_id("c") == "1"
    engine.hub.drop(subscriber)
    engine.wake(1059.9)
    assert engine.hub.last_id("c") == "1"
    engine.wake(2000.0)
    assert engine.hub.last_id("c") is None


# Memory


def test_nothing_is_kept_of_channels_and_ids_that_nobody_needs(engine: Engine) -> None:
    hub = engine.hub
    for number in range(1000):
        publish(engine, stream_item(f"c{number}", id=f"{number}"), now=number / 100)
    subscriber = Subscriber(engine, "kept")
    wakes = 0
    while engine.deadline is not None:
        wakes += 1
        engine.wake(engine.deadline)
    assert wakes <= 3
    assert (list(hub._channels), hub._ids, list(hub._ids_by_age)) == (["kept"], set(), [])
    hub.drop(subscriber)
    while engine.deadline is not None:
        engine.wake(engine.deadline)
    assert (hub._channels, hub._subscriptions) == ({}, {})


def test_of_a_channel_that_nothing_was_published_to_nothing_is_kept(engine: Engine) -> None:
    """It needs no clock: no timer is set for what clients do."""
    subscriber = Subscriber(engine, "stays")
    for number in range(1000):
        engine.hub.subscribe(subscriber, f"made up {number}")
        engine.hub.unsubscribe(subscriber, f"made up {number}")
        Subscriber(engine, f"another {number}").finish()
    assert list(engine.hub._channels) == ["stays"]
    assert engine.hub.deadline is None


def test_a_channel_whose_last_subscriber_leaves_in_the_midst_of_an_item_goes_on(engine: Engine) -> None:
    class Leaving(Subscriber):
        def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
            super().receive_item(item, channel, now)
            engine.hub.drop(self)

    leaving = Leaving(engine, "c")
    engine.publish([stream_item("c", b"1"), stream_item("c", b"2")], 0)
    coming = Subscriber(engine, "c")
    engine.publish([stream_item("c", b"3")], 0)
    assert (leaving.received, coming.received) == (["1"], ["3"])


def test_what_is_still_young_outlives_the_sweeping(engine: Engine) -> None:
    publish(engine, stream_item("old", id="1"), now=0.0)
    publish(engine, stream_item("young", id="2"), now=59.0)
    engine.wake(60.0)
    assert (engine.hub.last_id("old"), engine.hub.last_id("young")) == (None, "2")


def test_ids_over_the_limit_are_forgotten_the_oldest_first(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_grip.proxy.hub.MAX_IDS", 2)
    subscriber = Subscriber(engine, "c")
    for id in "1231":
        publish(engine, stream_item("c", id=id, no_seq=True))
    for id in "31":
        publish(engine, stream_item("c", id=id, no_seq=True))
    assert subscriber.received == ["1", "2", "3", "1"]


def test_a_channel_where_something_is_held_back_is_kept(engine: Engine) -> None:
    slow = make_engine(remember_ids=1.0, hold_back=50.0)
    publish(slow, chained("1"), chained("3", "2"))
    slow.wake(10.0)
    assert slow.hub.last_id("c") == "1"
    subscriber = Subscriber(slow, "c")
    slow.wake(50.0)
    assert subscriber.received == ["3"]
