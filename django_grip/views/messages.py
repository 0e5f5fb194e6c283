"""How a `WebSocketView`'s messages are written and read: as text, bytes or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise

from ..encoding import decode_json, make_json_encoder
from ..exceptions import MessageDecodeError, ProtocolError
from ..protocol.formats import WebSocketMessageFormat
from ..protocol.session import WebSocketSession

__all__ = ["Codec", "MessageRefused", "get_codec"]


class MessageRefused(ProtocolError):
    """A client's message that its view does not take; `code` and `reason` are what the connection is closed with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Codec:
    """One way to write messages. read and write convert between a message and what goes over the wire."""

    wire_type: type[str] | type[bytes]
    read: Callable[[Any], Any] | None
    write: Callable[[Any], Any]

    def receive(self, session: WebSocketSession, max_size: int) -> Any:
        """Take the next message from a session that has one unread. max_size: bytes. Raises: MessageRefused."""
        try:
            raw = session.recv()
        except MessageDecodeError:
            raise MessageRefused(1007, "not UTF-8") from None
        if not isinstance(raw, self.wire_type):
            expected = "text" if self.wire_type is str else "binary"
            raise MessageRefused(1003, f"only {expected} messages are taken")
        # Four bytes a character is the most that UTF-8 takes.
        if len(raw) * 4 > max_size and _count_bytes(raw) > max_size:
            raise MessageRefused(1009, f"a message may have {max_size} bytes")
        if self.read is None:
            return raw
        try:
            return self.read(raw)
        except ValueError:
            raise MessageRefused(1007, "not JSON") from None

    def send(self, session: WebSocketSession, message: Any) -> None:
        """Send a message through a session. Raises: TypeError for one of another kind."""
        if self.wire_type is str:
            session.send(self.write(message))
        else:
            session.send_binary(self.write(message))

    def to_format(self, message: Any) -> WebSocketMessageFormat:
        """Make a message ready to be published."""
        return WebSocketMessageFormat(self.write(message), binary=self.wire_type is bytes)


def _count_bytes(raw: str | bytes) -> int:
    return len(raw.encode()) if isinstance(raw, str) else len(raw)


def _write_text(message: Any) -> str:
    if isinstance(message, Promise):
        return str(message)
    if not isinstance(message, str):
        raise TypeError(f'With encoding = "text" a message is a str, not {type(message).__name__}; see "json".')
    return message


def _write_bytes(message: Any) -> bytes:
    if not isinstance(message, (bytes, bytearray, memoryview)):
        raise TypeError(f'With encoding = "bytes" a message is bytes, not {type(message).__name__}.')
    return bytes(message)


def get_codec(encoding: str, encoder: type[json.JSONEncoder] | None = None) -> Codec:
    """The codec for a view's attributes. encoder: for JSON, where Django's is not enough.

    Raises: ImproperlyConfigured for an encoding that does not exist.
    """
    return _make_codec(encoding, cast(Any, encoder))


@lru_cache(maxsize=256)
def _make_codec(encoding: str, encoder: Any) -> Codec:
    if encoding == "text":
        return Codec(str, None, _write_text)
    if encoding == "bytes":
        return Codec(bytes, None, _write_bytes)
    if encoding == "json":
        return Codec(str, decode_json, make_json_encoder(encoder).encode)
    raise ImproperlyConfigured(f'encoding must be "text", "bytes" or "json", not {encoding!r}.')
