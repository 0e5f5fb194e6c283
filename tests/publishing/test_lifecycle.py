"""Where processes begin and end: exits, forks, pools, servers. Each test runs a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from django_grip.publishing import lifecycle

from .conftest import MakePublisher, MakeServer, parcel, wait_accepted
from .servers import PATIENCE, ControlServer, accept, gated, hang, in_turn

ROOT = Path(__file__).parents[2]

PRELUDE = """
import atexit, os, sys, threading
from django_grip.protocol.formats import HttpStreamFormat
from django_grip.protocol.items import Item
from django_grip.publishing import HttpTransport, Policy, Publisher

url = sys.argv[1]
policy = Policy(exit_timeout=float(sys.argv[2]), backoff=0.01, backoff_limit=0.05)
publisher = Publisher([HttpTransport(url)], policy=policy)

def publish(content, **options):
    return publisher.submit(publisher.pack("test", Item(HttpStreamFormat(content))), **options)
"""


def run(script: str, url: str, *, exit_timeout: float = PATIENCE, code: int = 0) -> str:
    """Run a program to its end; what it wrote to stderr."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + script, url, str(exit_timeout)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == code, done.stderr
    return done.stderr


# ---- exit


@pytest.mark.parametrize("how", ["", "sys.exit(0)", "threading.Thread(target=lambda: None).start()"])
def test_what_is_queued_is_sent_before_the_process_ends(server: ControlServer, how: str) -> None:
    assert run(f"for number in range(200): publish(str(number))\n{how}", server.url) == ""
    assert server.contents() == list(map(str, range(200)))


def test_what_is_queued_is_sent_after_an_exception_too(server: ControlServer) -> None:
    assert run("publish('last words'); raise ValueError('ouch')", server.url, code=1).endswith("ValueError: ouch\n")
    assert server.contents() == ["last words"]


def test_callbacks_come_before_the_process_ends(server: ControlServer) -> None:
    script = "publish('x', callback=lambda success, message: print(success, message, file=sys.stderr))"
    assert run(script, server.url) == "True None\n"


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
def test_with_a_dead_proxy_the_process_ends_in_bounded_time_and_says_how_many_were_lost(
    make_server: MakeServer, dead_port: int, fault: str
) -> None:
    url = make_server(hang).url if fault == "hangs" else f"http://127.0.0.1:{dead_port}"
    script = "for number in range(25): publish('x')\n"
    if fault == "hangs":
        script += "while not publisher.lanes[0]._busy: pass"
    stderr = run(script, url, exit_timeout=0.2)
    last = stderr.splitlines()[-1]
    assert last.startswith(f"25 items were not published to {url}: ")
    assert "the process ended first" in last
    if fault == "hangs":
        # Where it is refused a request may be under way as well, at that moment.
        assert "though a request under way may deliver them" in last


def test_what_another_exit_handler_publishes_before_is_sent(server: ControlServer) -> None:
    assert run("atexit.register(lambda: publish('at exit'))", server.url) == ""
    assert server.contents() == ["at exit"]


def test_where_no_thread_can_be_started_the_caller_sends(server: ControlServer) -> None:
    script = """
def refuse(self): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
called = []
publication = publish("x", callback=lambda success, message: called.append(success))
assert publication.done() and called == [True]
"""
    assert run(script, server.url) == ""
    assert server.contents() == ["x"]


def test_a_child_of_multiprocessing_sends_before_it_ends(server: ControlServer) -> None:
    script = """
import multiprocessing
def work(number):
    for part in range(20): publish(f"{number} {part}")
context = multiprocessing.get_context("fork")
publish("parent")
children = [context.Process(target=work, args=(number,)) for number in range(2)]
for child in children: child.start()
for child in children: child.join()
"""
    assert run(script, server.url) == ""
    expected = {"parent"} | {f"{number} {part}" for number in range(2) for part in range(20)}
    assert Counter(server.contents()) == Counter(expected)


def test_a_worker_of_celery_sends_before_it_leaves_by_os_exit(server: ControlServer) -> None:
    script = """
import types
class Signal:
    def connect(self, receiver, weak): self.receiver = receiver
signals = types.ModuleType("celery.signals")
signals.worker_process_shutdown = Signal()
sys.modules["celery.signals"] = signals
pid = os.fork()
if pid == 0:
    for number in range(50): publish(str(number))
    signals.worker_process_shutdown.receiver(sender=None, pid=os.getpid(), exitcode=0)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    assert run(script, server.url) == ""
    assert server.contents() == list(map(str, range(50)))


# ---- fork


def test_a_fork_in_mid_flight_sends_nothing_twice_and_loses_nothing(make_server: MakeServer) -> None:
    server = make_server()
    script = """
for number in range(500): publish(f"before {number}")
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        for number in range(100): publish(f"child {child} {number}")
        sys.exit(0)
    children.append(pid)
    for number in range(100): publish(f"parent {child} {number}")
for pid in children: assert os.waitpid(pid, 0)[1] == 0
"""
    assert run(script, server.url) == ""
    expected = [f"before {number}" for number in range(500)]
    expected += [
        f"{who} {child} {number}" for who in ("child", "parent") for child in range(3) for number in range(100)
    ]
    assert Counter(server.contents()) == Counter(expected)
    # Not even as a repeat that the proxy drops.
    assert server.repeats == 0
    for prefix in ("before", "child 0", "child 1", "child 2", "parent 0"):
        mine = [content for content in server.contents() if content.startswith(prefix)]
        assert mine == sorted(mine, key=lambda content: int(content.split()[-1]))


def test_a_child_begins_with_nothing_to_send_and_its_copies_are_settled(make_server: MakeServer) -> None:
    gate_server = make_server(hang)
    script = """
