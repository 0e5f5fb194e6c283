"""Items to every proxy at once: the publisher, with a lane for each."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Sequence

import pubcontrol

from ..exceptions import ItemError, NoProxy, PublisherClosed
from .callbacks import call_later, call_now, callbacks_done
from .counters import Counters
from .lane import Lane
from .lifecycle import at_exit, notice_fork, on_fork, threads_run
from .parcel import Parcel, pack
from .policy import Policy
from .publication import Publication
from .transport import Transport

__all__ = ["Callback", "Publisher"]

# Called with whether every proxy took the item, and what went wrong if not.
Callback = Callable[[bool, "str | None"], object]

_POLL = 0.05
_FOREVER = 31_536_000.0
_publishers: weakref.WeakSet[Publisher] = weakref.WeakSet()


class Publisher:
    """Sends items to all proxies, each by a lane of its own, so that none waits for another.

    background: whether lanes may have threads. Without them each publish sends before it returns; so it does by itself
    where threads do not run.
    """

    def __init__(
        self, transports: Iterable[Transport] = (), *, policy: Policy | None = None, background: bool = True
    ) -> None:
        self.policy = policy or Policy()
        self._background = background and threads_run()
        self._closed = False
        self._lanes: tuple[Lane, ...] = ()
        for transport in transports:
            self.add(transport)
        _publishers.add(self)

    @property
    def background(self) -> bool:
        """Whether items are sent by threads of their own, or by the threads that publish them."""
        return self._background

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return self._lanes

    def add(self, transport: Transport) -> Lane:
        """Publish to one more proxy from now on."""
        lane = Lane(transport, self.policy, background=self._background)
        self._lanes = (*self._lanes, lane)
        return lane

    def remove(self, lane: Lane, *, timeout: float = 0.0) -> int:
        """Publish to this proxy no more. How many of the items it had taken in were given up.

        timeout: seconds to send what is queued.
        """
        self._lanes = tuple(other for other in self._lanes if other is not lane)
        self._flush((lane,), timeout)
        return lane.close("the proxy was removed from the publisher")

    def pack(self, channel: str, item: pubcontrol.Item) -> Parcel:
        """Encode an item for all proxies.

        Raises: ItemError, when it cannot be encoded, or is too big for one of them even alone. ChannelNameError.
        """
        parcel = pack(channel, item)
        size = len(parcel.body)
        limit = min([lane.transport.max_bytes for lane in self._lanes], default=size)
        if size > limit:
            raise ItemError(
                f"The item for channel {channel!r} comes to {size:,} bytes; a proxy takes {limit:,} at most."
            )
        return parcel

    def submit(
        self,
        parcel: Parcel,
        *,
        lanes: Sequence[Lane] | None = None,
        callback: Callback | None = None,
        forced: bool = False,
    ) -> Publication:
        """Send a parcel on its way and return at once; without threads, when all is known.

        lanes: which proxies; None for all. callback: told the outcome once. forced: the caller is going to wait for
        the outcome, so its item is taken in whatever the queues hold.
        Raises: NoProxy, PublisherClosed.
        """
        lanes = self._start(parcel, lanes)
        publication = parcel.publication
        if callback is not None:
            publication._add_waiter(lambda done: call_later(_tell, callback, done))
        orphans = [lane for lane in lanes if not lane.put(parcel, forced=forced)]
        if orphans:
            _drive(orphans, publication)
        return publication

    def submit_and_wait(
        self, parcel: Parcel, *, lanes: Sequence[Lane] | None = None, callback: Callback | None = None
    ) -> Publication:
        """Send a parcel and wait until every proxy has answered. The callback has returned by then too.

        It does not raise when a proxy fails: ``result()`` of what it returns does.
        Raises: NoProxy, PublisherClosed.
        """
        lanes = self._start(parcel, lanes)
        publication = parcel.publication
        first = lanes[0]
        orphans = [lane for lane in lanes[1:] if not lane.put(parcel, forced=True)]
        first.put(parcel, forced=True, wake=False)
        # This thread has to wait anyway. Sending itself, if nobody else does, saves it the way to a thread and back.
        first.help()
        if not first.kick():
            orphans.append(first)
        if orphans:
            _drive(orphans, publication)
        publication.exception()
        if callback is not None:
            call_now(_tell, callback, publication)
        return publication

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until what was submitted so far is settled, and its callbacks have returned.

        timeout: seconds; None waits as long as items are tried, and then as long again for callbacks. False when time
        ran out.
        """
        if timeout is None:
            # Every item is settled some time.
            return self._flush(self._lanes, _FOREVER) and callbacks_done(self.policy.timeout)
        end = time.monotonic() + timeout
        return self._flush(self._lanes, timeout) and callbacks_done(max(0.0, end - time.monotonic()))

    def close(self, timeout: float = 0.0, *, why: str = "the publisher was closed") -> int:
        """Send what is queued, take nothing more in, and give up what is not sent in time. How many items that is.

        timeout: seconds. Callbacks have that time too, and may publish in it.
        """
        notice_fork()
        end = time.monotonic() + timeout
        self.flush(timeout)
        self._closed = True
        # What came in between.
        self._flush(self._lanes, end - time.monotonic())
        return sum([lane.close(why) for lane in self._lanes])

    def counters(self) -> dict[str, Counters]:
        """What was done so far in this process, by the proxies' URLs."""
        notice_fork()
        counted: dict[str, Counters] = {}
        for lane in self._lanes:
            # Two keys for one proxy make two lanes.
            name = lane.url if lane.url not in counted else f"{lane.url} ({len(counted) + 1})"
            counted[name] = lane.counters()
        return counted

    def _start(self, parcel: Parcel, lanes: Sequence[Lane] | None) -> Sequence[Lane]:
        notice_fork()
        if self._closed:
            raise PublisherClosed("The publisher is closed; nothing can be published any more.")
        lanes = self._lanes if lanes is None else lanes
        if not lanes:
            raise NoProxy("There is no proxy to publish to.")
        parcel.deadline = time.monotonic() + self.policy.timeout
        parcel.publication._start(len(lanes))
        return lanes

    def _flush(self, lanes: Sequence[Lane], timeout: float) -> bool:
        end = time.monotonic() + timeout
        marks = [(lane, lane.accepted) for lane in lanes]
        while waiting := [(lane, mark) for lane, mark in marks if not lane.wait_settled(mark, 0)]:
            left = end - time.monotonic()
            if left <= 0:
                return False
            orphans = [lane for lane, _ in waiting if not lane.kick()]
            if not orphans:
                waiting[0][0].wait_settled(waiting[0][1], left)
            elif not _help_all(orphans, end):
                orphans[0].wait_turn(min(left, _POLL))
        return True

    def _begin_in_child(self) -> None:
        for lane in self._lanes:
            lane.begin_in_child()


