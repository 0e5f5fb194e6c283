"""Who may publish over the control path: who has the token, or, where that is allowed, whoever is on this machine.

A web page is on this machine, too, as far as addresses go. So without a token nothing is believed that has a mark of a
browser or of a tunnel on it, or another name for this machine than a page elsewhere could not have (DNS rebinding).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any, NamedTuple

from ...protocol.keys import Key
from ...protocol.signatures import decode_token
from ..messages import Headers, all_of

__all__ = ["Authority", "Refusal"]

_LOOPBACK_HOST = re.compile(rb"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_BROWSER_OR_TUNNEL = frozenset(
    {b"origin", b"referer", b"forwarded", b"via", b"cdn-loop", b"x-real-ip", b"x-client-ip", b"true-client-ip"}
)
_BROWSER_OR_TUNNEL_PREFIXES = (b"sec-fetch-", b"x-forwarded-", b"x-envoy-", b"cf-", b"grip-")


class Refusal(NamedTuple):
    """Why a request has no authority, in plain words, and the status that says so."""

    status: int
    text: str


class Authority:
    """Tells who may use the control path.

    token: what ``Authorization: Bearer`` carries, as it is or as the secret that signed a JWT (HS256) with an expiry;
    None for no token, several while secrets are changed. allow_local: whether who has none may publish from this
    machine. The repr shows no token.
    """

    def __init__(
        self,
        token: bytes | Sequence[bytes] | None,
        *,
        allow_local: bool = False,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        tokens = [token] if isinstance(token, bytes) else token or ()
        self._tokens = [each for each in tokens if each]
        self._keys = [Key("secret", "HS256", each, each) for each in self._tokens]
        self._allow_local = allow_local
        self._wall_clock = wall_clock

    def refuse(self, scope: Mapping[str, Any]) -> Refusal | None:
        """Why the sender of a request, an ASGI scope, may not use the control path; None if it may."""
        headers: Headers = scope["headers"]
        credentials = list(all_of(headers, b"authorization"))
        if credentials:
            return self._refuse_credentials(credentials)
        if self._allow_local:
            return _refuse_as_not_local(scope, headers)
        if not self._tokens:
            return Refusal(403, "Publishing over HTTP is turned off here.")
        return Refusal(401, "Publishing needs the token of this project: Authorization: Bearer <token>.")

    def _refuse_credentials(self, credentials: list[bytes]) -> Refusal | None:
        if len(credentials) > 1:
            return Refusal(400, "The request has two Authorization headers.")
        scheme, _, token = credentials[0].partition(b" ")
        if scheme.lower() != b"bearer":
            return Refusal(401, "Publishing needs the token of this project: Authorization: Bearer <token>.")
        if not self._tokens:
            return Refusal(403, "Publishing with a token is turned off here.")
        token = token.strip()
        if any(compare_digest(token, each) for each in self._tokens):
            return None
        return self._refuse_jwt(token)

    def _refuse_jwt(self, token: bytes) -> Refusal | None:
        found = (decode_token(token.decode("latin-1"), key) for key in self._keys)
        claims = next((claims for claims in found if claims is not None), None)
        if claims is None:
            return Refusal(403, "The token is not this project's.")
        expires = claims.get("exp")
        # NaN, which JSON as Python reads it may have, is not greater than anything.
        if isinstance(expires, bool) or not isinstance(expires, (int, float)):
            return Refusal(403, "The token has no expiry.")
        if not expires > self._wall_clock():
            return Refusal(403, "The token has expired.")
        return None


def _refuse_as_not_local(scope: Mapping[str, Any], headers: Headers) -> Refusal | None:
    if not _is_loopback(scope.get("client")):
        return Refusal(401, "Publishing from another machine needs the token of this project.")
    hosts = list(all_of(headers, b"host"))
    if len(hosts) != 1 or not _LOOPBACK_HOST.fullmatch(hosts[0]):
        return Refusal(401, "Publishing without a token needs a loopback address as Host, such as 127.0.0.1.")
    is_old = scope.get("http_version") == "1.0"
    for name, _ in headers:
        folded = name.lower().replace(b"_", b"-")
        # nginx as it comes says nothing of itself, and a loopback Host; but Connection in HTTP/1.0, which needs none.
        is_nginx = is_old and folded == b"connection"
        if is_nginx or folded in _BROWSER_OR_TUNNEL or folded.startswith(_BROWSER_OR_TUNNEL_PREFIXES):
            shown = folded.decode("latin-1").title()
            return Refusal(
                403, f"A request with {shown} comes from a web page or through a tunnel: it needs the token."
            )
    return None


def _is_loopback(client: Any) -> bool:
    try:
        address = ip_address(str(client[0]).partition("%")[0])
    except (TypeError, LookupError, ValueError):  # a Unix socket has no address
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