called = []
publications = [publish(str(number), callback=lambda *args: called.append(args)) for number in range(5)]
while not publisher.lanes[0]._busy: pass
pid = os.fork()
if pid == 0:
    [counters] = publisher.counters().values()
    assert counters.queued == counters.sent == 0, counters
    for publication in publications:
        error = publication.exception(1)
        assert "the parent process sends it" in str(error), error
    assert publisher.flush(1) and not called
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert not publications[0].done()
"""
    stderr = run(script, gate_server.url, exit_timeout=0.1)
    assert stderr.startswith(f"5 items were not published to {gate_server.url}")


def test_a_child_is_not_held_up_by_locks_its_parent_held(server: ControlServer) -> None:
    script = """
from django_grip.publishing.publication import _Shared
from django_grip.publishing.callbacks import _callbacks
publish("before").result(60)
lane = publisher.lanes[0]
with lane._lock, _Shared.lock, _callbacks.condition:
    pid = os.fork()
    if pid == 0:
        publish("child", callback=lambda success, message: publish("callback")).result(60)
        sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""
    assert run(script, server.url) == ""
    assert server.contents() == ["before", "child", "callback"]


def test_a_fork_that_python_was_not_told_of_is_noticed(server: ControlServer) -> None:
    script = """
import ctypes
publish("before").result(60)
for child in range(2):
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        publish(f"child {child}", forced=True)
        publisher.flush(60)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
    assert run(script, server.url) == ""
    # With one id for both, the second child's would be taken for a repeat.
    assert (server.contents(), server.repeats) == (["before", "child 0", "child 1"], 0)


def test_ids_of_a_child_are_its_own(server: ControlServer) -> None:
    script = """
publish("before")
for child in range(2):
    if os.fork() == 0:
        publish(f"child {child}")
        sys.exit(0)
    os.wait()
"""
    assert run(script, server.url) == ""
    ids = {item["id"].split("-")[0] for item in server.taken}
    assert (len(server.taken), len(ids)) == (3, 3)


# ---- servers


def test_gunicorn_with_preload_and_prefork(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server()
    (tmp_path / "app.py").write_text(
        PRELUDE.replace("sys.argv[1]", repr(server.url)).replace("sys.argv[2]", repr(PATIENCE))
        + """
publish("master")

def application(environ, start_response):
    publish("worker " + environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
    )
    import httpx

    from tests.e2e.ports import PortLease, accepts
    from tests.e2e.processes import RigProcess
    from tests.e2e.waiting import wait_until

    lease = PortLease()
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers=2", f"--bind=127.0.0.1:{lease.port}"]
    process = RigProcess(
        "gunicorn",
        [*command, "--chdir", str(tmp_path), "app:application"],
        log=tmp_path / "gunicorn.log",
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        process.start()
        wait_until(lambda: accepts(lease.port), "gunicorn listens")
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            for number in range(40):
                assert client.get(f"http://127.0.0.1:{lease.port}/?{number}").status_code == 200
        process.stop(grace=PATIENCE)
    finally:
        process.close()
        lease.close()
    # The workers have sent what they were asked to, also in the moment they were told to end.
    assert Counter(server.contents()) == Counter(["master", *[f"worker {number}" for number in range(40)]])


class FakeUwsgi:
    def __init__(self, **opt: object) -> None:
        self.opt = {name.replace("_", "-"): value for name, value in opt.items()}


@pytest.mark.parametrize(
    ("uwsgi", "run"),
    [
        (FakeUwsgi(), False),
        (FakeUwsgi(workers=b"2"), False),
        (FakeUwsgi(enable_threads=True), True),
        (FakeUwsgi(enable_threads=b"true"), True),
        (FakeUwsgi(enable_threads=b"false"), False),
        (FakeUwsgi(threads=b"2"), True),
        (None, True),
    ],
)
def test_whether_threads_run_is_known(monkeypatch: pytest.MonkeyPatch, uwsgi: object, run: bool) -> None:
    if uwsgi is not None:
        monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    assert lifecycle.threads_run() is run


def test_in_uwsgi_without_threads_a_publish_sends_before_it_returns(
    monkeypatch: pytest.MonkeyPatch, make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", FakeUwsgi())
    server = make_server()
    publisher = make_publisher(server)
    called: list[tuple[bool, str | None]] = []
    publication = publisher.submit(parcel(publisher), callback=lambda *told: called.append(told))
    assert (publication.done(), server.contents(), called) == (True, ["hello"], [(True, None)])
    assert not publisher.background
    # Other tests of this process may have left theirs running, so only this server's are looked for.
    assert f"grip-publish {server.url}" not in [thread.name for thread in threading.enumerate()]


# ---- inline


def test_threads_that_publish_inline_share_requests(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    gate = threading.Event()
    server = make_server(in_turn(gated(gate), accept))
    publisher = make_publisher(server, background=False)
    threads = [threading.Thread(target=lambda: publisher.submit(parcel(publisher))) for _ in range(10)]
    for thread in threads:
        thread.start()
    wait_accepted(publisher, 10)
    gate.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(len(request.items) for request in server.requests) == [1, 9]
