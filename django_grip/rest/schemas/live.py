"""A route of a live viewset as channels: its WebSocket, its event stream, and its long-poll."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rest_framework.schemas.generators import BaseSchemaGenerator

from ...asyncapi.channels import Channel, Message, Operation, channel_of, describe_class
from ...asyncapi.components import PREFIX
from ...asyncapi.views import handshake_of
from ...endpoints import Endpoint
from ..media_types import EVENT_STREAM_TYPE
from ..websocket.offers import Offer, find_offers
from ..websocket.routes import Route, find_lookup_name, read_route, routes_of
from .security import BEARER, describe_security, takes_tokens
from .serializers import Described, SerializerSchemas
from .told import ANY_PK, pk_schema, shown_serializer, told_actions
from .vocabulary import (
    DEFINITIONS,
    ERROR,
    INVALIDATE,
    RESET,
    call_message,
    change_messages,
    response_message,
    snapshot_message,
    subscribed_message,
)

__all__ = ["describe_live"]

Schema = dict[str, Any]


def describe_live(endpoint: Endpoint, endpoints: Sequence[Endpoint], schemas: SerializerSchemas) -> list[Channel]:
    """The channels of a route; none if its GET is no live action. endpoints: all, to find the other routes."""
    view = make_view(endpoint, "GET")
    own = read_route(endpoint)
    # It may be mapped, and yet not be let in by http_method_names.
    if view.live_action is None or view.live_action not in own.actions.values():
        return []
    namespace = own.name.rpartition(":")[0]
    others = routes_of(endpoint.view_class, endpoint.initkwargs.get("basename"), namespace, endpoints)
    route = _Route(endpoint, own, others, view, schemas)
    return [route.websocket(), route.events(), route.long_poll()]


def make_view(endpoint: Endpoint, method: str) -> Any:
    """An instance of a viewset, as one that answers a method of this route."""
    view = BaseSchemaGenerator().create_view(endpoint.view, method)
    view.swagger_fake_view = True
    return view


class _Route:
    """One route, while its channels are made. others: the endpoints of all routes of its viewset, by their names."""

    def __init__(
        self, endpoint: Endpoint, own: Route, others: Mapping[str, Endpoint], view: Any, schemas: SerializerSchemas
    ) -> None:
        self.endpoint, self.own, self.others, self.view, self.schemas = endpoint, own, others, view, schemas
        routes = [read_route(other) for other in others.values()]
        self.offers = list(find_offers(own, routes, lookup=find_lookup_name(view)).values())
        self.got = schemas.describe_action(endpoint, "GET")
        self.definitions: dict[str, Schema] = {**DEFINITIONS, **self.got.definitions}
        self.changes = self._describe_changes()
        self.security = describe_security(view)

    def websocket(self) -> Channel:
        messages: dict[str, Message] = {}
        operations: list[Operation] = []
        for offer in self.offers:
            call, response = self._describe_offer(offer)
            for message in (call, response):
                messages[message.name] = message
            operations.append(Operation(call.name, "receive", [call.name], replies=[response.name, ERROR.name]))
        subscribed = subscribed_message([offer.name for offer in self.offers])
        heard = [subscribed, *self.changes]
        # Names of the project's own actions come first: what is heard beside them finds another name in the channel.
        names = [_put(messages, message) for message in [*heard, ERROR]]
        operations = [replace(each, replies=[each.replies[0], names[-1]]) for each in operations]
        operations.append(Operation("events", "send", names, "What is heard of changes, and errors without a ref."))
        return self._channel("websocket", list(messages.values()), operations, self._words(), is_websocket=True)

    def events(self) -> Channel:
        data = self.got.response or {}
        messages = [
            replace(message, content_type=EVENT_STREAM_TYPE)
            for message in (snapshot_message(data), RESET, *self.changes)
        ]
        names = [message.name for message in messages]
        text = "Server-Sent Events, for `Accept: text/event-stream`; a payload here is the `data` of an event."
        return self._channel("events", messages, [Operation("send", "send", names, method="GET")], [text])

    def long_poll(self) -> Channel:
        etag: Schema = {"type": "object", "properties": {"ETag": {"type": "string"}}}
        message = Message(
            "representation", self.got.response or {}, "The representation, when it has changed.", headers=etag
        )
        text = (
            "A GET with the ETag that one has in `If-None-Match`, and `Prefer: wait=N`, waits for another "
            f"representation, and is answered with a 304 after N seconds, {self.view.live_max_wait} at the most."
        )
        send = Operation("send", "send", [message.name], method="GET")
        return self._channel("long_poll", [message], [send], [text])

    def _channel(
        self, kind: str, messages: list[Message], operations: list[Operation], words: Iterable[str], **options: Any
    ) -> Channel:
        if options.get("is_websocket"):
            options["handshake"] = handshake_of(
                [*self.view.live_subprotocols, *([BEARER] if takes_tokens(self.view) else [])]
            )
        return channel_of(
            self.endpoint,
            kind,
            messages=messages,
            operations=operations,
            description=describe_class(type(self.view), *words),
            definitions=self.definitions,
            security=self.security,
            **options,
        )

    def _words(self) -> list[str]:
        live = self.view.live_action
        words = [f"The first message is `subscribed`; ask for `{live}`, or `subscribe`, which is the same, then."]
        return words if all(offer.name != "subscribe" for offer in self.offers) else []

    def _describe_changes(self) -> list[Message]:
        is_detail = self.own.detail
        shown = shown_serializer(self.view, is_detail=is_detail)
        data = None if shown is None else self._take(self.schemas.describe_serializer(shown, self.view)).response
        actions = told_actions(self.view, is_detail=is_detail)
        return [*change_messages(actions, pk_schema(self.view), data), INVALIDATE]

    def _describe_offer(self, offer: Offer) -> tuple[Message, Message]:
        endpoint = self.endpoint if offer.route is self.own else self.others[offer.route.name]
        described = [self._take(self.schemas.describe_action(endpoint, each.upper())) for each in offer.methods]
        data = next((each.request for each in described if each.request is not None), None)
        call = call_message(
            offer.name,
            data,
            needs_data=len(described) == 1 and self._needs_data(data),
            pk=ANY_PK if offer.needs_pk else None,
            has_query=True,
            methods=[each.upper() for each in offer.methods],
        )
        return call, response_message(offer.name, described[0].response)

    def _take(self, described: Described) -> Described:
        """Keep what something refers to. Names mean the same in one project."""
        self.definitions.update(described.definitions)
        return described

    def _needs_data(self, data: Schema | None) -> bool:
        if data is None:
            return False
        if "$ref" in data:
            data = self.definitions[data["$ref"].removeprefix(PREFIX)]
        return bool(data.get("required")) or data.get("type") == "array"


def _put(messages: dict[str, Message], message: Message) -> str:
    """Add a message to a channel's, under a name that is free."""
    name = message.name
    while name in messages:
        name += "_"
    messages[name] = replace(message, name=name)
    return name
