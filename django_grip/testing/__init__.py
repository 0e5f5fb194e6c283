"""What users test their own views with: Django's test clients with the embedded proxy behind them (docs/testing.md).

Beside the house: it may use every floor, and nothing in the package imports it. The names are imported when they are
first used, as pytest loads the fixtures in this package also where there is no Django.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .capture import Captured as Captured
    from .capture import Published as Published
    from .capture import capture_publishes as capture_publishes
    from .client import AsyncGripClient as AsyncGripClient
    from .client import GripClient as GripClient
    from .client import GripTestMixin as GripTestMixin
    from .clock import Clock as Clock
    from .errors import NothingReceived as NothingReceived
    from .errors import NotOpened as NotOpened
    from .errors import SomethingReceived as SomethingReceived
    from .events import ReceivedEvent as ReceivedEvent
    from .longpoll import AsyncLongPoll as AsyncLongPoll
    from .longpoll import LongPoll as LongPoll
    from .stream import AsyncStream as AsyncStream
    from .stream import Stream as Stream
    from .websocket import AsyncWebSocket as AsyncWebSocket
    from .websocket import WebSocket as WebSocket

_HOMES = {
    "AsyncGripClient": "client",
    "AsyncLongPoll": "longpoll",
    "AsyncStream": "stream",
    "AsyncWebSocket": "websocket",
    "Captured": "capture",
    "Clock": "clock",
    "GripClient": "client",
    "GripTestMixin": "client",
    "LongPoll": "longpoll",
    "NotOpened": "errors",
    "NothingReceived": "errors",
    "Published": "capture",
    "ReceivedEvent": "events",
    "SomethingReceived": "errors",
    "Stream": "stream",
    "WebSocket": "websocket",
    "capture_publishes": "capture",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
