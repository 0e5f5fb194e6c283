"""Changes of what is no row of a model: lists, and who has opened the object, are told to ask again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from ...endpoints import name_of
from ..channels import list_channel
from ..events import UPDATED
from .announcements import announce
from .asking import Place, is_overridden, read_names
from .batch import Change, record

__all__ = ["note_foreign", "publish_invalidate"]

logger = logging.getLogger("django_grip")


def publish_invalidate(viewset: type[Any], channels: Iterable[str] | None) -> None:
    """Tell lists to ask again; see `LiveViewSetMixin.publish_invalidate`."""
    if channels is None:
        if is_overridden(viewset, "get_live_channels"):
            raise TypeError(
                f"{viewset.__name__} has channels of its own: say which are told, by publish_invalidate([...])."
            )
        channels = [list_channel(viewset)]
    elif isinstance(channels, (str, bytes)):
        raise TypeError(f"{viewset.__name__}.publish_invalidate() takes a list of channels, not {channels!r}.")
    _record(viewset, list(channels))


def note_foreign(view: Any, instance: Any) -> None:
    """Record that a view has changed an object, or some, if they are no model's. Nothing is raised: it is done."""
    many = instance if isinstance(instance, (list, tuple)) else [instance]
    for each in many:
        if each is None or isinstance(each, Model):
            continue
        try:
            channels = read_names(view.get_publish_channels(each))
            own = [view.get_object_channel(each)] if view.is_live_detail else []
            _record(type(view), [*channels, *own])
        except Exception:
            logger.exception("%s: nobody is told of a change.", name_of(type(view)))


def _record(viewset: type[Any], channels: Sequence[str]) -> None:
    change = Change(viewset, None, DEFAULT_DB_ALIAS, None, UPDATED, Place(list(channels)))  # type: ignore[arg-type]
    if connections.settings[DEFAULT_DB_ALIAS]["ENGINE"] == "django.db.backends.dummy":
        announce([change])  # a project without databases has no transactions
    else:
        record(change)
