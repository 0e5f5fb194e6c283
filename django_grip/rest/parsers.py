"""Parsers: newline-delimited JSON, and that of WebSocket actions."""

from __future__ import annotations

from typing import Any

from rest_framework.parsers import JSONParser

__all__ = ["NDJSONParser", "live_parsers"]


class NDJSONParser(JSONParser):
    """Newline-delimited JSON."""

    media_type = "application/x-ndjson"


def live_parsers(view: Any, parsers: list[Any]) -> list[Any]:
    """The parsers of a live viewset: its own, and behind them that of WebSocket actions."""
    return parsers
