"""Threads lent to requests: how many there are, who waits for one, and that each comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import pytest

from django_grip.thread_pool import Lease, ThreadPool

# Seconds: the bound of every wait.
PATIENCE = 60
# So long that nobody gets a thread out of patience.
NEVER = 3600.0


def call(lease: Lease, function: Callable[..., Any] = threading.current_thread, *args: Any) -> Any:
    return lease.submit(function, *args).result(PATIENCE)


class Busy:
    """A lease whose thread is at work until `end` is called."""

    def __init__(self, pool: ThreadPool) -> None:
        self.lease = pool.lease()
        self.began, self._go = threading.Event(), threading.Event()
        self.future: Future[Any] = self.lease.submit(self._work)

    def _work(self) -> threading.Thread:
        self.began.set()
        assert self._go.wait(PATIENCE)
        return threading.current_thread()

    def end(self) -> threading.Thread:
        self._go.set()
        thread: threading.Thread = self.future.result(PATIENCE)
        self.lease.close()
        return thread


def test_a_lease_has_one_thread_and_takes_it_when_it_is_first_needed() -> None:
    pool = ThreadPool()
    lease = pool.lease()
    assert (lease.used, pool.threads) == (False, 0)
    first = call(lease)
    assert first is call(lease) is not threading.current_thread()
    assert (lease.used, pool.threads, pool.idle, pool.working) == (True, 1, 0, 0)
    lease.close()
    assert (pool.threads, pool.idle) == (1, 1)


def test_a_thread_is_lent_again() -> None:
    pool, threads = ThreadPool(), set()
    for _ in range(10):
        lease = pool.lease()
        threads.add(call(lease))
        lease.close()
    assert (len(threads), pool.threads) == (1, 1)


def test_what_is_raised_is_the_callers_and_the_thread_stays() -> None:
    pool = ThreadPool()
    lease = pool.lease()
    thread = call(lease)
    for error in (ValueError("mine"), SystemExit(1), KeyboardInterrupt()):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            call(lease, fail)
    assert call(lease) is thread
    lease.close()
    assert (pool.idle, pool.working) == (1, 0)


def test_work_that_raises_is_logged_and_the_thread_stays(caplog: pytest.LogCaptureFixture) -> None:
    pool = ThreadPool()
    lease = pool.lease(begin=lambda: 1 / 0)
    thread = call(lease)
    lease.close()
    again = pool.lease()
    assert call(again) is thread
    again.close()
    assert [record.getMessage() for record in caplog.records] == ["A request's thread was left with an exception."]


def test_what_begins_a_lease_is_called_first_and_once_in_its_thread() -> None:
    pool, happened = ThreadPool(), []
    lease = pool.lease(begin=lambda: happened.append(threading.current_thread()))
    assert happened == []
    thread = call(lease)
    call(lease)
    lease.close()
    assert happened == [thread]


def test_work_that_was_cancelled_before_its_turn_is_left_out() -> None:
    pool = ThreadPool()
    busy, happened = Busy(pool), []
    late = busy.lease.submit(happened.append, "late")
    assert late.cancel()
    busy.end()
    assert (happened, pool.idle) == ([], 1)


def test_a_lease_that_is_closed_at_work_gives_its_thread_back_afterwards() -> None:
    pool = ThreadPool()
    busy = Busy(pool)
    assert busy.began.wait(PATIENCE)
    busy.lease.close()
    busy.lease.close()
    assert (pool.idle, pool.working) == (0, 1)
    other = pool.lease()
    second = call(other)
    assert busy.end() is not second
    other.close()
    assert (pool.threads, pool.idle, pool.working) == (2, 2, 0)


def test_a_closed_lease_takes_nothing_more() -> None:
    lease = ThreadPool().lease()
    lease.shutdown()
    with pytest.raises(RuntimeError, match="The request is over"):
        lease.submit(print)


def test_over_the_limit_requests_wait_for_a_thread_in_order() -> None:
    pool = ThreadPool(limit=2, patience=NEVER)
    busy = [Busy(pool), Busy(pool)]
    assert all(each.began.wait(PATIENCE) for each in busy)
    order: list[int] = []
    waiting = [pool.lease() for _ in range(3)]
    futures = [lease.submit(order.append, number) for number, lease in enumerate(waiting)]
    assert (pool.threads, pool.working, [future.done() for future in futures]) == (2, 2, [False] * 3)
    busy[0].end()
    for future, lease in zip(futures, waiting, strict=True):
        future.result(PATIENCE)
        lease.close()
    busy[1].end()
    assert (order, pool.threads, pool.idle, pool.working) == ([0, 1, 2], 2, 2, 0)


def test_a_thread_that_is_lent_but_not_at_work_does_not_count() -> None:
    pool = ThreadPool(limit=1, patience=NEVER)
    leases = [pool.lease() for _ in range(5)]
    assert len({call(lease) for lease in leases}) == 5
    for lease in leases:
        lease.close()
    assert (pool.threads, pool.idle) == (1, 1)


def test_those_who_wait_for_each_other_are_no_deadlock() -> None:
    """Each request makes another one and waits for it; the last lets all of them end."""
    pool, depth = ThreadPool(limit=2, patience=0.01), 10

    def nested(level: int) -> int:
        if level == depth:
            return 0
        lease = pool.lease()
        try:
            return 1 + int(lease.submit(nested, level + 1).result(PATIENCE))
        finally:
            lease.close()

    assert nested(0) == depth
    assert (pool.idle, pool.working) == (2, 0)


def test_those_that_hang_leave_the_others_threads_and_not_one_now_and_then() -> None:
    pool = ThreadPool(limit=2, patience=0.01)
    hanging = [Busy(pool) for _ in range(4)]
    assert all(each.began.wait(PATIENCE) for each in hanging)
    first = pool.lease()
    call(first)
    first.close()
    # From now on patience would be of no use.
    pool._patience = NEVER
    for _ in range(20):
        lease = pool.lease()
        call(lease)
        lease.close()
    for each in hanging:
        each.end()
    # They are gone, and the limit is what it was.
    busy, other = [Busy(pool), Busy(pool)], pool.lease()
    future = other.submit(int)
    assert "1 waited for" in repr(pool)
    for each in busy:
        each.end()
    assert future.result(PATIENCE) == 0
    other.close()
    assert pool.idle == 2


def test_a_thread_that_waits_for_something_else_makes_room() -> None:
    pool = ThreadPool(limit=1, patience=NEVER)
    lease, other = pool.lease(), pool.lease()
    over: list[bool] = []
    threads: list[threading.Thread] = []

    def work() -> None:
        lease.wait(lambda: bool(over))

    waiting = lease.submit(work)
    call(other)
    # What the lease is told meanwhile is done by the thread that waits.
    lease.put(lambda: threads.append(threading.current_thread()))
    lease.put(lambda: over.append(True))
    waiting.result(PATIENCE)
    assert threads == [call(lease)]
    lease.close()
    other.close()
    assert pool.working == 0


def test_only_the_thread_of_a_lease_can_wait() -> None:
    with pytest.raises(RuntimeError, match="Only the lease's own thread can wait"):
        ThreadPool().lease().wait(lambda: True)


def test_when_the_system_has_no_more_threads_one_waits_for_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ThreadPool(patience=NEVER)
    busy = Busy(pool)
    assert busy.began.wait(PATIENCE)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr("django_grip.thread_pool._Thread.start", refuse)
        patch.setattr(pool, "_watched", True)
        other = pool.lease()
        future = other.submit(threading.current_thread)
        assert not future.done()
        thread = busy.end()
        assert future.result(PATIENCE) is thread
        with pytest.raises(RuntimeError, match="can't start new thread"):
            ThreadPool().lease().submit(print)
    other.close()


def test_many_at_once_all_come_back() -> None:
    pool = ThreadPool(limit=8)
    leases = [pool.lease() for _ in range(200)]
    futures = [lease.submit(sum, range(number)) for number, lease in enumerate(leases)]
    assert not wait(futures, PATIENCE).not_done
    for lease in leases:
        lease.close()
    assert (pool.working, pool.idle, pool.threads) == (0, 8, 8)


def test_a_child_process_begins_with_no_thread() -> None:
    pool = ThreadPool()
    lease = pool.lease()
    call(lease)
    lease.close()
    pool.renew()
    assert (pool.threads, pool.idle) == (0, 0)
    assert repr(pool) == "<ThreadPool 0 threads, 0 idle, 0 at work, 0 waited for>"
    other = pool.lease()
    assert call(other).name == "grip-request-1"
    other.close()
