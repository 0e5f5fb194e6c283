"""A `WebSocketAPIView` as a channel."""

from __future__ import annotations

from typing import Any

from ...asyncapi.channels import Channel, Message, Operation, channel_of, describe_class
from ...asyncapi.components import PREFIX
from ...asyncapi.views import handshake_of
from ...endpoints import Endpoint
from ..api_view.actions import INHERITED
from ..api_view.view import WebSocketAPIView
from .security import BEARER, describe_security, takes_tokens
from .serializers import Described, SerializerSchemas
from .vocabulary import DEFINITIONS, ERROR, call_message, response_message

__all__ = ["describe_api_view"]

Schema = dict[str, Any]


def describe_api_view(endpoint: Endpoint, schemas: SerializerSchemas) -> Channel:
    """The channel of a route."""
    view_class: Any = endpoint.view_class
    view = view_class(**endpoint.initkwargs)
    view.request, view.args, view.kwargs, view.format_kwarg = None, (), {}, None
    view.swagger_fake_view = True
    messages: dict[str, Message] = {}
    operations: list[Operation] = []
    definitions: dict[str, Schema] = dict(DEFINITIONS)

    def describe(serializer_class: Any) -> Schema:
        described = Described({}) if serializer_class is None else schemas.describe_serializer(serializer_class, view)
        definitions.update(described.definitions)
        return described.request or {}

    for action in view_class.get_ws_actions().values():
        serializer_class = view.serializer_class if action.serializer_class is INHERITED else action.serializer_class
        data = describe(serializer_class)
        call = call_message(action.name, data, needs_data=_needs_data(data, definitions))
        # What the method returns, nobody but the method knows.
        response = response_message(action.name, {})
        messages |= {call.name: call, response.name: response}
        operations.append(Operation(action.name, "receive", [call.name], replies=[response.name, ERROR.name]))
    if view_class.on_message is not WebSocketAPIView.on_message:
        messages["posted"] = Message("posted", describe(view.serializer_class), "A message that calls no action.")
        operations.append(Operation("receive", "receive", ["posted"], replies=[ERROR.name]))
    messages |= {"message": Message("message", {}, "What the view sends or publishes."), ERROR.name: ERROR}
    operations.append(Operation("send", "send", ["message", ERROR.name]))
    return channel_of(
        endpoint,
        "websocket",
        is_websocket=True,
        messages=list(messages.values()),
        operations=operations,
        description=describe_class(view_class),
        handshake=handshake_of([*view.subprotocols, *([BEARER] if takes_tokens(view) else [])]),
        definitions=definitions,
        security=describe_security(view),
    )


def _needs_data(data: Schema, definitions: dict[str, Schema]) -> bool:
    if "$ref" in data:
        data = definitions[data["$ref"].removeprefix(PREFIX)]
    return bool(data.get("required"))
