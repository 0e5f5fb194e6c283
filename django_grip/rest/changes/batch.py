"""What changed in a transaction, kept until it commits. What is rolled back is forgotten, savepoint by savepoint.

Each change is registered with ``transaction.on_commit`` by itself, so that Django drops those of a savepoint that is
rolled back. The batch of a connection knows its changes by weak references only: whoever is still there when the first
of them is run has been committed, and all of them are told together.

That is right where an object goes when the last reference to it does, as in CPython: Django's list of hooks holds the
only one. Elsewhere (PyPy) a change that was rolled back may linger until its memory is wanted, so there every change is
told when Django itself runs it, each for itself: nothing false is told, but nothing is coalesced either.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, WeakValueDictionary, ref

from django.db import connections, transaction

from .announcements import announce
from .asking import Place

__all__ = ["Change", "next_number", "record", "together"]

_COUNTS_REFERENCES = sys.implementation.name == "cpython"
_numbers = count()


def next_number() -> int:
    """The place of a change that begins now in the order of all."""
    return next(_numbers)


# Compared by identity, as two changes of one object are two.
@dataclass(eq=False)
class Change:
    """An object was changed, if its transaction commits.

    pk: None for many objects of which nobody is told one by one; then `before` is where it is told that there is news.
    action: "created", "updated" or "deleted", for those who are told: whatever happens to an object that the viewset
    did not show is "created", if it does anything to them. alias: of the database.
    before: its place before the change; None where that is not known.
    view: the one that was asked for the change, whose request the channels may depend on, and whether what it was to
    delete is gone; None for changes made elsewhere, and for what certainly is gone.
    number: its place in the order in which changes began. A receiver of a save's signal may save again: that change
    begins later, and is known first.
    """

    viewset: type[Any]
    model: type[Any]
    alias: str
    pk: Any
    action: str
    before: Place | None = None
    view: Any = None
    number: int = field(default_factory=next_number)

    def __post_init__(self) -> None:
        if self.pk is not None:
            # Who makes an object by hand may give its key as text.
            self.pk = self.model._meta.pk.to_python(self.pk)

    def run(self) -> None:
        """The transaction has committed."""
        _batch_of(self.alias).settle(self)


class _Batch:
    """The changes of one connection that have not been told yet, in order."""

    def __init__(self) -> None:
        self._changes: WeakValueDictionary[int, Change] = WeakValueDictionary()
        self._last: ReferenceType[Change] | None = None
        self._captured: WeakSet[Change] = WeakSet()

    def add(self, change: Change) -> None:
        self._changes[change.number] = change
        self._last = ref(change)

    def settle(self, change: Change) -> None:
        """Tell what has been committed, unless that was done when another change of the transaction was run."""
        if change.number not in self._changes:
            return
        ready = self._take_committed(change)
        if ready:
            for other in ready:
                del self._changes[other.number]
            self._last = None
            _deliver(ready)

    def _take_committed(self, change: Change) -> list[Change]:
        if connections[change.alias].in_atomic_block:
            # A test's captureOnCommitCallbacks() runs the hooks of its block, in order, and those before it never.
            self._captured.add(change)
            is_last = change is self._find_last()
            return [other for other in self._changes.values() if other in self._captured] if is_last else []
        return list(self._changes.values()) if _COUNTS_REFERENCES else [change]

    def _find_last(self) -> Change | None:
        """The last change that has not been told. It is looked for only where the one that was the last is gone."""
        last = None if self._last is None else self._last()
        if last is None:
            for last in self._changes.values():
                self._last = ref(last)
        return last


# A connection belongs to a thread, and so do its changes.
_batches: WeakKeyDictionary[Any, _Batch] = WeakKeyDictionary()


def _batch_of(alias: str) -> _Batch:
    connection = connections[alias]
    batch = _batches.get(connection)
    if batch is None:
        batch = _batches[connection] = _Batch()
    return batch


def record(change: Change) -> None:
    """Have a change told when its transaction commits; at once where there is none.

    Raises: TransactionManagementError, where transactions are managed by hand.
    """
    _batch_of(change.alias).add(change)
    transaction.on_commit(change.run, using=change.alias, robust=True)


class _Gathering(threading.local):
    """What is committed within `together()` on this thread."""

    depth = 0
    ready: list[Change]


_gathering = _Gathering()


@contextmanager
def together() -> Iterator[None]:
    """Tell what is committed in this block when it ends, as one, also where each query is a transaction by itself."""
    if not _gathering.depth:
        _gathering.ready = []
    _gathering.depth += 1
    try:
        yield
    finally:
        _gathering.depth -= 1
        if not _gathering.depth:
            ready, _gathering.ready = _gathering.ready, []
            announce(ready)


def _deliver(changes: list[Change]) -> None:
    if _gathering.depth:
        _gathering.ready += changes
    else:
        announce(changes)
