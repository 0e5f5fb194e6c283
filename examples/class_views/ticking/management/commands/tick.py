"""``manage.py tick``: change the price every second, and tell everybody."""

from __future__ import annotations

import threading
from typing import Any

import store
from django.core.management.base import BaseCommand, CommandParser
from urls import Ticker, price_event


class Command(BaseCommand):
    help = "Changes the ticker's price every second until it is ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--times", type=int, default=0, help="end by itself after so many changes")
        parser.add_argument("--pause", type=float, default=1.0, help="seconds between two changes")

    def handle(self, *args: Any, times: int, pause: float, **options: Any) -> None:
        wait = threading.Event()
        done = 0
        while not times or done < times:
            Ticker.broadcast(price_event(*store.next_price()))
            done += 1
            wait.wait(pause)
