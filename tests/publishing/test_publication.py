"""A publication as a future: for threads, for tasks, for callbacks."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from django_grip.exceptions import NotCommitted, PublishError, QueueFull
from django_grip.publishing import ProxyResult, Publication, Publisher
from django_grip.publishing.publication import settle

from .conftest import MakePublisher, MakeServer, parcel, wait_accepted
from .servers import PATIENCE, ControlServer, accept, answer, gated, hang, in_turn

FINE = ProxyResult("http://a", None, 1)
FAILED = ProxyResult("http://b", QueueFull("full"), 0)


def started(proxies: int = 1) -> Publication:
    publication = Publication()
    publication._start(proxies)
    return publication


def submit(publisher: Publisher, content: str = "hello", **options: Any) -> Publication:
    return publisher.submit(parcel(publisher, content), **options)


def test_a_publication_is_done_when_every_proxy_has_answered() -> None:
    publication = started(2)
    assert (publication.done(), publication.results, repr(publication)) == (
        False,
        (),
        "<Publication 2 to come, 0 results, 0 failed>",
    )
    settle([publication], FINE)
    assert (publication.done(), publication.results) == (False, (FINE,))
    settle([publication], FAILED)
    assert (publication.done(), publication.results) == (True, (FINE, FAILED))
    assert repr(publication) == "<Publication done, 2 results, 1 failed>"


def test_the_result_is_one_result_per_proxy() -> None:
    publication = started()
    settle([publication], FINE)
    assert publication.result() == (FINE,)
    assert publication.exception() is None


def test_the_exception_is_made_anew_for_each_who_asks() -> None:
    publication = started()
    settle([publication], FAILED)
    first, second = publication.exception(), publication.exception()
    assert first is not second
    assert str(first) == str(second) == "Not published to the proxy: http://b: full"
    with pytest.raises(PublishError, match=r"^Not published to the proxy: http://b: full$") as caught:
        publication.result()
    assert caught.value.results == (FAILED,)


def test_waiting_has_a_bound_if_it_is_given_one() -> None:
    publication = started()
    with pytest.raises(TimeoutError, match=r"^The item was not published within 0\.01 s; it is still being tried\.$"):
        publication.result(0.01)
    assert not publication._waiters
    settle([publication], FINE)
    assert publication.result(0.01) == (FINE,)


def test_many_threads_may_wait() -> None:
    publication = started()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(publication.result, PATIENCE) for _ in range(8)]
        while len(publication._waiters or ()) < 8:
            assert not any(future.done() for future in waiting)
        settle([publication], FINE)
        assert [future.result(PATIENCE) for future in waiting] == [(FINE,)] * 8


async def test_waiting_for_a_commit_that_has_not_come_is_an_error() -> None:
    publication = Publication()
    text = r"^This item goes out when the transaction commits; there is nothing to wait for before\.$"
    for method in (publication.result, publication.exception):
        with pytest.raises(NotCommitted, match=text):
            method()
    with pytest.raises(NotCommitted, match=text):
        await publication
    assert (publication.done(), repr(publication)) == (False, "<Publication held, 0 results, 0 failed>")


# ---- asyncio


async def test_a_publication_can_be_awaited(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(server)
    publication = submit(publisher, forced=True)
    [result] = await publication
    assert (result.url, result.error) == (server.url, None)
    assert await publication == publication.results  # again, when it is done


async def test_awaiting_a_failure_raises_it(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server = make_server(answer(401))
    with pytest.raises(PublishError, match="it answered 401"):
        await submit(make_publisher(server))


async def test_tasks_share_requests_and_take_no_threads(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    gate = threading.Event()
    server = make_server(in_turn(gated(gate), accept))
    publisher = make_publisher(server)

    async def task(number: int) -> None:
        await submit(publisher, str(number), forced=True)

    first = asyncio.create_task(task(0))
    await asyncio.to_thread(server.wait, lambda: server.requests, "the first request")
    before = threading.active_count()
    tasks = [asyncio.create_task(task(number)) for number in range(1, 101)]
    await asyncio.sleep(0)
    assert threading.active_count() <= before
    gate.set()
    await asyncio.gather(first, *tasks)
    assert [len(request.items) for request in server.requests] == [1, 100]


async def test_a_cancelled_task_stops_waiting_and_the_item_goes_out(
    make_server: MakeServer, make_publisher: MakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    # What earlier tests have left is none of this one's.
    gc.collect()
    caplog.set_level(logging.DEBUG)
    gate = threading.Event()
    server = make_server(gated(gate))
    publisher = make_publisher(server)
    publication = submit(publisher)
    task = asyncio.ensure_future(_wait_for(publication))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not publication._waiters
    gate.set()
    await publication
    assert server.contents() == ["hello"]
    gc.collect()
    assert not caplog.records


async def test_a_task_that_waits_too_long_can_give_up(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server = make_server(hang)
    publication = submit(make_publisher(server))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(_wait_for(publication), 0.01)
    assert not publication._waiters
    server.released.set()


async def _wait_for(publication: Publication) -> None:
    await publication


def test_a_loop_that_is_gone_does_no_harm(
    make_server: MakeServer, make_publisher: MakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    server = make_server(gated(gate))
    publisher = make_publisher(server)
    publications: list[Publication] = []

    async def leave() -> None:
        publications.append(submit(publisher))
        waiting = publications[0].__await__()
        next(waiting)
        _kept.append(waiting)

    _kept: list[Any] = []
    asyncio.run(leave())
    gate.set()
    assert publications[0].result(PATIENCE)
    assert publisher.flush(PATIENCE)
    assert not caplog.records


async def test_several_loops_are_served_by_one_batch(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    gate = threading.Event()
    server = make_server(in_turn(gated(gate), accept))
    publisher = make_publisher(server)
    submit(publisher)
    await asyncio.to_thread(server.wait, lambda: server.requests, "the first request")

    async def several() -> None:
        await asyncio.gather(*[_wait_for(submit(publisher)) for _ in range(10)])

    others = [asyncio.create_task(asyncio.to_thread(asyncio.run, several())) for _ in range(3)]
    await asyncio.to_thread(wait_accepted, publisher, 31)
    gate.set()
    await asyncio.gather(*others)
    assert [len(request.items) for request in server.requests] == [1, 30]


# ---- callbacks


class Calls:
    """Keeps what a callback was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[bool, str | None]] = []
        self.threads: list[str] = []

    def __call__(self, success: bool, message: str | None) -> None:
        self.calls.append((success, message))
        self.threads.append(threading.current_thread().name)


