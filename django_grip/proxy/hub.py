"""Who is subscribed to which channel, and what becomes of a published item: ids, order, and whom it goes to."""

from __future__ import annotations

from .published import PublishedItem

__all__ = ["PublishedItem"]
