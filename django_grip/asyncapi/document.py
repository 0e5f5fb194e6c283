"""An AsyncAPI 3.0 document, made of channels. What it may hold: https://www.asyncapi.com/docs/reference/specification"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .channels import Channel, Message, Operation
from .components import Components
from .servers import build_servers, server_names

__all__ = ["build_document"]

VERSION = "3.0.0"

# The specification leaves it to the document whose point of view it takes.
POINT_OF_VIEW = (
    "What this document calls an operation is the server's: `receive` is what clients send to it, `send` is what it "
    "sends to clients."
)


def build_document(
    channels: Iterable[Channel], *, title: str, version: str, servers: Sequence[str] = ()
) -> dict[str, Any]:
    """Make the document. servers: URLs. Raises: UsageError for one that is none."""
    return _Builder(servers).build(channels, title=title, version=version)


class _Builder:
    """Collects what the channels share."""

    def __init__(self, servers: Sequence[str]) -> None:
        self.servers = servers
        self.components = Components()
        self.security: dict[str, dict[str, Any]] = {}
        self.channels: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}

    def build(self, channels: Iterable[Channel], *, title: str, version: str) -> dict[str, Any]:
        for channel in sorted(channels, key=lambda channel: (channel.address, channel.kind)):
            self._add(channel)
        components = {
            "schemas": self.components.build(),
            "securitySchemes": dict(sorted(self.security.items())),
        }
        return {
            "asyncapi": VERSION,
            "info": {"title": title, "version": version, "description": POINT_OF_VIEW},
            **_given(servers=build_servers(self.servers)),
            "defaultContentType": "application/json",
            "channels": self.channels,
            "operations": self.operations,
            **_given(components=_given(**components)),
        }

    def _add(self, channel: Channel) -> None:
        name = _free_name(channel.id, self.channels)
        self.channels[name] = {
            "address": channel.address,
            **_given(
                title=channel.title,
                description=channel.description,
                servers=[
                    {"$ref": f"#/servers/{server}"}
                    for server in server_names(len(self.servers), is_websocket=channel.is_websocket)
                ],
                parameters={key: _parameter(regex) for key, regex in channel.parameters.items()},
            ),
            "messages": {message.name: self._message(message, channel) for message in channel.messages},
            **_given(bindings=_channel_bindings(channel)),
        }
        security = self._take_security(channel)
        for operation in channel.operations:
            place = _free_name(f"{name}_{operation.name}", self.operations)
            self.operations[place] = {**_operation(operation, name), **_given(security=security)}

    def _message(self, message: Message, channel: Channel) -> dict[str, Any]:
        return {
            "name": message.name,
            **_given(summary=message.summary),
            "contentType": message.content_type,
            "payload": self.components.adopt(message.payload, channel.definitions),
            **_given(headers=message.headers),
        }

    def _take_security(self, channel: Channel) -> list[dict[str, str]]:
        self.security.update(channel.security)
        return [{"$ref": f"#/components/securitySchemes/{name}"} for name in sorted(channel.security)]


def _operation(operation: Operation, channel: str) -> dict[str, Any]:
    here = {"$ref": f"#/channels/{channel}"}
    built: dict[str, Any] = {
        "action": operation.action,
        "channel": here,
        **_given(summary=operation.summary),
        "messages": [_message_reference(channel, name) for name in operation.messages],
    }
    if operation.replies:
        messages = [_message_reference(channel, name) for name in operation.replies]
        built["reply"] = {"channel": here, "messages": messages}
    if operation.method:
        http = {"method": operation.method, **_given(query=operation.query), "bindingVersion": "0.3.0"}
        built["bindings"] = {"http": http}
    return built


def _message_reference(channel: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}/messages/{name}"}


def _channel_bindings(channel: Channel) -> dict[str, Any]:
    if not channel.is_websocket:
        return {}
    return {"ws": {"method": "GET", **_given(headers=channel.handshake), "bindingVersion": "0.1.0"}}


def _parameter(regex: str | None) -> dict[str, str]:
    return {"description": f"Matches `{regex}`."} if regex else {}


def _free_name(name: str, taken: Any) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _given(**values: Any) -> dict[str, Any]:
    """What is not empty."""
    return {key: value for key, value in values.items() if value}
