"""How a view's clients say who they are, as AsyncAPI's security schemes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from ...conf import session_cookie_name

__all__ = ["BEARER", "describe_security", "takes_tokens"]

BEARER = "bearer.<token>"
"""The subprotocol that a token comes by where a WebSocket's handshake cannot have headers."""

Scheme = dict[str, Any]


def describe_security(view: Any) -> dict[str, Scheme]:
    """The schemes by name, one of which has to be met; none where everybody may come, or nobody can tell."""
    if any(isinstance(permission, AllowAny) for permission in view.get_permissions()):
        return {}
    found: dict[str, Scheme] = {}
    for authenticator in view.get_authenticators():
        scheme = _describe(authenticator)
        if scheme is not None:
            found[type(authenticator).__name__.removesuffix("Authentication") or "Authentication"] = scheme
    return found


def takes_tokens(view: Any) -> bool:
    """Whether an authenticator asks for a token in the header ``Authorization``."""
    return any(_find_scheme(authenticator) not in (None, "basic") for authenticator in view.get_authenticators())


def _describe(authenticator: Any) -> Scheme | None:
    if isinstance(authenticator, SessionAuthentication):
        return {"type": "httpApiKey", "in": "cookie", "name": session_cookie_name()}
    scheme = _find_scheme(authenticator)
    if scheme is None:
        return None
    if scheme in ("basic", "bearer", "digest"):
        return {"type": "http", "scheme": scheme}
    text = f"The word `{_challenge(authenticator)}`, a space, and the token."
    return {"type": "httpApiKey", "in": "header", "name": "Authorization", "description": text}


def _find_scheme(authenticator: Any) -> str | None:
    """The scheme that it asks for in WWW-Authenticate, in lower case."""
    if isinstance(authenticator, SessionAuthentication):
        return None
    word = _challenge(authenticator)
    return word.lower() if word else None


def _challenge(authenticator: Any) -> str | None:
    words = str(authenticator.authenticate_header(Request(HttpRequest())) or "").split()
    return words[0] if words else None
