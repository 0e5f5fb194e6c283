"""Published items, as the proxy takes them in: an EPCP body, read into what each kind of client gets (GRIP.md, 4)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .effects import Binary, Chunk, Close, Effect, Text

__all__ = ["PublishedItem", "ResponseMessage", "SocketMessage", "StreamMessage"]

logger = logging.getLogger("django_grip")


@dataclass
class StreamMessage:
    """``http-stream``. action: send, hint or close."""

    action: str = "send"
    content: bytes = b""

    @cached_property
    def effect(self) -> Effect | None:
        """What is sent to each client: one effect for all of them. None for hint and close, and where nothing is."""
        return Chunk(self.content) if self.action == "send" and self.content else None


@dataclass
class ResponseMessage:
    """``http-response``. action: send or hint. patch: a JSON Patch for the body of the held response, else None."""

    action: str = "send"
    code: int = 200
    reason: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    patch: list[dict[str, Any]] | None = None


@dataclass
class SocketMessage:
    """``ws-message``. action: send, close or refresh. type: text, binary, ping or pong."""

    action: str = "send"
    type: str = "text"
    content: bytes = b""
    code: int = 1000
    reason: str = ""

    @cached_property
    def effect(self) -> Effect | None:
        """What is done to each client: one effect for all of them. None for refresh, and for what cannot be done.

        Pings and pongs are the server's own affair in ASGI.
        """
        if self.action == "close":
            return Close(self.code, self.reason)
        if self.action != "send":
            return None
        if self.type == "binary":
            return Binary(self.content)
        if self.type != "text":
            return None
        try:
            return Text(self.content.decode())
        except UnicodeDecodeError as error:
            logger.warning("A published text message is not UTF-8 at byte %d; no WebSocket gets it.", error.start)
            return None


@dataclass
class PublishedItem:
    """One item for one channel. meta: facts for filters. What its formats do not have is None."""

    channel: str
    id: str | None = None
    prev_id: str | None = None
    no_seq: bool = False
    meta: dict[str, str] = field(default_factory=dict)
    stream: StreamMessage | None = None
    response: ResponseMessage | None = None
    socket: SocketMessage | None = None

    @property
    def size(self) -> int:
        """The bytes of the contents for all kinds of client together."""
        return (
            (len(self.stream.content) if self.stream is not None else 0)
            + (len(self.response.body) if self.response is not None else 0)
            + (len(self.socket.content) if self.socket is not None else 0)
        )
