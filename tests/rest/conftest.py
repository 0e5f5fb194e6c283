"""Tests of ``django_grip.rest``: a project of its own, with the test kit's clients before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.needs import require

if TYPE_CHECKING:
    from .serving import Routes


@pytest.fixture(autouse=True)
def project_urls(settings: Any) -> None:
    # Modules that do not import it are collected without.
    require("rest", "simplejwt")
    settings.ROOT_URLCONF = "tests.rest.project"


@pytest.fixture
def routes(settings: Any, project_urls: None) -> Routes:
    """A URLconf for this test alone."""
    from .serving import Routes

    settings.ROOT_URLCONF = routes = Routes()
    return routes
