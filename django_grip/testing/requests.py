"""What a client of a test asks of the proxy, as a server would hand it over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from django.test import AsyncClient, Client

from ..proxy.messages import ClientRequest, Headers

__all__ = ["build_handshake", "build_request", "find_defaults"]

# What a handshake says besides (RFC 6455, 1.3).
_HANDSHAKE: Headers = [
    (b"connection", b"Upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
]
_SAFE = "/%:@!$&'()*+,;=~"


def build_request(
    client: Client | AsyncClient,
    path: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    secure: bool = False,
    headers: Mapping[str, str] | None = None,
    query_params: Mapping[str, Any] | None = None,
) -> ClientRequest:
    """A client's request, with its cookies and with the headers that it has for all requests."""
    parts = urlsplit(str(path))
    query = urlencode(query_params, doseq=True) if query_params else parts.query
    pairs = {"host": str(client.defaults.get("SERVER_NAME", "testserver"))}
    cookies = sorted(f"{morsel.key}={morsel.coded_value}" for morsel in client.cookies.values())
    if cookies:
        pairs["cookie"] = "; ".join(cookies)
    if body:
        pairs["content-length"] = str(len(body))
    pairs.update((name.lower(), value) for name, value in [*_default_headers(client), *(headers or {}).items()])
    return ClientRequest(
        method,
        quote(parts.path, safe=_SAFE).encode(),
        quote(query, safe=_SAFE + "?").encode(),
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs.items()],
        "https" if secure else "http",
        body,
    )


def build_handshake(
    client: Client | AsyncClient, path: str, *, subprotocols: Iterable[str] = (), secure: bool = False, **options: Any
) -> ClientRequest:
    """A client's request for a WebSocket; the options are those of `build_request`."""
    request = build_request(client, path, secure=secure, **options)
    request.scheme = "wss" if secure else "ws"
    request.headers += _HANDSHAKE
    offered = ", ".join([subprotocols] if isinstance(subprotocols, str) else subprotocols)
    if offered:
        request.headers.append((b"sec-websocket-protocol", offered.encode("latin-1")))
    return request


def find_defaults(client: Client | AsyncClient) -> dict[str, Any]:
    """What a client says in all requests; DRF's keeps its credentials beside the rest."""
    return {**client.defaults, **getattr(client, "_credentials", {})}


def _default_headers(client: Client | AsyncClient) -> list[tuple[str, str]]:
    # Django keeps them in the form of WSGI; an AsyncClient also takes them as they are.
    return [
        (name.upper().removeprefix("HTTP_").replace("_", "-"), str(value))
        for name, value in find_defaults(client).items()
        if name.startswith("HTTP_") or isinstance(client, AsyncClient)
    ]
