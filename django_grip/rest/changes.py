"""What changed in a transaction, told when it commits."""

from __future__ import annotations

from typing import Any

__all__ = ["MAX_OBJECTS", "publish_changes", "watch"]

MAX_OBJECTS = 100


def watch(view: Any) -> None:
    """Publish what the view's perform_create, perform_update and perform_destroy do in this request."""


def publish_changes(viewset: type, queryset: Any, *, action: str) -> None:
    """Tell of the objects of a queryset; see `LiveViewSetMixin.publish_changes`."""
