from __future__ import annotations

import base64
import json
import timeit
import warnings

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from django_grip.exceptions import KeyFormatError
from django_grip.protocol.keys import load_key
from django_grip.protocol.signatures import SignatureVerifier, VerifyKey, build_grip_sig

NOW = 1_700_000_000
SECRET = load_key("changeme")
EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def private(key):
    return load_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public(key):
    return load_key(public_pem(key))


def in_token(part):
    return base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).decode().rstrip("=")


def forge(header, claims, key=None):
    """A token with any header, signed with HMAC if there is a key, as PyJWT would not make it."""
    import hashlib
    import hmac

    head = f"{in_token(header)}.{in_token(claims)}"
    return f"{head}.{in_token(hmac.new(key, head.encode(), hashlib.sha256).digest()) if key is not None else ''}"


@pytest.mark.parametrize(
    ("signer", "verifier"),
    [(SECRET, SECRET), (private(EC), public(EC)), (private(EC), private(EC)), (private(RSA), public(RSA))],
)
def test_what_a_key_signs_its_other_half_verifies_until_it_expires(signer, verifier):
    token = build_grip_sig(signer, issuer="pushpin", expires=NOW + 10)
    check = SignatureVerifier([VerifyKey(verifier, "pushpin")])
    assert check.verify(token, NOW)
    assert check.verify(token, NOW + 9.9)
    assert not check.verify(token, NOW + 10)
    assert jwt.decode(token, options={"verify_signature": False}) == {"iss": "pushpin", "exp": NOW + 10}


def test_signing_and_verifying_with_a_short_secret_warns_nobody_at_every_request():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        token = build_grip_sig(SECRET, issuer=None, expires=NOW + 1)
        assert SignatureVerifier([VerifyKey(SECRET)]).verify(token, NOW)


def test_fastlys_public_key_verifies_only_with_an_issuer():
    token = build_grip_sig(private(EC), issuer="fastly:ID", expires=NOW + 10)
    assert SignatureVerifier([VerifyKey(public(EC), "fastly:ID")]).verify(token, NOW)
    assert not SignatureVerifier([VerifyKey(public(EC), "fastly:OTHER")]).verify(token, NOW)
    assert not SignatureVerifier([VerifyKey(public(EC), None)]).verify(token, NOW)
    assert not VerifyKey(public(EC)).is_usable
    assert VerifyKey(public(EC), "fastly:ID").is_usable
    assert VerifyKey(SECRET).is_usable


CLAIMS = {"iss": "pushpin", "exp": NOW + 10}
HS256 = {"typ": "JWT", "alg": "HS256"}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c",
        "..",
        "é.ü.ö",
        "a" * 100_000,
        "." * 100_000,
        forge({"alg": "none"}, CLAIMS),
        forge({"alg": "None"}, CLAIMS, b""),
        forge({"alg": "none"}, CLAIMS, b"changeme"),
        forge(HS256, CLAIMS, b""),
        forge(HS256, CLAIMS, b"wrong"),
        forge({"alg": "HS512"}, CLAIMS, b"changeme"),
        forge({"alg": ["HS256"]}, CLAIMS, b"changeme"),
        forge({}, CLAIMS, b"changeme"),
        forge([], CLAIMS, b"changeme"),
        forge(b"[" * 3000, CLAIMS, b"changeme"),
        forge({**HS256, "b64": False, "crit": ["b64"]}, CLAIMS, b"changeme"),
        forge(HS256, b"[" * 2000, b"changeme"),
        forge(HS256, b"\xff", b"changeme"),
        forge(HS256, [CLAIMS], b"changeme"),
        forge(HS256, {"iss": "pushpin"}, b"changeme"),
        forge(HS256, {**CLAIMS, "exp": None}, b"changeme"),
        forge(HS256, {**CLAIMS, "exp": True}, b"changeme"),
        forge(HS256, {**CLAIMS, "exp": str(NOW + 10)}, b"changeme"),
        forge(HS256, {**CLAIMS, "exp": float("inf")}, b"changeme"),
        forge(HS256, {**CLAIMS, "exp": float("nan")}, b"changeme"),
        forge(HS256, {**CLAIMS, "exp": NOW}, b"changeme"),
        forge(HS256, {**CLAIMS, "exp": -1}, b"changeme"),
        forge(HS256, {**CLAIMS, "iss": "else"}, b"changeme"),
        forge(HS256, {**CLAIMS, "iss": ["pushpin"]}, b"changeme"),
        forge(HS256, {"exp": NOW + 10}, b"changeme"),
        forge(HS256, CLAIMS, b"changeme") + "x",
        forge(HS256, CLAIMS, b"changeme").replace(".", "..", 1),
    ],
)
def test_a_token_that_is_forged_malformed_or_stale_does_not_verify(token):
    assert not SignatureVerifier([VerifyKey(SECRET, "pushpin")]).verify(token, NOW)


