"""How an attempt to hand items to a proxy can go wrong, as a transport tells it to the lane."""

from __future__ import annotations

__all__ = ["Rejected", "TransportError", "Turned", "Unreached"]


class TransportError(Exception):
    """Base of what a transport raises. The text is for the log: one line, without keys."""


class Unreached(TransportError):
    """No acknowledgement; trying again may help.

    uncertain: whether the items may have arrived all the same.
    sent: how many of them, from the front, are known to have arrived.
    retry_after: seconds the proxy asked us to wait, or None.
    """

    def __init__(
        self, message: str, *, uncertain: bool = False, sent: int = 0, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.uncertain = uncertain
        self.sent = sent
        self.retry_after = retry_after


class Rejected(TransportError):
    """The proxy read the items and refused them: at least one is bad, or they are too many at once."""

    def __init__(self, message: str, *, status: int, too_large: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.too_large = too_large


class Turned(TransportError):
    """The proxy turns us away, whatever the items: a wrong address, key or certificate. status: HTTP, or 0."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
