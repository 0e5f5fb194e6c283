from __future__ import annotations

import base64
import json
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from django_grip.exceptions import KeyFormatError
from django_grip.protocol.keys import load_key

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def private_pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def in_base64(text):
    return "base64:" + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("changeme", b"changeme"),
        (b"\x00\xff", b"\x00\xff"),
        ("größer", "größer".encode()),
        ("base64:Y2hhbmdlbWU=", b"changeme"),
        ("base64:Y2hhbmdlbWU", b"changeme"),
        ("base64:-_-_", b"\xfb\xff\xbf"),
        ("base64:+/+/", b"\xfb\xff\xbf"),
        (b"base64:Y2hhbmdlbWU=", b"base64:Y2hhbmdlbWU="),
        ("{no json", b"{no json"),
        ({"kty": "oct", "k": "Y2hhbmdlbWU"}, b"changeme"),
        ('{"kty": "oct", "k": "Y2hhbmdlbWU"}', b"changeme"),
        (b"0" * 100, b"0" * 100),
    ],
)
def test_a_secret_is_bytes_whatever_it_was_written_as(value, secret):
    key = load_key(value)
    assert (key.kind, key.algorithm, key.secret, key.verifier) == ("secret", "HS256", secret, secret)
    assert key.can_sign


@pytest.mark.parametrize(
    ("value", "kind", "algorithm"),
    [
        (private_pem(EC), "private", "ES256"),
        (public_pem(EC), "public", "ES256"),
        (private_pem(RSA), "private", "RS256"),
        (public_pem(RSA), "public", "RS256"),
        (public_pem(RSA).encode(), "public", "RS256"),
        (in_base64(public_pem(EC)), "public", "ES256"),
        (public_pem(EC).replace("\n", "\\n"), "public", "ES256"),
        ("\n  " + public_pem(EC), "public", "ES256"),
        (ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "public", "ES256"),
        (ECAlgorithm.to_jwk(EC), "private", "ES256"),
        (RSAAlgorithm.to_jwk(RSA.public_key()), "public", "RS256"),
        (RSAAlgorithm.to_jwk(RSA, as_dict=True), "private", "RS256"),
        (in_base64(ECAlgorithm.to_jwk(EC.public_key())), "public", "ES256"),
    ],
)
def test_pem_and_jwk_are_keys_of_their_own_algorithm(value, kind, algorithm):
    key = load_key(value)
    assert (key.kind, key.algorithm, key.secret) == (kind, algorithm, None)
    assert key.can_sign == (kind == "private")


def test_two_spellings_of_a_key_are_one_key():
    assert load_key(public_pem(EC)) == load_key(ECAlgorithm.to_jwk(EC.public_key(), as_dict=True))
    assert len({load_key("changeme"), load_key("base64:Y2hhbmdlbWU="), load_key(b"changeme")}) == 1
    assert load_key(public_pem(EC)) != load_key(private_pem(EC))


@pytest.mark.parametrize("value", ["changeme", private_pem(EC)])
def test_no_repr_and_no_str_shows_a_key(value):
    shown = repr(load_key(value)) + str(load_key(value))
    assert value[:8] not in shown
    assert shown.startswith("Key(kind=")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "the key is empty"),
        (b"", "the key is empty"),
        ("  \n", "the key is empty"),
        ("base64:", "the key is empty behind 'base64:'"),
        ("base64:a*b", "what follows 'base64:' in the key is not base64"),
        ("base64:a", "what follows 'base64:' in the key is not base64"),
        ("base64:ICA=", "the key is empty"),
        (None, "a key must be a str, bytes or a JWK, not NoneType"),
        (5, "a key must be a str, bytes or a JWK, not int"),
        ("\ud800", "the key has a lone surrogate, which no bytes stand for"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "PRIVATE KEY, not CERTIFICATE"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "the PEM key does not load: "),
        ("-----BEGIN PRIVATE KEY-----", "the PEM key does not load: "),
        ("-----BEGIN ", "a PEM key must be a PUBLIC KEY or a PRIVATE KEY, not malformed"),
        (private_pem(EC, BestAvailableEncryption(b"x")), "the private key is encrypted; give it without a pass phrase"),
        ("ssh-rsa AAAAB3NzaC1yc2E me@example", "a public key in a form that is not read here; give it as PEM or JWK"),
        (
            EC.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "a public key in a form that is not read here",
        ),
        (
            private_pem(ec.generate_private_key(ec.SECP384R1())),
            "ES256 needs a key on the curve P-256; this one is on secp384r1",
        ),
        (private_pem(ed25519.Ed25519PrivateKey.generate()), "the key must be EC or RSA, not "),
        ({}, "the JWK must have a 'kty' of 'EC', 'RSA' or 'oct', not None"),
        ('{"key": "x"}', "the JWK must have a 'kty' of 'EC', 'RSA' or 'oct', not None"),
        ({"keys": []}, "the key is a set of JWKs; give one of them"),
        ({"kty": "OKP"}, "the JWK must have a 'kty' of 'EC', 'RSA' or 'oct', not 'OKP'"),
        ({"kty": "oct"}, "the JWK has no 'k'"),
        ({"kty": "oct", "k": "*"}, "'k' of the JWK is not base64"),
        ({"kty": "EC", "crv": "P-256"}, "the JWK does not load: "),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "the JWK does not load: "),
        ({"kty": "EC", "crv": "P-256", "x": 5, "y": 5}, "the JWK does not load: "),
        ({"kty": "RSA", "n": "AA", "e": "AQAB"}, ""),
        ({"kty": "RSA"}, "the JWK does not load: "),
    ],
)
def test_a_key_that_cannot_be_used_says_why_and_is_not_shown(value, message):
    with pytest.raises(KeyFormatError) as caught:
        load_key(value)
    assert message in str(caught.value)
    assert "AAAA" not in str(caught.value)


def test_a_short_rsa_key_is_refused():
    jwk = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)
    jwk["n"] = base64.urlsafe_b64encode((2**1023 + 1).to_bytes(128, "big")).decode().rstrip("=")
    with pytest.raises(KeyFormatError, match="RS256 needs a key of 2048 bits; this one has 1024"):
        load_key(json.dumps(jwk))


@pytest.mark.parametrize("value", [public_pem(EC), ECAlgorithm.to_jwk(EC.public_key())])
def test_without_cryptography_a_pem_or_jwk_says_what_to_install(monkeypatch, value):
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(KeyFormatError, match=r"needs the package cryptography: pip install cryptography"):
        load_key(value)
    assert load_key("changeme").secret == b"changeme"
