"""The schemas of serializers, as drf-spectacular has them in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import patched_settings, spectacular_settings

from ...endpoints import Endpoint
from .json_schema import Schema, to_json_schema
from .serializers import Described
from .versions import set_version

__all__ = ["SpectacularSchemas"]

_JSON = "application/json"
_DIRECTIONS: tuple[Literal["request", "response"], ...] = ("request", "response")
# Requests and answers apart, whatever the project's OpenAPI does.
_SETTINGS = {"COMPONENT_SPLIT_REQUEST": True, "COMPONENT_SPLIT_PATCH": True}


class SpectacularSchemas:
    """Schemas as drf-spectacular makes them: ``extend_schema``, extensions and hooks count.

    version: see `set_version`.
    """

    def __init__(self, version: str | None = None) -> None:
        self._version = version

    def describe_action(self, endpoint: Endpoint, method: str) -> Described:
        # It keeps what it makes alive.
        generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
        with _working():
            view: Any = generator.create_view(endpoint.view, method)
            view.request = spectacular_settings.GET_MOCK_REQUEST(method, endpoint.address, view, None)
            set_version(view, endpoint, self._version)
            schema = view.schema if isinstance(view.schema, AutoSchema) else _own_schema(view)
            operation = schema.get_operation(endpoint.address, endpoint.address, "^/", method, generator.registry)
            schemas: dict[str, Schema] = {}
            if operation is not None:
                operation, schemas = _postprocess(generator, operation, endpoint.address, method)
        if operation is None:
            # Whoever keeps an action out of the OpenAPI document, keeps it out of this one.
            return Described({}, {})
        return _describe(operation, schemas)

    def describe_serializer(self, serializer_class: Any, view: Any) -> Described:
        generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
        with _working():
            schema = _own_schema(view)
            schema.registry, schema.method, schema.path = generator.registry, "POST", "/"
            request, response = (_content(_resolve(schema, serializer_class, each)) for each in _DIRECTIONS)
            operation = {"requestBody": request, "responses": {"200": {**response, "description": ""}}}
            found, schemas = _postprocess(generator, operation, schema.path, schema.method)
        return _describe(found or operation, schemas)


def _own_schema(view: Any) -> AutoSchema:
    schema = AutoSchema()
    schema.view = view
    return schema


def _resolve(schema: AutoSchema, serializer_class: Any, direction: Literal["request", "response"]) -> Schema:
    mapped = schema._unwrap_list_serializer(serializer_class(), direction)
    # Of a serializer without fields it makes nothing.
    return {"type": "object"} if mapped is None else mapped


def _content(schema: Schema) -> Schema:
    return {"content": {_JSON: {"schema": schema}}}


def _postprocess(generator: Any, operation: Any, path: str, method: str) -> tuple[Any, dict[str, Schema]]:
    """An operation and the schemas that it refers to, as the project's POSTPROCESSING_HOOKS leave them.

    None for an operation of which they leave nothing.
    """
    document: Any = {
        "openapi": spectacular_settings.OAS_VERSION,
        "info": {"title": spectacular_settings.TITLE, "version": spectacular_settings.VERSION or ""},
        "paths": {path: {method.lower(): operation}},
        "components": generator.registry.build({}),
    }
    for hook in spectacular_settings.POSTPROCESSING_HOOKS:
        # Its own ones only give names to enums.
        if getattr(hook, "__module__", "") == "drf_spectacular.hooks":
            continue
        # One that looks for what another view has finds nothing here.
        with suppress(LookupError):
            document = hook(result=document, generator=generator, request=None, public=True)
    # Whatever its path has become.
    found = next((each for methods in document["paths"].values() for each in methods.values()), None)
    return found, document.get("components", {}).get("schemas", {})


def _describe(operation: Any, schemas: dict[str, Schema]) -> Described:
    responses = operation.get("responses", {})
    success: Any = next((responses[code] for code in sorted(responses) if str(code).startswith("2")), {})
    definitions = {name: to_json_schema(schema) for name, schema in schemas.items()}
    return Described(_content_schema(operation.get("requestBody", {})), _content_schema(success), definitions)


def _content_schema(body: Any) -> Schema | None:
    """The schema of a request or a response in JSON, or in what there is."""
    content = body.get("content") or {}
    if not content:
        return None
    # With AcceptHeaderVersioning a version may stand behind it.
    media = next((content[name] for name in content if name.partition(";")[0] == _JSON), next(iter(content.values())))
    schema: Schema = to_json_schema(media.get("schema", {}))
    return schema


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
