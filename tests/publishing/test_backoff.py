"""When a proxy in trouble is tried again."""

from __future__ import annotations

import pytest

from django_grip.publishing import Policy
from django_grip.publishing.backoff import Backoff

POLICY = Policy(timeout=30, backoff=0.1, backoff_limit=2.0)


def test_pauses_double_up_to_a_limit_and_are_never_alike() -> None:
    backoff = Backoff(POLICY)
    pauses = []
    for _ in range(10):
        backoff.failed("no connection", 100.0)
        pauses.append(backoff.not_before - 100.0)
    for pause, full in zip(pauses, [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0, 2.0], strict=True):
        assert full / 2 <= pause <= full
    assert len(set(pauses)) == len(pauses)


def test_thousands_of_failures_do_no_harm() -> None:
    backoff = Backoff(POLICY)
    for _ in range(5000):
        backoff.failed("no connection", 100.0)
    assert (backoff.failures, backoff.not_before <= 102.0) == (5000, True)


@pytest.mark.parametrize(("asked", "granted"), [(0.0, 0.0), (3.0, 3.0), (3600.0, 30.0)])
def test_what_a_proxy_asks_for_is_granted_as_far_as_items_can_wait(asked: float, granted: float) -> None:
    backoff = Backoff(POLICY)
    backoff.failed("503", 100.0, asked=asked)
    assert backoff.not_before == 100.0 + granted


def test_recovery_ends_the_pause() -> None:
    backoff = Backoff(POLICY)
    backoff.failed("no connection", 100.0)
    backoff.recovered()
    assert (backoff.failures, backoff.not_before) == (0, 0.0)


def test_an_attempt_that_was_cut_short_does_not_hide_why_the_one_before_failed() -> None:
    backoff = Backoff(POLICY)
    backoff.failed("no answer in time", 100.0, cut_short=True)
    assert backoff.reason == "no answer in time"
    backoff.failed("503", 100.0)
    backoff.failed("no answer in time", 100.0, cut_short=True)
    assert backoff.reason == "503"
