"""What the application answers to a WebSocket's events, read and checked (GRIP.md, 2)."""

from __future__ import annotations

import re
from typing import NamedTuple

from ...exceptions import HeaderError, ProtocolError
from ...protocol.header_values import parse_parameters, split_elements
from ...protocol.websocket_events import CONTENT_TYPE, WebSocketEvent, decode_websocket_events
from ..client_headers import clean_response_headers
from ..effects import Deny
from ..messages import AppFailure, AppResponse, Headers, all_of, plain_answer

__all__ = [
    "EVENTS_TYPE",
    "MAX_REFUSAL_BODY",
    "Answer",
    "build_refusal",
    "is_refusal",
    "read_answer",
    "read_handshake_headers",
    "read_message_prefix",
    "read_subprotocol",
    "relay_refusal",
]

EVENTS_TYPE = CONTENT_TYPE.encode()

MAX_REFUSAL_BODY = 100_000
"""Bytes of a refusal that reach the client, as with Pushpin."""

_DEFAULT_PREFIX = b"m:"
_SET_META = b"set-meta-"
_FOR_THE_PROXY = (_SET_META, b"sec-websocket-", b"keep-alive-interval", b"content-bytes-accepted", b"content-length")
_count = re.compile(rb"[0-9]{1,9}")
_meta_name = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_breaks_a_header = re.compile(rb"[\r\n\0]")


class Answer(NamedTuple):
    """An answer to events. meta: what is set, an empty value to remove it, by the name of the header that brings it
    back. interval: seconds between ticks, 0 for none, None if it says nothing. accepted: content bytes, None for all.
    """

    events: list[WebSocketEvent]
    meta: list[tuple[bytes, bytes]]
    interval: int | None
    accepted: int | None


def is_refusal(response: AppResponse) -> bool:
    """Whether this answer to OPEN is a proper response that refuses the client."""
    return response.status != 200 and 200 <= response.status <= 599


def read_answer(response: AppResponse | AppFailure, *, max_size: int) -> Answer:
    """Read an answer to events. max_size: bytes of its body.

    Raises: ProtocolError for what is none; its text does not show the answer's contents.
    """
    if isinstance(response, AppFailure):
        raise ProtocolError(response.text)
    if response.status != 200:
        raise ProtocolError(f"it answered {response.status}")
    if len(response.body) > max_size:
        raise ProtocolError(f"its answer has {len(response.body):,} bytes; {max_size:,} are taken")
    content_type = interval = accepted = None
    meta: list[tuple[bytes, bytes]] = []
    for name, value in response.headers:
        if name == b"content-type":
            content_type = value
        elif name == b"keep-alive-interval":
            # Whatever is no number of seconds ends the ticks, as with Pushpin.
            interval = int(value) if _count.fullmatch(value) else 0
        elif name == b"content-bytes-accepted":
            accepted = _read_accepted(value)
        elif name.startswith(_SET_META):
            meta.append(_read_meta(name, value))
    if content_type != EVENTS_TYPE:
        raise ProtocolError(f"the Content-Type of its answer is not, byte for byte, {CONTENT_TYPE!r}")
    return Answer(decode_websocket_events(response.body), meta, interval, accepted)


def read_message_prefix(headers: Headers) -> bytes | None:
    """What messages for the client begin with, maybe nothing; None if GRIP's control messages are not turned on.

    Raises: HeaderError for a ``Sec-WebSocket-Extensions`` that does not parse.
    """
    for value in all_of(headers, b"sec-websocket-extensions"):
        for extension in split_elements(value.decode("latin-1")):
            name, _, rest = extension.partition(";")
            if name.strip(" \t") == "grip":
                prefix = dict(parse_parameters(rest)).get("message-prefix")
                return _DEFAULT_PREFIX if prefix is None else prefix.encode("latin-1")
    return None


def read_subprotocol(headers: Headers, client_headers: Headers) -> str | None:
    """The subprotocol that the application chose, None for none.

    Raises: HeaderError if it is none of those that the client offered: the client would close at once.
    """
    chosen = list(all_of(headers, b"sec-websocket-protocol"))
    if not chosen:
        return None
    offered = {
        name.strip(b" \t") for value in all_of(client_headers, b"sec-websocket-protocol") for name in value.split(b",")
    }
    if len(chosen) > 1 or not chosen[0] or chosen[0] not in offered:
        raise HeaderError("it chose a subprotocol that the client did not offer")
    return chosen[0].decode("latin-1")


def read_handshake_headers(headers: Headers) -> Headers:
    """What of the headers of an accepted opening the client sees: cookies, and whatever else is for it."""
    return [header for header in _for_the_client(headers) if header[0] != b"content-type"]


def relay_refusal(response: AppResponse) -> Deny:
    """The application's own refusal of a handshake, cut where Pushpin cuts it."""
    return Deny(response.status, _for_the_client(response.headers), response.body[:MAX_REFUSAL_BODY])


def build_refusal(status: int, text: str) -> Deny:
    """A refusal of our own, with one sentence."""
    answer = plain_answer(status, text)
    return Deny(status, answer.headers, answer.body)


def _for_the_client(headers: Headers) -> Headers:
    # The length is the driver's to say: a body may be cut.
    return [header for header in clean_response_headers(headers) if not header[0].startswith(_FOR_THE_PROXY)]


def _read_accepted(value: bytes) -> int:
    if not _count.fullmatch(value):
        raise ProtocolError("Content-Bytes-Accepted is not a number of bytes")
    return int(value)


def _read_meta(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    suffix = name[len(_SET_META) :]
    if not _meta_name.fullmatch(suffix) or _breaks_a_header.search(value):
        raise ProtocolError("a Set-Meta header that could not come back")
    return b"meta-" + suffix, value
