"""Published items, as the proxy takes them in: an EPCP body read into what each kind of client will get (GRIP.md, 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["PublishedItem", "ResponseMessage", "SocketMessage", "StreamMessage"]


@dataclass
class StreamMessage:
    """``http-stream``. action: send, hint or close."""

    action: str = "send"
    content: bytes = b""


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
