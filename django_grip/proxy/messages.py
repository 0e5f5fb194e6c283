"""What passes between a client, the proxy and the application: requests and responses, in the form ASGI has them.

Header names are lower case, names and values bytes. Paths are as on the wire, percent-encoded, the query apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ..protocol.links import LINK_MARK

__all__ = [
    "AppFailure",
    "AppRequest",
    "AppResponse",
    "ClientRequest",
    "Headers",
    "all_of",
    "first_of",
    "plain_answer",
    "show_path",
]

Headers = list[tuple[bytes, bytes]]

# Characters of a path in a log record.
_MAX_SHOWN = 200


def all_of(headers: Headers, name: bytes) -> Iterator[bytes]:
    """The values of a header, in order. name: lower case."""
    return (value for key, value in headers if key == name)


def first_of(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a header, or None. name: lower case."""
    return next(all_of(headers, name), None)


def show_path(path: bytes) -> str:
    """A path as a log or repr may hold it: in one line, not for ever, and without a link's token."""
    shown = ascii(path.decode("latin-1").partition(LINK_MARK)[0])[1:-1]
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."


@dataclass
class ClientRequest:
    """What a client asked for, as it came: nothing is taken out yet.

    scheme: http, https, ws or wss. body: what was read of it so far, or None when it was too big to be kept, so that
    the request cannot be made again.
    """

    method: str
    path: bytes
    query: bytes = b""
    headers: Headers = field(default_factory=list)
    scheme: str = "http"
    body: bytes | None = b""

    def __repr__(self) -> str:
        return f"<ClientRequest {self.method} {show_path(self.path)}>"


class AppRequest(NamedTuple):
    """What the proxy asks the application. Its headers are all there are: cleaned of the client's forgeries, signed.

    purpose: "open" (the client's own request, or OPEN), "events" (of a WebSocket, ticks too), "replay", "next", "gone".
    """

    method: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes
    purpose: str

    def __repr__(self) -> str:
        return f"<AppRequest {self.purpose}: {self.method} {show_path(self.path)}>"


@dataclass
class AppResponse:
    """What the application answered, whole."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<AppResponse {self.status}, body of {len(self.body)}>"


def plain_answer(status: int, text: str) -> AppResponse:
    """What a client is answered by the proxy itself: one sentence, which no cache keeps."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    return AppResponse(status, headers, f"{text}\n".encode())


@dataclass
class AppFailure:
    """The application raised, hung, or answered what is no response.

    text: what happened, for the log; clients are not told. status: what a client is told, 500, 502 or 504.
    """

    text: str
    status: int = 502
