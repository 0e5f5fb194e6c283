"""The batches a sender has in its hand, before the queue."""

from __future__ import annotations

from django_grip.publishing import Parcel
from django_grip.publishing.backlog import Backlog
from django_grip.publishing.hand import Hand


def make(count: int, *, size: int = 9, max_items: int = 4, max_bytes: int = 1000) -> tuple[Hand, Backlog, list[Parcel]]:
    backlog = Backlog(100, 10_000)
    parcels = [Parcel("test", b"x" * size) for _ in range(count)]
    for number, parcel in enumerate(parcels):
        parcel.deadline = float(number)
        backlog.put(parcel)
    return Hand(backlog, max_items=max_items, max_bytes=max_bytes), backlog, parcels


def test_a_batch_stays_in_the_hand_until_it_is_dropped() -> None:
    hand, backlog, parcels = make(6)
    first = hand.next()
    assert first is not None
    assert first.parcels == parcels[:4]
    assert hand.next() is first
    assert (hand.oldest(), len(backlog)) == (parcels[0], 2)
    hand.drop_first()
    assert hand.oldest() is parcels[4]
    assert hand
    hand.next()
    hand.drop_first()
    assert not hand
    assert (hand.next(), hand.oldest()) == (None, None)


def test_halves_come_before_the_queue_and_in_order() -> None:
    hand, _, parcels = make(6)
    hand.next()
    hand.split_first(too_large=False)
    seen = []
    while batch := hand.next():
        seen.append(batch.parcels)
        hand.drop_first()
    assert seen == [parcels[:2], parcels[2:4], parcels[4:]]


def test_after_a_batch_was_too_large_none_is_as_big_again() -> None:
    hand, _, parcels = make(12, max_items=8)
    hand.next()
    hand.split_first(too_large=True)  # 80 bytes with commas: 40 from now on
    seen = []
    while batch := hand.next():
        seen.append(len(batch.parcels))
        hand.drop_first()
        if len(seen) == 1:
            hand.next()
            hand.split_first(too_large=True)  # 20
    assert seen == [4, 2, 2, 2, 2]
    assert sum(seen) == len(parcels)


def test_what_is_late_is_taken_from_the_hand_and_the_queue() -> None:
    hand, _, parcels = make(10)
    batch = hand.next()
    assert batch is not None
    batch.attempts, batch.uncertain_since = 3, 0.0
    late = hand.take_late(5.0, repeat_window=50.0)
    assert [(gone.parcels, gone.attempts, gone.uncertain) for gone in late] == [
        (parcels[:4], 3, True),
        (parcels[4:6], 0, False),
    ]
    assert hand.oldest() is parcels[6]


def test_all_but_what_is_on_its_way_can_be_taken() -> None:
    hand, backlog, parcels = make(10)
    hand.next()
    hand.split_first(too_large=False)
    assert hand.take_all_but_first(first_too=False) == parcels[2:]
    assert (hand.parcels, len(backlog)) == (parcels[:2], 0)
    assert hand.take_all_but_first(first_too=True) == parcels[:2]
    assert not hand
