"""Django REST framework: one URL, four transports. Add `LiveViewSetMixin` to a viewset, and its URLs are live."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if find_spec("rest_framework") is None:
    raise ImportError('django_grip.rest needs Django REST framework: pip install "django-grip[rest]"')

if TYPE_CHECKING:
    from .parsers import NDJSONParser as NDJSONParser
    from .renderers import EventStreamRenderer as EventStreamRenderer
    from .renderers import NDJSONRenderer as NDJSONRenderer
    from .subscribers import aclose_subscribers as aclose_subscribers
    from .subscribers import close_subscribers as close_subscribers
    from .tickets import LiveTicketView as LiveTicketView
    from .tickets import make_ticket as make_ticket
    from .viewsets import LiveModelViewSet as LiveModelViewSet
    from .viewsets import LiveViewSetMixin as LiveViewSetMixin
    from .websocket import WebSocketAPIView as WebSocketAPIView
    from .websocket import ws_action as ws_action

_HOMES = {
    "EventStreamRenderer": "renderers",
    "LiveModelViewSet": "viewsets",
    "LiveTicketView": "tickets",
    "LiveViewSetMixin": "viewsets",
    "NDJSONParser": "parsers",
    "NDJSONRenderer": "renderers",
    "WebSocketAPIView": "websocket",
    "aclose_subscribers": "subscribers",
    "close_subscribers": "subscribers",
    "make_ticket": "tickets",
    "ws_action": "websocket",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
