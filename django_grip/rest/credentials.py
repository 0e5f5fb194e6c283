"""Credentials that come by other ways than a header, put where authenticators look for them."""

from __future__ import annotations

from typing import Any

__all__ = ["restore"]


def restore(view: Any, request: Any) -> None:
    """Put the credentials of a link, or of the subprotocol ``bearer.<token>``, into the request's Authorization."""
