"""What ``OPTIONS`` says of the live transports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.response import Response

from ..media_types import EVENT_STREAM_TYPE, JSON_TYPE
from ..renderers import EventStreamRenderer, is_html

__all__ = ["describe_transports", "name_transports"]


def name_transports(view: Any, response: Response) -> Response:
    """Add the transports of this URL to the answer to OPTIONS, where it is live and says anything."""
    if view.live_action is not None and response.status_code == 200 and isinstance(response.data, Mapping):
        response.data = {**response.data, "live": describe_transports(view)}
    return response


def describe_transports(view: Any) -> dict[str, Any]:
    """What a client has to know to hear of changes: transports by name, each with its media type."""
    transports: dict[str, Any] = {
        "event-stream": {"media_type": EVENT_STREAM_TYPE},
        "websocket": {"media_type": JSON_TYPE, "subprotocols": list(view.live_subprotocols)},
    }
    media_type = _find_media_type(view)
    if media_type is not None:
        transports["long-poll"] = {"media_type": media_type, "max_wait": view.live_max_wait}
    return {"action": view.live_action, "transports": transports}


def _find_media_type(view: Any) -> str | None:
    """What a long-poll is answered with, if one does not ask for another."""
    own = (renderer for renderer in view.renderer_classes if not issubclass(renderer, EventStreamRenderer))
    return next((renderer.media_type for renderer in own if not is_html(renderer)), None)
