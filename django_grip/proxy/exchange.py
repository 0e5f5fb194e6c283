"""What every exchange with a client has: requests for the application, effects for the client, one deadline."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from .effects import Effect
from .messages import AppFailure, AppRequest, AppResponse

if TYPE_CHECKING:
    from .engine import Engine
    from .published import PublishedItem

__all__ = ["Exchange"]


def _nobody_listens() -> None:
    pass


class Exchange:
    """One client and what the proxy does for it. A state machine: no I/O, and `now` is handed in (monotonic, seconds).

    Whoever drives it calls `start`, then one of the inputs below whenever something happens; after each input, and
    whenever `notify` was called, it takes the `asks` (requests for the application; each is answered with one call of
    `receive_response`), writes the effects of `next_effect()`, and calls `wake(now)` when `deadline` has come.

    done: nothing more will come of it; the hub has forgotten it. notify: called when something came out of an input
    that the driver did not give, such as an item from the hub. deadline: when to call `wake`; it may move, later or
    sooner.
    """

    __slots__ = ("asks", "deadline", "done", "engine", "notify", "outbox", "outbox_size")

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.asks: list[AppRequest] = []
        self.outbox: deque[Effect] = deque()
        self.outbox_size = 0
        self.deadline: float | None = None
        self.done = False
        self.notify: Callable[[], None] = _nobody_listens
        engine.exchanges.add(self)

    def start(self, now: float) -> None:
        """Begin: the first request to the application is asked for."""
        raise NotImplementedError

    def receive_response(self, response: AppResponse | AppFailure, now: float) -> None:
        """Take the application's answer to the oldest ask that has none yet; gone links are not answered here."""
        raise NotImplementedError

    def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
        """Take what was published to a channel. The hub has seen to ids and order."""
        raise NotImplementedError

    def client_gone(self, now: float) -> None:
        """The client's connection is lost."""
        raise NotImplementedError

    def shut_down(self, now: float) -> None:
        """The server ends: part with the client properly, at once, and ask the application nothing more."""
        raise NotImplementedError

    def wake(self, now: float) -> None:
        """A deadline may have come."""
        raise NotImplementedError

    @property
    def mode(self) -> str:
        """What it holds: "ws", "stream", "response", or "" for nothing."""
        return ""

    def finish(self) -> None:
        """Nothing more will come of it but what waits in `asks` and the outbox: hub and engine forget it."""
        self.done = True
        self.deadline = None
        self.engine.forget(self)

    def take_asks(self) -> list[AppRequest]:
        """What the application is to be asked now, in order."""
        asks, self.asks = self.asks, []
        return asks

    def next_effect(self) -> Effect | None:
        """The next thing to do to the client, or None. Taken out: it no longer counts against a slow client."""
        if not self.outbox:
            return None
        effect = self.outbox.popleft()
        self.outbox_size -= effect.size
        return effect

    def put(self, effect: Effect) -> None:
        """Queue an effect for the client."""
        self.outbox.append(effect)
        self.outbox_size += effect.size

    @property
    def is_overfull(self) -> bool:
        """Whether more waits for a client that does not read than it may have waiting."""
        options = self.engine.options
        return self.outbox_size > options.max_outbox or len(self.outbox) > options.max_outbox_items
