"""The JSON form of an instruction: a body of type ``application/grip-instruct`` that holds the response, too.

It has no place for links, and Pushpin (1.36 to 1.41) reads no keep-alive mode from it: one then counts from the
last keep-alive. The original HTTP headers are discarded (GRIP.md, 3).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import gripcontrol

from ..exceptions import ChannelNameError, InstructError, ProtocolError
from .channels import MAX_CHANNELS, Channel, check_channel_name
from .header_values import MAX_SECONDS, build_seconds
from .http_parts import check_code, check_headers, check_reason
from .instruct import Instruct, check_hold, text_or_bytes
from .keep_alive import keep_alive_bytes

__all__ = ["INSTRUCT_CONTENT_TYPE", "Response", "build_instruct_json", "parse_instruct_json"]

INSTRUCT_CONTENT_TYPE = "application/grip-instruct"


class Response(gripcontrol.Response):
    """The response inside an instruction: `code`, `reason`, `headers` (dict or pairs) and `body`; None is left out."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Response):
            return NotImplemented
        return self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        size = len(self.body) if self.body is not None else 0
        return f"Response(code={self.code!r}, reason={self.reason!r}, body of {size})"


def build_instruct_json(
    instruct: Instruct,
    response: gripcontrol.Response | str | bytes | None = None,
    *,
    prefix: str = "",
    max_channels: int = MAX_CHANNELS,
) -> bytes:
    """Build the body that says an instruction and the response; a str or bytes is a response's body.

    The HTTP response around it must have the status 200 and the type `INSTRUCT_CONTENT_TYPE`.

    Raises: InstructError for what only headers can say (links, expose headers) and for what `build_instruct_headers`
    refuses; ChannelNameError.
    """
    for name in ("next_link", "gone_link", "expose_headers"):
        if getattr(instruct, name):
            raise InstructError(f"the JSON form of an instruction cannot say {name}: use the headers")
    channels = check_hold(instruct, max_channels=max_channels)
    out: dict[str, Any] = {}
    if instruct.hold:
        out["hold"] = _build_hold(instruct, channels, prefix)
    if not isinstance(response, gripcontrol.Response):
        response = Response(body=response)
    parts = _build_response(response, instruct)
    if parts:
        out["response"] = parts
    return _dump(out)


def _dump(out: dict[str, Any]) -> bytes:
    try:
        return json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise InstructError("the instruction has a lone surrogate, which no JSON can carry") from error


def _build_hold(instruct: Instruct, channels: list[Channel], prefix: str) -> dict[str, Any]:
    hold: dict[str, Any] = {
        "mode": instruct.hold,
        "channels": [_build_channel(channel, prefix) for channel in channels],
    }
    if instruct.timeout:
        hold["timeout"] = int(build_seconds(instruct.timeout, "the timeout of a long-poll"))
    if instruct.keep_alive:
        hold["keep-alive"] = _build_keep_alive(instruct)
    if instruct.meta:
        for name, value in instruct.meta.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise InstructError(f"meta must map str to str, not {name!r} to {type(value).__name__}")
        hold["meta"] = dict(instruct.meta)
    return hold


def _build_channel(channel: Channel, prefix: str) -> dict[str, Any]:
    out: dict[str, Any] = {"name": check_channel_name(channel.name, prefix=prefix)}
    if channel.prev_id is not None:
        out["prev-id"] = channel.prev_id
    if channel.filters:
        out["filters"] = channel.filters
    return out


def _build_keep_alive(instruct: Instruct) -> dict[str, Any]:
    out = _text_or_base64(keep_alive_bytes(instruct.keep_alive), "content")
    if instruct.keep_alive_timeout:
        out["timeout"] = int(build_seconds(instruct.keep_alive_timeout, "the keep-alive timeout"))
    return out


def _text_or_base64(data: bytes, name: str) -> dict[str, Any]:
    text = text_or_bytes(data)
    return {name: text} if isinstance(text, str) else {f"{name}-bin": b64encode(text).decode()}


def _build_response(response: gripcontrol.Response, instruct: Instruct) -> dict[str, Any]:
    code = instruct.status if instruct.status is not None else response.code
    reason = instruct.reason or response.reason
    out: dict[str, Any] = {}
    if code is not None:
        out["code"] = check_code(code, InstructError)
    if reason:
        out["reason"] = check_reason(reason, InstructError)
    if response.headers:
        out["headers"] = check_headers(response.headers, InstructError)
    if isinstance(response.body, bytes):
        out.update(_text_or_base64(response.body, "body"))
    elif isinstance(response.body, str):
        out["body"] = response.body
    elif response.body is not None:
        raise InstructError(f"the body of a response must be a str or bytes, not {type(response.body).__name__}")
    return out


