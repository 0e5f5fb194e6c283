from __future__ import annotations

import pytest

from django_grip.exceptions import HeaderError, InstructError
from django_grip.protocol.headers import KeepAlive, build_grip_keep_alive, parse_grip_keep_alive


def decode_as_pushpin_does(coded: bytes) -> bytes | None:
    """Pushpin 1.36's `unescape` (handler/instruct.cpp), written down again: an unknown escape vanishes."""
    out, n = b"", 0
    while n < len(coded):
        if coded[n : n + 1] != b"\\":
            out += coded[n : n + 1]
        else:
            n += 1
            kind = coded[n : n + 1]
            if kind == b"x":
                out += bytes.fromhex(coded[n + 1 : n + 3].decode())
                n += 2
            else:
                out += {b"\\": b"\\", b"r": b"\r", b"n": b"\n"}.get(kind, b"")
        n += 1
    return out


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("\n", "\\n; format=cstring"),
        ("event: keep-alive\ndata:\n\n", "event: keep-alive\\ndata:\\n\\n; format=cstring"),
        ("back\\slash", "back\\\\slash; format=cstring"),
        ('a;b,c"d', 'a\\x3bb,c"d; format=cstring'),
        ("; timeout=1", "\\x3b timeout=1; format=cstring"),
        (" padded text ", "\\x20padded text\\x20; format=cstring"),
        ("tab\tbell\x07 long enough", "tab\\x09bell\\x07 long enough; format=cstring"),
        ("line\r\nGrip-Hold: response", "line\\r\\nGrip-Hold: response; format=cstring"),
        ("größer", "Z3LDtsOfZXI=; format=base64"),
        ("чат", "0YfQsNGC; format=base64"),
        (b"\x00\xff", "AP8=; format=base64"),
    ],
)
def test_any_data_travels_escaped_and_comes_back_byte_for_byte(data, value):
    assert build_grip_keep_alive(data) == value
    raw = data.encode() if isinstance(data, str) else data
    assert parse_grip_keep_alive(value) == KeepAlive(raw, 55, "idle")


@pytest.mark.parametrize("data", [bytes([n]) * 2 + b"some readable text" for n in range(256)])
def test_what_is_sent_as_a_cstring_is_exactly_what_pushpin_decodes(data):
    coded, _, rest = build_grip_keep_alive(data).partition(";")
    assert rest == " format=cstring"
    assert decode_as_pushpin_does(coded.strip(" \t\r\n\v\f").encode()) == data


def test_the_timeout_and_the_mode_are_said_when_they_are_not_the_usual():
    assert build_grip_keep_alive("x", timeout=20) == "x; format=cstring; timeout=20"
    assert build_grip_keep_alive("x", timeout=20, mode="interval") == "x; format=cstring; timeout=20; mode=interval"
    assert parse_grip_keep_alive("x; timeout=20; mode=interval") == KeepAlive(b"x", 20, "interval")
    assert build_grip_keep_alive("x", timeout=0) == "x; format=cstring"


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("", {}, "keep-alive data must not be empty"),
        (None, {}, "keep-alive data must be a str or bytes, not NoneType"),
        ("\ud800", {}, "keep-alive data has a lone surrogate at position 0"),
        ("x", {"timeout": -1}, "the keep-alive timeout must be a number of seconds from 0 to 2,147,483, not -1"),
        ("x", {"timeout": "a; b"}, "the keep-alive timeout must be a number of seconds"),
        ("x", {"mode": "busy"}, "the keep-alive mode must be 'idle' or 'interval', not 'busy'"),
    ],
)
def test_a_keep_alive_that_the_proxy_would_refuse_is_refused(data, options, message):
    with pytest.raises(InstructError) as caught:
        build_grip_keep_alive(data, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "keep_alive"),
    [
        ("ping1\\n; timeout=10", KeepAlive(b"ping1\\n", 10)),
        ("ping2\\n; format=cstring", KeepAlive(b"ping2\n")),
        ("cGluZzMK; format=base64", KeepAlive(b"ping3\n")),
        ("ping4; mode=interval", KeepAlive(b"ping4", 55, "interval")),
        ("a; Format=cstring; TIMEOUT=1; mode=", KeepAlive(b"a", 1)),
        ("é", KeepAlive(b"\xe9")),
    ],
)
def test_a_keep_alive_is_read_as_pushpin_reads_it(value, keep_alive):
    assert parse_grip_keep_alive(value) == keep_alive


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "Grip-Keep-Alive has no data"),
        (" ; format=raw", "Grip-Keep-Alive has no data"),
        ("a; format=hex", "Grip-Keep-Alive has the unknown format 'hex'"),
        ("a; mode=busy", "Grip-Keep-Alive has the unknown mode 'busy'"),
        ("a; timeout=soon", "the timeout of Grip-Keep-Alive 'soon' is not a number of seconds"),
        ("a\\t; format=cstring", "has an escape that format=cstring does not know, at byte 1"),
        ("a\\x4; format=cstring", "has an escape that format=cstring does not know, at byte 1"),
        ("a\\; format=cstring", "has an escape that format=cstring does not know, at byte 1"),
        ("a*; format=base64", "Grip-Keep-Alive does not decode as base64"),
        ("☃", "Grip-Keep-Alive holds characters that are no bytes"),
        ('a; format="raw', "has a quote that does not end"),
    ],
)
def test_a_keep_alive_that_does_not_parse_says_why(value, message):
    with pytest.raises(HeaderError) as caught:
        parse_grip_keep_alive(value)
    assert message in str(caught.value)
