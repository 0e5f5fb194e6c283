"""How soon the application is asked the same thing again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from django_grip.proxy.http.pace import BURST, Pace


def test_a_few_times_in_a_row_it_is_asked_at_once() -> None:
    pace = Pace()
    assert [pace.next_time(5.0) for _ in range(BURST)] == [5.0] * BURST
    assert [pace.next_time(5.1), pace.next_time(6.1)] == [6.0, 7.0]


def test_a_second_of_quiet_makes_a_new_beginning() -> None:
    pace = Pace()
    for _ in range(BURST):
        pace.next_time(5.0)
    assert [pace.next_time(6.0) for _ in range(BURST)] == [6.0] * BURST


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_second_has_more_than_a_burst_and_one(pauses: list[float]) -> None:
    pace, now, times = Pace(), 0.0, []
    for pause in pauses:
        now = max(now + pause, times[-1] if times else 0.0)
        times.append(pace.next_time(now))
        assert now <= times[-1] <= now + 1.0
    for at in times:
        assert sum(at <= other < at + 0.999 for other in times) <= 2 * BURST
