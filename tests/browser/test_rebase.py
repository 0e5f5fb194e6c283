"""Two edits of the document at the same time: what comes of them, in the browser's own JavaScript."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .windows import Window

pytestmark = [
    pytest.mark.needs("chromium", "dev"),
    pytest.mark.parametrize("board", ["embedded"], indirect=True, scope="module"),
]

# base, mine, theirs, and what both together make
EDITS = [
    ("", "", "", ""),
    ("same", "same", "other", "other"),
    ("same", "mine", "same", "mine"),
    ("same", "both", "both", "both"),
    ("one two three", "ONE two three", "one two THREE", "ONE two THREE"),
    ("one two three", "one two THREE", "ONE two three", "ONE two THREE"),
    ("one two three", "one two", "zero one two three", "zero one two"),
    ("one two three", "two three", "one two three four", "two three four"),
    ("ab", "aMb", "aTb", "aMTb"),
    ("abc", "aMc", "aTc", "aTMc"),
    ("hello world", "hello", "hello brave world", "hello brave "),
    ("", "mine", "theirs", "minetheirs"),
    ("aaaa", "aaaaa", "aaa", "aaaa"),
    ("text", "", "text, and more", ", and more"),
]

# text before, text after, where the caret was, where it belongs
CARETS = [
    ("one two", "one two", 3, 3),
    ("one two", "zero one two", 3, 8),
    ("one two", "one two three", 3, 3),
    ("one two", "two", 5, 1),
    ("one two red", "one red", 6, 4),
]


def test_both_edits_stay(open_window: Callable[..., Window]) -> None:
    window = open_window()
    made = window.page.evaluate(
        """async (edits) => {
            const { rebase } = await import("/static/board/rebase.js");
            return edits.map(([base, mine, theirs]) => rebase(base, mine, theirs));
        }""",
        EDITS,
    )
    assert made == [edit[3] for edit in EDITS]


def test_the_caret_stays_where_it_was_in_the_text(open_window: Callable[..., Window]) -> None:
    window = open_window()
    places = window.page.evaluate(
        """async (carets) => {
            const { shift } = await import("/static/board/rebase.js");
            return carets.map(([before, after, place]) => shift(place, before, after));
        }""",
        CARETS,
    )
    assert places == [caret[3] for caret in CARETS]
