"""What a Pushpin configuration for a project says, and what the settings say about it."""

from __future__ import annotations

from configparser import RawConfigParser
from typing import Any

import pytest

from django_grip.protocol.keys import load_key
from django_grip.protocol.proxy_config import ProxyConfig, parse_grip_url, proxy_config_from_dict
from django_grip.pushpin import (
    ControlPort,
    PushpinConfig,
    PushpinConfigError,
    ZmqSpecs,
    check_listen,
    check_target,
    ini_value,
)
from django_grip.pushpin_settings import choose_proxy, control_port_of, is_loopback, signing_key_of, zmq_specs_of

SECRET = "a-key-that-is-long-enough-for-hs256-0123456789"
LOCAL = {"control_uri": "http://127.0.0.1:5561", "key": SECRET}


def parsed(**options: Any) -> RawConfigParser:
    """The text of pushpin.conf, read back."""
    parser = RawConfigParser()
    parser.read_string(PushpinConfig(**{"directory": "/srv/grip", **options}).files()["pushpin.conf"])
    return parser


def read_as_qt_does(value: str) -> str:
    """What Pushpin makes of a value in quotes, by the rules of QSettings."""
    if not value.startswith('"'):
        assert "," not in value
        return value
    units, at, inner = bytearray(), 0, value[1:-1]
    while at < len(inner):
        char = inner[at]
        at += 1
        if char != "\\":
            units += char.encode("utf-16-be")
        elif inner[at] == "x":
            digits = ""
            at += 1
            while at < len(inner) and inner[at] in "0123456789abcdefABCDEF":
                digits += inner[at]
                at += 1
            units += int(digits, 16).to_bytes(2, "big")
        else:
            units += inner[at].encode("utf-16-be")
            at += 1
    return units.decode("utf-16-be", "surrogatepass")


def proxy(**entry: Any) -> ProxyConfig:
    return proxy_config_from_dict(entry)


def pair(kind: str) -> tuple[str, str]:
    """The PEM of a new private key, and of its public half."""
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.mark.parametrize(
    ("version", "services", "zurl"),
    [
        ((1, 36), "condure,zurl,pushpin-proxy,pushpin-handler", True),
        ((1, 37), "condure,zurl,pushpin-proxy,pushpin-handler", True),
        ((1, 38), "condure,pushpin-proxy,pushpin-handler", False),
        ((1, 40), "connmgr,proxy,handler", False),
        ((1, 41), "connmgr,proxy,handler", False),
        ((2, 0), "connmgr,proxy,handler", False),
    ],
)
def test_each_version_starts_the_services_it_has(version: tuple[int, int], services: str, zurl: bool) -> None:
    config = parsed(version=version)
    assert config["runner"]["services"] == services
    assert ("zurl_out_specs" in config["proxy"]) is zurl
    assert config["runner"]["log_level"] == ("2,zurl:1" if zurl else "2")


@pytest.mark.parametrize("version", [(1, 36), (1, 41)])
def test_every_address_and_socket_is_private(version: tuple[int, int]) -> None:
    config = parsed(version=version)
    assert config["runner"]["http_port"] == "127.0.0.1:7999"
    assert config["handler"]["push_in_http_addr"] == "127.0.0.1"
    assert config["global"]["rundir"] == "/srv/grip/run"
    assert config["runner"]["logdir"] == "/srv/grip/log"
    specs = {name: value for part in config.values() for name, value in part.items() if "spec" in name}
    assert len(specs) == (7 if version == (1, 36) else 4)
    assert all(value.startswith("ipc://{rundir}/{ipc_prefix}") for value in specs.values())


def test_every_route_is_over_http() -> None:
    files = PushpinConfig(directory="/srv/grip", target="django:8000").files()
    lines = [line for line in files["routes"].splitlines() if not line.startswith("#")]
    assert lines == ["* django:8000,over_http"]


def test_the_files_are_the_same_every_time() -> None:
    make = PushpinConfig(directory="/srv/grip", sig_key=load_key(SECRET))
    assert make.files() == PushpinConfig(directory="/srv/grip", sig_key=load_key(SECRET)).files()


@pytest.mark.parametrize(
    ("behind_tls", "expected"),
    [
        (False, ("false", "proto-only", "truncate:0,append")),
        (True, ("false", "false", "truncate:1")),
    ],
)
def test_forwarded_headers_are_believed_only_behind_tls(behind_tls: bool, expected: tuple[str, ...]) -> None:
    said = parsed(behind_tls=behind_tls)["proxy"]
    names = ("accept_x_forwarded_protocol", "set_x_forwarded_protocol", "x_forwarded_for")
    assert tuple(said[name] for name in names) == expected


