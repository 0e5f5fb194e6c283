"""Class-based views for realtime endpoints: subclass one, define its hooks, route it in ``urls.py``."""

from __future__ import annotations

from .event_stream import EventStreamView
from .longpoll import LongPollView
from .stream import StreamView
from .websocket import WebSocketView

__all__ = ["EventStreamView", "LongPollView", "StreamView", "WebSocketView"]
