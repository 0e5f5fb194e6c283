"""Realtime endpoints for Django, behind a GRIP proxy.

The names are imported when they are first used, so that the lower floors (`django_grip.protocol`) never pull Django in.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connections import aclose_to as aclose_to
    from .connections import asend_to as asend_to
    from .connections import close_to as close_to
    from .connections import send_to as send_to
    from .decorators import websocket_only as websocket_only
    from .event import Event as Event
    from .exceptions import PublishError as PublishError
    from .holds import set_hold_longpoll as set_hold_longpoll
    from .holds import set_hold_stream as set_hold_stream
    from .middleware import GripMiddleware as GripMiddleware
    from .protocol.channels import Channel as Channel
    from .protocol.channels import channel_name as channel_name
    from .protocol.formats import HttpResponseFormat as HttpResponseFormat
    from .protocol.formats import HttpStreamFormat as HttpStreamFormat
    from .protocol.formats import WebSocketMessageFormat as WebSocketMessageFormat
    from .protocol.items import Item as Item
    from .pubcontrol import get_pubcontrol as get_pubcontrol
    from .publisher import apublish as apublish
    from .publisher import publish as publish
    from .publishing import Publication as Publication

__version__ = "4.0"

_HOMES = {
    "Channel": "protocol.channels",
    "Event": "event",
    "GripMiddleware": "middleware",
    "HttpResponseFormat": "protocol.formats",
    "HttpStreamFormat": "protocol.formats",
    "Item": "protocol.items",
    "Publication": "publishing",
    "PublishError": "exceptions",
    "WebSocketMessageFormat": "protocol.formats",
    "aclose_to": "connections",
    "apublish": "publisher",
    "asend_to": "connections",
    "channel_name": "protocol.channels",
    "close_to": "connections",
    "get_pubcontrol": "pubcontrol",
    "publish": "publisher",
    "send_to": "connections",
    "set_hold_longpoll": "holds",
    "set_hold_stream": "holds",
    "websocket_only": "decorators",
}

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
