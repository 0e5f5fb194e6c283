from __future__ import annotations

import copy
import re

import pytest

from django_grip.exceptions import InstructError
from django_grip.protocol.session_meta import MAX_META_LINE, MAX_META_TOTAL, Meta, build_meta_headers


def test_meta_is_a_dict_of_text_by_header_name():
    meta = Meta({"nick": "ann"})
    meta["Room"] = "1"
    assert meta == {"nick": "ann", "room": "1"}
    assert dict(meta) == {"nick": "ann", "room": "1"}
    assert list(meta) == ["nick", "room"]
    assert len(meta) == 2
    assert meta.pop("ROOM") == "1"
    assert meta.get("room") is None
    assert "nick" in meta
    assert "Nick" in meta
    assert 5 not in meta
    with pytest.raises(KeyError):
        meta["room"]
    with pytest.raises(KeyError):
        del meta["room"]


def test_names_that_come_back_as_one_header_are_one_name():
    # A server hands "Meta-My_Nick" and "Meta-My-Nick" on as the same name, or drops the first.
    meta = Meta({"my-nick": "ann"})
    meta["my_nick"] = "bob"
    assert meta["My_Nick"] == meta["my-nick"] == "bob"
    assert build_meta_headers(meta, {"my-nick": "ann"}) == [("Set-Meta-my-nick", "bob")]


def test_the_argument_is_left_alone_and_a_copy_is_apart():
    original = {"nick": "ann"}
    meta = Meta(original)
    other = copy.deepcopy(meta)
    meta["nick"] = "bob"
    assert original == other == {"nick": "ann"}


def test_numbers_are_kept_as_their_text():
    meta = Meta({})
    meta["count"] = 5
    meta["share"] = 0.5
    assert meta == {"count": "5", "share": "0.5"}


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("", "a", InstructError, "the meta name '' cannot be part of a header name: use letters, digits and '-'"),
        ("a b", "a", InstructError, "the meta name 'a b' cannot be part of a header name: use letters, digits and '-'"),
        ("a:", "a", InstructError, "the meta name 'a:' cannot be part of a header name"),
        ("a\r\nSet-Cookie: b", "a", InstructError, "the meta name 'a\\r\\nSet-Cookie: b' cannot be part of a header"),
        ("é", "a", InstructError, "the meta name 'é' cannot be part of a header name"),
        ("a\n", "a", InstructError, "the meta name 'a\\n' cannot be part of a header name"),
        (5, "a", TypeError, "a meta name is a str, not int"),
        ("a", None, TypeError, "meta['a'] is a str, not NoneType; encode it yourself, as JSON perhaps"),
        ("a", ["b"], TypeError, "meta['a'] is a str, not list; encode it yourself, as JSON perhaps"),
        ("a", b"b", TypeError, "meta['a'] is a str, not bytes; encode it yourself, as JSON perhaps"),
        (
            "a",
            "b\r\nSet-Cookie: c",
            InstructError,
            "meta['a'] has a control character, or a lone surrogate: no header carries it",
        ),
        ("a", "\x00", InstructError, "meta['a'] has a control character"),
        ("a", "b\tc", InstructError, "meta['a'] has a control character"),
        ("a", "\x7f", InstructError, "meta['a'] has a control character"),
        ("a", "\ud800", InstructError, "meta['a'] has a control character, or a lone surrogate"),
        ("a", " b", InstructError, "meta['a'] begins or ends with a blank, which a header does not keep"),
        ("a", "b ", InstructError, "meta['a'] begins or ends with a blank, which a header does not keep"),
        ("a", "x" * 8_000, InstructError, "meta['a'] makes a header of 8,012 bytes; servers take 8,000"),
        ("a", "é" * 4_000, InstructError, "meta['a'] makes a header of 8,012 bytes; servers take 8,000"),
    ],
)
def test_what_no_header_brings_back_is_refused_where_it_is_set(name, value, error, message):
    meta = Meta({"b": "c"})
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        meta[name] = value
    with pytest.raises(error):
        meta.update({name: value})
    assert meta == {"b": "c"}


def test_an_error_does_not_show_the_value():
    with pytest.raises(InstructError) as caught:
        Meta({})["token"] = "a secret\n"
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_value_fills_one_header_line():
    meta = Meta({})
    meta["a"] = "x" * (MAX_META_LINE - len("Set-Meta-a: "))
    ((name, value),) = build_meta_headers(meta, {})
    assert len(f"{name}: {value}") == MAX_META_LINE == 8_000


def test_all_meta_together_is_bounded():
    meta = Meta({"m0": "x" * 7_000})
    for number in range(1, 5):
        meta[f"m{number}"] = "x" * 7_000
    meta["m4"] = "y" * 7_900  # what is replaced does not count
    with pytest.raises(InstructError, match=r"^the meta would have 42,978 bytes in all; the proxy takes 40,000$"):
        meta["m5"] = "x" * 7_000
    assert MAX_META_TOTAL == 40_000


def test_the_repr_does_not_show_the_values():
    assert repr(Meta({"token": "hidden", "b": ""})) == "<Meta: 2 values>"


@pytest.mark.parametrize(
    ("before", "after", "headers"),
    [
        ({}, {}, []),
        ({"a": "1"}, {"a": "1"}, []),
        ({"a": "1"}, {"a": "2"}, [("Set-Meta-a", "2")]),
        ({"a": "1"}, {}, [("Set-Meta-a", "")]),
        ({"a": "1"}, {"a": ""}, [("Set-Meta-a", "")]),
        ({}, {"a": ""}, []),
        ({}, {"a": "é€"}, [("Set-Meta-a", "\xc3\xa9\xe2\x82\xac")]),
        ({"A": "1"}, {"a": "1"}, []),
        ({"a_b": "1"}, {"a-b": "1"}, []),
    ],
)
def test_headers_turn_what_came_into_what_shall_be(before, after, headers):
    assert build_meta_headers(Meta(after), before) == headers
