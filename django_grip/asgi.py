"""What a project's ``asgi.py`` needs: ``application = get_asgi_application()``.

With the embedded proxy on, WebSockets, streams and long-polls work under whatever ASGI server runs it. With proxies
configured it is the project alone, and needs fewer threads than under Django's own handler.
"""

from __future__ import annotations

from typing import Any

import django

__all__ = ["get_asgi_application"]


def get_asgi_application() -> Any:
    """Set Django up and return the project as an ASGI application, behind the embedded proxy if that is on.

    Raises: ImproperlyConfigured, for settings that cannot be used, and where several processes would serve behind
    embedded proxies that know nothing of each other.
    """
    django.setup(set_prefix=False)
    # Only now: these need the settings.
    from .conf import grip_settings
    from .handler import GripHandler

    application = GripHandler()
    if not grip_settings().embedded:
        return application
    from .embedded import make_proxy

    return make_proxy(application)
