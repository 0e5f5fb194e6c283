"""What a live GET has in its OpenAPI operation beside what every GET has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..media_types import EVENT_STREAM_TYPE, JSON_TYPE, NDJSON_TYPE
from ..websocket.routes import find_lookup_name
from .told import pk_schema, shown_serializer, told_actions

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema

__all__ = ["add_live"]

Schema = dict[str, Any]

_LIVE = (
    "This address is live. With `Accept: text/event-stream` it is a stream of Server-Sent Events: a snapshot, then "
    "changes as they come; each event's data is JSON."
)
_WEBSOCKET = (
    "The same address takes WebSockets: the same events as JSON messages, and actions such as "
    '`{"action": "%s", "ref": 1}` from the client. `manage.py asyncapi` documents the messages.'
)


def add_live(schema: AutoSchema, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation with its live transports. schema: that of the view, while it makes this operation."""
    view: Any = schema.view
    is_detail = _is_detail(schema)
    live = {**operation, "responses": dict(operation["responses"])}
    _describe(live, _LIVE)
    live["responses"].setdefault("304", _not_modified(schema))
    if "content" in live["responses"].get("200", {}):
        live["responses"]["200"] = _add_content(schema, live["responses"]["200"], is_detail)
    if "<drf_format_suffix" not in schema.path_regex and "(?P<format>" not in schema.path_regex:
        _describe(live, _WEBSOCKET % view.live_action)
        live["x-websocket"] = {
            "subprotocols": list(view.live_subprotocols),
            "events": ["subscribed", *told_actions(view, is_detail=is_detail), "invalidate"],
        }
    return live


def _describe(operation: dict[str, Any], sentence: str) -> None:
    operation["description"] = "\n\n".join(filter(None, [str(operation.get("description", "")), sentence]))


def _not_modified(schema: AutoSchema) -> dict[str, Any]:
    headers = schema._get_response_headers_for_code("304")
    return {**({"headers": headers} if headers else {}), "description": "The representation is the one that you have."}


def _add_content(schema: AutoSchema, response: dict[str, Any], is_detail: bool) -> dict[str, Any]:
    content = dict(response["content"])
    plain = next((each for each in content if each.partition(";")[0] == JSON_TYPE), next(iter(content)))
    # With AcceptHeaderVersioning the version stands behind each of them.
    parameters = "".join(plain.partition(";")[1:])
    lines, events = NDJSON_TYPE + parameters, EVENT_STREAM_TYPE + parameters
    data = content[plain].get("schema", {})
    if lines in content:
        content[lines] = {**content[lines], "schema": _row_schema(schema, data)}
    content[events] = {"schema": {"oneOf": _events(schema, data, is_detail)}}
    return {**response, "content": content}


def _events(schema: AutoSchema, snapshot: Schema, is_detail: bool) -> list[Schema]:
    view: Any = schema.view
    shown = shown_serializer(view, is_detail=is_detail)
    data = {} if shown is None else {"data": schema._unwrap_list_serializer(shown(), "response") or {}}
    pk = {"pk": _as_openapi(pk_schema(view))}
    return [
        _event("snapshot", {"data": snapshot}),
        _event("reset", {}),
        *(
            _event(action, pk, {} if action == "deleted" else data)
            for action in told_actions(view, is_detail=is_detail)
        ),
        _event("invalidate", {}),
    ]


def _event(action: str, required: Schema, optional: Schema | None = None) -> Schema:
    # An enum of one: OpenAPI 3.0 has no const.
    properties = {"action": {"type": "string", "enum": [action]}, **required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": ["action", *required]}


def _as_openapi(schema: Schema) -> Schema:
    """OpenAPI 3.0 has one type in a schema."""
    if "items" in schema:
        return {**schema, "items": _as_openapi(schema["items"])}
    if not isinstance(schema.get("type"), list):
        return schema
    return {"oneOf": [{"type": each} for each in schema["type"]]}


def _row_schema(schema: AutoSchema, data: Schema) -> Schema:
    """What stands on a line: a row of a list, or of a page of one; or all of it."""
    found: Any = data
    reference = data.get("$ref", "")
    if reference:
        name, components = reference.rpartition("/")[2], schema.registry.build({}).get("schemas", {})
        found = components.get(name, {})
    results = found.get("properties", {}).get("results", {})
    rows: Schema = (results if results.get("type") == "array" else found).get("items") or data
    return rows


def _is_detail(schema: AutoSchema) -> bool:
    view: Any = schema.view
    if view.detail is not None:
        return bool(view.detail)
    name = find_lookup_name(view)
    return f"<{name}>" in schema.path_regex or f":{name}>" in schema.path_regex
