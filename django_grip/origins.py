"""Who may open a WebSocket from a web page: the Origin check (DESIGN decision 3).

A browser lets any page open a WebSocket to any site, with the site's cookies; the Origin header is all that tells
them apart. A client that sends none is not a browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["is_origin_allowed", "parse_origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Browsers write hosts in ASCII, IDNs as xn--…; there is no user, path, query or fragment (RFC 6454, 6.2).
_origin = re.compile(
    r"([a-z][a-z0-9+.-]*)://((?:\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE
)


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int | None


def is_origin_allowed(request: HttpRequest, allowed: Iterable[str]) -> bool:
    """Whether the page a request comes from may open this WebSocket.

    allowed: origins as in ``CSRF_TRUSTED_ORIGINS``, such as ``https://www.example.com`` or
        ``https://*.example.com``; ``"*"`` allows every well-formed origin.
    Raises: DisallowedHost (a 400) for a Host header that is not in ``ALLOWED_HOSTS``.
    """
    header = request.META.get("HTTP_ORIGIN")
    if header is None:
        return True
    origin = parse_origin(header)
    if origin is None or "*" in origin.host:
        return False
    return _is_own(request, origin) or any(_matches(origin, pattern) for pattern in allowed)


def parse_origin(text: str) -> _Origin | None:
    """Split an origin, whose host may begin with ``*.``; None for ``null`` and whatever else names no site."""
    match = _origin.fullmatch(text)
    if match is None:
        return None
    scheme, host, port = match[1].lower(), match[2].lower(), match[3]
    return _Origin(scheme, host, _DEFAULT_PORTS.get(scheme) if port is None else int(port))


def _is_own(request: HttpRequest, origin: _Origin) -> bool:
    """Whether an origin is the site the request was sent to.

    Behind a TLS terminator that does not tell, an https page's request seems to be plain: so https is asked for when
    the request is known to be secure, and the port that goes with the page's own scheme is the usual one.
    """
    if origin.scheme not in _DEFAULT_PORTS or (request.is_secure() and origin.scheme != "https"):
        return False
    return parse_origin(f"{origin.scheme}://{request.get_host()}") == origin


def _matches(origin: _Origin, pattern: str) -> bool:
    if pattern == "*":
        return True
    wanted = parse_origin(pattern)
    if wanted is None or (wanted.scheme, wanted.port) != (origin.scheme, origin.port):
        return False
    if not wanted.host.startswith("*."):
        return wanted.host == origin.host
    # As with CSRF_TRUSTED_ORIGINS, the wildcard stands for the domain itself too.
    return origin.host == wanted.host[2:] or origin.host.endswith(wanted.host[1:])
