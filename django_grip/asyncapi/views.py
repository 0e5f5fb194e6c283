"""The views of `django_grip.views` as channels. What their messages hold is known to their hooks only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..endpoints import Endpoint
from ..views import EventStreamView, LongPollView, StreamView, WebSocketView
from .channels import Channel, Message, Operation, channel_of, describe_class
from .components import Schema

__all__ = ["describe_view", "handshake_of"]

_ANY: Schema = {}
_TEXT: Schema = {"type": "string"}
# By `encoding`.
_WEBSOCKET_MESSAGES: dict[str, tuple[str, Schema]] = {
    "text": ("text/plain", _TEXT),
    "bytes": ("application/octet-stream", {"type": "string", "format": "binary"}),
    "json": ("application/json", _ANY),
}


def describe_view(endpoint: Endpoint) -> list[Channel]:
    """The channels of an endpoint, if it is one of these views."""
    for view_class, describe in _DESCRIBERS:
        if endpoint.view_class is not None and issubclass(endpoint.view_class, view_class):
            return [describe(endpoint)]
    return []


def handshake_of(subprotocols: Any) -> Schema | None:
    """The schema of the headers that open a WebSocket."""
    names = [str(name) for name in subprotocols]
    if not names:
        return None
    offered = {"type": "string", "description": f"Any of these, or none: {', '.join(names)}."}
    return {"type": "object", "properties": {"Sec-WebSocket-Protocol": offered}}


def _websocket(endpoint: Endpoint) -> Channel:
    view_class = _class_of(endpoint)
    content_type, payload = _WEBSOCKET_MESSAGES[view_class.encoding]
    messages = [Message("message", payload, content_type=content_type)]
    operations = [Operation("send", "send", ["message"])]
    if _defines(endpoint, "on_message"):
        operations.append(Operation("receive", "receive", ["message"]))
    return channel_of(
        endpoint,
        "websocket",
        is_websocket=True,
        messages=messages,
        operations=operations,
        description=describe_class(view_class),
        handshake=handshake_of(_option(endpoint, "subprotocols")),
    )


def _stream(endpoint: Endpoint) -> Channel:
    content_type = str(_option(endpoint, "content_type"))
    sent = Message("chunk", _TEXT, "What is appended to the response, which stays open.", content_type)
    return _streamed(endpoint, "stream", sent)


def _event_stream(endpoint: Endpoint) -> Channel:
    sent = Message("event", _ANY, "The data of an event; it may be text or JSON.", "text/event-stream")
    return _streamed(endpoint, "events", sent)


def _streamed(endpoint: Endpoint, kind: str, sent: Message) -> Channel:
    messages = [sent]
    operations = [Operation("send", "send", [sent.name], method="GET")]
    if _defines(endpoint, "on_message"):
        messages.append(Message("posted", _TEXT, "The body of a POST.", "text/plain"))
        operations.append(Operation("receive", "receive", ["posted"], method="POST"))
    return channel_of(
        endpoint,
        kind,
        messages=messages,
        operations=operations,
        description=describe_class(_class_of(endpoint)),
    )


def _long_poll(endpoint: Endpoint) -> Channel:
    view_class = _class_of(endpoint)
    seconds = _option(endpoint, "timeout")
    version = Message(
        "version", _ANY, "The present version.", str(_option(endpoint, "content_type")), headers=_header("ETag")
    )
    how = (
        "A GET with the ETag of the present version in `If-None-Match` waits for the next one, and is answered with a "
        f"304 after {seconds} seconds."
    )
    return channel_of(
        endpoint,
        "long_poll",
        messages=[version],
        operations=[Operation("send", "send", ["version"], method="GET")],
        description=describe_class(view_class, how),
    )


def _header(name: str) -> Schema:
    return {"type": "object", "properties": {name: {"type": "string"}}}


def _class_of(endpoint: Endpoint) -> Any:
    return endpoint.view_class


def _option(endpoint: Endpoint, name: str) -> Any:
    """An attribute of the view, as this route has it."""
    return endpoint.initkwargs.get(name, getattr(endpoint.view_class, name))


def _defines(endpoint: Endpoint, hook: str) -> bool:
    return hook in _class_of(endpoint)._own_hooks()


_DESCRIBERS: tuple[tuple[type, Callable[[Endpoint], Channel]], ...] = (
    (WebSocketView, _websocket),
    (EventStreamView, _event_stream),
    (StreamView, _stream),
    (LongPollView, _long_poll),
)
