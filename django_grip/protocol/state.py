"""The state of a WebSocket between two requests: one signed value that travels with the proxy as meta.

The signature binds it to whatever the caller names (the connection, the view, the user), so that a value taken from
one place is worth nothing in another. The proxy, and whoever reads its log, can read it: it is no place for secrets.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from ..exceptions import ProtocolError, StateTooLarge

__all__ = ["MAX_STATE", "SignedState", "build_state", "check_state", "parse_state"]

MAX_STATE = 4096
"""Bytes of the encoded value, signature included (gunicorn refuses a header line over 8,190)."""

# A clock of another server may run ahead by this many seconds.
_SKEW = 60

# A multiple of three, so that base64 needs no padding.
_SIGNATURE_BYTES = 18

# What stands around the text: the signature with its dot, the time with its colon (ten digits, until the year 2286).
_HEAD_SIZE = _SIGNATURE_BYTES * 4 // 3 + 1
_TIME_SIZE = 11


class SignedState(NamedTuple):
    """What a verified value says. issued: seconds since the epoch. text: what was given to `build_state`."""

    issued: int
    text: str


def check_state(text: str) -> None:
    """Refuse a text that `build_state` will not take.

    Raises: StateTooLarge, naming the size, over `MAX_STATE`; UnicodeEncodeError for a lone surrogate.
    """
    # base64 makes four bytes of three, or of what is left at the end.
    size = _HEAD_SIZE + (_TIME_SIZE + len(text.encode()) + 2) // 3 * 4
    if size > MAX_STATE:
        raise StateTooLarge(
            f"The state takes {size:,} bytes when encoded; {MAX_STATE:,} is the most. "
            "Keep an id in it, and the rest in the database or the cache."
        )


def build_state(text: str, *, binding: str, key: bytes, now: float) -> str:
    """Encode and sign a text, as of now (seconds since the epoch). key: at most 64 bytes.

    Raises: as `check_state`.
    """
    check_state(text)
    payload = b2a_base64(f"{int(now)}:{text}".encode(), newline=False)
    return (_sign(payload, binding, key) + b"." + payload).decode()


def parse_state(value: str, *, binding: str, keys: Sequence[bytes], now: float, max_age: int) -> SignedState:
    """Verify a value and decode it. max_age: seconds.

    Raises: ProtocolError for a value that is malformed, forged, of another binding, too old or of the future.
    """
    signature, _, payload = value.encode("utf-8", "replace").partition(b".")
    for key in keys:
        if compare_digest(signature, _sign(payload, binding, key)):
            break
    else:
        raise ProtocolError("The state's signature is wrong.")
    issued, _, text = a2b_base64(payload).decode().partition(":")
    if not now - max_age <= int(issued) <= now + _SKEW:
        raise ProtocolError("The state is too old, or of the future.")
    return SignedState(int(issued), text)


def _sign(payload: bytes, binding: str, key: bytes) -> bytes:
    # The two cannot be confused: the payload is base64 and holds no zero byte. BLAKE2 is made to be keyed, and costs a
    # third of an HMAC; each message of a connection pays for this.
    digest = blake2b(
        b"%b\0%b" % (payload, binding.encode()), key=key, digest_size=_SIGNATURE_BYTES, person=b"grip state"
    )
    return b2a_base64(digest.digest(), newline=False)
