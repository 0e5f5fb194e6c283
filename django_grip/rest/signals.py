"""Changes made elsewhere: by Django's model signals."""

from __future__ import annotations

__all__ = ["connect"]


def connect(viewset: type) -> None:
    """Publish what the signals of the viewset's model tell."""
