"""Proxies that sign with a key pair, as Fastly Fanout does: whose signatures count (DESIGN decision 1)."""

from __future__ import annotations

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.http import HttpResponse

from django_grip.protocol import proxy_config

from .stacks import Site

pytest_plugins = ["tests.fixtures"]

EC = ec.generate_private_key(ec.SECP256R1())
OTHER_EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def jwk(key) -> dict[str, str]:
    return json.loads(jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).to_jwk(key.public_key()))


def sign(key, issuer: str | None = "fastly:ME", algorithm: str = "ES256") -> str:
    claims = {"exp": int(time.time()) + 3600, **({} if issuer is None else {"iss": issuer})}
    return jwt.encode(claims, key, algorithm=algorithm)


def sign_with_text(public_key: str) -> str:
    """A token by HS256 whose secret is a public key's text, which PyJWT itself would not make."""
    jws = jwt.PyJWS()
    jws._algorithms["HS256"].prepare_key = lambda key: key.encode()  # type: ignore[method-assign]
    payload = json.dumps({"iss": "fastly:ME", "exp": int(time.time()) + 3600}).encode()
    return jws.encode(payload, public_key, algorithm="HS256")


def is_signed(site: Site, token: str) -> bool:
    site.route("look/", lambda request: HttpResponse(str(request.grip.signed)))
    return site.get("/look/", headers={"grip-sig": token, "grip-feature": "status"}).content == b"True"


@pytest.mark.parametrize("form", [pem, lambda key: pem(key).encode(), jwk, lambda key: json.dumps(jwk(key))])
def test_a_public_key_may_be_pem_or_jwk(site, settings, form):
    settings.GRIP_PROXIES = [{"verify_key": form(EC), "verify_iss": "fastly:ME"}]
    assert is_signed(site, sign(EC))
    assert not is_signed(site, sign(OTHER_EC))


def test_an_rsa_key_verifies_rs256(site, settings):
    settings.GRIP_PROXIES = [{"verify_key": pem(RSA), "verify_iss": "fastly:ME"}]
    assert is_signed(site, sign(RSA, algorithm="RS256"))
    assert not is_signed(site, sign(RSA, algorithm="RS512"))


def test_a_key_that_signs_for_many_counts_only_with_the_issuer(site, settings):
    settings.GRIP_PROXIES = [{"verify_key": pem(EC), "verify_iss": "fastly:ME"}]
    assert is_signed(site, sign(EC, "fastly:ME"))
    assert not is_signed(site, sign(EC, "fastly:ANOTHER"))
    assert not is_signed(site, sign(EC, None))


def test_a_public_key_without_an_issuer_lets_nobody_in_even_where_unsigned_requests_may(site, settings):
    settings.GRIP_PROXIES = [{"verify_key": pem(EC)}]
    settings.DEBUG = settings.GRIP_ALLOW_UNSIGNED = True
    site.route("proxied/", lambda request: HttpResponse(str(request.grip.proxied)))
    for issuer in ("fastly:ME", None):
        assert not is_signed(site, sign(EC, issuer))
        assert site.get("/proxied/", headers={"grip-sig": sign(EC, issuer)}).content == b"False"


@pytest.mark.parametrize("key", [EC, RSA])
def test_a_token_signed_with_the_public_keys_text_is_no_signature(site, settings, key):
    settings.GRIP_PROXIES = [{"verify_key": pem(key), "verify_iss": "fastly:ME"}]
    assert not is_signed(site, sign_with_text(pem(key)))
    assert not is_signed(site, sign_with_text(pem(key).strip()))


def test_a_fastly_service_needs_no_key_in_the_settings(site, settings, monkeypatch):
    # We cannot sign as Fastly does, so another key pair stands in for theirs.
    monkeypatch.setattr(proxy_config, "FASTLY_PUBLIC_KEY", jwk(EC))
    settings.GRIP_PROXIES = [{"control_uri": "https://api.fastly.com/service/ME", "key": "api-token"}]
    assert is_signed(site, sign(EC, "fastly:ME"))
    assert not is_signed(site, sign(EC, "fastly:ANOTHER"))
    assert not is_signed(site, jwt.encode({"iss": "fastly:ME", "exp": 2_000_000_000}, "api-token" * 4, "HS256"))


def test_grip_verify_key_is_the_public_key_of_entries_that_name_an_issuer(site, settings):
    settings.GRIP_VERIFY_KEY = pem(EC)
    settings.GRIP_PROXIES = [{"control_uri": "http://127.0.0.1:1", "key": "secret", "verify_iss": "fastly:ME"}]
    assert is_signed(site, sign(EC))
    assert not is_signed(site, sign("secret-" * 8, algorithm="HS256"))
