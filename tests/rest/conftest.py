"""Tests of ``django_grip.rest``: a project of its own, with the test kit's clients before it."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def project_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
