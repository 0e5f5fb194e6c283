from __future__ import annotations

import base64
import json
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from django_grip.exceptions import GripUrlError, KeyFormatError
from django_grip.protocol.keys import load_key
from django_grip.protocol.proxy_config import (
    FASTLY_PUBLIC_KEY,
    ProxyConfig,
    parse_grip_url,
    proxy_config_from_dict,
    publish_server_from_dict,
)
from django_grip.protocol.signatures import SignatureVerifier, VerifyKey, build_grip_sig

EC = ec.generate_private_key(ec.SECP256R1())
PUBLIC_PEM = EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
PRIVATE_PEM = EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
FASTLY = load_key(FASTLY_PUBLIC_KEY)


def in_base64(text):
    return "base64:" + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("uri", "publish_url"),
    [
        ("http://localhost:5561", "http://localhost:5561/publish/"),
        ("http://localhost:5561/", "http://localhost:5561/publish/"),
        ("http://localhost:5561/publish", "http://localhost:5561/publish/"),
        ("http://localhost:5561/publish/", "http://localhost:5561/publish/"),
        ("http://localhost:5561/base/", "http://localhost:5561/base/publish/"),
        ("http://localhost:5561/base/publish//", "http://localhost:5561/base/publish/"),
        ("http://localhost:5561/republish", "http://localhost:5561/republish/publish/"),
        ("http://h/realm?a=1&b=x%20y", "http://h/realm/publish/?a=1&b=x%20y"),
        ("http://h/publish/?a=1", "http://h/publish/?a=1"),
        ("http://[::1]:5561", "http://[::1]:5561/publish/"),
        ("HTTPS://Example.com/x", "https://Example.com/x/publish/"),
        ("https://api.fastly.com/service/ID", "https://api.fastly.com/service/ID/publish/"),
        ("https://api.fastly.com/service/ID/publish/", "https://api.fastly.com/service/ID/publish/"),
    ],
)
def test_a_control_uri_however_it_ends_has_one_publish_url(uri, publish_url):
    assert proxy_config_from_dict({"control_uri": uri}).publish_url == publish_url
    assert parse_grip_url(uri).publish_url == publish_url
    assert publish_server_from_dict({"uri": uri}).publish_url == publish_url


def test_the_seeds_entry_verifies_with_its_key_and_sends_nothing_over_plain_http():
    config = proxy_config_from_dict({"key": "changeme", "control_uri": "http://localhost:5561"})
    assert config.verify_key == VerifyKey(load_key("changeme"), None)
    assert (config.authority, config.bearer) == ("none", None)


@pytest.mark.parametrize(
    ("entry", "authority", "bearer"),
    [
        ({"control_uri": "http://h"}, "none", None),
        ({"control_uri": "http://h", "key": "k", "control_iss": "realm"}, "jwt", None),
        ({"control_uri": "https://h", "key": "k", "control_iss": "realm"}, "jwt", None),
        ({"control_uri": "https://h", "key": PRIVATE_PEM, "control_iss": "realm"}, "jwt", None),
        ({"control_uri": "https://h", "key": "token"}, "bearer", "token"),
        ({"control_uri": "https://h", "key": b"token"}, "bearer", "token"),
        ({"control_uri": "https://h", "key": in_base64("token")}, "bearer", "token"),
        ({"control_uri": "http://h", "key": "token"}, "none", None),
        ({"control_uri": "http://h", "key": "token", "verify_key": "token"}, "none", None),
        ({"control_uri": "http://h", "key": "token", "verify_key": in_base64("token")}, "none", None),
        ({"control_uri": "http://h", "key": "token", "verify_key": "other"}, "bearer", "token"),
        ({"control_uri": "https://h", "key": PRIVATE_PEM}, "none", None),
        ({"control_uri": "https://h", "key": b"\x00\xff"}, "none", None),
        ({"control_uri": "https://h", "key": in_base64(b"\x00\xff")}, "none", None),
        ({"control_uri": "https://h", "key": "two\r\nlines: x"}, "none", None),
        ({"control_uri": "https://h", "control_iss": "realm"}, "none", None),
        ({"control_uri": "https://user:p%40ss@h/x"}, "basic", None),
        ({"control_zmq_uri": "tcp://h:5563", "key": "token"}, "none", None),
    ],
)
def test_publishing_shows_who_it_is_and_never_gives_a_signing_key_away(entry, authority, bearer):
    config = proxy_config_from_dict(entry)
    assert (config.authority, config.bearer) == (authority, bearer)


def test_a_base64_key_without_iss_is_a_key_and_no_type_error():
    config = parse_grip_url("http://localhost:5561?key=base64:Y2hhbmdlbWU=")
    assert config == proxy_config_from_dict({"control_uri": "http://localhost:5561", "key": b"changeme"})
    assert config.key == load_key("changeme")


