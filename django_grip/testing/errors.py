"""What a test fails with. All are an `AssertionError`, so that it counts as failed and not as broken."""

from __future__ import annotations

__all__ = ["NotOpened", "NothingReceived", "SomethingReceived"]


class NotOpened(AssertionError):
    """The connection was refused, or answered without a hold; or it is used after its test."""


class NothingReceived(AssertionError):
    """Nothing is there to be received; the message says what happened instead."""


class SomethingReceived(AssertionError):
    """Nothing should have come, but something did."""
