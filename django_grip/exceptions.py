"""Every error of this package, as one tree.

GripError
├── ProtocolError            a peer sent bytes that break the protocol: answered with a 400, or a close
│   ├── WebSocketEventsError     a body that is not application/websocket-events
│   ├── ControlMessageError      a control message ("c:" + JSON) the proxy would ignore
│   ├── MessageDecodeError       a text message that is not UTF-8
│   ├── HeaderError              a header that does not parse
│   └── LinkError                a link token that is forged, stale or malformed
├── UsageError               the calling code asks for what the protocol cannot carry
│   ├── ChannelNameError         a channel name with characters no header can carry
│   ├── InstructError            an instruction the proxy would refuse or misread
│   ├── ItemError                an item that cannot be encoded for the control port
│   ├── KeyFormatError           a key that is empty, malformed or of an unknown kind
│   ├── GripUrlError             a GRIP URL or proxy entry that does not parse
│   ├── ResponseTooLarge         more output than the proxy takes in one response
│   ├── StateTooLarge            a WebSocket's state that does not fit a header
│   └── ConnectionClosed         a message for a WebSocket that is closed
└── PublishError             an item did not reach every proxy
    ├── NoProxy                  there is no proxy to publish to
    ├── NotCommitted             the item waits for its transaction
    ├── PublisherClosed          the publisher was closed before the call
    └── ProxyFailure             what went wrong with one proxy
        ├── QueueFull                too much waits for this proxy already
        ├── ItemRejected             the proxy takes other items, not this one
        ├── ProxyRefused             the proxy refuses whatever comes from here
        ├── PublishTimeout           the proxy did not take the item in time
        └── NotSent                  the publisher was closed, or the process ended, before the item's turn
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "ChannelNameError",
    "ConnectionClosed",
    "ControlMessageError",
    "GripError",
    "GripUrlError",
    "HeaderError",
    "InstructError",
    "ItemError",
    "ItemRejected",
    "KeyFormatError",
    "LinkError",
    "MessageDecodeError",
    "NoProxy",
    "NotCommitted",
    "NotSent",
    "ProtocolError",
    "ProxyFailure",
    "ProxyRefused",
    "ProxyResult",
    "PublishError",
    "PublishTimeout",
    "PublisherClosed",
    "QueueFull",
    "ResponseTooLarge",
    "StateTooLarge",
    "UsageError",
    "WebSocketEventsError",
]


class GripError(Exception):
    """Base of every error this package raises on its own account."""


class ProtocolError(GripError, ValueError):
    """A peer sent bytes that break the protocol."""


class WebSocketEventsError(ProtocolError):
    """A body is not well-formed ``application/websocket-events``.

    ``problem`` says what is wrong; ``event`` counts from 1, and is ``None`` when the whole body is meant.
    """

    def __init__(self, problem: str, event: int | None = None) -> None:
        super().__init__(problem, event)
        self.problem = problem
        self.event = event

    def __str__(self) -> str:
        return self.problem if self.event is None else f"event {self.event}: {self.problem}"


class ControlMessageError(ProtocolError):
    """A control message is not what the proxy understands."""


class MessageDecodeError(ProtocolError):
    """A text message is not UTF-8."""


class HeaderError(ProtocolError):
    """A header does not parse."""


class LinkError(ProtocolError):
    """A link token is forged, stale or malformed."""


class UsageError(GripError, ValueError):
    """The calling code asks for something the protocol cannot carry."""


class ChannelNameError(UsageError):
    """A channel name has characters, or a length, that GRIP headers cannot carry."""


class InstructError(UsageError):
    """An instruction that the proxy would refuse or misread."""


class ItemError(UsageError):
    """An item cannot be encoded for the control port."""


class KeyFormatError(UsageError):
    """A key is empty, malformed or of a kind this package does not know."""


class GripUrlError(UsageError):
    """A GRIP URL, or an entry of ``GRIP_PROXIES``, does not parse."""


class ResponseTooLarge(UsageError):
    """More output than the proxy takes in one response."""


class StateTooLarge(UsageError):
    """The state of a WebSocket is too large for the header it travels in."""


class ConnectionClosed(UsageError):
    """A message was to be sent to a WebSocket that is closed."""


class ProxyResult(NamedTuple):
    """How one proxy took an item. `error` is None when it did; `attempts` counts the requests made for it."""

    url: str
    error: PublishError | None
    attempts: int


# A ValueError too, because that is what pubcontrol raises when a blocking publish fails.
class PublishError(GripError, ValueError):
    """An item did not reach every proxy.

    `results` has one entry for each proxy that is known to have taken or not taken the item.
    """

    def __init__(self, message: str, *, results: Sequence[ProxyResult] = ()) -> None:
        super().__init__(message)
        self.results = tuple(results)


class NoProxy(PublishError):
    """There is no proxy to publish to."""


class NotCommitted(PublishError):
    """The item goes out when its transaction commits; waiting for it inside the transaction would never end."""


class PublisherClosed(PublishError):
    """The publisher was closed before the call."""


class ProxyFailure(PublishError):
    """One proxy did not take an item; the text says why, the `ProxyResult` that carries it says which proxy."""


class QueueFull(ProxyFailure):
    """So many items wait for this proxy that no more are taken in."""


class ItemRejected(ProxyFailure):
    """The proxy takes other items, but not this one. `status`: its HTTP status."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ProxyRefused(ProxyFailure):
    """The proxy refuses whatever comes from here: a wrong URL, key or certificate. `status`: its HTTP status, or 0."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class PublishTimeout(ProxyFailure):
    """The proxy did not take the item within ``GRIP_PUBLISH_TIMEOUT``.

    `uncertain`: an answer was cut off, so that the item may have arrived all the same.
    """

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


class NotSent(ProxyFailure):
    """The publisher was closed, or the process ended or was forked, before the item's turn came."""
