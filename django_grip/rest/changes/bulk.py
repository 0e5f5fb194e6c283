"""Changes in bulk, which neither a viewset nor signals tell of: a project says so itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from django.db import router
from django.db.models import Manager, Model, QuerySet

from ...endpoints import name_of
from ..channels import list_channel
from ..events import CREATED, DELETED, UPDATED
from ..objects import family_of, key_of
from .announcements import MAX_OBJECTS
from .asking import Place, ask_before, ask_own, depends_on_rows, find_shown, has_own_channels, leaves_out
from .batch import Change, record, together

__all__ = ["MAX_OBJECTS", "changing", "list_changes", "publish_changes"]

logger = logging.getLogger("django_grip")

# How many objects one query asks for.
_PART = 1000


def publish_changes(viewset: type[Any], queryset: Any, *, action: str) -> None:
    """Tell of the objects of a queryset; see `LiveViewSetMixin.publish_changes`."""
    rows, alias = _read(viewset, queryset, "publish_changes")
    if action not in (CREATED, UPDATED, DELETED):
        raise ValueError(
            f'{viewset.__name__}.publish_changes(): action is "created", "updated" or "deleted", not {action!r}.'
        )
    for change in list_changes(viewset, rows, action, alias):
        record(change)


@contextmanager
def changing(viewset: type[Any], queryset: Any) -> Iterator[None]:
    """Tell of the objects of a queryset that this block changes; see `LiveViewSetMixin.changing`."""
    rows, alias = _read(viewset, queryset, "changing")
    model = family_of(viewset, rows.model)
    keys = list(rows.values_list(model._meta.pk.name, flat=True))
    changes = list(_list_before(viewset, model, alias, keys))
    # Nothing is held meanwhile, as a generator may be suspended here, and closed on another thread.
    try:
        yield
    except BaseException:
        # Where each query is a transaction, what was written stands. What is recorded goes with what is rolled back.
        try:
            _record_after(viewset, model, alias, keys, changes)
        except Exception:
            logger.exception("%s: not all are told of what a block that failed had changed.", name_of(viewset))
        raise
    _record_after(viewset, model, alias, keys, changes)


def _read(viewset: type[Any], queryset: Any, method: str) -> tuple[QuerySet[Any], str]:
    """The queryset on the database that is written to, and which that is."""
    if not isinstance(queryset, (QuerySet, Manager)):
        fix = "; of one object: objects.filter(pk=instance.pk)" if isinstance(queryset, Model) else ""
        raise TypeError(f"{viewset.__name__}.{method}() takes a queryset, not {type(queryset).__name__}{fix}.")
    rows: Any = queryset.all()
    alias = rows._db or router.db_for_write(rows.model)
    return rows.using(alias), alias


# -- what is recorded ----------------------------------------------------------------------------------------------


def list_changes(viewset: type[Any], rows: QuerySet[Any], action: str, alias: str) -> Iterable[Change]:
    """The changes of a queryset's objects; of more than MAX_OBJECTS, one for all. Now is when channels are asked."""
    model = family_of(viewset, rows.model)
    make = partial(Change, viewset, model, alias)
    keys = list(rows.values_list(model._meta.pk.name, flat=True)[: MAX_OBJECTS + 1])
    if len(keys) > MAX_OBJECTS:
        return [make(None, action, Place(list(_channels_of_many(viewset, rows))))]
    if action == DELETED and (depends_on_rows(viewset, model) or leaves_out(viewset)):
        # Afterwards there is nothing left to ask about.
        shown = find_shown(viewset, model, alias, keys)
        return [make(key, action, ask_before(viewset, None, shown[key])) for key in keys if key in shown]
    if depends_on_rows(viewset, model):
        # It is not known what was before.
        return [make(key_of(viewset, row), action, ask_own(viewset, None, row)) for row in rows]
    return [make(key, action) for key in keys]


def _list_before(viewset: type[Any], model: type[Any], alias: str, keys: Sequence[Any]) -> Iterable[Change]:
    """The changes that are going to be made to some objects, each with its place before; of too many, one for all."""
    make = partial(Change, viewset, model, alias)
    if len(keys) > MAX_OBJECTS:
        return [make(None, UPDATED, Place(list(_channels_of_many(viewset, _rows_of(viewset, model, alias, keys)))))]
    if not depends_on_rows(viewset, model) and not leaves_out(viewset):
        return [make(key, UPDATED) for key in keys]
    shown = find_shown(viewset, model, alias, keys)
    return [
        # What is not shown yet is new where it is shown then.
        make(key, UPDATED, ask_before(viewset, None, shown[key])) if key in shown else make(key, CREATED)
        for key in keys
    ]


def _record_after(viewset: type[Any], model: type[Any], alias: str, keys: Sequence[Any], changes: list[Change]) -> None:
    """Record the changes that were made to some objects, and have them told as one. They are taken from the list."""
    with together():
        while changes:
            # Nothing here refers to it any longer: an error's traceback would keep what is rolled back (see batch.py).
            record(changes.pop(0))
        if len(keys) > MAX_OBJECTS and has_own_channels(viewset):
            channels = _channels_of_many(viewset, _rows_of(viewset, model, alias, keys))
            record(Change(viewset, model, alias, None, UPDATED, Place(list(channels))))


def _rows_of(viewset: type[Any], model: type[Any], alias: str, keys: Sequence[Any]) -> Iterator[Any]:
    """Those of the objects that are shown, part by part."""
    for start in range(0, len(keys), _PART):
        yield from find_shown(viewset, model, alias, keys[start : start + _PART]).values()


def _channels_of_many(viewset: type[Any], rows: Iterable[Any]) -> Iterator[str]:
    """Each channel once. Objects are read one after the other, so there may be as many as one likes."""
    if not has_own_channels(viewset):
        yield list_channel(viewset)
        return
    seen: set[str] = set()
    objects = rows.iterator(chunk_size=_PART) if isinstance(rows, QuerySet) else iter(rows)
    while part := list(islice(objects, _PART)):
        for row in part:
            new = set(ask_before(viewset, None, row).lists or ()) - seen
            seen |= new
            yield from sorted(new)
