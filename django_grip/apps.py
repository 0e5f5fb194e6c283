"""The Django app: system checks (and, with the embedded proxy, management commands)."""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import AppConfig, apps


class GripConfig(AppConfig):
    """Registers the system checks."""

    name = "django_grip"
    verbose_name = "GRIP"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them

        if find_spec("rest_framework") is not None:
            from .rest import checks as rest_checks  # noqa: F401 - registers them
        if apps.is_installed("drf_spectacular"):
            from .rest.schemas import spectacular  # noqa: F401 - shows the live transports in OpenAPI
