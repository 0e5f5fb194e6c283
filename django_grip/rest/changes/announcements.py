"""What subscribers are told of changes that have been committed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ...endpoints import name_of
from ...exceptions import ItemError, NoProxy
from ...protocol.formats import HttpStreamFormat, WebSocketMessageFormat
from ...publisher import publish
from ..channels import list_channel
from ..events import CREATED, DELETED, UPDATED, change, invalidate
from .asking import (
    NOWHERE,
    Place,
    ask_after,
    ask_own,
    depends_on_rows,
    find_by_key,
    find_shown,
    has_own_channels,
    leaves_out,
    make_data,
    may_show_more,
    may_tell,
)

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
    before: Place
    # Whether lists were shown it, or nobody knows if they ever were.
    was_shown: bool

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
            outbox.invalidate(made.viewset, None, (made.before and made.before.lists) or ())
    outcomes = list(_coalesce(made for made in changes if made.pk is not None))
    viewset = changes[0].viewset
    told = may_tell(viewset) and len(outcomes) <= MAX_OBJECTS
    rest = iter(outcomes)
    while part := list(islice(rest, MAX_OBJECTS)):
        _announce_part(outbox, part, told)


def _announce_part(outbox: _Outbox, outcomes: Sequence[_Outcome], told: bool) -> None:
    viewset, last = outcomes[0].last.viewset, outcomes[0].last
    asks = told or depends_on_rows(viewset, last.model) or leaves_out(viewset)
    sought = [outcome.pk for outcome in outcomes if (asks if outcome.action != DELETED else outcome.last.view)]
    rows = find_shown(viewset, last.model, last.alias, sought) if sought else {}
    for outcome in outcomes:
        try:
            _Announcement(outbox, outcome, rows if outcome.pk in sought else None, told).make()
        except Exception:
            logger.exception("%s: nobody was told of object %r.", name_of(viewset), outcome.pk)


def _coalesce(changes: Iterable[Change]) -> Iterator[_Outcome]:
    """Make one of all changes of an object: where it was before the first, and what it is after the last."""
    by_pk: dict[Any, list[Change]] = {}
    for made in sorted(changes, key=attrgetter("number")):
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
        yield _Outcome(last, action, *(_find_before(made_to_it[0]) if was_there else (NOWHERE, False)))


def _find_before(first: Change) -> tuple[Place, bool]:
    place = first.before
    was_shown = not leaves_out(first.viewset) or (place is not None and place.lists is not None)
    if place is None:
        by_key = not depends_on_rows(first.viewset, first.model)
        place = find_by_key(first.viewset, first.alias, first.pk) if by_key else Place()
    if not has_own_channels(first.viewset):
        place = replace(place, lists=[list_channel(first.viewset)])
    return place, was_shown


class _Announcement:
    """One object's news."""

    def __init__(self, outbox: _Outbox, outcome: _Outcome, rows: dict[Any, Any] | None, told: bool) -> None:
        self._outbox = outbox
        self._outcome = outcome
        self._viewset, self._pk = outcome.last.viewset, outcome.pk
        self._rows = rows
        self._told = told

    def make(self) -> None:
        action, before = self._find_action(), self._outcome.before
        if action == DELETED:
            # If it never was shown to lists they are not to learn what it is called by its end.
            self._tell_lists(before if self._outcome.was_shown else replace(before, name=None), NOWHERE)
            if self._outcome.action == UPDATED and may_show_more(self._viewset):
                # It has left the lists; who has opened it may go on seeing it.
                self._have_asked_again(self._find_own())
            else:
                self._say_deleted(before)
        elif action == _HIDDEN:
            self._outbox.invalidate(self._viewset, self._pk, before.lists or ())
            self._have_asked_again(before.own)
        elif action is not None:
            after = self._find_after()
            is_same = None not in (before.lists, after.lists) and set(before.lists or ()) == set(after.lists or ())
            data = self._make_data() if is_same or action == CREATED else None
            self._tell_lists(before, after, data)
            if action == UPDATED:
                self._say_updated(before, after, data, is_same)
            elif may_show_more(self._viewset):
                # It may only be new to lists.
                self._have_asked_again(after.own)
        elif may_show_more(self._viewset):
            self._have_asked_again(self._find_own())

    def _find_action(self) -> str | None:
        """What really came of it, by what is shown now; None for nothing."""
        action = self._outcome.action
        if self._rows is None:
            return action
        if self._pk not in self._rows:
            # It is none of those that the viewset shows; or it is there no more.
            return None if action == CREATED else DELETED
        # A perform_destroy() may delete, or only mark as deleted, or do nothing.
        return action if action != DELETED else _find_fate(self._outcome.last)

    def _find_after(self) -> Place:
        last = self._outcome.last
        if not depends_on_rows(self._viewset, last.model):
            return find_by_key(self._viewset, last.alias, self._pk)
        assert self._rows is not None  # noqa: S101 - they are there where places depend on them
        return ask_after(self._viewset, last.view, self._rows[self._pk]) if self._pk in self._rows else NOWHERE

    def _find_own(self) -> str | None:
        """The channel of an object that lists are not shown."""
        last, before = self._outcome.last, self._outcome.before
        if before.own is not None or not depends_on_rows(self._viewset, last.model):
            return before.own or find_by_key(self._viewset, last.alias, self._pk).own
        row = last.model._base_manager.using(last.alias).filter(pk=self._pk).first()
        return None if row is None else ask_own(self._viewset, last.view, row).own

    def _make_data(self) -> Any:
        if not self._told or self._rows is None or self._pk not in self._rows:
            return None
        return make_data(self._viewset, self._rows[self._pk])

    def _tell_lists(self, before: Place, after: Place, data: Any = None) -> None:
        was, now = before.lists, after.lists
        if not self._told or now is None:
            self._outbox.invalidate(self._viewset, self._pk, dict.fromkeys([*(was or ()), *(now or ())]))
            return
        was = now if was is None else was
        for channel in dict.fromkeys([*was, *now]):
            if channel in was and channel in now and not _is_renamed(before, after):
                self._outbox.tell(self._viewset, channel, UPDATED, after.name, data)
                continue
            if channel in was:
                self._outbox.tell(self._viewset, channel, DELETED, before.name)
            if channel in now:
                self._outbox.tell(self._viewset, channel, CREATED, after.name, data)

    def _say_updated(self, before: Place, after: Place, data: Any, is_same: bool) -> None:
        """Tell those who have opened the object's own URL."""
        channel = before.own or after.own
        if _is_renamed(before, after):
            self._say_deleted(before)
        elif is_same and channel is not None:
            # The right to see it may have gone with an earlier move that not every connection has been asked about
            # yet. So there is data for them only where there are no such rights.
            shown = data if self._viewset.live_public else None
            self._outbox.tell(self._viewset, channel, UPDATED, after.name, shown)
        else:
            # It has moved, or may have: they may have lost the right to see it.
            self._have_asked_again(channel)

    def _have_asked_again(self, channel: str | None) -> None:
        """A WebSocket's client asks again, and is asked for its authority with that; streams are made to."""
        if channel is not None:
            self._outbox.send(self._viewset, self._pk, channel, invalidate())
            self._outbox.send(self._viewset, self._pk, channel, [HttpStreamFormat(action="hint")])

    def _say_deleted(self, before: Place) -> None:
        if before.own is not None:
            self._outbox.send(self._viewset, self._pk, before.own, change(DELETED, before.name))
            # There is nothing left to hear of: streams end, and WebSockets are closed.
            close = WebSocketMessageFormat(action="close", code=NOT_FOUND, reason="deleted")
            self._outbox.send(self._viewset, self._pk, before.own, [HttpStreamFormat(close=True), close])


def _is_renamed(before: Place, after: Place) -> bool:
    """Whether an object has another URL than before: who knows the old one has to learn that it is gone."""
    return before.name is not None and before.name != after.name


def _find_fate(last: Change) -> str:
    """What became of an object that was to be deleted, and is still there."""
    rows = last.view.get_queryset().using(last.alias)
    return UPDATED if rows.filter(pk=last.pk).exists() else _HIDDEN


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
        """Tell of one object; without its data, if that is more than a proxy takes. pk: as clients know it.

        Of what they know by no name, or by none that can go out, they hear that there is news.
        """
        for known in (data, None) if data is not None else (None,):
            if pk is not None and self.send(viewset, pk, channel, change(action, pk, data=known)):
                return
        self.invalidate(viewset, pk, [channel])

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
