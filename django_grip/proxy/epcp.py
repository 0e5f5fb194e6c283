"""Read the body of a publish request: EPCP's JSON into published items, all of them or none (GRIP.md, 4).

The texts of the errors are Pushpin's where it has one. It is stricter than Pushpin about what could do harm on its way
to a client or back to the application: line ends in headers and ids, codes that no response can have, text that is no
UTF-8.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, NoReturn

from ..exceptions import ItemError, ProtocolError
from ..protocol.http_parts import check_headers, check_reason
from ..protocol.websocket_events import MAX_CONTROL_FRAME, is_close_code
from .published import PublishedItem, ResponseMessage, SocketMessage, StreamMessage

__all__ = ["parse_items"]

_ITEM = "publish item object"
_FORMATS = ("http-response", "http-stream", "ws-message")
_MESSAGE_TYPES = ("text", "binary", "ping", "pong")
_MISSING = object()
# They come back in Grip-Last.
_controls = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def parse_items(body: bytes) -> list[PublishedItem]:
    """Return the items of a publish body, ``{"items": [...]}``, in order.

    Raises: ProtocolError in one line that never shows a content; then none of the items counts.
    """
    document = _parse_json(body)
    if not isinstance(document, dict):
        raise ProtocolError("the body is not an object")
    items = document.get("items", _MISSING)
    if items is _MISSING:
        raise ProtocolError("object does not contain 'items'")
    if not isinstance(items, list):
        raise ProtocolError("object contains 'items' with wrong type")
    return [_read_item(item) for item in items]


def _parse_json(body: bytes) -> Any:
    try:
        # Decoded here: json.loads() would guess, and take UTF-16 too.
        document = json.loads(body.decode(), parse_constant=_refuse_constant)
        if b"\\u" in body:
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ProtocolError("the body has a lone surrogate, which no bytes stand for") from None
    except (ValueError, RecursionError):
        raise ProtocolError("the body is not valid JSON") from None
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_item(source: Any) -> PublishedItem:
    if not isinstance(source, dict):
        raise ProtocolError(f"{_ITEM} is not an object")
    formats = _read_formats(source)
    size = source.get("size", 0)
    if isinstance(size, bool) or not isinstance(size, int):
        raise _wrong_type(_ITEM, "size")
    if size < 0:
        raise _invalid_value(_ITEM, "size")
    no_seq = source.get("no-seq", False)
    if not isinstance(no_seq, bool):
        raise _wrong_type(_ITEM, "no-seq")
    return PublishedItem(
        channel=_read_name(source, "channel", required=True) or "",
        id=_read_name(source, "id"),
        prev_id=_read_name(source, "prev-id"),
        no_seq=no_seq,
        meta=_read_meta(source),
        stream=_read_stream(formats["http-stream"]) if "http-stream" in formats else None,
        response=_read_response(formats["http-response"]) if "http-response" in formats else None,
        socket=_read_socket(formats["ws-message"]) if "ws-message" in formats else None,
    )


def _read_name(source: dict[str, Any], name: str, *, required: bool = False) -> str | None:
    """A channel or an id; an empty id is none."""
    value = _read_str(source, name, _ITEM)
    if value is None and required:
        raise ProtocolError(f"{_ITEM} does not contain '{name}'")
    if value is not None and _controls.search(value):
        raise _invalid_value(_ITEM, name)
    if required and not value:
        raise _invalid_value(_ITEM, name)
    return value or None


def _read_formats(source: dict[str, Any]) -> dict[str, Any]:
    """The formats, which may also stand in the item itself."""
    formats = source.get("formats", _MISSING)
    if formats is _MISSING:
        formats = {name: source[name] for name in _FORMATS if name in source}
    elif not isinstance(formats, dict):
        raise _wrong_type(_ITEM, "formats")
    if not formats:
        raise ProtocolError("no formats specified")
    return formats


def _read_meta(source: dict[str, Any]) -> dict[str, str]:
    meta = source.get("meta", {})
    if not isinstance(meta, dict):
        raise _wrong_type(_ITEM, "meta")
    for key, value in meta.items():
        if not isinstance(value, str):
            raise ProtocolError(f"'meta' contains {_show(key)} with wrong type")
    return meta


def _read_stream(source: Any) -> StreamMessage:
    what = "'http-stream'"
    action = _read_action(source, what, ("send", "hint", "close"))
    if action != "send":
        return StreamMessage(action)
    _check_content_filters(source, what)
    return StreamMessage(action, _read_content(source, what, "content"))


def _read_response(source: Any) -> ResponseMessage:
    what = "'http-response'"
    action = _read_action(source, what, ("send", "hint"))
    if action != "send":
        return ResponseMessage(action)
    _check_content_filters(source, what)
    code = _read_int(source, "code", what, 200)
    if not 200 <= code <= 599:
        raise _invalid_value(what, "code")
    patch = None
    if "body" not in source and "body-bin" not in source and "body-patch" in source:
        patch = _read_patch(source["body-patch"], what)
    return ResponseMessage(
        action,
        code,
        _read_reason(source, what),
        _read_headers(source.get("headers", {})),
        b"" if patch is not None else _read_content(source, what, "body", "'body', 'body-bin', or 'body-patch'"),
        patch,
    )


def _read_reason(source: dict[str, Any], what: str) -> str:
    reason = _read_str(source, "reason", what)
    if not reason:
        return ""
    try:
        return check_reason(reason, ItemError)
    except ItemError:
        raise _invalid_value(what, "reason") from None


def _read_headers(headers: Any) -> list[tuple[bytes, bytes]]:
    pairs: list[Any]
    if isinstance(headers, dict):
        pairs = list(headers.items())
    elif isinstance(headers, list):
        if not all(isinstance(pair, list) for pair in headers):
            raise ProtocolError("headers contains element with wrong type")
        if not all(len(pair) == 2 for pair in headers):
            raise ProtocolError("headers contains list with wrong number of elements")
        pairs = [(pair[0], pair[1]) for pair in headers]
    else:
        raise _wrong_type("'http-response'", "headers")
    for name, value in pairs:
        if not isinstance(name, str):
            raise ProtocolError("header contains name element with wrong type")
        if not isinstance(value, str):
            raise ProtocolError(f"headers contains {_show(name)} with wrong type")
    try:
        checked = check_headers([(name, value.strip(" \t")) for name, value in pairs], ItemError)
    except ItemError as error:
        raise ProtocolError(f"'http-response' contains 'headers' with invalid value: {error}") from None
    return [(pair[0].lower().encode(), pair[1].encode()) for pair in checked]


def _read_patch(patch: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(patch, list):
        raise _wrong_type(what, "body-patch")
    for operation in patch:
        if not isinstance(operation, dict):
            raise ProtocolError("body-patch contains element with wrong type")
    return patch


def _read_socket(source: Any) -> SocketMessage:
    what = "'ws-message'"
    action = _read_action(source, what, ("send", "close", "refresh"))
    if action == "refresh":
        return SocketMessage(action)
    if action == "close":
        return _read_close(source, what)
    _check_content_filters(source, what)
    kind = _read_str(source, "type", what)
    if kind is None:
        kind = "binary" if "content-bin" in source else "text"
    elif kind not in _MESSAGE_TYPES:
        raise ProtocolError(f"{what} contains 'type' with unknown value")
    if kind in ("ping", "pong") and "content" not in source and "content-bin" not in source:
        return SocketMessage(action, kind)
    content = _read_content(source, what, "content")
    if kind in ("ping", "pong") and len(content) > MAX_CONTROL_FRAME:
        raise ProtocolError(f"{what} contains a {kind} of more than {MAX_CONTROL_FRAME} bytes")
    if kind == "text" and "content-bin" in source:
        _check_utf8(content, what)
    return SocketMessage(action, kind, content)


def _read_close(source: dict[str, Any], what: str) -> SocketMessage:
    code = _read_int(source, "code", what, 1000)
    if not is_close_code(code):
        raise _invalid_value(what, "code")
    reason = _read_str(source, "reason", what) or ""
    if len(reason.encode()) > MAX_CONTROL_FRAME - 2:
        raise ProtocolError(f"{what} contains a 'reason' of more than {MAX_CONTROL_FRAME - 2} bytes")
    return SocketMessage("close", code=code, reason=reason)


def _check_utf8(content: bytes, what: str) -> None:
    try:
        content.decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"{what} contains a text message that is not UTF-8") from None


def _read_action(source: Any, what: str, known: tuple[str, ...]) -> str:
    if not isinstance(source, dict):
        raise ProtocolError(f"{what} is not an object")
    action = _read_str(source, "action", what)
    if action is None:
        return "send"
    if action not in known:
        raise ProtocolError(f"{what} contains 'action' with unknown value")
    return action


def _check_content_filters(source: dict[str, Any], what: str) -> None:
    """The filters that Pushpin runs on a content are not done here; as with its own, unknown ones are ignored."""
    filters = source.get("content-filters", [])
    if not isinstance(filters, list):
        raise _wrong_type(what, "content-filters")
    if not all(isinstance(name, str) for name in filters):
        raise ProtocolError("content-filters contains element with wrong type")


def _read_content(source: dict[str, Any], what: str, name: str, names: str = "") -> bytes:
    coded = _read_str(source, f"{name}-bin", what)
    if coded is not None:
        return _decode_base64(coded, what, f"{name}-bin")
    content = _read_str(source, name, what)
    if content is None:
        raise ProtocolError(f"{what} does not contain {names or _both(name)}")
    return content.encode()


def _both(name: str) -> str:
    return f"'{name}' or '{name}-bin'"


def _decode_base64(coded: str, what: str, name: str) -> bytes:
    try:
        # Some writers leave the padding out.
        return b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except (Base64Error, ValueError):
        raise ProtocolError(f"{what} contains '{name}' that is not base64") from None


def _read_str(source: dict[str, Any], name: str, what: str) -> str | None:
    value = source.get(name, _MISSING)
    if value is _MISSING:
        return None
    if not isinstance(value, str):
        raise _wrong_type(what, name)
    return value


def _read_int(source: dict[str, Any], name: str, what: str, default: int) -> int:
    """A number; Pushpin takes one in a string, too."""
    value = source.get(name, default)
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(what, name)
    return value


def _wrong_type(what: str, name: str) -> ProtocolError:
    return ProtocolError(f"{what} contains '{name}' with wrong type")


def _invalid_value(what: str, name: str) -> ProtocolError:
    return ProtocolError(f"{what} contains '{name}' with invalid value")


def _show(name: str) -> str:
    """A key of the publisher's, so that it cannot break the line it is shown in."""
    return ascii(name if len(name) <= 40 else f"{name[:40]}...")
