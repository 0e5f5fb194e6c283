"""The attacks have what the tests of the views have: a project behind a proxy, on either stack."""

from __future__ import annotations

from typing import Any

import pytest

from ..stacks import STACKS, Site
from ..views.conftest import connect, http, logged, routes, stack
from ..views.users import accounts

__all__ = ["accounts", "connect", "http", "logged", "routes", "stack"]


@pytest.fixture(params=STACKS)
def site(request: pytest.FixtureRequest, settings: Any) -> Site:
    """A project that is sent headers and paths byte by byte."""
    return Site(request.param, settings)
