"""Who publishes: nobody in particular, a fixed header, or a JWT that is minted once and renewed."""

from __future__ import annotations

from base64 import b64decode, b64encode

import jwt
import pytest

from django_grip.exceptions import KeyFormatError
from django_grip.protocol.keys import load_key
from django_grip.publishing.authority import Authority, JwtAuthority, basic_authority, bearer_authority

SECRET = "a-secret-that-is-long-enough-for-hs256-012345"


def claims(header: str | None, key: str = SECRET) -> dict[str, object]:
    assert header is not None
    kind, token = header.split(" ")
    assert kind == "Bearer"
    return jwt.decode(token, key, algorithms=["HS256"], options={"verify_exp": False})


def test_no_authority_sends_no_header() -> None:
    assert Authority().header() is None
    assert Authority().renew() is False


def test_a_bearer_token_goes_as_it_is() -> None:
    assert bearer_authority("abc").header() == "Bearer abc"


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ä", "a\n"])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(KeyFormatError, match=r"^A bearer token must be printable ASCII without blanks\.$"):
        bearer_authority(token)


def test_basic_authority_is_decodable() -> None:
    header = basic_authority("user", "pä:ss").header()
    assert header is not None
    assert b64decode(header.removeprefix("Basic ")).decode() == "user:pä:ss"


@pytest.mark.parametrize("key", [SECRET, SECRET.encode(), "base64:" + b64encode(SECRET.encode()).decode()])
def test_a_key_may_be_text_bytes_or_base64(key: str | bytes) -> None:
    authority = JwtAuthority(load_key(key), "realm", clock=lambda: 1000.0)
    assert claims(authority.header()) == {"iss": "realm", "exp": 4600}


def test_a_token_is_minted_once_and_renewed_before_it_ends() -> None:
    now = [1000.0]
    authority = JwtAuthority(load_key(SECRET), "realm", clock=lambda: now[0])
    first = authority.header()
    now[0] += 3299
    assert authority.header() is first
    now[0] += 1
    assert claims(authority.header())["exp"] == 1000 + 3300 + 3600


def test_a_clock_that_is_set_back_brings_a_new_token() -> None:
    now = [1000.0]
    authority = JwtAuthority(load_key(SECRET), "realm", clock=lambda: now[0])
    authority.header()
    now[0] = 500.0
    assert claims(authority.header())["exp"] == 4100


def test_a_token_that_was_refused_can_be_renewed() -> None:
    now = [1000.0]
    authority = JwtAuthority(load_key(SECRET), "realm", clock=lambda: now[0])
    authority.header()
    now[0] = 1001.0
    assert authority.renew() is True
    assert claims(authority.header())["exp"] == 4601
