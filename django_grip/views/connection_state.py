"""What a WebSocket's view remembers from one request to the next, as one signed value in the connection's meta."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ..conf import derive_keys
from ..endpoints import name_of
from ..exceptions import ProtocolError
from ..protocol.state import build_state, check_state, parse_state
from ..users import fingerprint_user, is_user_unchanged

if TYPE_CHECKING:
    from django.http import HttpRequest

    from ..protocol.session import WebSocketSession

__all__ = ["CLOSED", "CLOSING", "OPEN", "Memory", "UserChanged"]

_META_NAME = "grip-state"

# Plain JSON, so that a state comes back as it was: a date that returns as a str would be a surprise.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_decode = json.JSONDecoder().raw_decode

# Every tick renews a value that is older than this, so that only a connection whose view asks for no ticks grows old.
_RENEW_AFTER = 3600
_MAX_AGE = 7 * 86_400

OPEN, CLOSING, CLOSED = range(3)
"""How far a connection is: in use; closed by us, the client's echo to come; over, `on_close` called."""


class UserChanged(ProtocolError):
    """The user of a connection has logged out, has changed the password, or is another one."""


class Memory:
    """A connection's address, subprotocol and phase, and the view's own `state`, as a request begins and leaves them.

    The value is bound to the connection, the view and the user (DESIGN decision 4): one that was taken from another
    place, or whose user has logged out or changed the password, does not verify. Whom an anonymous user's connection
    belongs to is not asked: it has nobody's authority.
    """

    def __init__(self, view: type, request: HttpRequest, session: WebSocketSession) -> None:
        self._request = request
        self._session = session
        self._binding = f"{session.id}\n{name_of(view)}"
        self._loaded: tuple[str, int] | None = None
        self._issued = 0
        self._fingerprint: str | None = None
        # The state as the last hook that succeeded left it, and its JSON.
        self._kept: dict[str, Any] = {}
        self._kept_text = "{}"
        self.connection = ""
        self.subprotocol: str | None = None
        self.phase = OPEN

    def load(self) -> dict[str, Any]:
        """Take up what the last request saved, and return the state. Raises: ProtocolError if it is not our own."""
        value = self._session.orig_meta.get(_META_NAME, "")
        now = time.time()
        issued, text = parse_state(value, binding=self._binding, keys=derive_keys("state"), now=now, max_age=_MAX_AGE)
        head, _, self._kept_text = text.partition("\n")
        self.connection, self.subprotocol, self.phase, self._fingerprint = _decode(head)[0]
        if self._fingerprint and not is_user_unchanged(getattr(self._request, "user", None), self._fingerprint):
            raise UserChanged("The connection's user is no longer logged in.")
        self._loaded, self._issued = (self._kept_text, self.phase), issued
        if self._kept_text == "{}":
            return {}
        self._kept = _decode(self._kept_text)[0]
        return self.restore()

    def restore(self) -> dict[str, Any]:
        """The state as it was before a hook that failed; a copy."""
        copy: dict[str, Any] = _decode(self._kept_text)[0] if self._kept else {}
        return copy

    def keep(self, state: dict[str, Any]) -> None:
        """Take over the state that a hook leaves.

        Raises: TypeError or ValueError for what JSON does not bring back as it is, StateTooLarge.
        """
        if state == self._kept:
            return
        text = _encode_state(state)
        check_state(self._build_text(text))
        kept = _decode(text)[0]
        if kept != state:
            raise TypeError(
                "self.state would not come back as it is: JSON has str for keys, and lists but no tuples; store those."
            )
        self._kept, self._kept_text = kept, text

    def save(self, state: dict[str, Any]) -> None:
        """Leave it all for the next request, if anything changed or the value grows old."""
        # Asked of the JSON: equal is not the same, 1 may have become True.
        text = _encode_state(state) if state else "{}"
        now = time.time()
        if (text, self.phase) == self._loaded and now - self._issued < _RENEW_AFTER:
            return
        value = build_state(self._build_text(text), binding=self._binding, key=derive_keys("state")[0], now=now)
        self._session.meta[_META_NAME] = value

    def _build_text(self, state: str) -> str:
        if self._fingerprint is None:
            self._fingerprint = fingerprint_user(getattr(self._request, "user", None))
        return f"{_encode([self.connection, self.subprotocol, self.phase, self._fingerprint])}\n{state}"


def _encode_state(state: dict[str, Any]) -> str:
    if not isinstance(state, dict):
        raise TypeError(f"self.state must stay a dict, not become {type(state).__name__}.")
    try:
        return _encode(state)
    except TypeError as error:
        raise TypeError(f"self.state cannot be kept as JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"self.state cannot be kept as JSON: {error}") from error