def test_credentials_in_the_uri_go_into_basic_and_out_of_the_uri():
    config = proxy_config_from_dict({"control_uri": "https://user:p%40ss@h:1/x"})
    assert config.control_uri == "https://h:1/x"
    assert config.basic == "user:p@ss"


def test_no_repr_shows_a_secret():
    config = proxy_config_from_dict({"control_uri": "https://user:passw@h", "key": "seekrit", "verify_key": "hidden"})
    assert all(secret not in repr(config) for secret in ("passw", "seekrit", "hidden"))


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://h:5561", {"control_uri": "http://h:5561"}),
        ("http://h?iss=realm&key=changeme", {"control_uri": "http://h", "control_iss": "realm", "key": "changeme"}),
        (
            "http://h/x?a=1&key=changeme&b=%3D&verify-iss=p&verify-key=v&c",
            {"control_uri": "http://h/x?a=1&b=%3D&c", "key": "changeme", "verify_iss": "p", "verify_key": "v"},
        ),
        ("http://h?key=base64:+/+/", {"control_uri": "http://h", "key": b"\xfb\xff\xbf"}),
        ("http://h?key=base64:%2B%2f%2B/", {"control_uri": "http://h", "key": b"\xfb\xff\xbf"}),
        ("http://h?key=base64%3AY2hhbmdlbWU%3D", {"control_uri": "http://h", "key": "changeme"}),
        ("http://h?key=a+b%20c%26d", {"control_uri": "http://h", "key": "a+b c&d"}),
        ("http://h?&&", {"control_uri": "http://h"}),
        (
            f"https://h?verify-iss=x&verify-key={in_base64(PUBLIC_PEM)}",
            {"control_uri": "https://h", "verify_iss": "x", "verify_key": PUBLIC_PEM},
        ),
    ],
)
def test_a_grip_url_says_what_an_entry_says(url, entry):
    assert parse_grip_url(url) == proxy_config_from_dict(entry)


@pytest.mark.parametrize(
    ("entry", "default", "expected"),
    [
        ({"key": "k"}, None, VerifyKey(load_key("k"), None)),
        ({"key": "k", "verify_iss": "pushpin"}, None, VerifyKey(load_key("k"), "pushpin")),
        ({"key": "k", "verify_key": "v"}, None, VerifyKey(load_key("v"), None)),
        ({"verify_key": PUBLIC_PEM, "verify_iss": "pushpin"}, None, VerifyKey(load_key(PUBLIC_PEM), "pushpin")),
        ({"verify_key": PUBLIC_PEM}, None, VerifyKey(load_key(PUBLIC_PEM), None)),
        ({"key": "k"}, "d", VerifyKey(load_key("d"), None)),
        ({"key": "k", "verify_key": "v"}, "d", VerifyKey(load_key("v"), None)),
        ({}, "d", VerifyKey(load_key("d"), None)),
        ({}, None, None),
        ({"key": None, "verify_key": None, "verify_iss": None}, None, None),
    ],
)
def test_signatures_are_verified_with_the_verify_key_the_default_or_the_key(entry, default, expected):
    config = proxy_config_from_dict({"control_uri": "http://h", **entry}, default_verify_key=default)
    assert config.verify_key == expected


def test_a_proxy_with_only_a_verify_key_signs_and_takes_nothing():
    config = proxy_config_from_dict({"verify_key": "v"})
    assert config == ProxyConfig(verify_key=VerifyKey(load_key("v"), None))
    assert (config.publish_url, config.authority) == (None, "none")


@pytest.mark.parametrize("suffix", ["", "/", "/publish", "/publish/"])
@pytest.mark.parametrize("default", [None, "a secret of another proxy"])
def test_a_fastly_service_needs_only_its_uri_and_an_api_token(suffix, default):
    uri = f"https://api.fastly.com/service/abcDEF123{suffix}"
    config = proxy_config_from_dict({"control_uri": uri, "key": "api-token"}, default_verify_key=default)
    assert config.verify_key == VerifyKey(FASTLY, "fastly:abcDEF123")
    assert (config.authority, config.bearer) == ("bearer", "api-token")
    assert config.publish_url == "https://api.fastly.com/service/abcDEF123/publish/"


def test_without_cryptography_a_fastly_uri_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(KeyFormatError, match="Fastly's public key: a JWK needs the package cryptography: pip install"):
        proxy_config_from_dict({"control_uri": "https://api.fastly.com/service/ID"})


def test_what_an_entry_says_goes_before_what_is_known_of_fastly():
    uri = "https://api.fastly.com/service/ID"
    config = proxy_config_from_dict({"control_uri": uri, "verify_key": PUBLIC_PEM, "verify_iss": "me"})
    assert config.verify_key == VerifyKey(load_key(PUBLIC_PEM), "me")
    config = proxy_config_from_dict({"control_uri": uri, "verify_key": json.dumps(FASTLY_PUBLIC_KEY)})
    assert config.verify_key == VerifyKey(FASTLY, "fastly:ID")


