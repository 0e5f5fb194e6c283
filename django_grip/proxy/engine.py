"""The core as a whole: the hub, the exchanges that are open, and what every request to the application carries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..protocol.headers import build_grip_feature
from ..protocol.signatures import build_grip_sig
from .hub import Hub
from .messages import Headers
from .options import FEATURES, ProxyOptions
from .published import PublishedItem

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["Engine"]

logger = logging.getLogger("django_grip")

SIGNATURE_LIFETIME = 3600
"""Seconds that a ``Grip-Sig`` is good for, as Pushpin's."""

SIGNATURE_REUSE = 60
"""Seconds for which one is used again: a verifier that remembers it has less to do."""

_FEATURE_HEADER = (b"grip-feature", build_grip_feature(FEATURES).encode())


class Engine:
    """An embedded GRIP proxy without its I/O.

    exchanges: those that are not done; each enters itself when it is made.
    is_shut_down, is_restarting: the server ends; and it will be back.
    wall_clock: seconds since the epoch, for what is signed. All other times are `now`, handed in by whoever drives it:
    seconds that only ever grow, the same for every exchange.
    """

    def __init__(self, options: ProxyOptions | None = None, *, wall_clock: Callable[[], float] = time.time) -> None:
        self.options = options or ProxyOptions()
        self.hub = Hub(self.options)
        self.exchanges: set[Exchange] = set()
        self.is_shut_down = False
        self.is_restarting = False
        self._wall_clock = wall_clock
        self._signature = b""
        self._signature_minted: float | None = None

    def forget(self, exchange: Exchange) -> None:
        """An exchange is done: it has no subscriptions any longer."""
        self.hub.drop(exchange)
        self.exchanges.discard(exchange)

    def publish(self, items: Iterable[PublishedItem], now: float) -> None:
        """Bring items to those who are subscribed (see `Hub.publish`)."""
        self.hub.publish(items, now)

    @property
    def deadline(self) -> float | None:
        """When to call `wake`: the hub's. Each exchange has one of its own."""
        return self.hub.deadline

    def wake(self, now: float) -> None:
        """The hub's deadline may have come."""
        self.hub.wake(now)

    def shut_down(self, now: float, *, is_restart: bool = False) -> None:
        """The server ends: part with every client properly. From now on nothing is held any longer.

        is_restart: WebSockets are told that the server will be back (1012), and not that it is gone (1001).
        """
        self.is_shut_down, self.is_restarting = True, is_restart
        for exchange in tuple(self.exchanges):
            try:
                exchange.shut_down(now)
            except Exception:  # one client's fault must not keep the others from their end
                logger.exception("A client could not be parted with properly.")

    def grip_headers(self) -> Headers:
        """What every request to the application carries: who asks, signed, and what the proxy can do."""
        if self.options.key is None:
            return [_FEATURE_HEADER]
        wall_time = self._wall_clock()
        minted = self._signature_minted
        # A wall clock that was set back makes a new one, too.
        if minted is None or not minted <= wall_time < minted + SIGNATURE_REUSE:
            expires = int(wall_time) + SIGNATURE_LIFETIME
            token = build_grip_sig(self.options.key, issuer=self.options.issuer, expires=expires)
            self._signature, self._signature_minted = token.encode(), wall_time
        return [(b"grip-sig", self._signature), _FEATURE_HEADER]
