"""The subprotocol ``bearer.<token>``: how a web page gives a token to a WebSocket, which takes no headers from it.

The page offers it beside a real one: ``new WebSocket(url, ["grip.live", "bearer." + token])``. It becomes the header
``Authorization``, which the view's own authenticators know, and it is never chosen: the answer would show the token.
"""

from __future__ import annotations

import re
from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request

from ...request import hide_headers
from .authority import TOKENLESS_SCHEMES, put_header

__all__ = ["BEARER", "is_subprotocol", "restore_bearer"]

_HEADER = "HTTP_SEC_WEBSOCKET_PROTOCOL"
# The scheme that a connection was let in by, where there are several: those who count wrong tokens shall not count this
# one with every message. It is for the view's own authenticators to say whether the token is still good.
_META_NAME = "grip-bearer-scheme"
BEARER = "bearer."
"""How the subprotocol begins that carries a token; upper and lower case are the same."""

# What a subprotocol may consist of (RFC 6455, 4.1): a token (RFC 9110, 5.6.2).
_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_scheme = re.compile(r"[A-Za-z][!#$%&'*+.^_`|~0-9A-Za-z-]*", re.ASCII)


def is_subprotocol(name: str) -> bool:
    """Whether a name can be that of a subprotocol."""
    return _token.fullmatch(name) is not None


@sensitive_variables()
def restore_bearer(view: Any, request: Any) -> APIException | None:
    """Put a bearer subprotocol of a WebSocket's request into its Authorization; an error is what is wrong with it.

    Where an Authorization came as well, the subprotocol is believed: the page has named it, while the header may be
    one that a browser or a proxy adds to all requests. The request's list of subprotocols is left without it, so that
    neither an answer nor an error report shows it.
    """
    offered = [name.strip() for name in request.META.get(_HEADER, "").split(",")]
    bearers = [name for name in offered if name.lower().startswith(BEARER)]
    if not bearers:
        return None
    others = [name for name in offered if name and name not in bearers]
    hide_headers(request, [_HEADER])
    if others:
        request.META[_HEADER] = ", ".join(others)
    token = bearers[0][len(BEARER) :]
    error = _find_fault(bearers, token) or _find_unanswered(others, view)
    if error is None:
        _authorize(view, request, token)
        return None
    return ParseError(error)


def _find_fault(bearers: list[str], token: str) -> str | None:
    if len(bearers) > 1:
        return "There is more than one subprotocol that begins with 'bearer.'."
    if not token:
        return "The subprotocol 'bearer.' has no token."
    if not is_subprotocol(token):
        return "The token behind 'bearer.' has characters that no subprotocol may have."
    return None


def _find_unanswered(others: list[str], view: Any) -> str | None:
    """Refuse what would be answered with no subprotocol at all: a browser then drops the connection without a word."""
    spoken = [*getattr(view, "live_subprotocols", ()), *getattr(view, "subprotocols", ())]
    chooses = getattr(getattr(view, "get_subprotocol", None), "__module__", "django_grip.")
    if others and (not chooses.startswith("django_grip.") or any(name in spoken for name in others)):
        return None
    which = f"such as {spoken[0]!r}" if spoken else "one that the view has among its subprotocols"
    return f"Offer another subprotocol beside that of the token, {which}: a token is never answered."


@sensitive_variables()
def _authorize(view: Any, request: Any, token: str) -> None:
    schemes = _find_schemes(view, request)
    meta = request.wscontext.meta
    if len(schemes) > 1 and meta.get(_META_NAME) in schemes:
        put_header(request, "Authorization", f"{meta[_META_NAME]} {token}")
        return
    for scheme, authenticators in schemes.items():
        put_header(request, "Authorization", f"{scheme} {token}")
        # What nobody before has taken, the last one will judge as every request is judged.
        if scheme == list(schemes)[-1] or any(_accepts(authenticator, request) for authenticator in authenticators):
            break
    if len(schemes) > 1:
        meta[_META_NAME] = scheme


def _find_schemes(view: Any, request: Any) -> dict[str, list[Any]]:
    """The schemes that the view's authenticators ask for, in their order, each with those who do."""
    found: dict[str, list[Any]] = {}
    for authenticator in view.get_authenticators():
        if isinstance(authenticator, SessionAuthentication):
            continue
        match = _scheme.match(authenticator.authenticate_header(Request(request)) or "")
        if match is not None and match[0].lower() not in TOKENLESS_SCHEMES:
            found.setdefault(match[0], []).append(authenticator)
    # As RFC 6750 has it, for who reads the header and does not say so.
    return found or {"Bearer": []}


def _accepts(authenticator: Any, request: Any) -> bool:
    """Whether one of several kinds of tokens is what came; which one, only its authenticator knows."""
    try:
        return authenticator.authenticate(Request(request)) is not None
    except APIException:
        return False