def _tell(callback: Callback, publication: Publication) -> None:
    error = publication.exception()
    callback(error is None, None if error is None else str(error))


def _help_all(lanes: Sequence[Lane], end: float | None = None) -> bool:
    """Send one batch of each lane on the caller's thread. False when there was nothing to send."""
    helped = [lane.help(end) for lane in lanes]
    return any(helped)


def _drive(lanes: Sequence[Lane], publication: Publication) -> None:
    """Send on the caller's thread until a publication is done.

    Every lane gets its turn before any is tried again, the healthy ones first: a proxy that is down holds the caller
    up, but not the other proxies.
    """
    lanes = sorted(lanes, key=lambda lane: lane.failing)
    while not publication.done():
        if not _help_all(lanes):
            min(lanes, key=lambda lane: lane.pause).wait_turn(_POLL)


def _close_all() -> None:
    publishers = [publisher for publisher in _publishers if not publisher.closed]
    end = time.monotonic() + max((publisher.policy.exit_timeout for publisher in publishers), default=0.0)
    for publisher in publishers:
        publisher.close(max(0.0, end - time.monotonic()), why="the process ended first")


def _begin_all_in_child() -> None:
    for publisher in list(_publishers):
        publisher._begin_in_child()


at_exit(_close_all)
on_fork(_begin_all_in_child)
