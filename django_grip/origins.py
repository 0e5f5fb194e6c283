"""Who may open a WebSocket from a web page: the Origin check (DESIGN decision 3).

A browser lets any page open a WebSocket to any site, with the site's cookies; the Origin header is all that tells
them apart. A client that sends none is not a browser.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.utils.http import is_same_domain

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["is_origin_allowed"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_origin_allowed(request: HttpRequest, allowed: Iterable[str]) -> bool:
    """Whether the page a request comes from may open this WebSocket.

    allowed: origins as in ``CSRF_TRUSTED_ORIGINS``, such as ``https://www.example.com`` or
        ``https://*.example.com``; ``"*"`` allows every well-formed origin.
    """
    origin = request.META.get("HTTP_ORIGIN")
    if origin is None:
        return True
    parsed = _parse_origin(origin)
    if parsed is None:
        return False
    return _is_own(request, *parsed) or any(_matches(origin.lower(), parsed, pattern) for pattern in allowed)


def _parse_origin(origin: str) -> tuple[str, str, int | None] | None:
    """Split an origin into scheme, host and port; None for ``null`` and whatever else names no site."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if not scheme or not parts.hostname or origin.lower() != f"{scheme}://{parts.netloc.lower()}" or "@" in origin:
        return None
    return scheme, parts.hostname, port or _DEFAULT_PORTS.get(scheme)


def _is_own(request: HttpRequest, scheme: str, host: str, port: int | None) -> bool:
    """Whether an origin is the site the request was sent to.

    Behind a TLS terminator that does not tell, an https page's request seems to be plain: so https is asked for when
    the request is known to be secure, and the port that goes with the page's own scheme is the usual one.
    """
    if scheme not in _DEFAULT_PORTS or (request.is_secure() and scheme != "https"):
        return False
    own = _parse_origin(f"{scheme}://{request.get_host()}")
    return own == (scheme, host, port)


def _matches(origin: str, parsed: tuple[str, str, int | None], pattern: str) -> bool:
    pattern = pattern.lower()
    if pattern in ("*", origin):
        return True
    scheme, star, domain = pattern.partition("://*.")
    if not star or scheme != parsed[0]:
        return False
    return is_same_domain(origin.partition("://")[2], "." + domain)
