"""What a request to a control port carries to show who sends it: nothing, a fixed header, or a JWT that is renewed."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable

from ..exceptions import KeyFormatError
from ..protocol.keys import Key
from ..protocol.signatures import build_grip_sig

__all__ = ["Authority", "FixedAuthority", "JwtAuthority", "basic_authority", "bearer_authority"]

_LIFETIME = 3600
_MARGIN = 300


class Authority:
    """No authority: Pushpin asks for none (GRIP.md, 4). Base of the others."""

    def header(self) -> str | None:
        """The value of the Authorization header, or None for no header."""
        return None

    def renew(self) -> bool:
        """Forget what can be made anew. False when that changes nothing."""
        return False


class FixedAuthority(Authority):
    """The same header every time."""

    def __init__(self, value: str) -> None:
        self._value = value

    def header(self) -> str | None:
        return self._value


def bearer_authority(token: str) -> Authority:
    """An API token, as Fastly wants it.

    Raises: KeyFormatError, when no header can carry it.
    """
    if not token or any(not 33 <= ord(character) <= 126 for character in token):
        raise KeyFormatError("A bearer token must be printable ASCII without blanks.")
    return FixedAuthority(f"Bearer {token}")


def basic_authority(user: str, password: str) -> Authority:
    return FixedAuthority("Basic " + b64encode(f"{user}:{password}".encode()).decode())


class JwtAuthority(Authority):
    """A token signed with the proxy's key: minted once, used for an hour, renewed five minutes before its end."""

    def __init__(self, key: Key, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._issuer = issuer
        self._clock = clock
        self._value: str | None = None
        self._minted = 0.0

    def header(self) -> str | None:
        now = self._clock()
        # A clock that was set back makes the token one from the future, which a proxy may refuse.
        if self._value is None or not self._minted <= now < self._minted + _LIFETIME - _MARGIN:
            self._value = "Bearer " + build_grip_sig(self._key, issuer=self._issuer, expires=int(now) + _LIFETIME)
            self._minted = now
        return self._value

    def renew(self) -> bool:
        self._value = None
        return True
