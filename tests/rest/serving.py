"""A URLconf for one test: viewsets and views that the test defines, behind a proxy."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from .project import TicketViewSet


class Routes:
    """Set it as ROOT_URLCONF; a viewset gets ``/api/<name>/`` and ``/api/<name>/<pk>/``, with format suffixes."""

    def __init__(self) -> None:
        self.urlpatterns: list[Any] = []

    def add(self, viewset: Any = TicketViewSet, name: str = "tickets", under: str = "api/") -> str:
        """Route a viewset. Returns the URL of its list."""
        router = DefaultRouter()
        router.register(name, viewset, basename=name)
        self.urlpatterns.append(path(under, include(router.urls)))
        return f"/{under}{name}/"

    def add_view(self, route: str, view: Any) -> str:
        self.urlpatterns.append(path(route, view))
        return f"/{route}"
