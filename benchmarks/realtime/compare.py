"""Runs both engines in turn and tells the ratios."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO, Any

import psutil

from tests.e2e.clients import http_client
from tests.e2e.ports import PortLease, accepts
from tests.e2e.waiting import wait_until

from ..peer import ROOT, make_environment
from ..report import Target, print_table

__all__ = ["main"]

HERE = Path(__file__).parent
ROUNDS = 3
# redis 8 allows a hundred connections at most, and channels-redis 4.3 needs one for each waiting WebSocket.
CHANNELS_PACKAGES = ["channels>=4.3,<5", "channels-redis>=4.3,<5", "redis>=6,<7"]
# Both on the same server.
SERVER_PACKAGES = ("uvicorn", "websockets", "Django")

Figures = dict[str, list[dict[str, float]]]


class Engine:
    """One of the two projects on uvicorn. workers: its processes."""

    def __init__(self, python: str, project: str, workers: int, env: Mapping[str, str]) -> None:
        self.python, self.project, self.workers, self.env = python, project, workers, env

    @contextlib.contextmanager
    def running(self) -> Iterator[tuple[str, psutil.Process]]:
        """Run it; its address and its process."""
        lease = PortLease()
        with tempfile.TemporaryFile() as log:
            process = self._start(lease.port, log)
            try:
                wait_until(partial(_answers, lease.port), f"{self.project} answers")
                yield f"ws://127.0.0.1:{lease.port}", psutil.Process(process.pid)
            finally:
                process.terminate()
                process.wait(60)
                lease.close()
                _show(log)

    def _start(self, port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        bind = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--no-access-log"]
        workers = ["--workers", str(self.workers)] if self.workers > 1 else []
        # The peer must not find this checkout's django_grip.
        path = str(ROOT) if self.workers == 1 else ""
        return subprocess.Popen(
            [self.python, "-m", "uvicorn", *bind, *workers, "--app-dir", str(HERE), f"{self.project}:application"],
            env={**os.environ, "PYTHONPATH": path, **self.env},
            cwd=HERE,
            stderr=log,
        )

    def measure(self, scenario: str, path: str, count: int, rounds: int) -> dict[str, float]:
        with self.running() as (url, _):
            command = [sys.executable, str(HERE / "load.py"), scenario, url + path, str(count), str(rounds)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            figures: dict[str, float] = json.loads(done.stdout)
            return figures

    def measure_memory(self, path: str, count: int) -> dict[str, float]:
        """Kilobytes that an idle connection adds to the server's processes."""
        with self.running() as (url, process):
            # What is loaded with the first connections is no connection's.
            with _held(url + path, 50):
                pass
            before = _memory(process)
            with _held(url + path, count):
                return {"kilobytes": (_memory(process) - before) / count / 1000}


