"""The schemas of serializers, as drf-spectacular has them in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.settings import patched_settings, spectacular_settings

from ...endpoints import Endpoint
from .json_schema import Schema, to_json_schema
from .serializers import Described
from .versions import set_version

__all__ = ["SpectacularSchemas"]

# Requests and answers apart, whatever the project's OpenAPI does.
_SETTINGS = {"COMPONENT_SPLIT_REQUEST": True, "COMPONENT_SPLIT_PATCH": True}


class SpectacularSchemas:
    """Schemas as drf-spectacular makes them: ``extend_schema``, extensions and hooks count. version: see `set_version`."""

    def __init__(self, version: str | None = None) -> None:
        self._version = version

    def describe_action(self, endpoint: Endpoint, method: str) -> Described:
        # It keeps what it makes alive.
        generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
        registry = ComponentRegistry()
        with _working():
            view: Any = generator.create_view(endpoint.view, method)
            view.request = spectacular_settings.GET_MOCK_REQUEST(method, endpoint.address, view, None)
            set_version(view, endpoint, self._version)
            schema = view.schema if isinstance(view.schema, AutoSchema) else _own_schema(view)
            operation = schema.get_operation(endpoint.address, endpoint.address, "^/", method, registry)
        if operation is None:
            # Whoever keeps an action out of the OpenAPI document, keeps it out of this one.
            return Described({}, {})
        request = _content_schema(operation.get("requestBody", {}))
        responses = operation.get("responses", {})
        success: Any = next((responses[code] for code in sorted(responses) if str(code).startswith("2")), {})
        return Described(request, _content_schema(success), _definitions(registry))

    def describe_serializer(self, serializer_class: Any, view: Any) -> Described:
        registry = ComponentRegistry()
        with _working():
            schema = _own_schema(view)
            schema.registry, schema.method, schema.path = registry, "POST", "/"
            request = _resolve(schema, serializer_class, "request")
            response = _resolve(schema, serializer_class, "response")
        return Described(request, response, _definitions(registry))


def _own_schema(view: Any) -> AutoSchema:
    schema = AutoSchema()
    schema.view = view
    return schema


def _resolve(schema: AutoSchema, serializer_class: Any, direction: Literal["request", "response"]) -> Schema:
    mapped = schema._unwrap_list_serializer(serializer_class(), direction)
    # Of a serializer without fields it makes nothing.
    resolved: Schema = {"type": "object"} if mapped is None else to_json_schema(mapped)
    return resolved


def _content_schema(body: Any) -> Schema | None:
    """The schema of a request or a response in JSON, or in what there is."""
    content = body.get("content") or {}
    if not content:
        return None
    media = content.get("application/json") or next(iter(content.values()))
    schema: Schema = to_json_schema(media.get("schema", {}))
    return schema


def _definitions(registry: ComponentRegistry) -> dict[str, Schema]:
    return {name: to_json_schema(schema) for name, schema in registry.build({}).get("schemas", {}).items()}


@contextmanager
def _working() -> Iterator[None]:
    """Let it work with the settings that are needed here, and say what has failed instead of printing it.

    Raises: ValueError.
    """
    errors: dict[str, int] = GENERATOR_STATS._error_cache
    before = dict(errors)
    traces = list(GENERATOR_STATS._traces)
    try:
        with patched_settings(_SETTINGS), GENERATOR_STATS.silence():
            yield
    finally:
        # Of what has raised in the middle of it, it would go on to tell.
        GENERATOR_STATS._traces[:] = traces
    for message in errors:
        if errors[message] > before.get(message, 0):
            raise ValueError(message)
