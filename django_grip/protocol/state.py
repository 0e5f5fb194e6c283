"""The state of a WebSocket between two requests: one signed value that travels with the proxy as meta.

The signature binds it to whatever the caller names (the connection, the view, the user), so that a value taken from
one place is worth nothing in another. The proxy, and whoever reads its log, can read it: it is no place for secrets.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from ..exceptions import ProtocolError, StateTooLarge

__all__ = ["MAX_STATE", "SignedState", "build_state", "parse_state"]

MAX_STATE = 4096
"""Bytes of the encoded value, signature included (gunicorn refuses a header line over 8,190)."""

# A clock of another server may run ahead by this many seconds.
_SKEW = 60

_SIGNATURE_BYTES = 16


class SignedState(NamedTuple):
    """What a verified value says. issued: seconds since the epoch. text: what was given to `build_state`."""

    issued: int
    text: str


def build_state(text: str, *, binding: str, key: bytes, now: float) -> str:
    """Encode and sign a text, as of now (seconds since the epoch).

    Raises: StateTooLarge over `MAX_STATE`.
    """
    payload = base64.urlsafe_b64encode(f"{int(now)}:{text}".encode()).rstrip(b"=")
    value = payload + b"." + _sign(payload, binding, key)
    if len(value) > MAX_STATE:
        raise StateTooLarge(
            f"The state takes {len(value):,} bytes when encoded; {MAX_STATE:,} is the most. Keep an id in it, and the "
            "rest in the database or the cache."
        )
    return value.decode()


def parse_state(value: str, *, binding: str, keys: Sequence[bytes], now: float, max_age: int) -> SignedState:
    """Verify a value and decode it. max_age: seconds.

    Raises: ProtocolError for a value that is malformed, forged, of another binding, too old or of the future.
    """
    payload, dot, signature = value.encode("utf-8", "replace").rpartition(b".")
    if not dot or not any(hmac.compare_digest(signature, _sign(payload, binding, key)) for key in keys):
        raise ProtocolError("The state's signature is wrong.")
    issued, _, text = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)).decode().partition(":")
    if not now - max_age <= int(issued) <= now + _SKEW:
        raise ProtocolError("The state is too old, or of the future.")
    return SignedState(int(issued), text)


def _sign(payload: bytes, binding: str, key: bytes) -> bytes:
    # The two cannot be confused: the payload is base64 and holds no zero byte.
    digest = hmac.digest(key, payload + b"\0" + binding.encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).rstrip(b"=")