def _show(log: IO[bytes]) -> None:
    """What the server complained about: the end of it, as a figure may come of that."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()
    if lines:
        print(f"  (the server logged {len(lines)} lines, the last: {lines[-1][:200]})", file=sys.stderr)


def _answers(port: int) -> bool:
    if not accepts(port):
        return False
    with http_client(f"http://127.0.0.1:{port}") as client:
        return client.get("/ready/").status_code == 200


@contextlib.contextmanager
def _held(url: str, count: int) -> Iterator[None]:
    command = [sys.executable, str(HERE / "load.py"), "idle", url, str(count), "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        assert clients.stdout is not None
        assert clients.stdout.readline() == "open\n"
        yield
        clients.communicate("")


def _memory(process: psutil.Process) -> int:
    return sum(one.memory_full_info().uss for one in (process, *process.children(recursive=True)))


@contextlib.contextmanager
def _redis() -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("This benchmark runs Channels with Redis: apt-get install redis-server.")
    lease = PortLease()
    options = ["--bind", "127.0.0.1", "--port", str(lease.port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: accepts(lease.port), "Redis answers")
        yield f"redis://127.0.0.1:{lease.port}/0"
    finally:
        process.terminate()
        process.wait(30)
        lease.close()


def main() -> list[Target]:
    """Measure, print the tables and return how the targets were met."""
    peer = make_environment(".venv-channels", CHANNELS_PACKAGES, same=SERVER_PACKAGES)
    with _redis() as redis:
        engines = {
            "theirs": Engine(peer, "channels_project", 2, {"BENCH_REDIS": redis}),
            "ours": Engine(sys.executable, "embedded_project", 1, {}),
        }
        return [*_fan_out(engines), *_many(engines), *_echo(engines), *_idle(engines)]


def _in_turn(engines: Mapping[str, Engine], *run: Any, rounds: int = ROUNDS) -> Figures:
    figures: Figures = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            figures[name].append(engine.measure(*run))
    return figures


def _ratio(figures: Figures, what: str, over: str, under: str) -> float:
    return median(a[what] / b[what] for a, b in zip(figures[over], figures[under], strict=True))


def _median(figures: Figures, name: str, what: str) -> float:
    return median(figure[what] for figure in figures[name])


def _fan_out(engines: Mapping[str, Engine]) -> list[Target]:
    bursts = _in_turn(engines, "burst", "/room/", 1000, 20)
    single = _in_turn(engines, "broadcast", "/room/", 1000, 15)
    print_table(
        "a broadcast to 1,000 WebSockets (theirs: 2 processes and Redis; ours: 1 process)",
        [
            (
                name,
                f"{_median(bursts, name, 'rate'):,.0f} deliveries/s",
                f"{_median(single, name, 'time') * 1000:,.0f} ms until all have it",
                f"{sum(figure['lost'] for figure in (*bursts[name], *single[name])):,.0f} lost",
            )
            for name in engines
        ],
    )
    lost = sum(figure["lost"] for figure in (*bursts["ours"], *single["ours"]))
    return [
        Target("1,000 WebSockets", "deliveries/s, ours / theirs", _ratio(bursts, "rate", "ours", "theirs"), 2.0),
        Target(
            "1,000 WebSockets", "time until all have it, theirs / ours", _ratio(single, "time", "theirs", "ours"), 2
        ),
        Target("1,000 WebSockets", "lost by ours, negative", -lost, 0),
    ]


def _many(engines: Mapping[str, Engine]) -> list[Target]:
    figures = _in_turn(engines, "broadcast", "/room/", 5000, 5, rounds=1)
    print_table(
        "a broadcast to 5,000 WebSockets",
        [
            (name, f"{_median(figures, name, 'time') * 1000:,.0f} ms", f"{_median(figures, name, 'lost'):,.0f} lost")
            for name in engines
        ],
    )
    return [Target("5,000 WebSockets", "lost by ours, negative", -_median(figures, "ours", "lost"), 0)]


def _echo(engines: Mapping[str, Engine]) -> list[Target]:
    targets = []
    for title, path, least in (("async hooks", "/echo/", 0.3), ("sync hooks", "/sync-echo/", 0.1)):
        figures: Figures = {name: [] for name in engines}
        for _ in range(ROUNDS):
            for name, engine in engines.items():
                # Both against Channels' faster consumer, the async one.
                figures[name].append(engine.measure("echo", "/echo/" if name == "theirs" else path, 50, 200))
        print_table(
            f"echo on 50 WebSockets, {title}",
            [(name, f"{_median(figures, name, 'rate'):,.0f} messages/s") for name in engines],
        )
        targets.append(
            Target(f"echo, {title}", "messages/s, ours / theirs", _ratio(figures, "rate", "ours", "theirs"), least)
        )
    return targets


def _idle(engines: Mapping[str, Engine]) -> list[Target]:
    figures: Figures = {name: [engine.measure_memory("/room/", 2000)] for name, engine in engines.items()}
    print_table(
        "an idle WebSocket", [(name, f"{_median(figures, name, 'kilobytes'):,.1f} kB of memory") for name in engines]
    )
    return [Target("an idle WebSocket", "memory, theirs / ours", _ratio(figures, "kilobytes", "theirs", "ours"), 1.0)]
