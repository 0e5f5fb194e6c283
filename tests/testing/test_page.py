"""The test cases in docs/testing.md pass, and stand where its reader would run them."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.test import override_settings

from django_grip import testing
from django_grip.testing import AsyncWebSocket, LongPoll, Published, Stream, WebSocket
from tests.docs.pages import codes, read, rows, run_page, section


@pytest.fixture(scope="module")
def page() -> Iterator[ModuleType]:
    module = run_page("testing.md")
    with override_settings(ROOT_URLCONF=module):
        yield module


def cases_of(module: ModuleType) -> list[type[unittest.TestCase]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == module.__name__
    ]


@pytest.mark.django_db(transaction=True)
def test_every_case_on_the_page_passes(page: ModuleType) -> None:
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases_of(page))
    result = unittest.TestResult()
    suite.run(result)
    assert not result.errors + result.failures, "\n".join(text for _, text in result.errors + result.failures)
    assert result.testsRun >= 13
    assert len(cases_of(page)) == 5


def test_the_pytest_function_on_the_page_passes(
    page: ModuleType, grip_client: Any, grip_clock: Any, published: Any
) -> None:
    page.test_the_price_is_told(grip_client, grip_clock, published)


@pytest.mark.parametrize(
    ("heading", "kind"), [("WebSockets", WebSocket), ("Streams", Stream), ("What is published", Published)]
)
def test_what_the_tables_name_is_there(heading: str, kind: type) -> None:
    told = [code.partition("(")[0] for row in rows(section("testing.md", heading)) for code in codes(row[0])]
    assert len(told) > 5
    public = {name for name in [*dir(kind), *getattr(kind, "__annotations__", ())] if not name.startswith("_")}
    assert set(told) <= public
    inner = {"application", "client", "home", "is_async", "kind", "path", "exchange", "hold"}
    inner |= {"drop", "reads_whole", "take_answer", "take_effect", "take_effects"}
    assert public - set(told) <= inner


def test_long_polls_have_what_the_page_says() -> None:
    for name in ("held", "response", "channels", "close", "receive"):
        assert f"`{name}" in section("testing.md", "Long-polls") or f".{name}" in read("testing.md")
        assert hasattr(LongPoll, name)


def test_async_connections_have_the_same_names() -> None:
    for name in ("WebSocket", "Stream", "LongPoll"):
        sync, async_ = getattr(testing, name), getattr(testing, f"Async{name}")
        special = {"__enter__", "__exit__", "__aenter__", "__aexit__"}
        assert set(dir(sync)) - special == set(dir(async_)) - special
    assert AsyncWebSocket.is_async
