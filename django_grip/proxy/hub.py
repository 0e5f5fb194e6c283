"""Who is subscribed to which channel, and what becomes of a published item: ids, order, and whom it goes to.

What Pushpin's sequencer does (GRIP.md, 6), with two differences: what is known of a channel outlives its last
subscriber by a while, so that a client that comes back is told of what it missed; and nothing is dropped for want of
room, it goes out before its turn instead.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .options import ProxyOptions
from .published import PublishedItem

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["Hub"]

logger = logging.getLogger("django_grip")

MAX_HELD_BACK = 100
"""Items of one channel that may wait for the one before them, as with Pushpin."""

MAX_IDS = 500_000
"""Ids that are remembered; with more, the oldest are forgotten before their time."""


class _Channel:
    """What is known of one channel.

    changed: the number of the last publish that was for long-polls, too, or 0. expires: when to forget it all, once
    nobody is subscribed. held_back: how many items wait for the one before them.
    """

    __slots__ = ("changed", "expires", "held_back", "last_id", "subscribers")

    def __init__(self, expires: float) -> None:
        self.changed = 0
        self.expires = expires
        self.held_back = 0
        self.last_id: str | None = None
        # A dict keeps the order in which they came, so that who came first is told first.
        self.subscribers: dict[Exchange, None] = {}


class Hub:
    """Subscriptions, and the way of an item to those who have them. No I/O: `now` is handed in (monotonic, seconds)."""

    def __init__(self, options: ProxyOptions) -> None:
        self._remember_ids = options.remember_ids
        self._hold_back = options.hold_back
        self._channels: dict[str, _Channel] = {}
        self._subscriptions: dict[Exchange, set[str]] = {}
        self._ids: set[tuple[str, str]] = set()
        self._ids_by_age: deque[tuple[float, tuple[str, str]]] = deque()
        # By channel and prev-id, the longest held back first.
        self._held_back: OrderedDict[tuple[str, str], tuple[float, PublishedItem]] = OrderedDict()
        self._to_publish: deque[PublishedItem] = deque()
        self._is_publishing = False
        self._sweep_at: float | None = None
        self._now = 0.0
        self._mark = 0
        self._forgotten = 0

    # Subscriptions

    def subscribe(self, exchange: Exchange, channel: str) -> None:
        """Let an exchange have what is published to a channel from now on; twice is once."""
        self._channel(channel).subscribers[exchange] = None
        self._subscriptions.setdefault(exchange, set()).add(channel)

    def unsubscribe(self, exchange: Exchange, channel: str) -> None:
        """End a subscription, if there is one."""
        channels = self._subscriptions.get(exchange)
        if channels is None or channel not in channels:
            return
        channels.remove(channel)
        if not channels:
            del self._subscriptions[exchange]
        self._leave(exchange, channel)

    def drop(self, exchange: Exchange) -> None:
        """End all subscriptions of an exchange."""
        for channel in self._subscriptions.pop(exchange, ()):
            self._leave(exchange, channel)

    def subscribers(self) -> dict[str, dict[str, int]]:
        """How many are subscribed, by kind ("ws", "stream", "response") and channel."""
        counts: dict[str, dict[str, int]] = {"ws": {}, "stream": {}, "response": {}}
        for name, channel in self._channels.items():
            for exchange in channel.subscribers:
                of_kind = counts.setdefault(exchange.mode, {})
                of_kind[name] = of_kind.get(name, 0) + 1
        return counts

    def channels_of(self, exchange: Exchange) -> frozenset[str]:
        """What an exchange is subscribed to."""
        return frozenset(self._subscriptions.get(exchange, ()))

    def _leave(self, exchange: Exchange, channel: str) -> None:
        state = self._channels[channel]
        del state.subscribers[exchange]
        if state.subscribers:
            return
        if state.changed or state.held_back or state.last_id is not None:
            self._keep_for_a_while(state)
        else:
            # Names that clients make up, and nobody publishes to, must not fill the memory.
            del self._channels[channel]

    # Publishing

    def publish(self, items: Iterable[PublishedItem], now: float) -> None:
        """Bring items to those who are subscribed.

        A repeated id is dropped for `remember_ids` seconds. An item that does not follow the channel's last one waits
        for the one it follows, at most `hold_back` seconds, unless it has ``no-seq``.
        """
        self._now = now
        self._forget_ids(now)
        self._to_publish.extend(items)
        self._publish_in_turn(now)

    def wake(self, now: float) -> None:
        """Send what was held back for long enough, and forget what need not be remembered any longer."""
        self._now = now
        while self._held_back:
            key = next(iter(self._held_back))
            if self._held_back[key][0] > now:
                break
            item = self._take_held_back(key)
            logger.info(
                "Item %r on channel %r goes out without the one before it, which did not come.", item.id, item.channel
            )
            self._deliver_in_turn(self._channel(item.channel), item, now)
        if self._sweep_at is not None and now >= self._sweep_at:
            self._sweep(now)

    def _publish_in_turn(self, now: float) -> None:
        """Publish what waits. What is published in the midst of it, by one who got an item, comes behind."""
        if self._is_publishing:
            return
        self._is_publishing = True
        try:
            while self._to_publish:
                self._publish_item(self._to_publish.popleft(), now)
        finally:
            self._is_publishing = False

    def _publish_item(self, item: PublishedItem, now: float) -> None:
        if item.id is not None and not self._is_new(item.channel, item.id, now):
            return
        state = self._channel(item.channel)
        if item.no_seq:
            self._deliver(state, item, now)
        elif not self._must_wait(state, item, now):
            self._deliver_in_turn(state, item, now)

    @property
    def deadline(self) -> float | None:
        """When to call `wake`; None: not now."""
        if not self._held_back:
            return self._sweep_at
        due = self._held_back[next(iter(self._held_back))][0]
        return due if self._sweep_at is None else min(due, self._sweep_at)

    def mark(self) -> int:
        """A point in time, for `changed_since`: how much has been published so far."""
        return self._mark

    def changed_since(self, channel: str, mark: int) -> bool:
        """Whether something for long-polls was published to a channel since that point in time.

        What happened more than `remember_ids` seconds ago may be forgotten; then the answer is yes, to be sure.
        """
        state = self._channels.get(channel)
        return (state.changed if state is not None and state.changed else self._forgotten) > mark

    def last_id(self, channel: str) -> str | None:
        """The id of the last item of the channel's chain, or None if it had none or it is not remembered."""
        state = self._channels.get(channel)
        return None if state is None else state.last_id

    def _is_new(self, channel: str, id: str, now: float) -> bool:
        key = (channel, id)
        if key in self._ids:
            return False
        self._ids.add(key)
        self._ids_by_age.append((now + self._remember_ids, key))
        self._sweep_later()
        return True

    def _must_wait(self, state: _Channel, item: PublishedItem, now: float) -> bool:
        if item.prev_id is None or state.last_id is None or state.last_id == item.prev_id:
            return False
        key = (item.channel, item.prev_id)
        if key in self._held_back or state.held_back >= MAX_HELD_BACK:
            logger.warning("Item %r on channel %r goes out before its turn: too many wait.", item.id, item.channel)
            return False
        self._held_back[key] = (now + self._hold_back, item)
        state.held_back += 1
        return True

    def _take_held_back(self, key: tuple[str, str]) -> PublishedItem:
        item = self._held_back.pop(key)[1]
        self._channels[item.channel].held_back -= 1
        return item

    def _deliver_in_turn(self, state: _Channel, item: PublishedItem, now: float) -> None:
        """Deliver an item of the chain, and those that waited for it."""
        while True:
            # An item without an id breaks the chain off (GRIP.md, 6).
            state.last_id = item.id
            self._deliver(state, item, now)
            key = (item.channel, item.id or "")
            if not state.held_back or item.id is None or key not in self._held_back:
                return
            item = self._take_held_back(key)

    def _deliver(self, state: _Channel, item: PublishedItem, now: float) -> None:
        self._mark += 1
        if item.response is not None:
            state.changed = self._mark
        if not state.subscribers:
            self._keep_for_a_while(state)
            return
        channel = item.channel
        # A copy: an exchange may end its subscription, or others theirs, in the midst of it.
        for exchange in tuple(state.subscribers):
            try:
                exchange.receive_item(item, channel, now)
            except Exception:  # one client's fault must not keep the item from the others
                logger.exception("An item on channel %r did not reach one of its subscribers.", channel)

    # What is remembered, and for how long

    def _channel(self, name: str) -> _Channel:
        state = self._channels.get(name)
        if state is None:
            state = self._channels[name] = _Channel(self._now + self._remember_ids)
        return state

    def _keep_for_a_while(self, state: _Channel) -> None:
        state.expires = self._now + self._remember_ids
        self._sweep_later()

    def _sweep_later(self) -> None:
        """Look for what can be forgotten now and then, not for each thing at its own time."""
        if self._sweep_at is None:
            self._sweep_at = self._now + self._remember_ids

    def _sweep(self, now: float) -> None:
        self._forget_ids(now)
        idle = [name for name, state in self._channels.items() if not state.subscribers and not state.held_back]
        for name in idle:
            if self._channels[name].expires <= now:
                self._forgotten = max(self._forgotten, self._channels.pop(name).changed)
        is_anything_left = self._ids_by_age or any(not state.subscribers for state in self._channels.values())
        self._sweep_at = now + self._remember_ids if is_anything_left else None

    def _forget_ids(self, now: float) -> None:
        while self._ids_by_age and (self._ids_by_age[0][0] <= now or len(self._ids_by_age) > MAX_IDS):
            self._ids.discard(self._ids_by_age.popleft()[1])
