"""What subscribers are told of changes that have been committed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from ...exceptions import ItemError, NoProxy
from ...protocol.formats import HttpStreamFormat, WebSocketMessageFormat
from ...publisher import publish
from ..channels import list_channel, object_channel
from ..events import CREATED, DELETED, UPDATED, change, invalidate
from .asking import ask_after, find_shown, has_own_channels, make_data, may_tell, name_of, shown_queryset

if TYPE_CHECKING:
    from .batch import Change

__all__ = ["MAX_OBJECTS", "announce"]

logger = logging.getLogger("django_grip")

# Of more objects than this lists are not told one by one.
MAX_OBJECTS = 100
NOT_FOUND = 4404
# An outcome: who wanted it gone sees it no more. Whether that holds for others, each has to ask: it may be marked as
# deleted, or somebody has only left it.
_HIDDEN = "hidden"


@dataclass(frozen=True)
class _Outcome:
    """What became of an object in the end."""

    last: Change
    action: str
    before: list[str] | None

    @property
    def pk(self) -> Any:
        return self.last.pk


def announce(changes: Iterable[Change]) -> None:
    """Publish changes that stand. Nothing is raised: the writes are done. What fails is logged, the rest goes out."""
    outbox = _Outbox()
    groups: dict[Any, list[Change]] = {}
    for made in changes:
        groups.setdefault((made.viewset, made.model, made.alias), []).append(made)
    for group in groups.values():
        try:
            _announce_group(outbox, group)
        except Exception:
            logger.exception("%s: its subscribers were not told of a change.", name_of(group[0].viewset))


def _announce_group(outbox: _Outbox, changes: Sequence[Change]) -> None:
    for made in changes:
        if made.pk is None:
            outbox.invalidate(made.viewset, None, made.before or ())
    outcomes = list(_coalesce(made for made in changes if made.pk is not None))
    viewset = changes[0].viewset
    told = may_tell(viewset) and len(outcomes) <= MAX_OBJECTS
    rest = iter(outcomes)
    while part := list(islice(rest, MAX_OBJECTS)):
        _announce_part(outbox, part, told)


def _announce_part(outbox: _Outbox, outcomes: Sequence[_Outcome], told: bool) -> None:
    viewset, last = outcomes[0].last.viewset, outcomes[0].last
    rows = None
    if told or has_own_channels(viewset):
        pks = [outcome.pk for outcome in outcomes if outcome.action != DELETED or not outcome.last.certain]
        rows = find_shown(viewset, last.model, last.alias, pks) if pks else {}
    for outcome in outcomes:
        try:
            _Announcement(outbox, outcome, rows, told).make()
        except Exception:
            logger.exception("%s: nobody was told of object %r.", name_of(viewset), outcome.pk)


def _coalesce(changes: Iterable[Change]) -> Iterator[_Outcome]:
    """Make one of all changes of an object: where it was before the first, and what it is after the last."""
    by_pk: dict[Any, list[Change]] = {}
    for made in changes:
        by_pk.setdefault(made.pk, []).append(made)
    for made_to_it in by_pk.values():
        was_there = made_to_it[0].action != CREATED
        is_there = was_there
        for made in made_to_it:
            is_there = {CREATED: True, DELETED: False}.get(made.action, is_there)
        if not was_there and not is_there:
            continue
        action = DELETED if not is_there else UPDATED if was_there else CREATED
        # Who made the last change by a request, rather than the signal of the same change, knows that request.
        last = next((made for made in reversed(made_to_it) if made.view is not None), made_to_it[-1])
        yield _Outcome(last, action, made_to_it[0].before if was_there else [])


class _Announcement:
    """One object's news."""

    def __init__(self, outbox: _Outbox, outcome: _Outcome, rows: dict[Any, Any] | None, told: bool) -> None:
        self._outbox = outbox
        self._outcome = outcome
        self._viewset, self._pk = outcome.last.viewset, outcome.pk
        self._rows = rows
        self._told = told

    def make(self) -> None:
        action = self._find_action()
        if action is None:
            return
        before = self._outcome.before
        if not has_own_channels(self._viewset):
            before = [] if action == CREATED else [list_channel(self._viewset)]
        if action == DELETED:
            self._tell_lists(before or [], [])
            self._say_deleted()
            return
        if action == _HIDDEN:
            self._outbox.invalidate(self._viewset, self._pk, before or ())
            self._have_asked_again()
            return
        after = self._find_channels()
        is_same = after is not None and before is not None and set(before) == set(after)
        data = self._make_data() if is_same or action == CREATED else None
        self._tell_lists(before, after, data)
        if action == UPDATED:
            self._say_updated(data, is_same)

    def _find_action(self) -> str | None:
        """What really came of it, by what is shown now; None for nothing."""
        last, action = self._outcome.last, self._outcome.action
        if action == DELETED:
            # A perform_destroy() may delete, or only mark as deleted, or do nothing.
            return DELETED if last.certain else _find_fate(last)
        if self._rows is None or self._pk in self._rows:
            return action
        # It is none of those that the viewset shows; or it is there no more.
        return None if action == CREATED else DELETED

    def _find_channels(self) -> list[str] | None:
        if not has_own_channels(self._viewset):
            return [list_channel(self._viewset)]
        assert self._rows is not None  # noqa: S101 - they are there where channels depend on them
        if self._pk not in self._rows:
            return []
        return ask_after(self._viewset, self._outcome.last.view, self._rows[self._pk])

    def _make_data(self) -> Any:
        if not self._told or self._rows is None or self._pk not in self._rows:
            return None
        return make_data(self._viewset, self._rows[self._pk])

    def _tell_lists(self, before: list[str] | None, after: list[str] | None, data: Any = None) -> None:
        """before, after: None where they are not known."""
        if not self._told or after is None:
            self._outbox.invalidate(self._viewset, self._pk, dict.fromkeys([*(before or ()), *(after or ())]))
            return
        was = after if before is None else before
        for channel in dict.fromkeys([*was, *after]):
            action = DELETED if channel not in after else UPDATED if channel in was else CREATED
            self._outbox.tell(self._viewset, channel, action, self._pk, data)

    def _say_updated(self, data: Any, is_same: bool) -> None:
        """Tell those who have opened the object's own URL."""
        channel = object_channel(self._viewset, self._pk)
        if is_same:
            # The right to see it may have gone with an earlier move that not every connection has been asked about
            # yet. So there is data for them only where there are no such rights.
            self._outbox.tell(self._viewset, channel, UPDATED, self._pk, data if self._viewset.live_public else None)
            return
        # It has moved, or may have: they may have lost the right to see it.
        self._have_asked_again()

    def _have_asked_again(self) -> None:
        """A WebSocket's client asks again, and is asked for its authority with that; streams are made to."""
        channel = object_channel(self._viewset, self._pk)
        self._outbox.send(self._viewset, self._pk, channel, invalidate())
        self._outbox.send(self._viewset, self._pk, channel, [HttpStreamFormat(action="hint")])

    def _say_deleted(self) -> None:
        channel = object_channel(self._viewset, self._pk)
        self._outbox.tell(self._viewset, channel, DELETED, self._pk)
        # There is nothing left to hear of: streams end, and WebSockets are closed.
        close = WebSocketMessageFormat(action="close", code=NOT_FOUND, reason="deleted")
        self._outbox.send(self._viewset, self._pk, channel, [HttpStreamFormat(close=True), close])


