"""The signed state: what is built is parsed, and nothing else is."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.exceptions import ProtocolError, StateTooLarge
from django_grip.protocol.state import MAX_STATE, build_state, check_state, parse_state

KEY, OLD_KEY = b"k" * 32, b"o" * 32
NOW = 1_800_000_000.5
WEEK = 7 * 86_400


def build(text="hello", *, binding="c1\nview", key=KEY, now=NOW):
    return build_state(text, binding=binding, key=key, now=now)


def parse(value, *, binding="c1\nview", keys=(KEY, OLD_KEY), now=NOW, max_age=WEEK):
    return parse_state(value, binding=binding, keys=keys, now=now, max_age=max_age)


@pytest.mark.parametrize("text", ["", "hello", '{"a":1}', "ünï ☃ 😀", "a:b.c\n\0", "x" * 3000])
def test_what_is_built_is_parsed(text):
    assert parse(build(text)) == (int(NOW), text)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=700), st.text(max_size=20).filter(str.isascii))
def test_any_text_is_parsed_as_it_was_built_and_travels_in_a_header(text, binding):
    value = build(text, binding=binding)
    assert parse(value, binding=binding).text == text
    assert set(value) <= set(string.ascii_letters + string.digits + "+/=.")
    assert len(value) <= MAX_STATE


def test_a_value_is_bound_to_its_place():
    with pytest.raises(ProtocolError, match=r"The state's signature is wrong\."):
        parse(build(), binding="c2\nview")


@pytest.mark.parametrize("keys", [(), (b"another",), (KEY + b"x",)])
def test_another_key_does_not_verify(keys):
    with pytest.raises(ProtocolError, match="signature is wrong"):
        parse(build(), keys=keys)


def test_a_former_key_verifies():
    assert parse(build(key=OLD_KEY)).text == "hello"


def test_no_character_of_a_value_can_be_changed():
    value = build("some state")
    for position in range(len(value)):
        for other in "Aa0.=":
            if value[position] != other:
                with pytest.raises(ProtocolError, match="signature is wrong"):
                    parse(value[:position] + other + value[position + 1 :])


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "a", "a.", ".a", "hello.world", "\ud800", "ünï", "=.=", "A" * 24 + ".", "." * 5000, "A" * 100_000],
)
def test_what_is_no_value_is_refused(value):
    with pytest.raises(ProtocolError, match="signature is wrong"):
        parse(value)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_value_that_is_cut_off_or_goes_on_is_refused(cut):
    value = build("some state or other")
    for changed in (value[:-cut], value[cut:], value + "A" * cut, f" {value}", f"{value} "):
        with pytest.raises(ProtocolError, match="signature is wrong"):
            parse(changed)


@pytest.mark.parametrize(
    ("age", "is_believed"),
    [(0, True), (WEEK - 1, True), (WEEK + 1, False), (-59, True), (-61, False), (-(10**9), False)],
)
def test_a_value_has_its_time(age, is_believed):
    value = build(now=NOW - age)
    if is_believed:
        assert parse(value).text == "hello"
    else:
        with pytest.raises(ProtocolError, match=r"The state is too old, or of the future\."):
            parse(value)


def test_the_limit_is_kept_to_the_byte():
    # 25 bytes of signature; base64 of the time and the text in the rest, three bytes in four.
    longest = (MAX_STATE - 25) // 4 * 3 - len(f"{int(NOW)}:")
    assert MAX_STATE - 4 < len(build("x" * longest)) <= MAX_STATE
    with pytest.raises(StateTooLarge):
        build("x" * (longest + 1))


@pytest.mark.parametrize("text", ["", "x", "xx", "xxx", "ü", "☃" * 900, "x" * 3000])
def test_the_size_is_known_before_the_value_is_built(text):
    check_state(text)
    build(text)


@pytest.mark.parametrize(("text", "size"), [("x" * 5000, "6,709"), ("☃" * 2000, "8,041")])
def test_a_state_that_is_too_large_says_how_large_it_is(text, size):
    for act in (check_state, build):
        with pytest.raises(StateTooLarge) as caught:
            act(text)
        assert str(caught.value) == (
            f"The state takes {size} bytes when encoded; 4,096 is the most. "
            "Keep an id in it, and the rest in the database or the cache."
        )


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(UnicodeEncodeError):
        check_state("\ud800")
