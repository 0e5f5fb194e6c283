"""The proxy's clock, which stands still until a test moves it."""

from __future__ import annotations

from .in_process import proxy

__all__ = ["Clock"]


class Clock:
    """The time of the proxy, for all connections of the test. ``time.time()`` is not touched."""

    def advance(self, seconds: float) -> None:
        """Let so many seconds go by, and everything happen that is due meanwhile, in order."""
        proxy.advance(seconds)

    async def aadvance(self, seconds: float) -> None:
        """`advance`, where connections are those of an `AsyncGripClient`."""
        await proxy.aadvance(seconds)
