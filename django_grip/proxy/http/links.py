"""Links that the proxy follows by itself: where they lead, and the requests that are made for them (GRIP.md, 3 and 6).

They lead to the application that the client came to, and nowhere else: a link to another host is not followed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from ...exceptions import ChannelNameError, HeaderError, InstructError
from ...protocol.headers import build_grip_last, check_link_uri
from ..messages import AppRequest, ClientRequest, Headers, first_of

if TYPE_CHECKING:
    from ..engine import Engine

__all__ = ["Place", "build_last_headers", "build_link_request", "place_of", "resolve_link"]

logger = logging.getLogger("django_grip")

_DEFAULT_PORTS = (":80", ":443")


class Place(NamedTuple):
    """A URL of the application: what a link is relative to, and where it leads. host: as the client named it."""

    host: bytes | None
    path: bytes
    query: bytes


def place_of(request: ClientRequest) -> Place:
    """Where a client's own request went."""
    return Place(first_of(request.headers, b"host"), request.path, request.query)


def resolve_link(uri: str, base: Place) -> Place:
    """Where a link in an answer from `base` leads. Raises: HeaderError if it is none, or leads to another host."""
    try:
        uri = check_link_uri(uri)
        parts = urlsplit(uri)
        if parts.netloc:
            _check_host(parts.netloc, base.host)
        else:
            path = base.path.decode("latin-1").replace("#", "%23")
            parts = urlsplit(urljoin(f"http://host{path}?{base.query.decode('latin-1')}", uri))
    except (InstructError, ValueError) as error:
        raise HeaderError(f"Grip-Link: {error}") from error
    return Place(base.host, parts.path.encode("latin-1") or b"/", parts.query.encode("latin-1"))


def _check_host(netloc: str, host: bytes | None) -> None:
    own = None if host is None else _without_port(host.decode("latin-1"))
    if own is None or _without_port(netloc) != own:
        raise InstructError(f"a link must lead to the host that the client asked, not to {netloc[:60]!r}")


def _without_port(netloc: str) -> str:
    """A host, its port only if it is none of the usual: which of the two it is, a proxy in front may have changed."""
    netloc = netloc.lower()
    return next((netloc.removesuffix(port) for port in _DEFAULT_PORTS if netloc.endswith(port)), netloc)


def build_link_request(
    engine: Engine, place: Place, *, purpose: str, last: Mapping[str, str] | None = None
) -> AppRequest:
    """The request for a link: without any of the client's headers but its Host, which applications need.

    purpose: "next" or "gone". last: what ``Grip-Last`` shall say.
    """
    method = {"next": "GET", "gone": "POST"}[purpose]
    host: Headers = [] if place.host is None else [(b"host", place.host)]
    headers = host + engine.grip_headers() + build_last_headers(last or {})
    return AppRequest(method, place.path, place.query, headers, b"", purpose)


def build_last_headers(last: Mapping[str, str]) -> Headers:
    """``Grip-Last``, one for each channel. An id that no header can carry is left out, with a line in the log."""
    headers: Headers = []
    for name, prev_id in last.items():
        try:
            headers.append((b"grip-last", build_grip_last({name: prev_id}).encode("latin-1")))
        except ChannelNameError as error:
            logger.warning("Grip-Last cannot be said: %s", error)
    return headers
