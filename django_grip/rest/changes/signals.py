"""Changes made elsewhere (the admin, a shell, another viewset), by Django's model signals.

They are connected when a viewset with ``live_signals`` is routed. A process that never loads the URLconf, such as a
shell or a task's worker, connects them in some AppConfig's ready(): ``TicketViewSet.connect_live_signals()``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import ManyToManyField, Model
from django.db.models.signals import ModelSignal, m2m_changed, post_delete, post_save, pre_delete, pre_save

from ...endpoints import name_of
from ..events import CREATED, DELETED, UPDATED
from .announcements import MAX_OBJECTS
from .asking import Place, ask_before, depends_on_rows, is_shown, leaves_out, shown_rows
from .batch import Change, next_number, record
from .bulk import list_changes

__all__ = ["connect", "disconnect"]

logger = logging.getLogger("django_grip")

_listeners: dict[type[Any], _Listener] = {}


def connect(viewset: type[Any]) -> None:
    """Publish what the signals of the viewset's model tell. Once is enough, and more does no harm.

    Raises: ImproperlyConfigured, when it is not known which model that is.
    """
    if viewset in _listeners:
        return
    if viewset.queryset is None:
        raise ImproperlyConfigured(
            f"{viewset.__name__}.live_signals needs to know whose signals: set queryset, as in "
            "queryset = Ticket.objects.all(); get_queryset() decides all the same what a request sees."
        )
    apps.check_models_ready()
    listener = _listeners[viewset] = _Listener(viewset, viewset.queryset.model._meta.concrete_model)
    listener.connect()


def disconnect(viewset: type[Any]) -> None:
    """Publish no more what the signals tell; for tests."""
    listener = _listeners.pop(viewset, None)
    if listener is not None:
        listener.disconnect()


class _Begun(NamedTuple):
    """What is to be told of a change, once it is made."""

    action: str
    before: Place | None
    number: int


class _Listener:
    """What one viewset hears of one model.

    Signals are connected for each model whose saving can change such an object, never for all models: a receiver of
    its deletions makes a model's deletions slower.
    """

    def __init__(self, viewset: type[Any], model: type[Model]) -> None:
        self._viewset = viewset
        self._model = model
        self._connected: list[tuple[ModelSignal, type[Model], Any]] = []

    def connect(self) -> None:
        for sender in _find_kin(self._model):
            self._listen(pre_save, sender, self.before_save)
            self._listen(post_save, sender, self.after_save)
            self._listen(pre_delete, sender, self.before_delete)
            self._listen(post_delete, sender, self.after_delete)
        for sender in _find_ancestors(self._model):
            # A deletion of theirs comes to the model itself, by Django.
            self._listen(pre_save, sender, self.before_save)
            self._listen(post_save, sender, self.after_save)
        for field in self._model._meta.many_to_many:
            self._listen(m2m_changed, field.remote_field.through, _Relation(self, field).changed)

    def disconnect(self) -> None:
        for signal, sender, receiver in self._connected:
            signal.disconnect(receiver, sender=sender)

    def _listen(self, signal: ModelSignal, sender: Any, receiver: Any) -> None:
        # The list holds the bound method, which is how it is found again.
        signal.connect(receiver, sender=sender, weak=False)
        self._connected.append((signal, sender, receiver))

    # -- rows ------------------------------------------------------------------------------------------------------

    def before_save(self, *, instance: Model, raw: bool, using: str, **kwargs: Any) -> None:
        # What loaddata brings is to be taken as it comes; the rows it refers to may not be there yet.
        if raw:
            return
        pk = self.key_of(instance)
        if not self._asks() or _will_insert(instance):
            self._begin(instance, UPDATED)
            return
        # What the instance was before, only its row still knows.
        row = self._rows(using, [pk]).first()
        if row is None:
            self._begin(instance, CREATED)
        else:
            self._begin(instance, UPDATED, ask_before(self._viewset, None, row))

    def after_save(self, *, instance: Model, created: bool, raw: bool, using: str, **kwargs: Any) -> None:
        if raw:
            return
        begun = self._end(instance, UPDATED)
        pk = self.key_of(instance)
        if created and isinstance(instance, self._model):
            self.note(pk, CREATED, using, number=begun.number)
        elif isinstance(instance, self._model) or self._is_ours(using, pk):
            self.note(pk, begun.action, using, begun.before, number=begun.number)

    def before_delete(self, *, instance: Model, using: str, **kwargs: Any) -> None:
        if is_shown(self._viewset, self._model, using, self.key_of(instance)):
            self._begin(instance, DELETED, ask_before(self._viewset, None, instance))
        else:
            self._begin(instance, CREATED)

    def after_delete(self, *, instance: Model, using: str, **kwargs: Any) -> None:
        begun = self._end(instance, DELETED)
        self.note(self.key_of(instance), begun.action, using, begun.before, number=begun.number)

    def note(self, pk: Any, action: str, using: str, before: Place | None = None, *, number: int | None = None) -> None:
        """Record a change. Nothing is raised: it has been made. number: of one that had begun before."""
        try:
            number = next_number() if number is None else number
            record(Change(self._viewset, self._model, using, pk, action, before, number=number))
        except Exception:
            logger.exception("%s: nobody is told of object %r.", name_of(self._viewset), pk)

    def note_before(self, pks: Iterable[Any], using: str) -> None:
        """Record that objects are about to be changed, in this transaction. pks: of any number of them."""
        ours = list(pks)
        for start in range(0, len(ours), MAX_OBJECTS):
            part = ours[start : start + MAX_OBJECTS]
            rows = {row.pk: row for row in self._rows(using, part)} if self._asks() else None
            for pk in part:
                if rows is None:
                    self.note(pk, UPDATED, using)
                elif pk in rows:
                    self.note(pk, UPDATED, using, ask_before(self._viewset, None, rows[pk]))
                else:
                    self.note(pk, CREATED, using)

    def note_after(self, pks: Iterable[Any], using: str) -> None:
        """Record that objects have been changed, of which it is not known what they were."""
        for pk in pks:
            self.note(pk, UPDATED, using)

    def note_all_before(self, rows: Any, using: str) -> None:
        """Record that the objects of a queryset are about to be changed; lists only hear of many."""
        pks = list(rows.using(using).values_list("pk", flat=True)[: MAX_OBJECTS + 1])
        if len(pks) <= MAX_OBJECTS:
            self.note_before(pks, using)
            return
        for change in list_changes(self._viewset, rows.using(using), UPDATED, using):
            record(change)

    def key_of(self, instance: Model) -> Any:
        # A child's key may be another than its parent's, which it has too; an ancestor's key is the same.
        if isinstance(instance, self._model):
            return getattr(instance, self._model._meta.pk.attname)
        return instance.pk

    def _asks(self) -> bool:
        """Whether one has to know what an object was, to say what became of it."""
        return depends_on_rows(self._viewset, self._model) or leaves_out(self._viewset)

    def _rows(self, using: str, pks: list[Any]) -> Any:
        is_all = not leaves_out(self._viewset)
        rows = self._model._base_manager.all() if is_all else shown_rows(self._viewset, self._model)
        return rows.using(using).filter(pk__in=pks)

    def _is_ours(self, using: str, pk: Any) -> bool:
        """Whether an ancestor's row is that of one of our objects."""
        return bool(self._model._base_manager.using(using).filter(pk=pk).exists())

    # From one signal to the next, with the instance. A receiver that saves it again has the inner one's in between, so
    # the last that has begun is the first to end. Of a save that fails there is no second signal: what it has left is
    # never looked at, unless a receiver's own save has failed and the receiver has hushed that up.

    def _begin(self, instance: Model, action: str, before: Place | None = None) -> None:
        begun: dict[type[Any], list[_Begun]] = vars(instance._state).setdefault("live_changes", {})
        begun.setdefault(self._viewset, []).append(_Begun(action, before, next_number()))

    def _end(self, instance: Model, action: str) -> _Begun:
        pending: dict[type[Any], list[_Begun]] = vars(instance._state).get("live_changes", {})
        if not pending.get(self._viewset):
            # Who sends the second signal alone says no more than that something was changed.
            return _Begun(action, None, next_number())
        begun = pending[self._viewset].pop()
        # An instance may be pickled, which is not to refer to a viewset.
        if not pending[self._viewset]:
            del pending[self._viewset]
        if not pending:
            del vars(instance._state)["live_changes"]
        return begun


