"""The application that the development server serves, with the embedded proxy in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.utils.module_loading import import_string

from ..asgi import get_asgi_application
from ..embedded import make_proxy
from ..proxy.asgi import EmbeddedProxy

__all__ = ["ForeignApplication", "load_proxy"]

Receive = Callable[[], Any]
Send = Callable[[Any], Any]


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
    return make_proxy(cast(Any, ForeignApplication(application)))


def _load(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"ASGI application '{path}' could not be loaded; Error importing module.") from error


class ForeignApplication:
    """An ASGI application that is not ours.

    on_startup, on_shutdown: called when the server begins and ends, whether or not the application hears of that.
    """

    def __init__(self, application: Any) -> None:
        self.on_startup: list[Callable[[], object]] = []
        self.on_shutdown: list[Callable[[], object]] = []
        self._application = application

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        for call in self.on_startup:
            call()
        try:
            await self._live(scope, receive, send)
        finally:
            for call in self.on_shutdown:
                call()

    async def _live(self, scope: Any, receive: Receive, send: Send) -> None:
        has_heard = False

        async def hear() -> Any:
            nonlocal has_heard
            message = await receive()
            has_heard = True
            return message

        try:
            await self._application(scope, hear, send)
        except Exception:
            if has_heard:
                raise
        if not has_heard:
            # It has no lifespan, as many have none: Django's stock one, too, raises.
            for _ in range(2):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
