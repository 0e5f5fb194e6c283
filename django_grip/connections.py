"""Speaking to one WebSocket from outside of its requests: a task, a thread, a shell.

Each connection of a `WebSocketView` is subscribed to a channel of its own, whose random name is ``view.connection``.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from .encoding import encode_json
from .event import Event
from .exceptions import UsageError
from .protocol.formats import WebSocketMessageFormat
from .publisher import apublish, publish

if TYPE_CHECKING:
    from .publishing import Publication

__all__ = ["aclose_to", "asend_to", "close_to", "make_connection_name", "send_to"]

_KINDS = {"text": "t", "bytes": "b", "json": "j"}
_NAME = re.compile(r"grip:connection:([tbj]):[A-Za-z0-9_-]{22}")


def make_connection_name(encoding: str) -> str:
    """Make the address of a new connection. It cannot be guessed, and says what its view's `encoding` is."""
    return f"grip:connection:{_KINDS[encoding]}:{secrets.token_urlsafe(16)}"


def send_to(connection: str, message: Any, **options: Any) -> Publication:
    """Send a message to one WebSocket, as its view's own ``send`` does.

    connection: ``self.connection`` of its view.
    message: str, bytes or what JSON holds, as its view's `encoding` says (JSON is written with Django's encoder); or an
        `Event`.
    options: as for `django_grip.publish`. Nothing tells whether the client is still there.

    Raises: UsageError for what is no connection's address; TypeError for a message of another kind than the view's;
    PublishError if ``blocking`` and a proxy fails.
    """
    return publish(connection, _make_format(connection, message), **options)


async def asend_to(connection: str, message: Any, **options: Any) -> Publication:
    """`send_to`, awaiting the proxies' answers."""
    return await apublish(connection, _make_format(connection, message), **options)


def close_to(connection: str, code: int = 1000, reason: str = "", **options: Any) -> Publication:
    """Close one WebSocket, with a code and a reason (at most 123 bytes). Raises: as `send_to`."""
    return publish(connection, _make_close(connection, code, reason), **options)


async def aclose_to(connection: str, code: int = 1000, reason: str = "", **options: Any) -> Publication:
    """`close_to`, awaiting the proxies' answers."""
    return await apublish(connection, _make_close(connection, code, reason), **options)


def _read_kind(connection: str) -> str:
    match = _NAME.fullmatch(connection) if isinstance(connection, str) else None
    if match is None:
        raise UsageError(f"A connection is addressed by its view's self.connection, not by {connection!r}.")
    return match[1]


def _make_close(connection: str, code: int, reason: str) -> WebSocketMessageFormat:
    _read_kind(connection)
    return WebSocketMessageFormat(action="close", code=code, reason=reason)


def _make_format(connection: str, message: Any) -> WebSocketMessageFormat | Event:
    kind = _read_kind(connection)
    if isinstance(message, Event):
        return message
    if kind == "j":
        return WebSocketMessageFormat(encode_json(message))
    if isinstance(message, str if kind == "t" else (bytes, bytearray, memoryview)):
        return WebSocketMessageFormat(message if isinstance(message, str) else bytes(message), binary=kind == "b")
    raise TypeError(
        f"This connection's view takes {'str' if kind == 't' else 'bytes'}, not {type(message).__name__}, as a message."
    )
