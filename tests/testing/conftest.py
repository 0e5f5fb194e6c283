"""What the tests of the test kit share: a project without any proxy in its settings, and a class to publish by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import path


class Project:
    """A URLconf for one test."""

    def __init__(self) -> None:
        self.urlpatterns: list[Any] = []

    def route(self, route: str, view: Any) -> Any:
        """Serve a view class, or a view; it is returned."""
        served = view.as_view() if isinstance(view, type) else view  # type: ignore[attr-defined]
        self.urlpatterns.append(path(route, served))
        return view


@pytest.fixture
def project(settings: Any) -> Project:
    project = Project()
    settings.ROOT_URLCONF = project
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    return project


@pytest.fixture
def route(project: Project) -> Callable[[str, Any], Any]:
    """Serve a view: ``route("ws/", View)``."""
    return project.route
