"""The queue of one proxy, without threads."""

from __future__ import annotations

from django_grip.publishing import Parcel
from django_grip.publishing.backlog import Backlog, Batch


def make(size: int = 10, deadline: float = 0.0) -> Parcel:
    parcel = Parcel("test", b"x" * size)
    parcel.deadline = deadline
    return parcel


def fill(backlog: Backlog, *sizes: int) -> list[Parcel]:
    parcels = [make(size) for size in sizes]
    for parcel in parcels:
        backlog.put(parcel)
    return parcels


def test_room_is_bounded_in_items_and_in_bytes() -> None:
    backlog = Backlog(2, 100)
    fill(backlog, 90)
    assert backlog.has_room(10)
    assert not backlog.has_room(11)
    fill(backlog, 1)
    assert not backlog.has_room(1)
    assert (len(backlog), backlog.bytes) == (2, 91)


def test_a_batch_is_what_is_there_in_order() -> None:
    backlog = Backlog(10, 1000)
    parcels = fill(backlog, 1, 2, 3)
    assert backlog.take(10, 1000) == parcels
    assert (backlog.take(10, 1000), backlog.bytes) == ([], 0)


def test_a_batch_is_bounded_in_items_and_in_bytes_with_commas() -> None:
    backlog = Backlog(10, 1000)
    parcels = fill(backlog, 9, 9, 9, 9)
    assert backlog.take(3, 20) == parcels[:2]
    assert backlog.take(1, 20) == parcels[2:3]


def test_a_batch_has_one_parcel_at_least() -> None:
    backlog = Backlog(10, 1000)
    parcels = fill(backlog, 50, 50)
    assert backlog.take(10, 10) == parcels[:1]


def test_what_is_late_is_taken_from_the_front() -> None:
    backlog = Backlog(10, 1000)
    parcels = [make(deadline=deadline) for deadline in (1.0, 2.0, 3.0)]
    for parcel in parcels:
        backlog.put(parcel)
    assert backlog.oldest() is parcels[0]
    assert backlog.take_late(2.0) == parcels[:2]
    assert (backlog.oldest(), backlog.bytes) == (parcels[2], 10)
    assert backlog.take_late(2.0) == []


def test_half_empty_is_half_of_both_bounds() -> None:
    backlog = Backlog(4, 100)
    fill(backlog, 10, 10)
    assert backlog.is_half_empty()
    fill(backlog, 31)
    assert not backlog.is_half_empty()


def test_halves_keep_order_attempts_and_doubt() -> None:
    parcels = [make() for _ in range(5)]
    first, second = Batch(parcels, 3, 1.5).halves()
    assert (first.parcels, second.parcels) == (parcels[:2], parcels[2:])
    assert [(half.attempts, half.uncertain_since) for half in (first, second)] == [(3, 1.5)] * 2


def test_a_batch_is_cut_to_a_size() -> None:
    parcels = [make(9) for _ in range(5)]
    batch = Batch(list(parcels), 2)
    rest = batch.cut(25)
    assert rest is not None
    assert (batch.parcels, rest.parcels, rest.attempts) == (parcels[:2], parcels[2:], 2)
    assert batch.cut(25) is None
    assert Batch([make(100)]).cut(10) is None


def test_a_batch_in_doubt_is_late_when_its_repeat_would_not_be_known_any_more() -> None:
    parcels = [make(deadline=1000.0) for _ in range(2)]
    batch = Batch(list(parcels), 1, uncertain_since=100.0)
    assert batch.take_late(149.9, repeat_window=50.0) == []
    assert batch.take_late(150.0, repeat_window=50.0) == parcels
    assert batch.parcels == []


def test_a_batch_without_doubt_is_late_by_its_deadlines_only() -> None:
    early, late = make(deadline=10.0), make(deadline=20.0)
    batch = Batch([early, late], 1)
    assert batch.take_late(1000.0 - 990.0, repeat_window=5.0) == [early]
    assert batch.parcels == [late]
