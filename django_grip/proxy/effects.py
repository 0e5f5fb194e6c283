"""What an exchange wants done to its client; the shell does it, in order.

A long-poll or stream: `Respond`, or `Begin` and any number of `Chunk` and then `End`. A WebSocket: `Deny`, or `Accept`
and any number of `Text` and `Binary` and then `Close`. `Abort` may end either at any time. Effects are never changed,
so that one may stand in the queues of a thousand clients.
"""

from __future__ import annotations

from .messages import Headers

__all__ = ["Abort", "Accept", "Begin", "Binary", "Chunk", "Close", "Deny", "Effect", "End", "Respond", "Text"]


class Effect:
    """Base of all effects. size: what it counts for while it waits for a slow client: bytes, of a text characters."""

    __slots__ = ("size",)
    size: int

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({fields})"


class Respond(Effect):
    """A whole HTTP response."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status, self.headers, self.body, self.size = status, headers, body, len(body)


class Begin(Effect):
    """The head of a stream."""

    __slots__ = ("headers", "status")

    def __init__(self, status: int, headers: Headers) -> None:
        self.status, self.headers, self.size = status, headers, 0


class Chunk(Effect):
    """More of a stream. data: never empty."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)


class End(Effect):
    """The end of a stream, as it should be."""

    __slots__ = ()

    def __init__(self) -> None:
        self.size = 0


class Accept(Effect):
    """Answer the handshake with a 101. subprotocol: None for none; headers: without Sec-WebSocket-*."""

    __slots__ = ("headers", "subprotocol")

    def __init__(self, headers: Headers, subprotocol: str | None = None) -> None:
        self.headers, self.subprotocol, self.size = headers, subprotocol, 0


class Deny(Effect):
    """Answer the handshake with another status, headers and body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status, self.headers, self.body, self.size = status, headers, body, len(body)


class Text(Effect):
    """A text message."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text, self.size = text, len(text)


class Binary(Effect):
    """A binary message."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)


class Close(Effect):
    """Close the WebSocket with a code and a reason."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str = "") -> None:
        self.code, self.reason, self.size = code, reason, 0


class Abort(Effect):
    """Drop the client without a proper end, so that it knows that something is missing. reason: for the log."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason, self.size = reason, 0
