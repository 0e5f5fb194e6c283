"""Django REST framework: one URL, four transports. Add `LiveViewSetMixin` to a viewset, and its URLs are live."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if find_spec("rest_framework") is None:
    raise ImportError('django_grip.rest needs Django REST framework: pip install "django-grip[rest]"')

if TYPE_CHECKING:
    from .api_view.view import WebSocketAPIView as WebSocketAPIView
    from .api_view.view import ws_action as ws_action
    from .auth.subscribers import aclose_subscribers as aclose_subscribers
    from .auth.subscribers import close_subscribers as close_subscribers
    from .auth.tickets import LiveTicketView as LiveTicketView
    from .auth.tickets import make_ticket as make_ticket
    from .browsable import LiveBrowsableAPIRenderer as LiveBrowsableAPIRenderer
    from .parsers import NDJSONParser as NDJSONParser
    from .renderers import EventStreamRenderer as EventStreamRenderer
    from .renderers import NDJSONRenderer as NDJSONRenderer
    from .viewsets import LiveModelViewSet as LiveModelViewSet
    from .viewsets import LiveViewSetMixin as LiveViewSetMixin

_HOMES = {
    "EventStreamRenderer": "renderers",
    "LiveBrowsableAPIRenderer": "browsable",
    "LiveModelViewSet": "viewsets",
    "LiveTicketView": "auth.tickets",
    "LiveViewSetMixin": "viewsets",
    "NDJSONParser": "parsers",
    "NDJSONRenderer": "renderers",
    "WebSocketAPIView": "api_view.view",
    "aclose_subscribers": "auth.subscribers",
    "close_subscribers": "auth.subscribers",
    "make_ticket": "auth.tickets",
    "ws_action": "api_view.view",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
