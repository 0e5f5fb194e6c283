"""What an endpoint is in AsyncAPI: channels, with the messages and the operations on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from .components import Schema

if TYPE_CHECKING:
    from ..endpoints import Endpoint

__all__ = ["Channel", "Message", "Operation", "channel_of", "describe_class"]

JSON = "application/json"


@dataclass(frozen=True)
class Message:
    """One kind of message. payload: its schema; where it is an event of a stream, that of the event's data."""

    name: str
    payload: Schema = field(default_factory=dict)
    summary: str = ""
    content_type: str = JSON
    headers: Schema | None = None


@dataclass(frozen=True)
class Operation:
    """What the server does on a channel.

    name: within the channel.
    action: "send" or "receive", from the server's point of view.
    messages, replies: names of messages of the channel.
    method: of HTTP, where it is HTTP. headers, query: schemas of what the request has.
    """

    name: str
    action: str
    messages: Sequence[str]
    summary: str = ""
    replies: Sequence[str] = ()
    method: str | None = None
    query: Schema | None = None


@dataclass(frozen=True)
class Channel:
    """One transport of one address.

    kind: what tells it from the others at this address, such as "websocket" or "events".
    is_websocket: or else HTTP.
    handshake: the schema of the headers that open the WebSocket.
    definitions: what the messages' schemas refer to.
    security: schemes by name; one of them has to be met. Empty: nothing is asked for, or nobody knows.
    """

    kind: str
    address: str
    parameters: Mapping[str, str | None]
    messages: Sequence[Message]
    operations: Sequence[Operation]
    is_websocket: bool = False
    title: str = ""
    description: str = ""
    handshake: Schema | None = None
    definitions: Mapping[str, Schema] = field(default_factory=dict)
    security: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What the document calls it, if no other has the same."""
        words = re.sub(r"[^A-Za-z0-9]+", "_", self.address).strip("_")
        return f"{words or 'root'}_{self.kind}"


def channel_of(endpoint: Endpoint, kind: str, **options: Any) -> Channel:
    """A channel at the address of an endpoint."""
    options.setdefault("title", getattr(endpoint.view_class or endpoint.view, "__name__", ""))
    return Channel(kind, endpoint.address, endpoint.parameters, **options)


def describe_class(view_class: type, *sentences: str) -> str:
    """A description: the class's own docstring, and behind it what is to be said of every such class."""
    return "\n\n".join(_paragraphs(view_class.__doc__, sentences))


def _paragraphs(doc: str | None, sentences: Iterable[str]) -> list[str]:
    return [text for text in (cleandoc(doc or "").strip(), *sentences) if text]
