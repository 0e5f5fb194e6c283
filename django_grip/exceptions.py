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
│   └── ResponseTooLarge         more output than the proxy takes in one response
└── PublishError             an item did not reach a proxy
"""

from __future__ import annotations

__all__ = [
    "ChannelNameError",
    "ControlMessageError",
    "GripError",
    "GripUrlError",
    "HeaderError",
    "InstructError",
    "ItemError",
    "KeyFormatError",
    "LinkError",
    "MessageDecodeError",
    "ProtocolError",
    "PublishError",
    "ResponseTooLarge",
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


class PublishError(GripError):
    """An item did not reach a proxy."""
