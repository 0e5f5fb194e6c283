"""What an item carries for each transport: gripcontrol's formats, with all that the control port takes (GRIP.md, 4).

A format is checked when it is exported: as a dict that is ready for JSON, or with an ItemError that says what is wrong.
The exporters work on gripcontrol's own objects as well, and mend what its `export` drops or leaves as bytes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import gripcontrol

from ..exceptions import ItemError, UsageError
from .http_parts import Headers, check_code, check_headers, check_reason
from .websocket_events import MAX_CONTROL_FRAME, build_close

__all__ = ["EXPORTERS", "HttpResponseFormat", "HttpStreamFormat", "WebSocketMessageFormat"]

Exported = dict[str, Any]

_PATCH_OPERATIONS = frozenset({"add", "remove", "replace", "move", "copy", "test"})


class HttpStreamFormat(gripcontrol.HttpStreamFormat):
    """Data for held streams, or an action: "close" ends them, "hint" makes the proxy fetch their next link.

    content: a str, or bytes, which may be any. `close=True` is ``action="close"``.
    content_filters: names of the filters this item goes through; None leaves it to the channels.

    Raises: ItemError.
    """

    def __init__(
        self,
        content: str | bytes | None = None,
        close: bool = False,
        content_filters: Sequence[str] | None = None,
        action: str | None = None,
    ) -> None:
        if close and action not in (None, "close"):
            raise ItemError(f"HttpStreamFormat: close=True contradicts action={action!r}")
        self.content = content
        self.close = close or action == "close"
        self.content_filters = content_filters  # type: ignore[assignment]
        self.action = "close" if self.close else action
        if content is not None and self.action not in (None, "send"):
            raise ItemError(f"HttpStreamFormat: {self.action} sends no content; publish the content before it")
        if content is None and self.action in (None, "send"):
            raise ItemError("HttpStreamFormat has no content and no action")

    def export(self) -> Exported:
        return export_http_stream(self)


class HttpResponseFormat(gripcontrol.HttpResponseFormat):
    """The response for held long-polls, or the action "hint", which makes the proxy ask the application again.

    code: 200 if None. headers: a dict or a list of pairs; they are added to those of the held response.
    body: a str or bytes; body_patch instead changes the JSON of the held response (a list of JSON Patch operations).

    Raises: ItemError.
    """

    def __init__(
        self,
        code: int | None = None,
        reason: str | None = None,
        headers: Headers | None = None,
        body: str | bytes | None = None,
        content_filters: Sequence[str] | None = None,
        action: str | None = None,
        *,
        body_patch: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self.code = code
        self.reason = reason
        self.headers = headers  # type: ignore[assignment]
        self.body = body
        self.content_filters = content_filters  # type: ignore[assignment]
        self.action = action
        self.body_patch = body_patch
        if action not in (None, "send") and (body is not None or body_patch is not None):
            raise ItemError(f"HttpResponseFormat: {action} sends no body")

    def export(self) -> Exported:
        return export_http_response(self)


class WebSocketMessageFormat(gripcontrol.WebSocketMessageFormat):
    """A message for WebSockets, or an action: "close" (with `code` and `reason`) or "refresh".

    type: "text", "binary", "ping" or "pong"; None means text, or binary if `binary` is true. A ping or pong may be
    empty and holds 125 bytes at most. "refresh" makes the proxy ask the application again, for each connection
    (Pushpin 1.38).

    Raises: ItemError.
    """

    def __init__(
        self,
        content: str | bytes | None = None,
        binary: bool = False,
        action: str | None = None,
        code: int | None = None,
        reason: str | None = None,
        *,
        type: str | None = None,
        content_filters: Sequence[str] | None = None,
    ) -> None:
        self.content = content
        self.binary = binary
        self.action = action
        self.code = code
        self.reason = reason
        self.type = type
        self.content_filters = content_filters
        if content is not None and action not in (None, "send"):
            raise ItemError(f"WebSocketMessageFormat: {action} sends no content; publish the content before it")
        if action != "close" and (code is not None or reason):
            raise ItemError("WebSocketMessageFormat: code and reason go with action='close'")

    def export(self) -> Exported:
        return export_websocket_message(self)


def export_http_stream(message: gripcontrol.HttpStreamFormat) -> Exported:
    """Return a stream format ready for JSON. Raises: ItemError."""
    action = message.action
    if action and action != "send":
        return _export_action(message, action, ("hint", "close"))
    content = message.content
    if content is None:
        raise ItemError("HttpStreamFormat has no content and no action")
    out: Exported = {"content": content} if isinstance(content, str) else _text_or_base64(message, "content", content)
    _add_content_filters(message, out)
    return out


def export_http_response(message: gripcontrol.HttpResponseFormat) -> Exported:
    """Return a response format ready for JSON. Raises: ItemError."""
    action = message.action
    if action and action != "send":
        return _export_action(message, action, ("hint",))
    out: Exported = {}
    if message.code is not None:
        out["code"] = check_code(message.code, ItemError)
    if message.reason:
        out["reason"] = check_reason(message.reason, ItemError)
    if message.headers:
        out["headers"] = check_headers(message.headers, ItemError)
    out.update(_export_body(message))
    _add_content_filters(message, out)
    return out


def export_websocket_message(message: gripcontrol.WebSocketMessageFormat) -> Exported:
    """Return a WebSocket format ready for JSON. Raises: ItemError."""
    action = message.action
    if action and action != "send":
        out = _export_action(message, action, ("close", "refresh"))
        if action == "close":
            out.update(_export_close(message.code, message.reason))
        return out
    kind: str | None = getattr(message, "type", None)
    if kind is None:
        out = _export_content(message, binary=message.binary)
    elif kind in ("text", "binary"):
        if message.binary and kind == "text":
            raise ItemError("WebSocketMessageFormat: binary=True contradicts type='text'")
        out = _export_content(message, binary=kind == "binary")
    elif kind in ("ping", "pong"):
        out = {"type": kind, **_export_control_frame(message, kind)}
    else:
        raise ItemError(f"WebSocketMessageFormat: type must be 'text', 'binary', 'ping' or 'pong', not {kind!r}")
    _add_content_filters(message, out)
    return out


def _export_action(message: object, action: str, known: tuple[str, ...]) -> Exported:
    if action not in known:
        names = ", ".join(map(repr, ("send", *known)))
        raise ItemError(f"{type(message).__name__}: action must be one of {names}, not {action!r}")
    return {"action": action}


def _export_close(code: int | None, reason: str | None) -> Exported:
    try:
        build_close(code, reason or "")
    except (UsageError, AttributeError) as error:
        raise ItemError(f"WebSocketMessageFormat: {error}") from error
    out: Exported = {} if code is None else {"code": code}
    if reason:
        out["reason"] = reason
    return out


def _export_body(message: gripcontrol.HttpResponseFormat) -> Exported:
    patch = getattr(message, "body_patch", None)
    if patch is None:
        return {"body": ""} if message.body is None else _text_or_base64(message, "body", message.body)
    if message.body is not None:
        raise ItemError("HttpResponseFormat: body and body_patch exclude each other")
    if isinstance(patch, (str, bytes, Mapping)) or not isinstance(patch, Iterable):
        raise ItemError(f"HttpResponseFormat: body_patch must be a list of operations, not {type(patch).__name__}")
    operations = list(patch)
    for operation in operations:
        _check_operation(operation)
    return {"body-patch": operations}


def _check_operation(operation: object) -> None:
    if not isinstance(operation, Mapping) or operation.get("op") not in _PATCH_OPERATIONS:
        raise ItemError(
            f"HttpResponseFormat: body_patch has {operation!r}, which is no JSON Patch operation (RFC 6902)"
        )
    if not isinstance(operation.get("path"), str):
        raise ItemError(f"HttpResponseFormat: body_patch has {operation!r}, which has no path")


def _export_content(message: gripcontrol.WebSocketMessageFormat, *, binary: bool) -> Exported:
    content = message.content
    if content is None:
        raise ItemError("WebSocketMessageFormat has no content and no action")
    if binary:
        return {"content-bin": b64encode(_to_bytes(message, content)).decode("ascii")}
    if isinstance(content, str):
        return {"content": content}
    try:
        return {"content": _to_bytes(message, content).decode()}
    except UnicodeDecodeError as error:
        raise ItemError(
            f"WebSocketMessageFormat: a text message must be UTF-8, but byte {error.start} is not; pass binary=True"
        ) from None


def _export_control_frame(message: gripcontrol.WebSocketMessageFormat, kind: str) -> Exported:
    content = message.content
    if not content:
        return {}
    size = len(_to_bytes(message, content))
    if size > MAX_CONTROL_FRAME:
        raise ItemError(f"WebSocketMessageFormat: a {kind} holds {MAX_CONTROL_FRAME} bytes at most, not {size:,}")
    return _text_or_base64(message, "content", content)


def _add_content_filters(message: object, out: Exported) -> None:
    filters = getattr(message, "content_filters", None)
    if filters is None:
        return
    if isinstance(filters, (str, bytes)) or not isinstance(filters, Iterable):
        raise ItemError(f"{type(message).__name__}: content_filters must be a list of names, not {filters!r}")
    names = list(filters)
    for name in names:
        if not isinstance(name, str) or not name:
            raise ItemError(f"{type(message).__name__}: content_filters has {name!r}, which is no filter's name")
    out["content-filters"] = names


def _text_or_base64(message: object, name: str, content: str | bytes) -> Exported:
    if isinstance(content, str):
        return {name: content}
    raw = _to_bytes(message, content)
    try:
        return {name: raw.decode()}
    except UnicodeDecodeError:
        return {f"{name}-bin": b64encode(raw).decode("ascii")}


def _to_bytes(message: object, content: str | bytes) -> bytes:
    if isinstance(content, str):
        try:
            return content.encode()
        except UnicodeEncodeError as error:
            raise ItemError(f"{type(message).__name__}: a lone surrogate at position {error.start}") from None
    if isinstance(content, (bytes, bytearray, memoryview)):
        return bytes(content)
    raise ItemError(f"{type(message).__name__}: content must be a str or bytes, not {type(content).__name__}")


EXPORTERS: dict[type, tuple[str, Callable[[Any], Exported]]] = {
    HttpStreamFormat: ("http-stream", export_http_stream),
    gripcontrol.HttpStreamFormat: ("http-stream", export_http_stream),
    HttpResponseFormat: ("http-response", export_http_response),
    gripcontrol.HttpResponseFormat: ("http-response", export_http_response),
    WebSocketMessageFormat: ("ws-message", export_websocket_message),
    gripcontrol.WebSocketMessageFormat: ("ws-message", export_websocket_message),
}
"""The name and exporter of each class that is known; subclasses that override neither inherit theirs."""
