"""What a WebSocket's view remembers from one request to the next, as one signed value in the connection's meta."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

from django.utils.functional import cached_property

from ..conf import derive_keys
from ..exceptions import ProtocolError
from ..protocol.session import WebSocketSession
from ..protocol.state import build_state, parse_state
from ..users import fingerprint_user, is_user_unchanged

__all__ = ["ConnectionState", "Memory"]

_META_NAME = "grip-state"

# Plain JSON, so that a state comes back as it was: a date that returns as a str would be a surprise.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

# Every tick renews a state that is older than this, so that only a connection whose view asks for no ticks grows old.
_RENEW_AFTER = 3600
_MAX_AGE = 7 * 86_400


class Memory(NamedTuple):
    """What is remembered: the connection's address, its subprotocol, and the view's own state."""

    connection: str
    subprotocol: str | None
    state: dict[str, Any]


class ConnectionState:
    """Loads and saves a connection's memory.

    The value is bound to the connection, the view and the user (DESIGN decision 4): one that was taken from another
    place, or whose user has logged out or changed the password, does not verify.
    """

    def __init__(self, view: type, session: WebSocketSession, user: Any) -> None:
        self._session = session
        self._user = user
        self._binding = f"{session.id}\n{view.__module__}.{view.__qualname__}"
        self._saved = ""
        self._issued = 0.0

    def load(self) -> Memory:
        """Take up what the last request saved. Raises: ProtocolError if it is not this connection's own."""
        issued, text = parse_state(
            self._session.meta.get(_META_NAME, ""),
            binding=self._binding,
            keys=derive_keys("state"),
            now=time.time(),
            max_age=_MAX_AGE,
        )
        connection, subprotocol, self._fingerprint, state = json.loads(text)
        if not is_user_unchanged(self._user, self._fingerprint):
            raise ProtocolError("The state is another user's.")
        self._saved, self._issued = text, issued
        return Memory(connection, subprotocol, state)

    def save(self, memory: Memory) -> None:
        """Keep the memory for the next request, if it changed or grows old.

        Raises: StateTooLarge, or TypeError or ValueError for what JSON cannot hold.
        """
        connection, subprotocol, state = memory
        text = _encode([connection, subprotocol, self._fingerprint, state])
        now = time.time()
        if text == self._saved and now - self._issued < _RENEW_AFTER:
            return
        value = build_state(text, binding=self._binding, key=derive_keys("state")[0], now=now)
        self._session.meta[_META_NAME] = value
        self._saved, self._issued = text, now

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint_user(self._user)
