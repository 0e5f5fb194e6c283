"""Renderers: Server-Sent Events, newline-delimited JSON, and that of WebSocket actions.

All of them write JSON. In a live viewset it is that of the viewset's own JSON renderer, if it has one, so that keys and
formats are those of its plain answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer, JSONRenderer

from ..event import Event
from ..protocol.sse import encode_sse
from ..protocol.websocket_events import CONTENT_TYPE
from .browsable import live_browsable
from .media_types import EVENT_STREAM_TYPE, JSON_TYPE, NDJSON_TYPE
from .websocket.requests import is_stand_in

__all__ = [
    "EventStreamRenderer",
    "NDJSONRenderer",
    "SnapshotRenderer",
    "WebSocketActionRenderer",
    "find_json_renderer",
    "is_html",
    "live_renderers",
]

Context = Mapping[str, Any] | None


class _JSONBasedRenderer(BaseRenderer):
    """Writes data by way of JSON. json: the renderer that makes it."""

    charset: str | None = None

    def __init__(self, json: BaseRenderer | None = None) -> None:
        self.json = JSONRenderer() if json is None else json

    def to_json(self, data: Any, renderer_context: Context = None) -> bytes:
        """Compact JSON, where nobody has asked for an indent. None, of which JSONRenderer makes nothing, is null."""
        if data is None:
            return b"null"
        text = self.json.render(data, self.json.media_type, dict(renderer_context or {}))
        return text.encode() if isinstance(text, str) else bytes(text)

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Context = None) -> bytes:
        response = (renderer_context or {}).get("response")
        if data is None and not self.is_said(response):
            return b""
        if response is not None and self.is_plain(response):
            return self._render_plain(data, response, renderer_context)
        return self.render_data(data, renderer_context)

    def is_said(self, response: Any) -> bool:
        """Whether something is written for no data at all, where other renderers write nothing."""
        return False

    def is_plain(self, response: Any) -> bool:
        """Whether a response says something else than what this format is for, such as an error: that is plain JSON."""
        return bool(response.exception) or response.status_code >= 400

    def _render_plain(self, data: Any, response: Any, renderer_context: Context) -> bytes:
        # The browsable API renders by the renderers of the view too, and its page stays HTML.
        if getattr(response, "accepted_renderer", None) is self:
            response["Content-Type"] = JSON_TYPE
        return self.to_json(data, renderer_context)

    def render_data(self, data: Any, renderer_context: Context) -> bytes:
        raise NotImplementedError


class EventStreamRenderer(_JSONBasedRenderer):
    """Server-Sent Events: the data of a response becomes one event, an `Event` the event that it says.

    A str goes as it is, line by line, and anything else as JSON. An error is plain JSON with its own status, as an
    ``EventSource`` ends at once with any other status than 200.
    """

    media_type = EVENT_STREAM_TYPE
    format = "sse"
    charset = "utf-8"

    def render_data(self, data: Any, renderer_context: Context) -> bytes:
        event = data if isinstance(data, Event) else Event(data)
        # A lazy string is text like any other.
        is_text = isinstance(event.data, (str, Promise))
        text = str(event.data) if is_text else self.to_json(event.data, renderer_context).decode()
        return encode_sse(text, event=event.event, id=event.id, retry=event.retry).encode()


class SnapshotRenderer(EventStreamRenderer):
    """The beginning of a live viewset's stream: the event that `events.snapshot` describes."""

    def is_said(self, response: Any) -> bool:
        return response is not None and not self.is_plain(response)

    def is_plain(self, response: Any) -> bool:
        # With another status, no stream begins.
        return super().is_plain(response) or response.status_code != 200

    def render_data(self, data: Any, renderer_context: Context) -> bytes:
        # Written around the JSON, which may be long and is not to be parsed for that.
        text = '{"action":"snapshot","data":' + self.to_json(data, renderer_context).decode() + "}"
        return encode_sse(text).encode()


