"""What our ASGI application costs a request, against Django's own and against Django on WSGI, as CPU time."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median

from .endpoints import in_turn, ratio
from .peer import ROOT
from .report import Target, print_table

__all__ = ["main"]

WORKER = Path(__file__).with_name("handler_worker.py")
REQUESTS = 600
ROUNDS = 3
# What is asked for, and how often ours has to fit into Django's.
CASES = (
    ("the middleware alone, an async view", "grip", "async", 4.0),
    ("the middleware alone, a sync view", "grip", "sync", 2.0),
    ("Django's usual middleware, a sync view", "default", "sync", 4.0),
    ("Django's usual middleware, an async view", "default", "async", 3.5),
)


def measure(kind: str, stack: str, view: str) -> float:
    """Run one process; microseconds a request."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(WORKER), kind, stack, view, str(REQUESTS)]
    return float(subprocess.run(command, env=env, cwd="/", check=True, capture_output=True, text=True).stdout)


def main() -> list[Target]:
    """Measure, print the table and return how the targets were met."""
    targets: list[Target] = []
    for title, stack, view, least in CASES:
        # An async view on WSGI starts an event loop for each request: nobody serves it so.
        kinds = ("wsgi", "django", "ours") if view == "sync" else ("django", "ours")
        figures = in_turn({kind: partial(measure, kind, stack, view) for kind in kinds}, ROUNDS)
        print_table(title, [(kind, f"{median(figures[kind]):,.0f} µs") for kind in kinds])
        targets.append(Target(title, "Django's ASGI / ours", ratio(figures, "django", "ours"), least))
    return targets
