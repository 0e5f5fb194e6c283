"""The Django app: system checks (and, with the embedded proxy, management commands)."""

from __future__ import annotations

from django.apps import AppConfig


class GripConfig(AppConfig):
    """Registers the system checks."""

    name = "django_grip"
    verbose_name = "GRIP"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
