"""The bound of a queue: what happens at it, blocking and not."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from django_grip.exceptions import PublishError, QueueFull
from django_grip.publishing import Policy, Publication, Publisher

from .conftest import PATIENT, MakePublisher, MakeServer, lost, parcel, wait_accepted, wait_failing
from .servers import PATIENCE, accept, gated, in_turn

FIVE = replace(PATIENT, queue_items=5, batch_items=1, room_timeout=60)


def submit(publisher: Publisher, content: str = "hello", **options: Any) -> Publication:
    return publisher.submit(parcel(publisher, content), **options)


def make_failing(make_publisher: MakePublisher, port: int, policy: Policy) -> Publisher:
    """A publisher whose proxy is down, and known to be."""
    publisher = make_publisher(f"http://127.0.0.1:{port}", policy=policy)
    submit(publisher, "first")
    wait_failing(publisher)
    return publisher


def is_full(publication: Publication) -> bool:
    return any(isinstance(result.error, QueueFull) for result in publication.results)


def test_at_a_proxy_that_is_down_a_full_queue_takes_no_more_at_once(
    make_publisher: MakePublisher, dead_port: int, log: pytest.LogCaptureFixture
) -> None:
    publisher = make_failing(make_publisher, dead_port, FIVE)
    publications = [submit(publisher) for _ in range(20)]
    assert [is_full(publication) for publication in publications] == [False] * 5 + [True] * 15
    error = publications[-1].exception()
    assert str(error) == (
        f"Not published to the proxy: http://127.0.0.1:{dead_port}: so many items wait that no more are taken in"
    )
    assert lost(log) == 15
    counters = publisher.counters()[publisher.lanes[0].url]
    assert (counters.failed, counters.queued) == (15, 6)


def test_a_full_queue_is_told_to_callbacks_too(make_publisher: MakePublisher, dead_port: int) -> None:
    publisher = make_failing(make_publisher, dead_port, FIVE)
    for _ in range(5):
        submit(publisher)
    called: list[bool] = []
    told = threading.Event()

    def callback(success: bool, message: str | None) -> None:
        called.append(success)
        told.set()

    submit(publisher, callback=callback)
    assert told.wait(PATIENCE)
    assert called == [False]


def test_a_full_queue_of_one_proxy_is_none_of_anothers(
    make_server: MakeServer, make_publisher: MakePublisher, dead_port: int
) -> None:
    server = make_server()
    publisher = make_publisher(f"http://127.0.0.1:{dead_port}", server, policy=FIVE)
    submit(publisher)
    wait_failing(publisher)
    before = len(server.taken)
    publications = [submit(publisher) for _ in range(20)]
    publisher.lanes[1].wait_settled(publisher.lanes[1].accepted, PATIENCE)
    assert any(map(is_full, publications))
    server.wait(lambda: len(server.taken) >= before + 20, "all items at the proxy that works")


def test_a_queue_has_a_bound_in_bytes_too(make_publisher: MakePublisher, dead_port: int) -> None:
    publisher = make_failing(make_publisher, dead_port, Policy(timeout=60, queue_bytes=100_000, report_interval=0))
    publications = [submit(publisher, "x" * 30_000) for _ in range(5)]
    assert [is_full(publication) for publication in publications] == [False, False, False, True, True]
    assert not is_full(submit(publisher, "short"))


def test_at_a_proxy_that_works_a_full_queue_makes_the_publisher_wait_a_moment(
    make_server: MakeServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    server = make_server(in_turn(gated(gate), accept))
    publisher = make_publisher(server, policy=FIVE)
    submit(publisher)
    server.wait(lambda: server.requests, "the first request")
    thread = threading.Thread(target=lambda: [submit(publisher) for _ in range(50)])
    thread.start()
    lane = publisher.lanes[0]
    while not lane._room_wanted:
        assert thread.is_alive()
    assert lane.accepted == 6
    gate.set()
    thread.join(PATIENCE)
    assert publisher.flush(PATIENCE)
    assert (len(server.taken), lost(log)) == (51, 0)


def test_who_waited_in_vain_is_told_and_the_next_do_not_wait(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    gate = threading.Event()
    server = make_server(gated(gate))
    publisher = make_publisher(server, policy=Policy(timeout=60, queue_items=1, room_timeout=0.01))
    submit(publisher)
    server.wait(lambda: server.requests, "the first request")
    assert not is_full(submit(publisher))
    assert is_full(submit(publisher))
    assert publisher.lanes[0]._congested
    assert is_full(submit(publisher))
    gate.set()
    assert publisher.flush(PATIENCE)
    assert not is_full(submit(publisher))


async def test_an_event_loop_is_never_made_to_wait(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    gate = threading.Event()
    server = make_server(gated(gate))
    publisher = make_publisher(server, policy=FIVE)
    submit(publisher)
    await asyncio.to_thread(server.wait, lambda: server.requests, "the first request")
    # Its moment would be a minute.
    publications = [submit(publisher) for _ in range(7)]
    assert [is_full(publication) for publication in publications] == [False] * 5 + [True] * 2
    gate.set()


def test_who_blocks_is_taken_in_whatever_the_queue_holds(
    make_server: MakeServer, make_publisher: MakePublisher, dead_port: int
) -> None:
    publisher = make_failing(make_publisher, dead_port, FIVE)
    for _ in range(6):
        submit(publisher)
    thread = threading.Thread(target=lambda: publisher.submit_and_wait(parcel(publisher, "patient")).result())
    thread.start()
    wait_accepted(publisher, 7)
    server = make_server(port=dead_port)
    thread.join(PATIENCE)
    assert server.contents()[-1] == "patient"


def test_who_blocks_at_a_proxy_that_stays_down_is_told_in_bounded_time(
    make_publisher: MakePublisher, dead_port: int
) -> None:
    policy = Policy(timeout=0.3, queue_items=5, backoff=0.01, backoff_limit=0.05, report_interval=0)
    publisher = make_failing(make_publisher, dead_port, policy)
    for _ in range(6):
        submit(publisher)
    with pytest.raises(PublishError, match="not taken in time: no connection: connection refused"):
        publisher.submit_and_wait(parcel(publisher)).result()


def test_memory_stays_flat_while_a_proxy_is_down(make_publisher: MakePublisher, dead_port: int) -> None:
    publisher = make_failing(make_publisher, dead_port, Policy(timeout=60, queue_items=1000))
    for _ in range(1500):
        submit(publisher)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5_000):
            submit(publisher)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 50_000
    assert publisher.counters()[publisher.lanes[0].url].failed >= 5_000