class NDJSONRenderer(_JSONBasedRenderer):
    """Newline-delimited JSON: of a list every row is a line, anything else is one line.

    Of a page the rows are its ``results``; where the pages before and behind it are, the header ``Link`` says.
    """

    media_type = NDJSON_TYPE
    format = "ndjson"

    def render_data(self, data: Any, renderer_context: Context) -> bytes:
        rows = data
        if _is_page(data, renderer_context):
            rows = data["results"]
            _add_links(data, (renderer_context or {}).get("response"))
        elif not isinstance(data, (list, tuple)):
            rows = [data]
        if not rows and (response := (renderer_context or {}).get("response")) is not None:
            response.add_post_render_callback(_name_type)
        # Nothing of the context: an indent would make several lines of a row.
        return b"".join(self.to_json(row) + b"\n" for row in rows)


def _name_type(response: Any) -> None:
    """Say again what an empty answer is: of what has no bytes DRF takes the Content-Type away."""
    if response.status_code != 304:
        response.headers.setdefault("Content-Type", response.content_type or NDJSON_TYPE)


def _is_page(data: Any, renderer_context: Context) -> bool:
    view = (renderer_context or {}).get("view")
    return (
        getattr(view, "paginator", None) is not None
        and isinstance(data, Mapping)
        and isinstance(data.get("results"), (list, tuple))
    )


def _add_links(data: Mapping[str, Any], response: Any) -> None:
    links = [f'<{data[key]}>; rel="{rel}"' for key, rel in (("next", "next"), ("previous", "prev")) if data.get(key)]
    if links and response is not None:
        response["Link"] = ", ".join([*([response["Link"]] if "Link" in response else []), *links])


class WebSocketActionRenderer(_JSONBasedRenderer):
    """The answer to a WebSocket action: JSON, whatever else the viewset renders."""

    media_type = CONTENT_TYPE
    format = "websocket"

    def render_data(self, data: Any, renderer_context: Context) -> bytes:
        return self.to_json(data, renderer_context)

    def is_plain(self, response: Any) -> bool:
        return False


def live_renderers(view: Any, renderers: list[Any]) -> list[Any]:
    """The renderers of a live viewset: its own, and behind them those of the live transports.

    Behind them, as an ``Accept`` that takes everything shall get what it always got.
    """
    renderers = live_browsable(view, renderers)
    json = find_json_renderer(renderers)
    if is_stand_in(getattr(view, "request", None)):
        renderers = [*renderers, WebSocketActionRenderer(json)]
    if getattr(view, "action", None) is None or not view.is_live:
        return renderers
    # Where the class names it, its place is what the class says.
    named = [isinstance(renderer, EventStreamRenderer) for renderer in renderers]
    renderers = [SnapshotRenderer(json) if is_stream else own for own, is_stream in zip(renderers, named, strict=True)]
    if not any(named) and _wants(view, EventStreamRenderer):
        renderers.append(SnapshotRenderer(json))
    if not any(renderer.format == NDJSONRenderer.format for renderer in renderers):
        renderers.append(NDJSONRenderer(json))
    return renderers


def _wants(view: Any, renderer: type[BaseRenderer]) -> bool:
    """Whether a request names the renderer: ``text/*`` does not mean that somebody would wait for events."""
    request = getattr(view, "request", None)
    if request is None:
        return False
    parameter = view.settings.URL_FORMAT_OVERRIDE
    formats = (getattr(view, "format_kwarg", None), request.GET.get(parameter) if parameter else None)
    return renderer.format in formats or renderer.media_type in request.META.get("HTTP_ACCEPT", "").lower()


def find_json_renderer(renderers: list[Any]) -> Any:
    """The viewset's own renderer of JSON; None if it has none."""
    return next((renderer for renderer in renderers if renderer.media_type == JSON_TYPE), None)


def is_html(renderer: Any) -> bool:
    """Whether a renderer makes pages for people, with forms and tokens in them."""
    return renderer.media_type in ("text/html", "application/xhtml+xml") or renderer.format in ("html", "api", "admin")
