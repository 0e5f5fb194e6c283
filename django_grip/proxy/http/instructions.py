"""What an answer of the application asks of the proxy, and what of it the client shall see (GRIP.md, 3)."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from ...exceptions import HeaderError, ProtocolError
from ...protocol.instruct import Instruct, parse_instruct_headers
from ...protocol.instruct_json import INSTRUCT_CONTENT_TYPE, Response, parse_instruct_json
from ..client_headers import clean_response_headers
from ..messages import AppResponse, Headers, first_of
from ..options import ProxyOptions

__all__ = ["Instruction", "expose_headers", "has_instruct", "read_instruction", "whole_response"]

logger = logging.getLogger("django_grip")

_INSTRUCT_TYPE = INSTRUCT_CONTENT_TYPE.encode()
_WITHOUT_BODY = frozenset({204, 304})


class Instruction(NamedTuple):
    """What the proxy is to do, and the response that the client shall see: no Grip-* header, no length."""

    instruct: Instruct
    response: AppResponse


def has_instruct(headers: Headers) -> bool:
    """Whether a response says anything to the proxy. If not, it may go to the client as it comes."""
    return any(name[:5].lower() == b"grip-" or _is_instruct_type(name, value) for name, value in headers)


def _is_instruct_type(name: bytes, value: bytes) -> bool:
    return name.lower() == b"content-type" and value.partition(b";")[0].strip().lower() == _INSTRUCT_TYPE


def read_instruction(response: AppResponse, options: ProxyOptions) -> Instruction:
    """Read an answer of the application.

    Raises: ProtocolError for what does not parse or cannot be done; its text names the header.
    """
    if len(response.body) > options.max_held_body and _must_be_small(response):
        raise ProtocolError(
            f"it is held with a body of {len(response.body):,} bytes; the limit is {options.max_held_body:,}"
        )
    instruct = _parse_headers(response.headers)
    if any(_is_instruct_type(name, value) for name, value in response.headers):
        instruction = _read_json(response, instruct)
    else:
        headers = expose_headers(_without_length(response.headers), instruct.expose_headers)
        status = response.status if instruct.status is None else instruct.status
        instruction = Instruction(instruct, AppResponse(status, headers, response.body))
    _check(instruction, options)
    return instruction


def _parse_headers(headers: Headers) -> Instruct:
    # Blanks at the ends are not a part of a header's value (RFC 9110, 5.5), and ASGI leaves them to whoever reads it.
    pairs = [(name.decode("latin-1"), value.strip(b" \t").decode("latin-1")) for name, value in headers]
    try:
        return parse_instruct_headers(pairs)
    except HeaderError as error:
        if not str(error).startswith("Grip-"):
            for pair in pairs:
                _parse_one(pair)
        raise


def _parse_one(pair: tuple[str, str]) -> None:
    """Parse a header by itself, so that the error names it."""
    try:
        parse_instruct_headers([pair])
    except HeaderError as error:
        raise HeaderError(f"{pair[0]}: {error}") from None


def _must_be_small(response: AppResponse) -> bool:
    """Streams are sent at once, so they may begin with more (Pushpin: proxysession.cpp, MAX_ACCEPT_RESPONSE_BODY)."""
    if first_of(response.headers, b"grip-hold") == b"response":
        return True
    return any(_is_instruct_type(name, value) for name, value in response.headers)


def _read_json(response: AppResponse, of_headers: Instruct) -> Instruction:
    """Read the JSON form: its response replaces the one around it; links stand in headers only."""
    if response.status != 200:
        raise ProtocolError(f"a response of type {INSTRUCT_CONTENT_TYPE} must have the status 200")
    instruct, inner = parse_instruct_json(response.body)
    instruct.next_link, instruct.next_link_timeout = of_headers.next_link, of_headers.next_link_timeout
    instruct.gone_link = of_headers.gone_link
    status = 200 if inner.code is None else inner.code
    return Instruction(instruct, AppResponse(status, _inner_headers(inner), _inner_body(inner)))


def _inner_headers(inner: Response) -> Headers:
    headers: Any = inner.headers or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return _without_length([(name.encode("latin-1"), value.encode()) for name, value in pairs])


def _inner_body(inner: Response) -> bytes:
    body = inner.body or b""
    if isinstance(body, bytes):
        return body
    try:
        return body.encode()
    except UnicodeEncodeError as error:
        raise ProtocolError("the response of the instruction has a body with a lone surrogate") from error


def _without_length(headers: Headers) -> Headers:
    return [header for header in clean_response_headers(headers) if header[0] != b"content-length"]


def expose_headers(headers: Headers, names: list[str]) -> Headers:
    """The headers that a client may see; no names mean all."""
    if not names:
        return headers
    allowed = {name.lower().encode("latin-1") for name in names}
    return [header for header in headers if header[0] in allowed]


def _check(instruction: Instruction, options: ProxyOptions) -> None:
    instruct, status = instruction.instruct, instruction.response.status
    if not 200 <= status <= 599:
        raise ProtocolError(f"Grip-Status says {status}, but a client can be answered with 200 to 599 only")
    if not instruct.hold:
        return
    if not instruct.channels:
        raise ProtocolError("Grip-Hold has no Grip-Channel beside it, so nothing could ever come")
    if len(instruct.channels) > options.max_channels:
        logger.warning(
            "A hold has %d channels; those after the first %d are left out.",
            len(instruct.channels),
            options.max_channels,
        )
        del instruct.channels[options.max_channels :]
    if instruct.hold == "stream" and status in _WITHOUT_BODY:
        raise ProtocolError(f"Grip-Hold says a stream, but a response with the status {status} has no body")
    if instruct.hold == "stream" and not instruct.next_link:
        for channel in instruct.channels:
            if channel.prev_id:
                raise ProtocolError(
                    f"Grip-Channel says a prev-id for {channel.name!r}, but Grip-Link says no next link"
                )


def whole_response(response: AppResponse) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a response that is answered whole, with its length."""
    body = b"" if response.status in _WITHOUT_BODY else response.body
    headers = response.headers
    if response.status not in _WITHOUT_BODY:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    return response.status, headers, body
