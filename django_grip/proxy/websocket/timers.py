"""What the proxy sends to a WebSocket's client by itself, told by control messages: keep-alives, a delayed message."""

from __future__ import annotations

from ..effects import Effect

__all__ = ["SocketTimers"]


class SocketTimers:
    """One connection's keep-alive and its delayed message. Times are monotonic seconds.

    sent_at: when something was sent last; whoever sends sets it.
    """

    __slots__ = ("_delayed", "_delayed_at", "_interval_at", "_keep_alive", "_timeout", "sent_at")

    def __init__(self, now: float) -> None:
        self.sent_at = now
        self._keep_alive: Effect | None = None
        self._timeout = 0
        # None: the keep-alive counts from what was sent last.
        self._interval_at: float | None = None
        self._delayed: Effect | None = None
        self._delayed_at = 0.0

    def set_keep_alive(self, effect: Effect | None, *, timeout: int, by_interval: bool, now: float) -> None:
        """Send a message every `timeout` seconds, or after so many of silence; None ends it."""
        self._keep_alive = effect
        self._timeout = timeout
        self._interval_at = now + timeout if by_interval else None
        self.sent_at = now

    def delay(self, effect: Effect, *, timeout: int, now: float) -> None:
        """Send a message in `timeout` seconds; the one before it is to be taken out first."""
        self._delayed, self._delayed_at = effect, now + timeout

    def take_delayed(self) -> Effect | None:
        """The delayed message, due or not; it waits no longer."""
        delayed, self._delayed = self._delayed, None
        return delayed

    @property
    def deadline(self) -> float | None:
        """When something is due."""
        keep_alive_at = self._keep_alive_at
        if self._delayed is None:
            return keep_alive_at
        return self._delayed_at if keep_alive_at is None else min(keep_alive_at, self._delayed_at)

    def take_due(self, now: float) -> list[Effect]:
        """What is to be sent now, in order."""
        due = []
        if self._delayed is not None and self._delayed_at <= now:
            due.append(self._delayed)
            self._delayed, self.sent_at = None, now
        keep_alive_at = self._keep_alive_at
        if self._keep_alive is not None and keep_alive_at is not None and keep_alive_at <= now:
            due.append(self._keep_alive)
            self.sent_at = now
            if self._interval_at is not None:
                # Not the sum: after a long sleep it would be due many times at once.
                self._interval_at = now + self._timeout
        return due

    @property
    def _keep_alive_at(self) -> float | None:
        if self._keep_alive is None:
            return None
        return self.sent_at + self._timeout if self._interval_at is None else self._interval_at
