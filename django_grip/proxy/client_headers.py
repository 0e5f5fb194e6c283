"""What of a client's headers may reach the application, and of the application's headers the client (GRIP.md, 1).

What the proxy says is in headers, so a client must not be able to say it, in any spelling that some server or
framework would read as the same name: ``Grip-Sig``, ``GRIP_SIG``, ``grip.sig``.
"""

from __future__ import annotations

import logging
import re

from ..protocol.websocket_events import CONTENT_TYPE
from .effects import Respond
from .messages import ClientRequest, Headers, plain_answer, show_path

__all__ = ["clean_handshake_headers", "clean_headers", "clean_response_headers", "refuse_client"]

logger = logging.getLogger("django_grip")

# As CGI and WSGI fold names (RFC 3875, 4.1.18), and the few servers that fold more than "-" and "_" into one.
_FOLDED = bytes(
    byte if chr(byte).isdigit() else ord(chr(byte).lower()) if chr(byte).isalpha() else ord("-") for byte in range(128)
) + bytes(range(128, 256))

_HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
# What is published to a held response goes behind its beginning as it is, so that one must not be compressed.
_NOT_FROM_CLIENTS = _HOP_BY_HOP | {b"accept-encoding", b"connection-id", b"content-bytes-replayed", b"expect"}
_OF_THE_PROXY = (b"grip-", b"meta-")
# These the proxy says itself when it asks about a WebSocket's events.
_NOT_FROM_HANDSHAKES = frozenset({b"accept", b"content-length", b"content-type", b"sec-websocket-extensions"})

# What clients have in common is kept once: at 5,000 of them it is most of what their headers take.
_shared: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}
_MAX_SHARED = 1024
_MAX_SHARED_SIZE = 256
_OF_ONE_CLIENT = frozenset({b"authorization", b"cookie", b"sec-websocket-key"})

_NAME = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_END_OF_LINE = re.compile(rb"[\r\n\0]")

_EVENTS_TYPE = CONTENT_TYPE.encode()
_NOT_A_TYPE = re.compile(rb"[^a-z0-9/-]")


def clean_headers(headers: Headers) -> Headers:
    """A client's headers without what only the proxy may say, and without what is for this hop alone.

    So much is taken away as Pushpin takes away, but for ``Content-Encoding``, without which nobody could read a body
    that a client compressed.
    """
    cleaned = []
    for header in headers:
        folded = header[0].translate(_FOLDED)
        if folded not in _NOT_FROM_CLIENTS and not folded.startswith(_OF_THE_PROXY):
            cleaned.append(header)
    return cleaned


def clean_handshake_headers(headers: Headers) -> Headers:
    """`clean_headers` for a WebSocket's handshake; equal headers of several clients are one object."""
    cleaned = clean_headers(headers)
    return [_share(name, value) for name, value in cleaned if name.translate(_FOLDED) not in _NOT_FROM_HANDSHAKES]


def _share(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    header = (name, value)
    known = _shared.get(header)
    if known is not None:
        return known
    if name not in _OF_ONE_CLIENT and len(name) + len(value) <= _MAX_SHARED_SIZE:
        if len(_shared) >= _MAX_SHARED:
            _shared.clear()
        _shared[header] = header
    return header


def clean_response_headers(headers: Headers) -> Headers:
    """The application's headers without those for the proxy, and for this hop alone; names in lower case.

    A header that would break the response apart is left out, with a line in the log.
    """
    cleaned = []
    for name, value in headers:
        name = name.lower()
        if not _NAME.fullmatch(name) or _END_OF_LINE.search(value):
            logger.warning("The application's response header %.60r is not well formed; it is left out.", name)
        elif name not in _HOP_BY_HOP and not name.startswith(b"grip-"):
            cleaned.append((name, value))
    return cleaned


def refuse_client(request: ClientRequest) -> Respond | None:
    """The answer to a client that the application shall not see; None for all others.

    Refused are headers that are none, and whatever is, or could be taken for, events of a WebSocket: they come from
    the proxy alone, signed by it.
    """
    types = []
    for name, value in request.headers:
        if not _NAME.fullmatch(name) or _END_OF_LINE.search(value):
            return _refuse(400, "The request has a header that is not well formed.", request)
        if name.translate(_FOLDED) == b"content-type":
            types.append(value.lower())
    # Joined, because some join them.
    if types and _EVENTS_TYPE in _NOT_A_TYPE.sub(b"", b",".join(types)):
        return _refuse(403, "WebSocket events come from the GRIP proxy only, not from its clients.", request)
    return None


def _refuse(status: int, text: str, request: ClientRequest) -> Respond:
    logger.warning("Refused with %d: %s %s: %s", status, request.method, show_path(request.path), text)
    answer = plain_answer(status, text)
    return Respond(status, answer.headers, answer.body)