class _Relation:
    """A many-to-many field of the model, changed from either side. The signals come within a transaction."""

    def __init__(self, listener: _Listener, field: ManyToManyField[Any, Any]) -> None:
        self._listener = listener
        self._field = field

    def changed(
        self, *, instance: Model, action: str, reverse: bool, pk_set: set[Any] | None, using: str, **kwargs: Any
    ) -> None:
        moment, _, verb = action.partition("_")
        is_early = connections[using].in_atomic_block
        # Before the change, as long as the old channels can be found out. Who sends these signals without a
        # transaction around them is heard afterwards, since nothing may be told before it is so.
        if moment != ("pre" if is_early else "post") or (verb != "clear" and not pk_set):
            return
        note = self._listener.note_before if is_early else self._listener.note_after
        if not reverse:
            note([self._listener.key_of(instance)], using)
        if reverse or self._is_symmetrical():
            if pk_set is not None:
                note(pk_set, using)
            elif is_early:
                self._listener.note_all_before(self._related_to(instance), using)

    def _is_symmetrical(self) -> bool:
        return bool(getattr(self._field.remote_field, "symmetrical", False))

    def _related_to(self, instance: Model) -> Any:
        return self._field.model._base_manager.filter(**{self._field.name: instance})


def _will_insert(instance: Model) -> bool:
    """Whether Django is going to insert without looking for a row: a new object whose key has a default, if any."""
    if instance.pk is None:
        return True
    return instance._state.adding and all(
        field.has_default() or field.has_db_default() for field in instance._meta.pk_fields
    )


def _find_kin(model: type[Model]) -> Iterator[type[Model]]:
    """The model, its proxies and its children: signals come from the class of the instance."""
    for other in apps.get_models(include_auto_created=True):
        if issubclass(other, model):
            yield other


def _find_ancestors(model: type[Model]) -> Iterator[type[Model]]:
    """The models in whose tables a part of the model's objects is, under the same key; with their proxies."""
    key = model._meta.pk
    while key is not None and key.remote_field is not None and getattr(key.remote_field, "parent_link", False):
        parent = key.remote_field.model
        for other in apps.get_models():
            if other._meta.concrete_model is parent:
                yield other
        key = parent._meta.pk
