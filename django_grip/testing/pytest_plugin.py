"""Fixtures for pytest, which finds them by itself. Nothing is imported before a test asks for one."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import AsyncGripClient, Captured, Clock, GripClient
    from .rest import APIGripClient

__all__ = ["api_grip_client", "async_grip_client", "grip_client", "grip_clock", "published"]


@pytest.fixture
def grip_client() -> GripClient:
    """A `GripClient`."""
    from . import GripClient

    return GripClient()


@pytest.fixture
def api_grip_client() -> APIGripClient:
    """An `APIGripClient`."""
    from .rest import APIGripClient

    return APIGripClient()


@pytest.fixture
def async_grip_client() -> AsyncGripClient:
    """An `AsyncGripClient`."""
    from . import AsyncGripClient

    return AsyncGripClient()


@pytest.fixture
def grip_clock() -> Clock:
    """The proxy's clock: ``grip_clock.advance(25)``, ``await grip_clock.aadvance(25)``."""
    from . import Clock

    return Clock()


@pytest.fixture
def published() -> Iterator[Captured]:
    """What the test publishes, as `capture_publishes` gives it."""
    from . import capture_publishes

    with capture_publishes() as captured:
        yield captured


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """When its fixtures are done, the test is over, and so are its connections."""
    try:
        yield
    finally:
        kit = sys.modules.get("django_grip.testing.in_process")
        if kit is not None:
            kit.proxy.end()
