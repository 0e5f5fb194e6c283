"""tnetstrings, there and back, and what is none."""

from __future__ import annotations

import pytest

from django_grip.publishing.tnetstring import TnetstringError, decode_tnetstring, encode_tnetstring

VALUES = [
    (b"hello", b"5:hello,"),
    ("hä", b"3:h\xc3\xa4,"),
    (b"", b"0:,"),
    (12, b"2:12#"),
    (-1, b"2:-1#"),
    (True, b"4:true!"),
    (False, b"5:false!"),
    (None, b"0:~"),
    ([1, b"a"], b"8:1:1#1:a,]"),
    ({"a": [None]}, b"10:1:a,3:0:~]}"),
    ({}, b"0:}"),
]


@pytest.mark.parametrize(("value", "encoded"), VALUES)
def test_values_are_encoded_and_decoded(value: object, encoded: bytes) -> None:
    assert encode_tnetstring(value) == encoded
    decoded = decode_tnetstring(encoded)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, dict):
        value = {name.encode(): part for name, part in value.items()}
    assert decoded == value


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^A float has no tnetstring form\.$"):
        encode_tnetstring(1.5)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "The length is not a number."),
        (b"x:", "The length is not a number."),
        (b"-1:a,", "The length is not a number."),
        (b"9999999999:a,", "The length is not a number."),
        (b"5:hell", "The value is cut off."),
        (b"5:hello", "The value is cut off."),
        (b"5:hello,x", "There is something behind the value."),
        (b"5:hello?", "The type is unknown."),
        (b"4:trux!", "The type is unknown."),
        (b"1:a~", "The type is unknown."),
        (b"1:a#", "A number is not a number."),
        (b"4:1:a,}", "A dict is not made of pairs."),
        (b"8:1:1#1:a,}", "A dict is not made of pairs."),
        (b"3:1:a]", "The value is cut off."),
    ],
)
def test_bad_bytes_are_refused_in_one_sentence(data: bytes, text: str) -> None:
    with pytest.raises(TnetstringError) as caught:
        decode_tnetstring(data)
    assert str(caught.value) == text


def test_nesting_is_bounded() -> None:
    data = b"0:~"
    for _ in range(30):
        data = b"%d:%b]" % (len(data), data)
    with pytest.raises(TnetstringError):
        decode_tnetstring(data)