def _find_fate(last: Change) -> str:
    """What became of an object that was to be deleted."""
    rows = shown_queryset(last.viewset)
    try:
        if rows is not None:
            return UPDATED if _has(rows, last) else DELETED
        if not _has(last.model._base_manager.all(), last):
            return DELETED
        return UPDATED if last.view is None or _has(last.view.get_queryset(), last) else _HIDDEN
    except DatabaseError:
        logger.exception("%s: whether object %r is deleted is not known.", name_of(last.viewset), last.pk)
        return DELETED


def _has(rows: Any, last: Change) -> bool:
    return bool(rows.using(last.alias).filter(pk=last.pk).exists())


class _Outbox:
    """Publishes, and logs what cannot be. Each channel is told once that there is news."""

    def __init__(self) -> None:
        self._invalidated: set[str] = set()
        self._has_proxy = True

    def invalidate(self, viewset: type[Any], pk: Any, channels: Iterable[str]) -> None:
        for channel in channels:
            if channel not in self._invalidated:
                self._invalidated.add(channel)
                self.send(viewset, pk, channel, invalidate())

    def tell(self, viewset: type[Any], channel: str, action: str, pk: Any, data: Any = None) -> None:
        """Tell of one object; without its data, if that is more than a proxy takes."""
        if data is not None and self.send(viewset, pk, channel, change(action, pk, data=data)):
            return
        if data is None or self._has_proxy:
            self.send(viewset, pk, channel, change(action, pk))

    def send(self, viewset: type[Any], pk: Any, channel: str, formats: Any) -> bool:
        """Publish one item. False when its content cannot go out."""
        if not self._has_proxy:
            return False
        try:
            publish(channel, formats)
        except NoProxy as error:
            # The others would say the same.
            self._has_proxy = False
            logger.error("%s: its subscribers were not told of a change. %s", name_of(viewset), error)
        except ItemError:
            logger.exception("%s: the event of object %r cannot be published.", name_of(viewset), pk)
            return False
        except Exception:
            logger.exception("%s: %r was not told of object %r.", name_of(viewset), channel, pk)
        return True
