"""Filters: whom an item passes by."""

from __future__ import annotations

import pytest

from django_grip.proxy.filters import passes_filters

CHANNELS = ("room", "lobby")


@pytest.mark.parametrize(
    ("name", "item_meta", "meta", "passes"),
    [
        ("skip-self", {"sender": "ada"}, {"user": "ada"}, False),
        ("skip-self", {"sender": "Ada"}, {"user": "ada"}, True),
        ("skip-self", {}, {"user": "ada"}, True),
        ("skip-self", {"sender": "ada"}, {}, True),
        ("skip-self", {"sender": ""}, {"user": ""}, True),
        ("skip-users", {"skip_users": "ada"}, {"user": "ada"}, False),
        ("skip-users", {"skip_users": " bob ,ada ,"}, {"user": "ada"}, False),
        ("skip-users", {"skip_users": "bob,adam"}, {"user": "ada"}, True),
        ("skip-users", {"skip_users": ","}, {"user": ""}, True),
        ("skip-users", {"skip_users": "ada"}, {}, True),
        ("skip-users", {}, {"user": "ada"}, True),
        ("require-sub", {"require_sub": "lobby"}, {}, True),
        ("require-sub", {"require_sub": "cellar"}, {}, False),
        ("require-sub", {"require_sub": ""}, {}, True),
        ("require-sub", {}, {}, True),
        ("build-id", {"sender": "ada"}, {"user": "ada"}, True),
        ("nonsense", {"sender": "ada"}, {"user": "ada"}, True),
    ],
)
def test_an_item_passes_a_filter_or_not(
    name: str, item_meta: dict[str, str], meta: dict[str, str], passes: bool
) -> None:
    assert passes_filters([name], item_meta, meta, CHANNELS) is passes


def test_an_item_has_to_pass_all_filters() -> None:
    item_meta = {"sender": "ada", "require_sub": "room"}
    assert passes_filters([], item_meta, {"user": "ada"}, CHANNELS)
    assert not passes_filters(["require-sub", "skip-self"], item_meta, {"user": "ada"}, CHANNELS)
    assert passes_filters(["require-sub", "skip-self"], item_meta, {"user": "bob"}, CHANNELS)
