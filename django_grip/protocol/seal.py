"""Sealed texts: what travels where others can read it, and only we shall understand.

The standard library has no cipher, so this is the simplest that its HMAC makes a sound one of: the text is combined
with a stream of HMACs, under a nonce that is itself an HMAC of the text (RFC 5297 calls it a synthetic one). So equal
texts have equal seals, which gives away no more than that they are equal, and a seal that was changed does not open.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence

__all__ = ["seal", "unseal"]

_NONCE_SIZE = 16
_BLOCK_SIZE = 32


def seal(text: str, key: bytes) -> str:
    """Seal a short text: letters, digits, ``-`` and ``_``. key: 32 bytes that nothing else uses."""
    data = text.encode()
    nonce = _make_nonce(data, key)
    return urlsafe_b64encode(nonce + _combine(data, nonce, key)).rstrip(b"=").decode()


def unseal(sealed: str, keys: Sequence[bytes]) -> str | None:
    """Return the text that one of the keys has sealed, else None."""
    try:
        raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    except (Base64Error, ValueError):
        return None
    nonce, hidden = raw[:_NONCE_SIZE], raw[_NONCE_SIZE:]
    for key in keys:
        data = _combine(hidden, nonce, key)
        if hmac.compare_digest(_make_nonce(data, key), nonce):
            return data.decode()
    return None


def _make_nonce(data: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"nonce" + data, "sha256")[:_NONCE_SIZE]


def _combine(data: bytes, nonce: bytes, key: bytes) -> bytes:
    """Hide the data, or bring it back: the same operation does both."""
    blocks = range(-(-len(data) // _BLOCK_SIZE))
    stream = b"".join(hmac.digest(key, b"block" + nonce + number.to_bytes(4, "big"), "sha256") for number in blocks)
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))
