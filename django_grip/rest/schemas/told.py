"""What the subscribers of a route are told of objects, as `rest.changes.announcements` tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from ..changes.asking import may_tell
from ..events import CREATED, DELETED, UPDATED

__all__ = ["ANY_PK", "pk_schema", "shown_serializer", "told_actions"]

Schema = dict[str, Any]

ANY_PK: Schema = {"type": ["string", "integer"]}
"""As WebSocket messages take a key; a URL has it as text."""


def told_actions(view: Any, *, is_detail: bool) -> tuple[str, ...]:
    """The changes that are told one by one; besides them there is ``invalidate``."""
    if is_detail:
        return (UPDATED, DELETED)
    return (CREATED, UPDATED, DELETED) if may_tell(type(view)) else ()


def shown_serializer(view: Any, *, is_detail: bool) -> Any:
    """The serializer that makes an event's data, if there is any: not for those who may have lost the right to it."""
    is_shown = view.live_public if is_detail else may_tell(type(view))
    return view.live_serializer_class if is_shown else None


def pk_schema(view: Any) -> Schema:
    """Of what kind the keys in events are, by the model of the queryset or of the serializer: as in the URLs."""
    model = getattr(getattr(view, "queryset", None), "model", None)
    if model is None:
        model = getattr(getattr(getattr(view, "serializer_class", None), "Meta", None), "model", None)
    field = _find_field(model, view.lookup_field.split("__"))
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, getattr(models, "CompositePrimaryKey", ())):  # of Django 5.2
        return {"type": "array", "items": dict(ANY_PK)}
    if isinstance(field, models.IntegerField):
        return {"type": "integer"}
    if isinstance(field, models.UUIDField):
        return {"type": "string", "format": "uuid"}
    return {"type": "string"} if isinstance(field, models.CharField) else dict(ANY_PK)


def _find_field(model: Any, names: Sequence[str]) -> Any:
    """The field that a lookup ends at; None for what is none, such as an annotation."""
    field: Any = None
    for name in names:
        if model is None:
            # The rest says how it is compared, such as "iexact".
            break
        try:
            field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except FieldDoesNotExist:
            return None
        model = field.related_model if field.is_relation else None
    return field
