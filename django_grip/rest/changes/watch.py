"""Changes that a viewset makes: each is told to its subscribers when its transaction commits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import router
from django.db.models import Manager, Model, QuerySet

from ...endpoints import name_of
from ..events import CREATED, DELETED, UPDATED
from ..objects import family_of, key_of
from .asking import (
    Place,
    ask_after,
    ask_before,
    is_shown,
)
from .batch import Change, record, together
from .foreign import note_foreign

__all__ = ["watch"]

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