@pytest.mark.parametrize("secret", [SECRET, 'a, b; "c" \\x41 {rundir} #', b"\x00\xff\n", "base64:QUJD", "ключ"])
def test_a_secret_is_written_in_base64_whatever_is_in_it(secret: str | bytes) -> None:
    key = load_key(secret)
    written = parsed(sig_key=key)["proxy"]["sig_key"]
    assert written.startswith("base64:")
    assert load_key(written) == key
    assert "," not in written


def test_without_a_key_pushpin_does_not_sign() -> None:
    assert parsed(sig_key=None)["proxy"]["sig_key"] == ""


@pytest.mark.needs("crypto")
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_pem_key_goes_into_a_file_of_its_own(kind: str) -> None:
    private, _public = pair(kind)
    files = PushpinConfig(directory="/srv/grip", sig_key=load_key(private)).files()
    assert "sig_key=file:sig_key.pem\n" in files["pushpin.conf"]
    assert load_key(files["sig_key.pem"]) == load_key(private)
    assert files["sig_key.pem"].startswith("-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize(
    "text",
    [
        "pushpin",
        "a, b",
        'say "hi"',
        "back\\slash",
        "tab\t",
        "é",
        "éa0",
        "\U0001f511f",
        ";c",
        "@x",
        " edge ",
        "",
        "100%",
    ],
)
def test_a_value_is_read_as_it_was_meant(text: str) -> None:
    assert read_as_qt_does(ini_value(text)) == text


def test_a_plain_value_is_left_as_it_is() -> None:
    assert ini_value("ipc://{rundir}/{ipc_prefix}push") == "ipc://{rundir}/{ipc_prefix}push"


@pytest.mark.parametrize("issuer", ["a{rundir}b", "tcp://x:1"])
def test_an_issuer_that_pushpin_would_change_is_refused(issuer: str) -> None:
    with pytest.raises(PushpinConfigError, match="which Pushpin would put something else for"):
        PushpinConfig(directory="/srv/grip", sig_iss=issuer).files()


def test_a_directory_too_deep_for_sockets_is_refused() -> None:
    with pytest.raises(PushpinConfigError, match="too long a name for a directory with sockets"):
        PushpinConfig(directory="/srv/" + "x" * 70).files()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("8000", "127.0.0.1:8000"),
        (":8000", "127.0.0.1:8000"),
        ("10.0.0.5:80", "10.0.0.5:80"),
        ("web_1.internal:8000", "web_1.internal:8000"),
    ],
)
def test_a_target_is_a_host_and_port(given: str, expected: str) -> None:
    assert check_target(given) == expected


@pytest.mark.parametrize(
    "given", ["", "x", "::1:8000", "[::1]:8000", "a b:1", "a,over_http:1", "h:0", "h:65536", "h:٣"]
)
def test_another_target_is_refused(given: str) -> None:
    with pytest.raises(PushpinConfigError, match="is not where an application listens; write HOST:PORT"):
        check_target(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("7999", "127.0.0.1:7999"),
        ("localhost:7999", "127.0.0.1:7999"),
        ("0:80", "0.0.0.0:80"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("[::1]:7999", "[::1]:7999"),
    ],
)
def test_clients_are_taken_at_an_address_and_port(given: str, expected: str) -> None:
    assert check_listen(given) == expected


