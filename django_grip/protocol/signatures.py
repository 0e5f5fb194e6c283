"""Signatures: is a request the proxy's own, and how is a token made that says so (GRIP.md, 1).

The clock is an argument: PyJWT does the cryptography, and times are compared here.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

import jwt
from jwt.algorithms import HMACAlgorithm

from ..exceptions import KeyFormatError
from .keys import Key

__all__ = ["SignatureVerifier", "VerifyKey", "build_grip_sig", "decode_token", "encode_token"]

MAX_TOKEN_SIZE = 4096
"""Characters of a token; a Grip-Sig has some 200."""


class VerifyKey(NamedTuple):
    """A key that signatures are verified with, and whom they must be from; None means anybody who has the secret."""

    key: Key
    issuer: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a signature can be believed: a public key may sign for others, too, so it needs an issuer."""
        return self.issuer is not None or self.key.kind == "secret"


class _QuietHMAC(HMACAlgorithm):
    """PyJWT's HS256 for keys that `load_key` has looked at already.

    It does not try at each token whether a secret may be a public key, and does not warn of short ones: a system check
    tells of those, once.
    """

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode()

    def check_key_length(self, key: object) -> None:
        return None


def _make_jws() -> Any:
    jws = jwt.PyJWS(algorithms=["HS256", "ES256", "RS256"])
    jws.unregister_algorithm("HS256")
    jws.register_algorithm("HS256", _QuietHMAC(HMACAlgorithm.SHA256))
    return jws


_jws = _make_jws()

_NOT_A_TOKEN = (jwt.PyJWTError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


class SignatureVerifier:
    """Verifies ``Grip-Sig`` against a set of keys, and remembers what it has verified.

    Tokens that verified are kept, the `maxsize` last used; their expiry is compared at every call.
    """

    def __init__(self, keys: Iterable[VerifyKey], *, maxsize: int = 2048) -> None:
        self._keys = tuple(key for key in keys if key.is_usable)
        self._maxsize = maxsize
        self._verified: OrderedDict[str, float] = OrderedDict()

    def verify(self, token: str, now: float) -> bool:
        """Whether one of the keys signed the token, for its issuer, and it has not expired. Never raises.

        now: seconds since the epoch. A token without an expiry does not verify.
        """
        expires = self._verified.get(token)
        if expires is None:
            expires = self._find_expiry(token)
            if expires is None or now >= expires:
                return False
            self._remember(token, expires)
            return True
        if now < expires:
            try:
                self._verified.move_to_end(token)
            except KeyError:  # another thread forgot it in between
                return True
            return True
        self._verified.pop(token, None)
        return False

    def _find_expiry(self, token: str) -> float | None:
        for key in self._keys:
            claims = decode_token(token, key.key)
            if claims is None or (key.issuer is not None and claims.get("iss") != key.issuer):
                continue
            return _read_expiry(claims)
        return None

    def _remember(self, token: str, expires: float) -> None:
        self._verified[token] = expires
        while len(self._verified) > self._maxsize:
            try:
                self._verified.popitem(last=False)
            except KeyError:
                return  # another thread has emptied it


def _read_expiry(claims: dict[str, Any]) -> float | None:
    expires = claims.get("exp")
    if isinstance(expires, bool) or not isinstance(expires, (int, float)) or not math.isfinite(expires):
        return None
    return expires


def decode_token(token: str, key: Key) -> dict[str, Any] | None:
    """Return the claims of a token that the key signed with its own algorithm, else None. Times are not looked at."""
    if len(token) > MAX_TOKEN_SIZE:
        return None
    try:
        claims = json.loads(_jws.decode(token, key.verifier, algorithms=[key.algorithm]))
    except _NOT_A_TOKEN:
        return None
    return claims if isinstance(claims, dict) else None


def encode_token(claims: dict[str, Any], key: Key) -> str:
    """Return a signed token; equal claims give equal tokens with a secret. Raises: KeyFormatError for a public key."""
    if not key.can_sign:
        raise KeyFormatError("a public key cannot sign; give the private key or a secret")
    payload = json.dumps(claims, separators=(",", ":")).encode()
    token: str = _jws.encode(payload, key.material, algorithm=key.algorithm)
    return token


def build_grip_sig(key: Key, *, issuer: str | None, expires: int) -> str:
    """Build a ``Grip-Sig``, or the token for a control port: who, and until when (seconds since the epoch).

    Raises: KeyFormatError for a public key.
    """
    claims: dict[str, Any] = {} if issuer is None else {"iss": issuer}
    return encode_token({**claims, "exp": expires}, key)