def test_the_forger_of_these_tests_can_sign_well():
    assert SignatureVerifier([VerifyKey(SECRET, "pushpin")]).verify(forge(HS256, CLAIMS, b"changeme"), NOW)


@pytest.mark.parametrize("key", [EC, RSA])
def test_a_token_signed_with_the_public_keys_text_does_not_verify(key):
    check = SignatureVerifier([VerifyKey(public(key), "pushpin"), VerifyKey(private(key), "pushpin")])
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for secret in (public_pem(key), public_pem(key).strip(), der, b""):
        assert not check.verify(forge(HS256, CLAIMS, secret), NOW)


def test_a_token_of_one_kind_does_not_verify_with_a_key_of_another():
    by_ec = build_grip_sig(private(EC), issuer="pushpin", expires=NOW + 10)
    by_rsa = build_grip_sig(private(RSA), issuer="pushpin", expires=NOW + 10)
    by_secret = build_grip_sig(SECRET, issuer="pushpin", expires=NOW + 10)
    assert not SignatureVerifier([VerifyKey(public(RSA), "pushpin"), VerifyKey(SECRET)]).verify(by_ec, NOW)
    assert not SignatureVerifier([VerifyKey(public(EC), "pushpin"), VerifyKey(SECRET)]).verify(by_rsa, NOW)
    assert not SignatureVerifier([VerifyKey(public(EC), "pushpin"), VerifyKey(public(RSA), "x")]).verify(by_secret, NOW)
    every = SignatureVerifier([VerifyKey(public(EC), "pushpin"), VerifyKey(public(RSA), "pushpin"), VerifyKey(SECRET)])
    assert all(every.verify(token, NOW) for token in (by_ec, by_rsa, by_secret))


def test_no_keys_verify_nothing():
    assert not SignatureVerifier([]).verify(build_grip_sig(SECRET, issuer=None, expires=NOW + 1), NOW)


def test_only_what_verified_is_remembered_and_no_more_than_the_bound():
    check = SignatureVerifier([VerifyKey(SECRET)], maxsize=3)
    tokens = [build_grip_sig(SECRET, issuer=str(n), expires=NOW + 10) for n in range(5)]
    for token in (*tokens, "garbage", forge(HS256, CLAIMS, b"wrong")):
        check.verify(token, NOW)
    assert list(check._verified) == tokens[2:]
    check.verify(tokens[2], NOW)
    check.verify(tokens[0], NOW)
    assert list(check._verified) == [tokens[4], tokens[2], tokens[0]]
    check.verify(tokens[0], NOW + 10)
    assert list(check._verified) == [tokens[4], tokens[2]]


def test_a_public_key_cannot_sign():
    with pytest.raises(KeyFormatError, match="a public key cannot sign; give the private key or a secret"):
        build_grip_sig(public(EC), issuer="x", expires=NOW)


def test_a_remembered_token_costs_about_a_microsecond():
    check = SignatureVerifier([VerifyKey(SECRET)])
    token = build_grip_sig(SECRET, issuer="pushpin", expires=NOW + 10)
    assert min(timeit.repeat(lambda: check.verify(token, NOW), number=10_000, repeat=5)) < 0.1


@given(st.text() | st.text(alphabet="abcXYZ019-_.="))
def test_random_text_never_verifies_and_never_raises(token):
    assert SignatureVerifier([VerifyKey(SECRET), VerifyKey(public(EC), "x")]).verify(token, NOW) is False


@given(st.binary(), st.binary(), st.binary())
def test_random_bytes_in_the_shape_of_a_token_never_verify_and_never_raise(header, claims, signature):
    token = ".".join(map(in_token, (header, claims, signature)))
    assert SignatureVerifier([VerifyKey(SECRET), VerifyKey(public(EC), "x")]).verify(token, NOW) is False


@given(
    st.dictionaries(st.sampled_from(["alg", "typ", "b64", "crit", "kid", "x"]), st.none() | st.text() | st.integers())
)
def test_random_headers_never_verify_and_never_raise(header):
    assert SignatureVerifier([VerifyKey(SECRET)]).verify(forge(header, CLAIMS, b"wrong"), NOW) is False
