"""The batches a sender has taken from the queue: the one it sends, and what a refusal left of one. No locks."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from .backlog import Backlog, Batch
from .parcel import Parcel

__all__ = ["Hand", "Late"]


class Late(NamedTuple):
    """Parcels whose time is over. attempts: requests made for them. uncertain: whether they may have arrived."""

    parcels: list[Parcel]
    attempts: int
    uncertain: bool


class Hand:
    """Stands before a backlog: what is in the hand is older, and goes first.

    max_items: of a batch. max_bytes: of the bodies in a batch, with one byte more for each; it shrinks when a proxy
    turns out to take less.
    """

    def __init__(self, backlog: Backlog, *, max_items: int, max_bytes: int) -> None:
        self._backlog = backlog
        self._batches: deque[Batch] = deque()
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._shrunk = False

    def __bool__(self) -> bool:
        return bool(self._batches or self._backlog)

    @property
    def parcels(self) -> list[Parcel]:
        return [parcel for batch in self._batches for parcel in batch.parcels]

    def oldest(self) -> Parcel | None:
        """The parcel that goes next, here or in the backlog."""
        return self._batches[0].parcels[0] if self._batches else self._backlog.oldest()

    def next(self) -> Batch | None:
        """The batch to be sent next. It stays in the hand until `drop_first`."""
        if not self._batches:
            if not self._backlog:
                return None
            self._batches.append(Batch(self._backlog.take(self._max_items, self._max_bytes)))
        batch = self._batches[0]
        if self._shrunk and (rest := batch.cut(self._max_bytes)):
            self._batches.insert(1, rest)
        return batch

    def drop_first(self) -> None:
        self._batches.popleft()

    def split_first(self, *, too_large: bool) -> None:
        """Put its halves in place of the first batch, in order. too_large: for its size; then none is as big again."""
        batch = self._batches.popleft()
        if too_large:
            self._shrunk = True
            self._max_bytes = max(1, sum(len(parcel.body) + 1 for parcel in batch.parcels) // 2)
        self._batches.extendleft(reversed(batch.halves()))

    def take_late(self, now: float, repeat_window: float) -> list[Late]:
        """Take what has passed its deadline, here and in the backlog; see `Batch.take_late`."""
        late = [
            Late(batch.take_late(now, repeat_window), batch.attempts, batch.is_uncertain) for batch in self._batches
        ]
        late.append(Late(self._backlog.take_late(now), 0, False))
        self._batches = deque([batch for batch in self._batches if batch.parcels])
        return [gone for gone in late if gone.parcels]

    def take_all_but_first(self, *, first_too: bool) -> list[Parcel]:
        """Take everything but the first batch, which may be on its way."""
        taken: list[Parcel] = []
        while len(self._batches) > (not first_too):
            taken = self._batches.pop().parcels + taken
        return taken + self._backlog.take_all()
