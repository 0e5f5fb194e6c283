"""How fast items leave, against pubcontrol 3.5.0 through django-grip 3.5.2, both with JWT, to a real Pushpin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

from tests.e2e.ports import PortLease
from tests.e2e.pushpin import Pushpin

from .endpoints import in_turn
from .peer import ROOT, peer_python
from .report import Target, print_table

__all__ = ["main"]

WORKER = Path(__file__).with_name("publish_worker.py")

Figures = dict[str, list[dict[str, float]]]


def measure(kind: str, scenario: str, url: str, count: int, peer: str) -> dict[str, float]:
    """Run one process."""
    python = peer if kind == "theirs" else sys.executable
    # The predecessor's environment must not find this checkout's django_grip.
    env = {**os.environ, "PYTHONPATH": "" if kind == "theirs" else str(ROOT), "PYTHONHASHSEED": "0"}
    command = [python, str(WORKER), scenario, url, str(count)]
    done = subprocess.run(command, env=env, cwd="/", check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> list[Target]:
    """Measure, print the tables and return how the targets were met."""
    peer = peer_python()
    pushpin = Pushpin(target_port=9)
    try:
        pushpin.start()
        return [*_speed(peer, pushpin.control_url), _memory(peer)]
    finally:
        pushpin.close()


def _speed(peer: str, url: str) -> list[Target]:
    def compare(title: str, ours: tuple[str, int], theirs: tuple[str, int]) -> Figures:
        figures: Figures = in_turn(
            {  # type: ignore[arg-type]
                "theirs": partial(measure, "theirs", theirs[0], url, theirs[1], peer),
                "ours": partial(measure, "ours", ours[0], url, ours[1], peer),
            }
        )
        rows = [
            (
                kind,
                f"{median(figure['rate'] for figure in figures[kind]):,.0f} items/s",
                f"{median(figure['cpu'] for figure in figures[kind]):,.0f} µs CPU an item",
            )
            for kind in ("theirs", "ours")
        ]
        print_table(title, rows)
        return figures

    background = compare("not blocking", ("background", 40_000), ("background", 8000))
    blocking = compare("blocking, one thread", ("blocking", 1500), ("blocking", 400))
    threads = compare("blocking, 16 threads", ("threads", 8000), ("threads", 480))
    tasks = compare("apublish from 100 tasks; theirs blocking in one thread", ("tasks", 10_000), ("blocking", 400))
    return [
        Target("publish, not blocking", "items/s, ours / theirs", _times_faster(background), 5.0),
        Target("publish, not blocking", "CPU an item, theirs / ours", _times_cheaper(background), 5.0),
        Target("publish, blocking, one thread", "items/s, ours / theirs", _times_faster(blocking), 2.5),
        Target("publish, blocking, 16 threads", "items/s, ours / theirs", _times_faster(threads), 8.0),
        Target("apublish from 100 tasks", "items/s, ours / theirs blocking", _times_faster(tasks), 8.0),
    ]


def _memory(peer: str) -> Target:
    lease = PortLease()
    try:
        figures = measure("ours", "down", f"http://127.0.0.1:{lease.port}", 1_000_000, peer)
    finally:
        lease.close()
    megabytes = figures["grown"] / 1024
    print_table("1,000,000 publishes while the proxy is down", [("memory grows by", f"{megabytes:.1f} MB")])
    return Target("memory while the proxy is down", "5 MB / measured", 5 / max(megabytes, 0.1), 1.0)


def _times_faster(figures: Figures) -> float:
    pairs = zip(figures["ours"], figures["theirs"], strict=True)
    return median(ours["rate"] / theirs["rate"] for ours, theirs in pairs)


def _times_cheaper(figures: Figures) -> float:
    pairs = zip(figures["ours"], figures["theirs"], strict=True)
    return median(theirs["cpu"] / ours["cpu"] for ours, theirs in pairs)
