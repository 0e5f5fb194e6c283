"""Speaking to one WebSocket from outside of its requests: a task, a thread, a shell.

Each connection of a `WebSocketView` is subscribed to a channel of its own, whose random name is ``view.connection``.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from .encoding import encode_json
from .event import Event
from .exceptions import UsageError
from .protocol.formats import WebSocketMessageFormat
from .publisher import publish

if TYPE_CHECKING:
    from .publishing import Publication

__all__ = ["close_to", "make_connection_name", "send_to"]

_PREFIX = "grip:connection:"


def make_connection_name() -> str:
    """Make the address of a new connection: it cannot be guessed, and no template yields it by accident."""
    return _PREFIX + secrets.token_urlsafe(16)


def send_to(connection: str, message: Any, **options: Any) -> Publication:
    """Send a message to one WebSocket.

    connection: ``self.connection`` of its view.
    message: str goes as text, bytes as binary, an `Event` as on any WebSocket, all else as JSON.
    options: as for `django_grip.publish`. Nothing tells whether the client is still there.

    Raises: UsageError for what is no connection's address; PublishError if ``blocking`` and a proxy fails.
    """
    return publish(_check(connection), _get_format(message), **options)


def close_to(connection: str, code: int = 1000, reason: str = "", **options: Any) -> Publication:
    """Close one WebSocket, with a code and a reason (at most 123 bytes). Raises: as `send_to`."""
    message = WebSocketMessageFormat(action="close", code=code, reason=reason)
    return publish(_check(connection), message, **options)


def _check(connection: str) -> str:
    if not isinstance(connection, str) or not connection.startswith(_PREFIX):
        raise UsageError(f"A connection is addressed by its view's self.connection, not by {connection!r}.")
    return connection


def _get_format(message: Any) -> WebSocketMessageFormat | Event:
    if isinstance(message, Event):
        return message
    if isinstance(message, (bytes, bytearray, memoryview)):
        return WebSocketMessageFormat(bytes(message), binary=True)
    return WebSocketMessageFormat(message if isinstance(message, str) else encode_json(message))