@pytest.mark.parametrize("given", ["", "abc", "example.com:80", "127.0.0.1", "1.2.3:80", "127.0.0.1:0", "[::1]"])
def test_another_address_is_refused(given: str) -> None:
    # Of a name Pushpin would make "every address".
    with pytest.raises(
        PushpinConfigError, match=r"is not a port, nor an IP address and port such as 127\.0\.0\.1:7999"
    ):
        check_listen(given)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("10.0.0.1", False),
        ("example.com", False),
        ("0.0.0.0", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_this_machine_is_told_from_others(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_of_several_proxies_the_local_one_is_taken() -> None:
    far, near = proxy(control_uri="http://10.0.0.1:5561"), proxy(**LOCAL)
    assert choose_proxy((far, near)) is near
    assert choose_proxy((far, near), 0) is far


@pytest.mark.parametrize(
    ("entries", "number", "text"),
    [
        ([{"control_uri": "http://10.0.0.1:5561"}], None, r"No proxy in GRIP_PROXIES is on this machine \(http://10"),
        ([{"verify_key": SECRET}], None, "none has a control_uri"),
        ([{"control_uri": "https://api.fastly.com/service/x", "key": "t"}], None, "GRIP_PROXIES is for Fastly Fanout"),
        ([LOCAL], 1, "GRIP_PROXIES has 1 proxies; the first has the number 0"),
        ([LOCAL], -1, "the first has the number 0"),
    ],
)
@pytest.mark.needs("crypto")
def test_where_there_is_none_a_sentence_says_so(entries: list[Any], number: int | None, text: str) -> None:
    with pytest.raises(PushpinConfigError, match=text):
        choose_proxy(tuple(proxy(**entry) for entry in entries), number)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:5561", ("127.0.0.1", 5561)),
        ("http://localhost:5561/publish/", ("127.0.0.1", 5561)),
        ("http://user:pw@127.0.0.1:5561/", ("127.0.0.1", 5561)),
        ("http://[::1]:5561", ("::1", 5561)),
        ("http://10.0.0.5", ("10.0.0.5", 80)),
    ],
)
def test_the_control_port_is_that_of_the_uri(uri: str, expected: tuple[str, int]) -> None:
    assert control_port_of(parse_grip_url(uri)) == expected


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("https://127.0.0.1:5561", r"has neither https nor a path; write http://127\.0\.0\.1:5561\."),
        ("http://u:p@127.0.0.1:8000/.grip", r"has neither https nor a path; write http://127\.0\.0\.1:8000\."),
        ("http://127.0.0.1:5561?x=1", "has neither https nor a path"),
        ("http://pushpin:5561", "give the IP address that Pushpin shall take items at"),
        ("https://api.fastly.com/service/abc", "is Fastly Fanout, which is no Pushpin"),
    ],
)
@pytest.mark.needs("crypto")
def test_what_pushpin_cannot_be_reached_by_is_refused(uri: str, text: str) -> None:
    with pytest.raises(PushpinConfigError, match=text) as caught:
        control_port_of(parse_grip_url(uri))
    assert "u:p" not in str(caught.value)


def test_a_proxy_with_zeromq_only_has_no_http_control_port() -> None:
    zmq = proxy(control_zmq_uri="tcp://localhost:5563")
    assert control_port_of(zmq) == ControlPort("127.0.0.1", 0)
    assert zmq_specs_of(zmq) == ("tcp://127.0.0.1:5560", "tcp://127.0.0.1:5562", "tcp://127.0.0.1:5563")
    assert choose_proxy((zmq,)) is zmq
    assert zmq_specs_of(proxy(**LOCAL)) == ZmqSpecs()


@pytest.mark.parametrize(
    "uri", ["ipc:///tmp/x", "tcp://pushpin:5563", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://["]
)
def test_a_command_port_pushpin_cannot_have_is_refused(uri: str) -> None:
    with pytest.raises(PushpinConfigError, match=r"cannot be Pushpin's command port; write tcp://127\.0\.0\.1:5563"):
        zmq_specs_of(proxy(control_zmq_uri=uri))


@pytest.mark.parametrize(
    "entry",
    [LOCAL, {"control_uri": "http://127.0.0.1:5561", "key": "for publishing", "verify_key": SECRET}],
)
def test_pushpin_signs_with_what_is_verified(entry: dict[str, str]) -> None:
    assert signing_key_of(proxy(**entry)) == load_key(SECRET)


def test_a_proxy_without_a_key_is_not_to_sign() -> None:
    assert signing_key_of(proxy(control_uri="http://127.0.0.1:5561")) is None


@pytest.mark.needs("crypto")
def test_the_private_key_is_found_or_asked_for() -> None:
    private, public = pair("ec")
    given = {"control_uri": "http://127.0.0.1:5561", "verify_key": public, "verify_iss": "me"}
    assert signing_key_of(proxy(**given), pem=private.encode()) == load_key(private)
    assert signing_key_of(proxy(**given, key=private, control_iss="me")) == load_key(private)
    with pytest.raises(PushpinConfigError, match="name its PEM file with --sig-key"):
        signing_key_of(proxy(**given))
    with pytest.raises(PushpinConfigError, match="is not the one that GRIP_PROXIES verifies with"):
        signing_key_of(proxy(**given), pem=pair("ec")[0].encode())


def test_further_lines_and_changes_are_laid_over() -> None:
    config = PushpinConfig(
        directory="/srv/grip", routes=("a test", "* b:1,over_http"), changes={"handler": {"stats_format": "json"}}
    )
    assert config.files()["routes"].endswith("\na test\n* b:1,over_http\n")
    assert "stats_format=json\n" in config.files()["pushpin.conf"]


def test_a_config_s_repr_shows_no_key() -> None:
    assert SECRET not in repr(PushpinConfig(directory="/srv/grip", sig_key=load_key(SECRET)))
