"""Tests of ``django_grip.rest``: a project of its own, with the test kit's clients before it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.needs import require


@pytest.fixture(autouse=True)
def project_urls(settings: Any) -> None:
    # Modules that do not import it are collected without.
    require("rest", "simplejwt")
    settings.ROOT_URLCONF = "tests.rest.project"