@pytest.mark.parametrize("background", [True, False], ids=["background", "inline"])
def test_a_callback_comes_once_with_success(
    server: ControlServer, make_publisher: MakePublisher, background: bool
) -> None:
    publisher, calls = make_publisher(server, server, background=background), Calls()
    for _ in range(5):
        submit(publisher, callback=calls)
    assert publisher.flush(PATIENCE)
    assert calls.calls == [(True, None)] * 5
    assert set(calls.threads) == {"grip-callbacks"}


def test_a_callback_comes_once_with_failure(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    good, bad = make_server(), make_server(answer(404))
    publisher, calls = make_publisher(good, bad), Calls()
    submit(publisher, callback=calls)
    assert publisher.flush(PATIENCE)
    assert calls.calls == [(False, f"Not published to 1 of 2 proxies: {bad.url}: it answered 404")]


def test_a_callback_of_a_blocking_publish_has_returned_when_it_returns(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    server = make_server(in_turn(accept, answer(401)))
    publisher, calls = make_publisher(server), Calls()
    for _ in range(2):
        publisher.submit_and_wait(parcel(publisher), callback=calls)
    assert calls.calls == [(True, None), (False, f"Not published to the proxy: {server.url}: it answered 401")]
    assert set(calls.threads) == {threading.current_thread().name}


def test_callbacks_come_one_after_the_other_in_order(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher, seen = make_publisher(server), []
    for number in range(50):
        submit(publisher, callback=lambda success, message, number=number: seen.append(number))
    assert publisher.flush(PATIENCE)
    assert seen == list(range(50))


def test_a_callback_may_publish_and_wait(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher, done = make_publisher(server), threading.Event()

    def again(success: bool, message: str | None) -> None:
        publisher.submit_and_wait(parcel(publisher, "second")).result()
        submit(publisher, "third").result(PATIENCE)
        assert publisher.flush(PATIENCE)
        done.set()

    submit(publisher, "first", callback=again)
    assert done.wait(PATIENCE)
    assert server.contents() == ["first", "second", "third"]


@pytest.mark.parametrize(
    # Where the caller's own thread calls it, the callback may end that.
    ("error", "blocking"),
    [(ValueError("ouch"), True), (ValueError("ouch"), False), (SystemExit(1), False)],
)
def test_a_callback_that_raises_is_logged_and_harms_nobody(
    server: ControlServer,
    make_publisher: MakePublisher,
    log: pytest.LogCaptureFixture,
    error: BaseException,
    blocking: bool,
) -> None:
    publisher, calls = make_publisher(server), Calls()

    def bad(success: bool, message: str | None) -> None:
        raise error

    (publisher.submit_and_wait if blocking else publisher.submit)(parcel(publisher), callback=bad)
    submit(publisher, callback=calls)
    assert publisher.flush(PATIENCE)
    assert calls.calls == [(True, None)]
    [record] = [record for record in log.records if vars(record).get("grip_event") == "callback_error"]
    assert record.levelname == "ERROR"
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_a_callback_that_waits_for_ever_holds_up_no_items(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher, release = make_publisher(server), threading.Event()
    submit(publisher, callback=lambda success, message: release.wait(PATIENCE))
    for _ in range(10):
        submit(publisher).result(PATIENCE)
    assert not publisher.flush(0.01)  # it waits for the callback
    release.set()
    assert publisher.flush(PATIENCE)


def test_callbacks_of_a_publication_get_the_publication(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher, seen = make_publisher(server), []
    publication = submit(publisher)
    publication.add_done_callback(seen.append)
    publication.result(PATIENCE)
    publication.add_done_callback(seen.append)  # it is done
    assert publisher.flush(PATIENCE)
    assert seen == [publication, publication]
