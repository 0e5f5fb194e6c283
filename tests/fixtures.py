"""Fixtures for tests of requests; a module gets them with ``pytest_plugins = ["tests.fixtures"]``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .stacks import STACKS, Site


@pytest.fixture(params=STACKS)
def site(request: pytest.FixtureRequest, settings: Any) -> Site:
    """A project on WSGI; on ASGI with async views; on ASGI with sync ones."""
    return Site(request.param, settings)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[..., list[str]]:
    """Call it for the messages that a logger has written, this package's if no other is named."""

    def messages(logger: str = "django_grip") -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == logger]

    return messages