def parse_instruct_json(body: bytes) -> tuple[Instruct, Response]:
    """Parse a body of type ``application/grip-instruct`` into the instruction and the response.

    A hold without a mode is a long-poll. Contents that are not UTF-8 come as bytes. Raises: ProtocolError.
    """
    try:
        top = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the instruction is not JSON: {error}") from None
    if not isinstance(top, dict):
        raise ProtocolError("the instruction is not a JSON object")
    instruct, response = Instruct(), Response()
    if "hold" in top:
        instruct = _parse_hold(_object(top, "hold", "the instruction"))
    if "response" in top:
        response = _parse_response(_object(top, "response", "the instruction"))
    return instruct, response


def _parse_hold(hold: dict[str, Any]) -> Instruct:
    instruct = Instruct(hold=_text(hold, "mode", "the hold", "response"))
    if instruct.hold not in ("response", "stream"):
        raise ProtocolError(f"the hold has the unknown mode {instruct.hold!r}")
    instruct.channels = [_parse_channel(channel) for channel in _typed(hold, "channels", "the hold", list)]
    instruct.timeout = _seconds(hold, "timeout", "the hold", 0)
    if "keep-alive" in hold:
        keep_alive = _object(hold, "keep-alive", "the hold")
        instruct.keep_alive = _content(keep_alive, "content", "the keep-alive") or ""
        instruct.keep_alive_timeout = _seconds(keep_alive, "timeout", "the keep-alive", 55)
        instruct.keep_alive_mode = "interval"
    if "meta" in hold:
        meta = _object(hold, "meta", "the hold")
        instruct.meta = {name: _text(meta, name, "the meta") for name in meta}
    return instruct


def _parse_channel(channel: object) -> Channel:
    if not isinstance(channel, dict):
        raise ProtocolError("a channel of the hold is not an object")
    filters = _typed(channel, "filters", "a channel", list) if "filters" in channel else []
    prev_id = _text(channel, "prev-id", "a channel") if "prev-id" in channel else None
    try:
        return Channel(_text(channel, "name", "a channel"), prev_id, filters)
    except ChannelNameError as error:
        raise ProtocolError(f"the hold: {error}") from error


def _parse_response(parts: dict[str, Any]) -> Response:
    response = Response(body=_content(parts, "body", "the response"))
    if "code" in parts:
        response.code = _typed(parts, "code", "the response", int)
        if not 0 <= response.code <= 999:
            raise ProtocolError(f"the response has the impossible code {response.code}")
    if "reason" in parts:
        response.reason = _text(parts, "reason", "the response")
    if "headers" in parts:
        try:
            headers = check_headers(_typed(parts, "headers", "the response", (dict, list)), InstructError)
        except InstructError as error:
            raise ProtocolError(f"the response has headers that do not parse: {error}") from error
        response.headers = headers if isinstance(headers, dict) else [(name, value) for name, value in headers]
    return response


def _content(parts: dict[str, Any], name: str, where: str) -> str | bytes | None:
    """Return the text of a member, or what its twin ``…-bin`` holds in base64; the twin counts first."""
    if f"{name}-bin" in parts:
        try:
            return text_or_bytes(b64decode(_text(parts, f"{name}-bin", where), validate=True))
        except ValueError as error:
            raise ProtocolError(f"{where} has a {name}-bin that is not base64: {error}") from None
    return _text(parts, name, where) if name in parts else None


def _typed(parts: dict[str, Any], name: str, where: str, kind: type | tuple[type, ...]) -> Any:
    if name not in parts:
        raise ProtocolError(f"{where} has no {name!r}")
    value = parts[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ProtocolError(f"{where} has a {name!r} of the wrong type")
    return value


def _object(parts: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value: dict[str, Any] = _typed(parts, name, where, dict)
    return value


def _text(parts: dict[str, Any], name: str, where: str, default: str | None = None) -> str:
    if default is not None and name not in parts:
        return default
    value: str = _typed(parts, name, where, str)
    return value


def _seconds(parts: dict[str, Any], name: str, where: str, default: int) -> int:
    if name not in parts:
        return default
    value: int = _typed(parts, name, where, int)
    if not 0 <= value <= MAX_SECONDS:
        raise ProtocolError(f"{where} has a {name!r} that is not from 0 to {MAX_SECONDS:,} seconds")
    return value
