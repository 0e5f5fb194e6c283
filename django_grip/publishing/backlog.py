"""The bounded queue of one proxy, and how batches are taken from it. No threads, no locks: its lane has them."""

from __future__ import annotations

from collections import deque

from .parcel import Parcel

__all__ = ["Backlog", "Batch"]


class Batch:
    """Parcels that go in one request. attempts: requests made for them.

    uncertain_since: when, on the monotonic clock, they may first have arrived without our knowing, or None.
    """

    __slots__ = ("attempts", "parcels", "uncertain_since")

    def __init__(self, parcels: list[Parcel], attempts: int = 0, uncertain_since: float | None = None) -> None:
        self.parcels = parcels
        self.attempts = attempts
        self.uncertain_since = uncertain_since

    @property
    def is_uncertain(self) -> bool:
        return self.uncertain_since is not None

    def take_late(self, now: float, repeat_window: float) -> list[Parcel]:
        """Take what has passed its deadline; all, when a repeat would not be known as one any more."""
        if self.uncertain_since is not None and now >= self.uncertain_since + repeat_window:
            late, self.parcels = self.parcels, []
            return late
        late = [parcel for parcel in self.parcels if parcel.deadline <= now]
        if late:
            self.parcels = [parcel for parcel in self.parcels if parcel.deadline > now]
        return late

    def cut(self, max_bytes: int) -> Batch | None:
        """Cut off, and return, what goes beyond a size; at least one parcel stays."""
        size = 0
        for number, parcel in enumerate(self.parcels):
            size += len(parcel.body) + 1
            if size > max_bytes and number:
                rest = Batch(self.parcels[number:], self.attempts, self.uncertain_since)
                self.parcels = self.parcels[:number]
                return rest
        return None

    def halves(self) -> tuple[Batch, Batch]:
        middle = len(self.parcels) // 2
        return (
            Batch(self.parcels[:middle], self.attempts, self.uncertain_since),
            Batch(self.parcels[middle:], self.attempts, self.uncertain_since),
        )


class Backlog:
    """What waits for one proxy, in order. Bounded in items and in bytes."""

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._parcels: deque[Parcel] = deque()
        self._bytes = 0
        self._max_items = max_items
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._parcels)

    @property
    def bytes(self) -> int:
        return self._bytes

    def has_room(self, size: int) -> bool:
        return len(self._parcels) < self._max_items and self._bytes + size <= self._max_bytes

    def is_half_empty(self) -> bool:
        return len(self._parcels) * 2 <= self._max_items and self._bytes * 2 <= self._max_bytes

    def oldest(self) -> Parcel | None:
        return self._parcels[0] if self._parcels else None

    def put(self, parcel: Parcel) -> None:
        self._parcels.append(parcel)
        self._bytes += len(parcel.body)

    def take(self, max_items: int, max_bytes: int) -> list[Parcel]:
        """Take the next batch: what is there now, within the bounds, at least one.

        max_bytes counts one byte beside each body, for the comma.
        """
        parcels = self._parcels
        taken: list[Parcel] = []
        room = max_bytes
        while parcels and len(taken) < max_items:
            room -= len(parcels[0].body) + 1
            if room < 0 and taken:
                break
            taken.append(parcels.popleft())
        self._bytes -= sum([len(parcel.body) for parcel in taken])
        return taken

    def take_late(self, now: float) -> list[Parcel]:
        """Take what has passed its deadline. Deadlines rise from the front to the back."""
        parcels = self._parcels
        taken: list[Parcel] = []
        while parcels and parcels[0].deadline <= now:
            taken.append(parcels.popleft())
        self._bytes -= sum([len(parcel.body) for parcel in taken])
        return taken

    def take_all(self) -> list[Parcel]:
        taken = list(self._parcels)
        self._parcels.clear()
        self._bytes = 0
        return taken
