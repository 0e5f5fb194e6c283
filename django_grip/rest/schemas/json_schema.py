"""OpenAPI's schemas as JSON Schema (draft 7), which is what AsyncAPI has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise

__all__ = ["for_requests", "for_responses", "to_json_schema"]

Schema = dict[str, Any]

# What OpenAPI has beside JSON Schema, or AsyncAPI has otherwise.
_OPENAPI_ONLY = {"nullable", "discriminator", "xml", "externalDocs"}
# What in a schema holds one schema, several by name, or several in a list.
_ONE = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
_NAMED = ("properties", "patternProperties", "definitions")
_SEVERAL = ("oneOf", "anyOf", "allOf")


def to_json_schema(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 or 3.1 as one of JSON Schema, with lazy texts made into text."""
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema and len(schema) > 1:
        # Beside a reference nothing counts (JSON Schema draft 7, core, 8.3).
        rest = to_json_schema({key: value for key, value in schema.items() if key not in ("$ref", "nullable")})
        target = {"$ref": schema["$ref"]}
        return {"anyOf": [target, {"type": "null"}], **rest} if schema.get("nullable") else {"allOf": [target], **rest}
    built = _map_inner(
        {key: _plain(value) for key, value in schema.items() if key not in _OPENAPI_ONLY}, to_json_schema
    )
    _number_limits(built)
    if "example" in built:
        built.setdefault("examples", [built.pop("example")])
    return _allow_null(built) if schema.get("nullable") is True else built


def for_requests(schema: Any) -> Any:
    """A schema of DRF's without what only answers have."""
    return _without(schema, "readOnly")


def for_responses(schema: Any) -> Any:
    """A schema of DRF's without what only requests have."""
    return _without(schema, "writeOnly")


def _without(schema: Any, mark: str) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    built = dict(schema)
    properties = built.get("properties")
    if isinstance(properties, Mapping):
        kept = {name: value for name, value in properties.items() if not value.get(mark)}
        built["properties"] = kept
        # What only answers have is not required of requests, but answers always have it.
        required = [name for name in kept if name in built.get("required", ()) or kept[name].get("readOnly")]
        built.pop("required", None)
        if required:
            built["required"] = required
    return _map_inner(built, lambda inner: _without(inner, mark))


def _map_inner(schema: Schema, change: Any) -> Schema:
    """Change the schemas that are in one."""
    for key in _ONE:
        if isinstance(schema.get(key), Mapping):
            schema[key] = change(schema[key])
    for key in _NAMED:
        if isinstance(schema.get(key), Mapping):
            schema[key] = {name: change(value) for name, value in schema[key].items()}
    for key in _SEVERAL:
        if isinstance(schema.get(key), (list, tuple)):
            schema[key] = [change(value) for value in schema[key]]
    return schema


def _number_limits(schema: Schema) -> None:
    """OpenAPI 3.0 says beside a limit whether it is itself excluded."""
    for exclusive, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and limit in schema:
            schema[exclusive] = schema.pop(limit)


def _allow_null(schema: Schema) -> Schema:
    if not isinstance(schema.get("type"), str):
        return {"anyOf": [schema, {"type": "null"}]} if schema else schema
    schema["type"] = [schema["type"], "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _plain(value: Any) -> Any:
    """Lazy texts as text, tuples as lists; of mappings, only those that are no schemas need it further down."""
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    return value
