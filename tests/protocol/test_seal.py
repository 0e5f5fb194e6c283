from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.protocol.seal import seal, unseal

KEY, OTHER = b"k" * 32, b"o" * 32
SESSION = "0123456789abcdefghijklmnopqrstuv"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_was_sealed_comes_back(text):
    assert unseal(seal(text, KEY), [KEY]) == text


def test_a_seal_is_fit_for_a_url_and_shows_nothing():
    sealed = seal(SESSION, KEY)
    assert sealed.replace("-", "").replace("_", "").isalnum()
    assert len(sealed) == 64
    assert SESSION[:4] not in sealed


def test_equal_texts_have_equal_seals_and_others_have_nothing_in_common():
    assert seal(SESSION, KEY) == seal(SESSION, KEY)
    other = seal(SESSION[:-1] + "w", KEY)
    assert sum(one == other for one, other in zip(seal(SESSION, KEY), other, strict=True)) < 12
    assert seal(SESSION, OTHER) != seal(SESSION, KEY)


def test_any_of_the_keys_opens_it():
    assert unseal(seal(SESSION, OTHER), [KEY, OTHER]) == SESSION
    assert unseal(seal(SESSION, OTHER), [KEY]) is None
    assert unseal(seal(SESSION, OTHER), []) is None


def test_a_seal_that_was_changed_does_not_open():
    sealed = seal(SESSION, KEY)
    for place in range(len(sealed)):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        assert unseal(changed, [KEY]) is None
    assert unseal(sealed[:-4], [KEY]) is None
    assert unseal(sealed + "AAAA", [KEY]) is None


@pytest.mark.parametrize("sealed", ["", "a", "ab", "abc", "é", "=", "a" * 21, "\x00" * 30])
def test_nonsense_does_not_open(sealed):
    assert unseal(sealed, [KEY]) is None