@pytest.mark.parametrize(
    "uri",
    [
        "http://api.fastly.com/service/ID",
        "https://api.fastly.com.evil/service/ID",
        "https://x/?https://api.fastly.com/service/ID",
    ],
)
def test_what_only_looks_like_fastly_is_not_believed_to_be(uri):
    assert proxy_config_from_dict({"control_uri": uri}).verify_key is None


def test_a_verify_key_of_a_config_verifies():
    config = parse_grip_url(f"https://h?verify-iss=p&verify-key={in_base64(PUBLIC_PEM)}")
    token = build_grip_sig(load_key(PRIVATE_PEM), issuer="p", expires=10)
    assert SignatureVerifier([config.verify_key]).verify(token, 9)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "a proxy needs a control_uri, a control_zmq_uri or a verify_key"),
        ({"control_uri": ""}, "a control URI must be a str with something in it, not ''"),
        ({"control_uri": b"http://h"}, "a control URI must be a str with something in it, not b'http://h'"),
        ({"control_uri": "localhost:5561"}, "the control URI must begin with http:// or https://, not 'localhost:'"),
        ({"control_uri": "ftp://h"}, "the control URI must begin with http:// or https://, not 'ftp:'"),
        ({"control_uri": "//h"}, "the control URI must begin with http:// or https://, not ':'"),
        ({"control_uri": "http://"}, "the control URI has no host"),
        ({"control_uri": "http:///x"}, "the control URI has no host"),
        ({"control_uri": "http://h:0"}, "the control URI has no host, or the port 0"),
        ({"control_uri": "http://h:99999"}, "the control URI does not parse: "),
        ({"control_uri": "http://h:x"}, "the control URI does not parse: "),
        ({"control_uri": "http://[::1"}, "the control URI does not parse: "),
        ({"control_uri": "http://h/a b"}, "the control URI has U+0020 at position 10; percent-encode it"),
        ({"control_uri": "http://h/\r\nX: y"}, "the control URI has U+000D at position 9"),
        ({"control_uri": "http://h/é"}, "the control URI has U+00E9 at position 9"),
        ({"control_uri": "http://h/#a"}, "the control URI must not have a '#'"),
        ({"control_uri": "http://h", "control_iss": ""}, "control_iss must be a str with something in it, not ''"),
        ({"control_uri": "http://h", "verify_iss": 5}, "verify_iss must be a str with something in it, not 5"),
        ({"control_uri": "http://h", "key": ""}, "key: the key is empty"),
        ({"control_uri": "http://h", "key": "base64:"}, "key: the key is empty behind 'base64:'"),
        ({"control_uri": "http://h", "verify_key": b""}, "verify_key: the key is empty"),
        ({"control_uri": "http://h", "key": 5}, "key: a key must be a str, bytes or a JWK, not int"),
        ({"control_uri": "http://h", "key": PUBLIC_PEM, "control_iss": "x"}, "key: a public key cannot sign"),
    ],
)
def test_an_entry_that_cannot_be_used_says_why(entry, message):
    with pytest.raises((GripUrlError, KeyFormatError)) as caught:
        proxy_config_from_dict(entry)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "a control URI must be a str with something in it, not ''"),
        (None, "a GRIP URL must be a str, not NoneType"),
        ("http://h?key=a&key=b", "the GRIP URL says 'key' twice"),
        ("http://h?key=", "key: the key is empty"),
        ("http://h?key=a#b", "a GRIP URL must not have a '#'; in a key write %23 for it"),
        ("http://h?key=base64:a*b", "key: what follows 'base64:' in the key is not base64"),
        ("http://h?iss=", "control_iss must be a str with something in it, not ''"),
        ("h?key=a", "the control URI must begin with http:// or https://"),
    ],
)
def test_a_grip_url_that_cannot_be_used_says_why(url, message):
    with pytest.raises((GripUrlError, KeyFormatError)) as caught:
        parse_grip_url(url)
    assert message in str(caught.value)


def test_a_bad_default_key_is_named_after_its_setting():
    with pytest.raises(KeyFormatError, match="GRIP_VERIFY_KEY: the key is empty"):
        proxy_config_from_dict({"control_uri": "http://h"}, default_verify_key="")


@pytest.mark.parametrize(
    ("entry", "authority", "bearer"),
    [
        ({"uri": "http://h"}, "none", None),
        ({"uri": "http://h", "iss": "i", "key": "k"}, "jwt", None),
        ({"uri": "http://h", "key": "token"}, "bearer", "token"),
    ],
)
def test_a_publish_server_signs_nothing_so_its_key_is_only_for_publishing(entry, authority, bearer):
    config = publish_server_from_dict(entry)
    assert config.verify_key is None
    assert (config.authority, config.bearer) == (authority, bearer)


def test_a_publish_server_needs_a_uri():
    with pytest.raises(GripUrlError, match="a publish server needs a uri"):
        publish_server_from_dict({"key": "k"})
