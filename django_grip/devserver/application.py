"""The application that the development server serves, with the embedded proxy in front."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.utils.module_loading import import_string

from ..asgi import get_asgi_application
from ..embedded import make_proxy
from ..proxy.asgi import EmbeddedProxy

__all__ = ["load_proxy"]


def load_proxy(path: str | None) -> EmbeddedProxy:
    """The project behind the embedded proxy. path: its ``ASGI_APPLICATION``, or None.

    An application that has the proxy in front stays as it is. In the place of Django's stock one comes what
    `get_asgi_application` makes: it does the same with fewer threads. Any other is put behind the proxy.

    Raises: ImproperlyConfigured.
    """
    application = None if path is None else _load(path)
    if isinstance(application, EmbeddedProxy):
        return application
    if application is None or type(application) is ASGIHandler:
        proxy: EmbeddedProxy = get_asgi_application()
        return proxy
    return make_proxy(application)


def _load(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"ASGI application '{path}' could not be loaded; Error importing module.") from error
