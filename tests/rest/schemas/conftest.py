"""The project of these tests, and both ways to make the schemas of serializers."""

from __future__ import annotations

from importlib import util
from typing import Any

import pytest

from tests.needs import require

WAYS = ["drf", "spectacular"]


@pytest.fixture(autouse=True)
def project_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.schemas.project"


@pytest.fixture(params=WAYS)
def way(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether drf-spectacular is there."""
    if request.param == "spectacular":
        require("spectacular")
    else:
        find_spec = util.find_spec
        target = "django_grip.rest.schemas.asyncapi.find_spec"
        monkeypatch.setattr(target, lambda name: None if name == "drf_spectacular" else find_spec(name))
    return str(request.param)
