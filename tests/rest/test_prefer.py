"""Prefer: wait=N (RFC 7240)."""

from __future__ import annotations

import pytest

from django_grip.rest.http.prefer import build_preference_applied, parse_wait


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("Wait=10", 10),
        ("WAIT=10", 10),
        ('wait="10"', 10),
        ("wait = 10", 10),
        ("\twait=10 ", 10),
        ("wait=010", 10),
        ("wait=0", 0),
        ("wait=99999", 99_999),
        ("respond-async, wait=10", 10),
        ("wait=10, respond-async", 10),
        ("wait=10;foo=bar", 10),
        ('wait=10; foo="a, wait=3"', 10),
        ('foo="a, wait=3", wait=7', 7),
        ('foo; wait=3, wait="7"', 7),
        (",, wait=3 ,", 3),
        ("wait=5, wait=6", 5),
        ('return=minimal; foo="a\\"b", handling=lenient, wait=12', 12),
        pytest.param("wait=" + "9" * 50_000, 1_000_000_000, id="more digits than int() reads"),
        pytest.param("wait=" + "0" * 50_000 + "7", 7, id="zeros before it"),
        pytest.param("a, " * 5_000 + "wait=3", 3, id="behind many"),
    ],
)
def test_how_long_a_client_would_wait(prefer: str, seconds: int) -> None:
    assert parse_wait(prefer) == seconds


@pytest.mark.parametrize(
    "prefer",
    [
        "",
        " ",
        ",",
        "wait",
        "wait=",
        'wait=""',
        "wait=-1",
        "wait=+1",
        "wait=abc",
        "wait=1e3",
        "wait=10.5",
        "wait=0x10",
        "wait=5 6",
        "wait==5",
        "wait:5",
        "wait=٣",
        "wait=5s",
        "waiting=5",
        "await=5",
        "foo; wait=5",
        "wait=abc, wait=5",  # the first one counts
        'wait="5',
        'foo="bar, wait=5',
        'foo="bar"baz, wait=5; a="b"c',
        "=5",
        "\x00",
        pytest.param('"' * 50_001, id="quotes"),
    ],
)
def test_what_is_no_number_of_seconds_is_ignored(prefer: str) -> None:
    assert parse_wait(prefer) is None


def test_what_was_applied_is_what_a_client_would_send() -> None:
    assert build_preference_applied(25) == "wait=25"
    assert parse_wait(build_preference_applied(25)) == 25
