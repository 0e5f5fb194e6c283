"""Keys: what signs and verifies, from the forms in which people have them.

A key's kind decides its one algorithm, so that no token can choose: HS256 for a secret, ES256 for an EC key on P-256,
RS256 for an RSA key (GRIP.md, 1). A public key's text is never taken for a secret.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jwt import PyJWTError

from ..exceptions import KeyFormatError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    AsymmetricKey = EllipticCurvePrivateKey | EllipticCurvePublicKey | RSAPrivateKey | RSAPublicKey

__all__ = ["Key", "load_key"]

MIN_RSA_BITS = 2048  # RFC 7518, 3.3

_base64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


@dataclass(frozen=True)
class Key:
    """A key that is ready for use; `load_key` makes one.

    kind: "secret", "public" or "private". algorithm: "HS256", "ES256" or "RS256".
    Two keys are equal if they verify the same tokens and can sign alike. The repr shows no key.
    """

    kind: str
    algorithm: str
    identity: bytes = field(repr=False)
    material: bytes | AsymmetricKey = field(repr=False, compare=False)

    @property
    def secret(self) -> bytes | None:
        """The bytes of a secret; None for a key pair's half."""
        return self.material if isinstance(self.material, bytes) else None

    @property
    def can_sign(self) -> bool:
        return self.kind != "public"

    @property
    def verifier(self) -> bytes | EllipticCurvePublicKey | RSAPublicKey:
        """What verifies: the secret, or the public half."""
        if self.kind != "private":
            return self.material  # type: ignore[return-value]
        return self.material.public_key()  # type: ignore[union-attr]


def load_key(value: str | bytes | Mapping[str, Any]) -> Key:
    """Make a key of a secret (str or bytes), ``base64:…``, PEM, or a JWK (a dict or its JSON).

    What ``base64:`` decodes to may be any of the others, too.

    Raises: KeyFormatError, which never shows the key.
    """
    if isinstance(value, Mapping):
        return _load_jwk(value)
    if isinstance(value, str):
        value = _decode_text(value)
    if not isinstance(value, bytes):
        raise KeyFormatError(f"a key must be a str, bytes or a JWK, not {type(value).__name__}")
    if b"-----BEGIN " in value:
        return _load_pem(value)
    if value.lstrip().startswith(b"{"):
        jwk = _parse_json(value)
        if isinstance(jwk, dict):
            return _load_jwk(jwk)
    return _load_secret(value)


def _decode_text(text: str) -> bytes:
    if not text.startswith("base64:"):
        try:
            return text.encode()
        except UnicodeEncodeError:
            raise KeyFormatError("the key has a lone surrogate, which no bytes stand for") from None
    coded = text[len("base64:") :].strip()
    if not coded:
        raise KeyFormatError("the key is empty behind 'base64:'")
    return _decode_base64(coded, "what follows 'base64:' in the key")


def _decode_base64(coded: str, what: str) -> bytes:
    try:
        if not _base64.fullmatch(coded):
            raise ValueError
        coded = coded.rstrip("=").replace("+", "-").replace("/", "_")
        return urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
    except (Base64Error, ValueError):
        raise KeyFormatError(f"{what} is not base64") from None


def _parse_json(value: bytes) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None  # a secret may begin with a brace


def _load_secret(value: bytes) -> Key:
    if not value.strip():
        raise KeyFormatError("the key is empty")
    if re.match(rb"\s*(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ ", value) or _is_der_key(value):
        raise KeyFormatError("the key is a public key in a form that is not read here; give it as PEM or JWK")
    return Key("secret", "HS256", value, value)


def _is_der_key(value: bytes) -> bool:
    # A DER key is a SEQUENCE of some length; few secrets get past the first byte.
    if not value.startswith(b"\x30") or len(value) < 60:
        return False
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_der_public_key
    except ImportError:
        return False
    try:
        load_der_public_key(value)
    except UnsupportedAlgorithm:
        return True
    except (ValueError, TypeError):
        return False
    return True


def _load_pem(value: bytes) -> Key:
    # Environment variables often hold a PEM whose line ends are spelled out.
    value = value.strip().replace(b"\\n", b"\n")
    label = re.search(rb"-----BEGIN ([A-Z0-9 ]+)-----", value)
    name = label[1].decode() if label else ""
    if not name.endswith(("PUBLIC KEY", "PRIVATE KEY")):
        raise KeyFormatError(f"a PEM key must be a PUBLIC KEY or a PRIVATE KEY, not {name or 'malformed'}")
    serialization = _import_serialization("a PEM key")
    try:
        if name.endswith("PUBLIC KEY"):
            return _from_object(serialization.load_pem_public_key(value))
        return _from_object(serialization.load_pem_private_key(value, password=None))
    except TypeError:
        raise KeyFormatError("the private key is encrypted; give it without a pass phrase") from None
    except KeyFormatError:
        raise
    except Exception as error:
        raise KeyFormatError(f"the PEM key does not load: {type(error).__name__}") from error


def _import_serialization(what: str) -> Any:
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise KeyFormatError(f"{what} needs the package cryptography: pip install cryptography") from error
    return serialization


def _load_jwk(jwk: Mapping[str, Any]) -> Key:
    kind = jwk.get("kty")
    if kind == "oct":
        k = jwk.get("k")
        if not isinstance(k, str) or not k:
            raise KeyFormatError("the JWK has no 'k'")
        return _load_secret(_decode_base64(k, "'k' of the JWK"))
    if kind not in ("EC", "RSA"):
        if "keys" in jwk:
            raise KeyFormatError("the key is a set of JWKs; give one of them")
        raise KeyFormatError(f"the JWK must have a 'kty' of 'EC', 'RSA' or 'oct', not {kind!r}")
    _import_serialization("a JWK")
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm

    algorithm: Any = ECAlgorithm if kind == "EC" else RSAAlgorithm
    try:
        return _from_object(algorithm.from_jwk(dict(jwk)))
    except (PyJWTError, LookupError, TypeError, AttributeError) as error:
        raise KeyFormatError(f"the JWK does not load: {error}") from error
    except ValueError as error:
        if isinstance(error, KeyFormatError):
            raise
        raise KeyFormatError(f"the JWK does not load: {type(error).__name__}") from error


def _from_object(material: Any) -> Key:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = isinstance(material, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey))
    if isinstance(material, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        if not isinstance(material.curve, ec.SECP256R1):
            raise KeyFormatError(f"ES256 needs a key on the curve P-256; this one is on {material.curve.name}")
        algorithm = "ES256"
    elif isinstance(material, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        if material.key_size < MIN_RSA_BITS:
            raise KeyFormatError(f"RS256 needs a key of {MIN_RSA_BITS} bits; this one has {material.key_size}")
        algorithm = "RS256"
    else:
        raise KeyFormatError(f"the key must be EC or RSA, not {type(material).__name__}")
    public: Any = material.public_key() if private else material
    identity: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key("private" if private else "public", algorithm, identity, material)
