"""What is asked of those who make the schemas of serializers, and of what the actions of a viewset take and answer.

With drf-spectacular it is `from_spectacular`; without, what Django REST framework itself can tell: `from_drf`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...endpoints import Endpoint

__all__ = ["Described", "Remembered", "SerializerSchemas"]

Schema = dict[str, Any]


@dataclass(frozen=True)
class Described:
    """What goes to the server and what comes from it, as JSON Schema. None: nothing does.

    definitions: what the two refer to, as ``#/components/schemas/<name>``.
    """

    request: Schema | None = None
    response: Schema | None = None
    definitions: Mapping[str, Schema] = field(default_factory=dict)


class SerializerSchemas(Protocol):
    """Makes schemas."""

    def describe_action(self, endpoint: Endpoint, method: str) -> Described:
        """What the action takes that the route maps an HTTP method to, and what it answers."""

    def describe_serializer(self, serializer_class: Any, view: Any) -> Described:
        """What a serializer takes as data, and what it makes. view: an instance of the view that has it."""


class Remembered:
    """Makes each schema once: the WebSocket of a list and those of its objects have most actions in common."""

    def __init__(self, schemas: SerializerSchemas) -> None:
        self._schemas = schemas
        self._actions: dict[tuple[str, str], Described] = {}

    def describe_action(self, endpoint: Endpoint, method: str) -> Described:
        key = (endpoint.address, method)
        if key not in self._actions:
            self._actions[key] = self._schemas.describe_action(endpoint, method)
        return self._actions[key]

    def describe_serializer(self, serializer_class: Any, view: Any) -> Described:
        return self._schemas.describe_serializer(serializer_class, view)
