"""The WebSocket of a live viewset."""

from __future__ import annotations

from typing import Any

__all__ = ["answer"]


def answer(view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
    """Answer WebSocket events that came to a route of a live viewset."""
    raise NotImplementedError
