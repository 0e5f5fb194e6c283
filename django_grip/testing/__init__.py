"""What users test their own views with: Django's test clients with the embedded proxy behind them (docs/testing.md).

Beside the house: it may use every floor, and nothing in the package imports it.
"""

from __future__ import annotations

from .capture import Captured, Published, capture_publishes
from .client import AsyncGripClient, GripClient, GripTestMixin
from .clock import Clock
from .errors import NothingReceived, NotOpened, SomethingReceived
from .events import ReceivedEvent
from .longpoll import AsyncLongPoll, LongPoll
from .stream import AsyncStream, Stream
from .websocket import AsyncWebSocket, WebSocket

__all__ = [
    "AsyncGripClient",
    "AsyncLongPoll",
    "AsyncStream",
    "AsyncWebSocket",
    "Captured",
    "Clock",
    "GripClient",
    "GripTestMixin",
    "LongPoll",
    "NotOpened",
    "NothingReceived",
    "Published",
    "ReceivedEvent",
    "SomethingReceived",
    "Stream",
    "WebSocket",
    "capture_publishes",
]
