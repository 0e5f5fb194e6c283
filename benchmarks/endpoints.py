"""What the middleware and the views add to a request, against django-grip 3.5.2, as CPU time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from .peer import ROOT, peer_python
from .report import Target, print_table

__all__ = ["main"]

WORKER = Path(__file__).with_name("endpoint_worker.py")
ROUNDS = 5


def measure(kind: str, stack: str, scenario: str, requests: int, peer: str) -> float:
    """Run one process; microseconds a request."""
    python = peer if kind == "theirs" else sys.executable
    # The predecessor's environment must not find this checkout's django_grip.
    env = {**os.environ, "PYTHONPATH": "" if kind == "theirs" else str(ROOT), "PYTHONHASHSEED": "0"}
    command = [python, str(WORKER), stack, kind, scenario, str(requests)]
    return float(subprocess.run(command, env=env, cwd="/", check=True, capture_output=True, text=True).stdout)


def in_turn(runs: dict[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Run each in turn, and that several times: A B A B, so that a slow spell of the machine meets all alike."""
    figures: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            figures[name].append(run())
    return figures


def ratio(figures: dict[str, list[float]], over: str, under: str, *, less: str | None = None) -> float:
    """The median of one over another, round by round; `less` is taken off both first, as what Django costs alone."""
    off = figures[less] if less else [0.0] * len(figures[over])
    return median((a - o) / max(b - o, 0.1) for a, b, o in zip(figures[over], figures[under], off, strict=True))


def main() -> list[Target]:
    """Measure, print the table and return how the targets were met."""
    peer = peer_python()
    targets: list[Target] = []

    def compare(title: str, scenario: str, requests: int, least: float) -> None:
        kinds = ("bare", "theirs", "ours")
        figures = in_turn({k: partial(measure, k, "wsgi", scenario, requests, peer) for k in kinds})
        added = {k: median(a - b for a, b in zip(figures[k], figures["bare"], strict=True)) for k in kinds[1:]}
        print_table(
            title,
            [(k, f"{median(figures[k]):,.0f} µs", f"+{added[k]:,.1f} µs" if k in added else "") for k in kinds],
        )
        targets.append(
            Target(title, "what theirs adds / what ours adds", ratio(figures, "theirs", "ours", less="bare"), least)
        )

    compare("a signed, ordinary request", "plain", 3000, 5.0)
    compare("a WebSocket request with one message", "echo", 2000, 2.5)
    compare("5,000 messages in one request", "echo:5000", 4, 5.0)
    targets += [_linear(peer), *_asgi(peer), *_views(peer), _imports(peer)]
    return targets


def _linear(peer: str) -> Target:
    sizes = {"1,000": (1000, 20), "100,000": (100_000, 1)}
    figures = in_turn(
        {name: lambda n=n, r=r: measure("ours", "wsgi", f"echo:{n}", r, peer) / n for name, (n, r) in sizes.items()}  # type: ignore[misc]
    )
    print_table("messages in one request", [(name, f"{median(figures[name]):.2f} µs a message", "") for name in sizes])
    return Target(
        "100,000 messages in one request", "cost a message, 1,000 / 100,000", ratio(figures, "1,000", "100,000"), 0.4
    )


def _asgi(peer: str) -> list[Target]:
    targets = []
    for title, scenario, requests in (("an ordinary request", "plain", 1500), ("one message", "echo", 1000)):
        runs = {
            f"{stack} {kind}": partial(measure, kind, stack, scenario, requests, peer)
            for stack in ("wsgi", "asgi")
            for kind in ("bare", "ours")
        }
        figures = in_turn(runs)
        added = {
            stack: median(a - b for a, b in zip(figures[f"{stack} ours"], figures[f"{stack} bare"], strict=True))
            for stack in ("wsgi", "asgi")
        }
        print_table(
            f"{title}, WSGI and ASGI",
            [
                (stack, f"{median(figures[f'{stack} ours']):,.0f} µs", f"+{added[stack]:,.1f} µs")
                for stack in ("wsgi", "asgi")
            ],
        )
        targets.append(
            Target(
                f"{title} under ASGI", "added under WSGI / under ASGI", added["wsgi"] / max(added["asgi"], 0.1), 1 / 1.5
            )
        )
    return targets


def _views(peer: str) -> list[Target]:
    targets = []
    for title, function, view, requests in (
        ("an echo", "echo", "view", 1500),
        ("subscribing to a stream", "hold", "stream", 1500),
    ):
        figures = in_turn({name: partial(measure, "ours", "wsgi", name, requests, peer) for name in (function, view)})
        print_table(
            f"{title}: function view and class view",
            [(name, f"{median(figures[name]):,.0f} µs", "") for name in (function, view)],
        )
        targets.append(Target(f"{title} by a class view", "function / class", ratio(figures, function, view), 1 / 1.3))
    figures = in_turn(
        {
            "bare": lambda: measure("bare", "wsgi", "echo", 1000, peer),
            "1,000": lambda: measure("ours", "wsgi", "json:1000", 10, peer) / 1000,
            "10,000": lambda: measure("ours", "wsgi", "json:10000", 2, peer) / 10_000,
        }
    )
    print_table(
        "JSON messages through a WebSocketView, one send each",
        [(name, f"{median(figures[name]):.2f} µs a message", "") for name in ("1,000", "10,000")],
    )
    # 12 µs where a bare Django request took 73 µs; a slower machine is given as much more.
    allowed = [12 * bare / 73 for bare in figures["bare"]]
    measured = median(a / b for a, b in zip(allowed, figures["1,000"], strict=True))
    targets.append(Target("1,000 JSON messages", "allowed / measured", measured, 1.0))
    targets.append(
        Target("10,000 JSON messages", "cost a message, 1,000 / 10,000", ratio(figures, "1,000", "10,000"), 0.7)
    )
    return targets


def _imports(peer: str) -> Target:
    code = (
        "import time, django, gripcontrol, django.http, django.conf; t = time.process_time(); {}; "
        "print((time.process_time() - t) * 1000)"
    )

    def run(statement: str) -> float:
        command = [sys.executable, "-c", code.format(statement)]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)

    figures = in_turn({"ours": lambda: run("import django_grip.middleware")}, rounds=7)
    print_table("importing the middleware", [("over django and gripcontrol", f"{median(figures['ours']):.0f} ms", "")])
    return Target("importing the middleware", "60 ms / measured", 60 / median(figures["ours"]), 1.0)
