"""The beginning and the end of a server: lifespan, signals, worker processes, and publishing before and after."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from django_grip.exceptions import PublisherClosed
from django_grip.proxy import asgi
from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.shell.signals import SignalChain
from django_grip.proxy.shell.workers import count_workers, describe_workers

from .asgi import PATIENCE, Connection, Http, Origin, WebSocket, opening, response, until
from .core import stream_item


class Lifespan(Connection):
    def __init__(self, proxy: EmbeddedProxy, state: dict[str, Any] | None = None) -> None:
        super().__init__(
            proxy, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {} if state is None else state}
        )
        self.put("lifespan.startup")

    def shut_down(self) -> None:
        self.put("lifespan.shutdown")


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        # Not what a server of an earlier test has left.
        signal.signal(number, lambda number, frame: None)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """An application with a lifespan."""
    scope["state"]["pool"] = "open"
    assert await receive() == {"type": "lifespan.startup"}
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    scope["state"]["pool"] = "closed"
    await send({"type": "lifespan.shutdown.complete"})


# Lifespan


async def test_the_applications_lifespan_is_within_the_proxys() -> None:
    state: dict[str, Any] = {}
    proxy = EmbeddedProxy(Origin(serve))
    lifespan = Lifespan(proxy, state)
    assert await lifespan.get_one() == {"type": "lifespan.startup.complete"}
    assert state == {"pool": "open"}
    assert proxy.is_running
    lifespan.shut_down()
    assert await lifespan.get_one() == {"type": "lifespan.shutdown.complete"}
    assert state == {"pool": "closed"}
    await lifespan.end()
    assert not proxy.is_running


async def returns(scope: Any, receive: Any, send: Any) -> None:
    pass


async def test_who_wants_to_hear_of_it_does_when_it_begins_and_when_its_clients_are_gone() -> None:
    happened: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {}
        happened.append("application begins")
        await serve(scope, receive, send)
        happened.append("application ends")

    proxy = EmbeddedProxy(application, on_begin=lambda: happened.append("begin"), on_end=lambda: happened.append("end"))
    lifespan = Lifespan(proxy)
    await lifespan.get_one()
    assert happened == ["begin", "application begins"]
    lifespan.shut_down()
    await lifespan.end()
    assert happened == ["begin", "application begins", "end", "application ends"]


async def test_without_a_lifespan_it_begins_with_the_first_request() -> None:
    begun: list[str] = []
    proxy = EmbeddedProxy(Origin(response(b"")), on_begin=lambda: begun.append("begin"))
    for _ in range(2):
        await Http(proxy).answer()
    assert begun == ["begin"]


@pytest.mark.parametrize("application", [Origin(ValueError("no lifespan")), Origin(returns)], ids=["raises", "returns"])
async def test_an_application_without_a_lifespan_will_do(application: Any, caplog: pytest.LogCaptureFixture) -> None:
    lifespan = Lifespan(EmbeddedProxy(application))
    assert await lifespan.get_one() == {"type": "lifespan.startup.complete"}
    lifespan.shut_down()
    assert await lifespan.get_one() == {"type": "lifespan.shutdown.complete"}
    await lifespan.end()
    assert caplog.records == []


async def test_an_application_that_cannot_start_is_heard() -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    before = signal.getsignal(signal.SIGTERM)
    lifespan = Lifespan(EmbeddedProxy(Origin(fail)))
    assert await lifespan.get_one() == {"type": "lifespan.startup.failed", "message": "no database"}
    await lifespan.end()
    assert signal.getsignal(signal.SIGTERM) == before


async def test_an_application_that_fails_in_its_lifespan_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ValueError("mine")

    lifespan = Lifespan(EmbeddedProxy(Origin(fail)))
    await lifespan.get_one()
    lifespan.shut_down()
    assert await lifespan.get_one() == {"type": "lifespan.shutdown.complete"}
    await lifespan.end()
    assert [record.getMessage() for record in caplog.records] == ["The application failed in its lifespan."]


async def test_what_is_held_ends_at_the_servers_shutdown() -> None:
    proxy = EmbeddedProxy(Origin(returns, opening()))
    lifespan = Lifespan(proxy)
    await lifespan.get_one()
    socket = WebSocket(proxy)
    await socket.get_one()
    lifespan.shut_down()
    assert (await socket.get_one())["code"] == 1001
    await lifespan.end()
    await socket.end()


async def test_a_request_that_is_under_way_at_the_end_has_a_moment_and_is_then_cancelled() -> None:
    ended = []

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    proxy = EmbeddedProxy(Origin(returns, hang))
    lifespan = Lifespan(proxy)
    await lifespan.get_one()
    socket = WebSocket(proxy)
    await until(lambda: len(proxy._runs))
    lifespan.shut_down()
    await lifespan.end()
    await socket.end()
    assert ended == [True]


# The server's address


async def test_the_servers_address_is_told_once() -> None:
    told: list[Any] = []
    proxy = EmbeddedProxy(Origin(response(b"")), on_serve=lambda *address: told.append(address))
    await Http(proxy, server=None).answer()
    await Http(proxy, server=("/run/app.sock", None)).answer()
    await Http(proxy, server=("127.0.0.1", 8001)).answer()
    await Http(proxy, server=("127.0.0.1", 8002)).answer()
    # The first two are on a Unix socket, as servers have it.
    assert told == [(None, None), ("127.0.0.1", 8001)]


@pytest.mark.parametrize("event", ["on_begin", "on_serve"])
async def test_a_failure_to_make_it_known_harms_no_request(event: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*address: Any) -> None:
        raise OSError("disk full")

    listeners: dict[str, Any] = {event: fail}
    proxy = EmbeddedProxy(Origin(response(b"ok")), **listeners)
    assert (await Http(proxy).answer()).body == b"ok"
    assert (await Http(proxy).answer()).body == b"ok"
    assert [record.getMessage() for record in caplog.records] == [
        "Where the embedded proxy serves, or that it has ended, could not be made known."
    ]


# Signals


async def test_a_signal_ends_what_is_held_and_then_does_what_it_did_before() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    proxy = EmbeddedProxy(Origin(returns, opening()))
    lifespan = Lifespan(proxy)
    await lifespan.get_one()
    socket = WebSocket(proxy)
    await socket.get_one()
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    assert (await socket.get_one())["code"] == 1001
    await socket.end()
    lifespan.shut_down()
    await lifespan.end()
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM] * 2


def test_a_signal_that_does_nothing_goes_on_doing_nothing() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    chain = SignalChain(lambda: None)
    chain.install()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    chain.restore()


def test_a_signal_that_ends_the_process_still_does(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[int] = []
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    heard: list[bool] = []
    chain = SignalChain(lambda: heard.append(True))
    chain.install()
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    handler(signal.SIGTERM, None)
    assert (heard, raised) == ([True], [signal.SIGTERM])
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_handler_that_came_later_is_kept() -> None:
    chain = SignalChain(lambda: None)
    chain.install()

    def later(number: int, frame: Any) -> None:
        pass

    signal.signal(signal.SIGTERM, later)
    chain.restore()
    assert signal.getsignal(signal.SIGTERM) is later


def test_handlers_of_servers_that_ended_without_a_word_do_not_pile_up() -> None:
    before = signal.getsignal(signal.SIGTERM)
    proxies = [EmbeddedProxy(Origin(response(b"ok"))) for _ in range(3)]

    async def serve_one(proxy: EmbeddedProxy) -> None:
        await Http(proxy).answer()

    for proxy in proxies:
        # No lifespan: it begins with its first request, and nothing tells it of its end.
        asyncio.run(serve_one(proxy))
    chain = SignalChain(lambda: None)
    chain.install()
    chain.restore()
    assert signal.getsignal(signal.SIGTERM) == before


def test_handlers_of_servers_that_run_side_by_side_are_all_called() -> None:
    heard: list[str] = []
    first, second = SignalChain(lambda: heard.append("first")), SignalChain(lambda: heard.append("second"))
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append("server"))
    first.install()
    second.install()
    signal.raise_signal(signal.SIGTERM)
    assert heard == ["second", "first", "server"]
    second.restore()
    first.restore()


def test_outside_of_the_main_thread_signals_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    chain = SignalChain(lambda: None)
    thread = threading.Thread(target=lambda: (chain.install(), chain.restore()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == before


# Worker processes


def run_in(module: str, function: str, **names: Any) -> int | None:
    """What is counted in a function of a module, with these local variables."""
    arguments = ", ".join(names)
    source = f"def {function}({arguments}, count):\n    return count()\n"
    space: dict[str, Any] = {"__name__": module}
    exec(source, space)
    counted: int | None = space[function](*names.values(), lambda: count_workers(sys._getframe(), []))
    return counted


@pytest.mark.parametrize(
    ("module", "function", "names", "count"),
    [
        ("uvicorn._subprocess", "subprocess_started", {"config": SimpleNamespace(workers=4, should_reload=False)}, 4),
        ("uvicorn._subprocess", "subprocess_started", {"config": SimpleNamespace(workers=4, should_reload=True)}, 1),
        ("gunicorn.arbiter", "spawn_worker", {"self": SimpleNamespace(cfg=SimpleNamespace(workers=2))}, 2),
        ("hypercorn.asyncio.run", "asyncio_worker", {"config": SimpleNamespace(workers=3)}, 3),
        ("uvicorn._subprocess", "subprocess_started", {"config": None}, None),
        ("somebody.else", "subprocess_started", {"config": SimpleNamespace(workers=4)}, None),
    ],
)
def test_a_worker_is_known_by_its_supervisor(module: str, function: str, names: Any, count: int | None) -> None:
    assert run_in(module, function, **names) == count


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["/usr/bin/granian", "--workers", "4", "p.asgi:app"], 4),
        (["C:\\venv\\Scripts\\hypercorn.exe", "-w", "2", "x"], 2),
        (["/x/granian/__main__.py", "--workers=3"], 3),
        (["gunicorn", "-w8"], 8),
        (["uvicorn", "x", "--workers", "1"], 1),
        (["uvicorn", "x", "--reload", "--workers", "4"], None),
        (["uvicorn", "x", "--workers"], None),
        (["uvicorn", "x", "--workers", "many"], None),
        (["uvicorn", "x"], None),
        (["manage.py", "runserver", "--workers", "4"], None),
        ([], None),
    ],
)
def test_a_worker_is_known_by_its_command_line(arguments: list[str], count: int | None) -> None:
    assert count_workers(None, arguments) == count


def test_this_process_is_no_worker() -> None:
    assert describe_workers() is None


async def test_several_workers_are_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["uvicorn", "--workers", "4"])
    lifespan = Lifespan(EmbeddedProxy(Origin(serve)))
    await lifespan.end()
    (message,) = lifespan.sent
    assert message == {
        "type": "lifespan.startup.failed",
        "message": "The embedded GRIP proxy runs in one process, but this server has 4 workers, and a publish would "
        "reach the clients of one of them only. Run it with 1 worker, or put Pushpin in front (GRIP_PROXIES or "
        "GRIP_URL).",
    }


async def test_without_a_lifespan_several_workers_serve_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(asgi, "describe_workers", lambda: "Too many.")
    told: list[Any] = []
    proxy = EmbeddedProxy(
        Origin(response(b"ok")),
        allow_local=True,
        on_begin=lambda: told.append("begin"),
        on_serve=lambda *address: told.append(address),
    )
    for target in ("/", "/.grip/publish/"):
        answer = await Http(proxy, target, method="POST").answer()
        assert (answer.status, answer.body) == (503, b"Too many.\n")
    socket = WebSocket(proxy)
    await socket.end()
    assert socket.sent[0]["status"] == 503
    assert [record.getMessage() for record in caplog.records] == ["Too many."]
    assert told == []


def test_one_proxy_serves_on_one_event_loop() -> None:
    proxy = EmbeddedProxy(Origin(response(b"ok")))
    ready, done = threading.Event(), threading.Event()

    async def elsewhere() -> None:
        await Http(proxy).answer()
        ready.set()
        await asyncio.to_thread(done.wait, PATIENCE)

    thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
    thread.start()
    assert ready.wait(PATIENCE)

    async def here() -> None:
        await Http(proxy).answer()

    try:
        with pytest.raises(RuntimeError, match="one EmbeddedProxy serves on one event loop"):
            asyncio.run(here())
    finally:
        done.set()
        thread.join()


# Publishing from elsewhere


def test_behind_the_end_of_the_loop_nothing_is_taken() -> None:
    proxy = EmbeddedProxy(Origin(response(b"ok")))

    async def serve_one() -> None:
        await Http(proxy).answer()

    asyncio.run(serve_one())
    assert not proxy.is_running
    with pytest.raises(PublisherClosed):
        proxy.publish([stream_item("c")])


async def test_an_item_that_waits_for_the_one_before_it_is_sent_when_its_time_has_come() -> None:
    held = response(b"[open]\n", grip_hold="stream", grip_channel="c")
    proxy = EmbeddedProxy(Origin(held), options=ProxyOptions(hold_back=0.02))
    call = Http(proxy)
    await call.get(2)
    proxy.publish([stream_item("c", b"1", id="1"), stream_item("c", b"3", id="3", prev_id="2")])
    assert [message["body"] for message in await call.get(2)] == [b"1", b"3"]
    call.leave()
    await call.end()
