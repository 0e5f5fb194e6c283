"""Changes that a viewset makes, or is told of in bulk: each is told to its subscribers when its transaction commits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from django.db import router
from django.db.models import Manager, Model, QuerySet

from ..channels import list_channel
from ..events import CREATED, DELETED, UPDATED
from ..objects import family_of, key_of
from .announcements import MAX_OBJECTS
from .asking import (
    Place,
    ask_after,
    ask_before,
    ask_own,
    depends_on_rows,
    find_shown,
    has_own_channels,
    is_shown,
    leaves_out,
    name_of,
)
from .batch import Change, record, together
from .foreign import note_foreign

__all__ = ["MAX_OBJECTS", "list_changes", "publish_changes", "watch"]

logger = logging.getLogger("django_grip")


def watch(view: Any) -> None:
    """Publish what the view's perform_create, perform_update and perform_destroy do in this request.

    They are wrapped on the instance, so that a project's own need not call super().
    """
    for name, watched in (("perform_create", _create), ("perform_update", _update), ("perform_destroy", _destroy)):
        method = getattr(view, name, None)
        if callable(method) and name not in vars(view):
            setattr(view, name, partial(watched, view, method))


# -- what a request does -------------------------------------------------------------------------------------------


def _create(view: Any, save: Callable[..., Any], serializer: Any, *args: Any, **kwargs: Any) -> Any:
    with together():
        result = save(serializer, *args, **kwargs)
        for instance in _instances_of(serializer):
            _note(view, instance, CREATED)
        note_foreign(view, getattr(serializer, "instance", None))
    return result


def _update(view: Any, save: Callable[..., Any], serializer: Any, *args: Any, **kwargs: Any) -> Any:
    key = partial(key_of, type(view))
    olds = {key(instance): instance for instance in _instances_of(serializer)}
    before = _find_before(view, olds)
    with together():
        result = save(serializer, *args, **kwargs)
        news = _instances_of(serializer)
        for instance in news:
            action = UPDATED if key(instance) in before else CREATED
            _note(view, instance, action, before.get(key(instance)))
        for pk in before:
            if pk not in [key(instance) for instance in news]:
                # A list's update may delete; and what is given another key leaves its old row, or none.
                _note(view, olds[pk], DELETED, before[pk], pk=pk)
        note_foreign(view, getattr(serializer, "instance", None))
    return result


def _destroy(view: Any, delete: Callable[..., Any], instance: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(instance, Model):
        result = delete(instance, *args, **kwargs)
        note_foreign(view, instance)
        return result
    pk, alias = key_of(type(view), instance), router.db_for_write(type(instance), instance=instance)
    before = _find_before(view, {pk: instance})
    with together():
        result = delete(instance, *args, **kwargs)
        # Django takes the key from what it has deleted. Others may have deleted it in other ways, or hidden it.
        is_gone = instance.pk is None
        action = DELETED if pk in before else CREATED
        _note(view, instance, action, before.get(pk), pk=pk, alias=alias, is_gone=is_gone)
    return result


def _find_before(view: Any, instances: dict[Any, Model]) -> dict[Any, Place]:
    """The places of those of the objects that are shown, before anything is done to them. The keys are theirs."""
    viewset = type(view)
    before: dict[Any, Place] = {}
    for pk, instance in instances.items():
        model = type(instance)
        # Not the database it was read from, which may be a replica.
        alias = router.db_for_write(model, instance=instance)
        if is_shown(viewset, family_of(viewset, model), alias, pk):
            before[pk] = ask_before(viewset, view, instance)
    return before


def _instances_of(serializer: Any) -> list[Model]:
    """The objects a serializer has: one, many, or none."""
    instance = getattr(serializer, "instance", None)
    if isinstance(instance, Manager):
        instance = instance.all()
    many = instance if isinstance(instance, (list, tuple, QuerySet)) else [instance]
    return [each for each in many if isinstance(each, Model)]


def _note(
    view: Any,
    instance: Model,
    action: str,
    before: Place | None = None,
    *,
    pk: Any = None,
    alias: str | None = None,
    is_gone: bool = False,
) -> None:
    """Record what a view has done to an object. Nothing is raised: it is done."""
    pk = key_of(type(view), instance) if pk is None else pk
    if action == CREATED and instance._state.adding:
        return  # it was not saved
    viewset, model = type(view), type(instance)
    try:
        alias = alias or router.db_for_write(model, instance=instance)
        if pk is None:
            # Saved in bulk, by a database that does not tell the keys it gives.
            before = ask_after(viewset, view, instance)
        record(Change(viewset, family_of(viewset, model), alias, pk, action, before, None if is_gone else view))
    except Exception:
        logger.exception("%s: nobody is told of object %r.", name_of(viewset), pk)


# -- in bulk -------------------------------------------------------------------------------------------------------


def publish_changes(viewset: type[Any], queryset: Any, *, action: str) -> None:
    """Tell of the objects of a queryset; see `LiveViewSetMixin.publish_changes`."""
    if not isinstance(queryset, (QuerySet, Manager)):
        fix = "; of one object: objects.filter(pk=instance.pk)" if isinstance(queryset, Model) else ""
        raise TypeError(f"{viewset.__name__}.publish_changes() takes a queryset, not {type(queryset).__name__}{fix}.")
    if action not in (CREATED, UPDATED, DELETED):
        raise ValueError(
            f'{viewset.__name__}.publish_changes(): action is "created", "updated" or "deleted", not {action!r}.'
        )
    rows: Any = queryset.all()
    alias = rows._db or router.db_for_write(rows.model)
    for change in list_changes(viewset, rows.using(alias), action, alias):
        record(change)


def list_changes(viewset: type[Any], rows: QuerySet[Any], action: str, alias: str) -> Iterable[Change]:
    """The changes of a queryset's objects; of more than MAX_OBJECTS, one for all. Now is when channels are asked."""
    make = partial(Change, viewset, family_of(viewset, rows.model), alias)
    pks = list(rows.values_list("pk", flat=True)[: MAX_OBJECTS + 1])
    if len(pks) > MAX_OBJECTS:
        return [make(None, action, Place(list(_channels_of_many(viewset, rows))))]
    if not (depends_on_rows(viewset, rows.model) or (action == DELETED and leaves_out(viewset))):
        return [make(pk, action) for pk in pks]
    if action != DELETED:
        # It is not known what was before.
        return [make(key_of(viewset, row), action, ask_own(viewset, None, row)) for row in rows]
    # Afterwards there is nothing left to ask about.
    keys = [key_of(viewset, row) for row in rows]
    shown = find_shown(viewset, family_of(viewset, rows.model), alias, keys)
    return [make(key, action, ask_before(viewset, None, shown[key])) for key in keys if key in shown]


def _channels_of_many(viewset: type[Any], rows: QuerySet[Any]) -> Iterator[str]:
    """Each channel once. Objects are read one after the other, so there may be as many as one likes."""
    if not has_own_channels(viewset):
        yield list_channel(viewset)
        return
    seen: set[str] = set()
    objects = rows.iterator(chunk_size=1000)
    while part := list(islice(objects, 1000)):
        for row in part:
            new = set(ask_before(viewset, None, row).lists or ()) - seen
            seen |= new
            yield from sorted(new)
