"""What a held stream does by the clock: keep-alives, and asking its next link after a silence (GRIP.md, 3 and 6)."""

from __future__ import annotations

from ...protocol.instruct import Instruct
from ...protocol.keep_alive import keep_alive_bytes
from ..effects import Chunk
from ..options import ProxyOptions
from .links import Place

__all__ = ["KeepAlive", "NextLink"]


class KeepAlive:
    """A keep-alive and when it is next sent."""

    __slots__ = ("_is_idle", "_seconds", "at", "chunk")

    def __init__(self, instruct: Instruct, options: ProxyOptions, now: float) -> None:
        self.chunk = Chunk(keep_alive_bytes(instruct.keep_alive))
        self._seconds = instruct.keep_alive_timeout or options.default_keep_alive_timeout
        self._is_idle = instruct.keep_alive_mode == "idle"
        self.at = now + self._seconds

    def data_sent(self, now: float) -> None:
        """Something else was sent; in mode "interval" that changes nothing."""
        if self._is_idle:
            self.at = now + self._seconds

    def restart(self, now: float) -> None:
        self.at = now + self._seconds


class NextLink:
    """A next link and when it is asked if nothing comes.

    The time begins anew once something has come on each channel, as with Pushpin: one that is busy does not hide that
    another has fallen silent.
    """

    __slots__ = ("_active", "_seconds", "at", "place")

    def __init__(self, place: Place, instruct: Instruct, options: ProxyOptions) -> None:
        self.place = place
        self._seconds = instruct.next_link_timeout or options.default_next_timeout
        self._active: set[str] | None = None
        self.at: float | None = None

    def restart(self, now: float) -> None:
        self._active = None
        self.at = now + self._seconds

    def data_came(self, channel: str, channels: tuple[str, ...], now: float) -> None:
        if len(channels) > 1:
            if self._active is None:
                self._active = set()
            self._active.add(channel)
            if len(self._active) < len(channels):
                return
        self.restart(now)
