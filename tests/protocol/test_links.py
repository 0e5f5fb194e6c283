from __future__ import annotations

import re

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.exceptions import GripError, InstructError, KeyFormatError, LinkError
from django_grip.protocol.links import Link, build_link_token, parse_link_token

KEY, OLD_KEY = b"k" * 32, b"o" * 32
NOW = 1_700_000_000
LINK = Link(
    kind="next",
    path="/чат/5/",
    query="after=5&x=é",
    user={"pk": "7", "hash": "abc"},
    channels=("room:5", "чат"),
    data={"since": "12"},
    expires=NOW + 60,
)


@pytest.mark.parametrize(
    "link", [LINK, Link("gone", "/", expires=NOW + 1), Link("next", "/a", user={}, data={}, expires=NOW + 9)]
)
def test_a_link_comes_back_out_of_its_token(link):
    token = build_link_token(link, KEY)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    assert parse_link_token(token, [KEY], NOW) == link


def test_equal_links_have_equal_tokens_whatever_the_order_of_their_dicts():
    turned = Link(**{**LINK.__dict__, "user": {"hash": "abc", "pk": "7"}})
    assert build_link_token(turned, KEY) == build_link_token(LINK, KEY)


@pytest.mark.parametrize("field", ["kind", "path", "query", "user", "channels", "data", "expires"])
def test_links_that_differ_have_tokens_that_differ(field):
    other = {
        "kind": "gone",
        "path": "/x",
        "query": "",
        "user": {"pk": "8", "hash": "abc"},
        "channels": ("room:5",),
        "data": None,
        "expires": NOW + 61,
    }[field]
    assert build_link_token(Link(**{**LINK.__dict__, field: other}), KEY) != build_link_token(LINK, KEY)


def test_a_small_link_has_a_small_token():
    assert len(build_link_token(Link("next", "/room/5/", user={"pk": "7"}, expires=NOW), KEY)) < 180


def test_a_token_signed_with_an_older_key_is_still_believed():
    token = build_link_token(LINK, OLD_KEY)
    assert parse_link_token(token, [KEY, OLD_KEY], NOW) == LINK
    with pytest.raises(LinkError, match="the link is forged, or was signed with another key"):
        parse_link_token(token, [KEY], NOW)


def test_a_stale_link_says_how_stale():
    token = build_link_token(LINK, KEY)
    assert parse_link_token(token, [KEY], NOW + 59.9) == LINK
    with pytest.raises(LinkError, match=r"the link is stale: it expired 0 s ago"):
        parse_link_token(token, [KEY], NOW + 60)
    with pytest.raises(LinkError, match=r"the link is stale: it expired 3,600 s ago"):
        parse_link_token(token, [KEY], NOW + 3660)


TOKEN = build_link_token(LINK, KEY)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "the link is malformed: this is no token"),
        ("x", "the link is malformed: this is no token"),
        ("a.b.c.d", "the link is malformed: this is no token"),
        ("x" * 5000, "the link is malformed: this is no token"),
        ("a.b.c", "the link is forged, or was signed with another key"),
        ("..", "the link is forged"),
        ("é.ü.ö", "the link is forged"),
        (TOKEN[:-2], "the link is forged"),
        (TOKEN[:50] + ("A" if TOKEN[50] != "A" else "B") + TOKEN[51:], "the link is forged"),
        (jwt.encode({"k": "n", "p": "/", "exp": NOW + 9}, None, algorithm="none"), "the link is forged"),
        (jwt.encode({"k": "n", "p": "/", "exp": NOW + 9}, KEY * 2, algorithm="HS512"), "the link is forged"),
        (jwt.encode({"iss": "pushpin", "exp": NOW + 9}, KEY), "the token is signed, but says something else"),
        (jwt.encode({"k": "x", "p": "/", "exp": NOW + 9}, KEY), "says something else"),
        (jwt.encode({"k": ["n"], "p": "/", "exp": NOW + 9}, KEY), "says something else"),
        (jwt.encode({"k": "n", "p": 5, "exp": NOW + 9}, KEY), "says something else"),
        (jwt.encode({"k": "n", "p": "/"}, KEY), "says something else"),
        (jwt.encode({"k": "n", "p": "/", "exp": NOW + 9, "u": {"pk": 7}}, KEY), "says something else"),
        (jwt.encode({"k": "n", "p": "/", "exp": NOW + 9, "c": "room"}, KEY), "says something else"),
        (jwt.encode({"k": "n", "p": "/", "exp": NOW + 9, "d": []}, KEY), "says something else"),
    ],
)
def test_a_token_that_is_malformed_or_forged_says_which(token, message):
    with pytest.raises(LinkError) as caught:
        parse_link_token(token, [KEY], NOW)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "prev"}, "a link is 'next' or 'gone', not 'prev'"),
        ({"path": ""}, "the path of a link must be a str that begins with '/', not ''"),
        ({"path": "a"}, "the path of a link must be a str that begins with '/', not 'a'"),
        ({"path": None}, "the path of a link must be a str that begins with '/', not None"),
        ({"query": b"a"}, "the query of a link must be str, not bytes"),
        ({"user": {"pk": 7}}, "the user of a link must be str, not int"),
        ({"user": "7"}, "the user of a link must be a dict, not str"),
        ({"channels": (5,)}, "the channels of a link must be str, not int"),
        ({"data": {"a": None}}, "the data of a link must be str, not NoneType"),
        ({"expires": 1.5}, "a link must expire at a whole second, not 1.5"),
        ({"data": {"a": "x" * 4000}}, "characters long; the limit is 4,096"),
    ],
)
def test_a_link_that_no_token_can_hold_is_refused(fields, message):
    with pytest.raises(InstructError) as caught:
        build_link_token(Link(**{**LINK.__dict__, **fields}), KEY)
    assert message in str(caught.value)


@pytest.mark.parametrize("key", [b"", "text", None])
def test_an_empty_key_neither_signs_nor_verifies(key):
    with pytest.raises(KeyFormatError):
        build_link_token(LINK, key)
    with pytest.raises(KeyFormatError):
        parse_link_token(TOKEN, [key], NOW)


words = st.text(max_size=20)
links = st.builds(
    Link,
    kind=st.sampled_from(["next", "gone"]),
    path=words.map(lambda text: "/" + text),
    query=words,
    user=st.none() | st.dictionaries(words, words, max_size=3),
    channels=st.lists(words, max_size=3).map(tuple),
    data=st.none() | st.dictionaries(words, words, max_size=3),
    expires=st.integers(NOW + 1, NOW + 10**9),
)


@given(links)
def test_any_link_comes_back_out_of_its_token(link):
    assert parse_link_token(build_link_token(link, KEY), [OLD_KEY, KEY], NOW) == link


@given(st.text() | st.text(alphabet="abcXYZ019-_."))
def test_random_text_is_only_ever_a_link_error(token):
    with pytest.raises(LinkError) as caught:
        parse_link_token(token, [KEY], NOW)
    assert isinstance(caught.value, GripError)
