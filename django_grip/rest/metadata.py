"""What ``OPTIONS`` says of the live transports."""

from __future__ import annotations

from typing import Any

__all__ = ["name_transports"]


def name_transports(view: Any, response: Any) -> Any:
    """Add the transports of this URL to the answer to OPTIONS."""
    return response
