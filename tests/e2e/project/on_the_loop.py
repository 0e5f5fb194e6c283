"""Django's own middleware as an all-async stack has it: each runs on the event loop, and goes to a thread by itself.

``tests.e2e.project.on_the_loop.django:middleware:common:CommonMiddleware`` in MIDDLEWARE is
``django.middleware.common.CommonMiddleware``, which by itself would make the stack a sync one.
"""

from __future__ import annotations

from typing import Any

from django.utils.decorators import sync_and_async_middleware
from django.utils.module_loading import import_string

_STAYS = "django_grip.GripMiddleware"


def put_on_the_loop(middleware: list[str]) -> list[str]:
    """The names of the same middleware for an all-async stack."""
    return [path if path == _STAYS else f"{__name__}.{path.replace('.', ':')}" for path in middleware]


def __getattr__(name: str) -> Any:
    if ":" not in name:
        raise AttributeError(name)

    @sync_and_async_middleware
    def factory(get_response: Any) -> Any:
        return import_string(name.replace(":", "."))(get_response)

    return factory
