"""What is wrong with a live viewset."""

from __future__ import annotations

__all__ = ["check_viewset"]


def check_viewset(viewset: type) -> None:
    """Refuse a class that cannot work, when the URLconf is loaded. Raises: ImproperlyConfigured."""
