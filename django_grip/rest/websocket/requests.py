"""Requests that stand in for others: each action of a WebSocket is run by the HTTP request that it stands for.

A stand-in is a copy of the WebSocket's own request, so it has all that middleware has put there (the user, the session,
a tenant), with another method, address and body. What the proxy has said, and what only a WebSocket has, is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any

from django.http import QueryDict
from django.urls import ResolverMatch, get_script_prefix
from django.utils.functional import SimpleLazyObject, cached_property
from rest_framework.settings import api_settings

from ...encoding import encode_json
from ...request import GripData, GripHttpRequest
from ..media_types import JSON_TYPE

__all__ = ["copy_request", "is_stand_in", "make_stand_in", "match_of", "strip_format"]

# Of the handshake, or of the POST that brings WebSocket events.
_DROPPED = (
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "HTTP_CONNECTION",
    "HTTP_CONNECTION_ID",
    "HTTP_CONTENT_BYTES_REPLAYED",
    "HTTP_CONTENT_ENCODING",
    "HTTP_GRIP_FEATURE",
    "HTTP_GRIP_LAST",
    "HTTP_PREFER",
    "HTTP_RANGE",
    "HTTP_TRANSFER_ENCODING",
    "HTTP_UPGRADE",
)
# Conditions that a handshake has are not those of each action: a 304 would be no answer.
_DROPPED_PREFIXES = ("HTTP_IF_", "HTTP_SEC_WEBSOCKET_")
# Not imported at the top: in a project without django.contrib.auth it cannot be.
_AUTH_MIDDLEWARE = "django.contrib.auth.middleware"
# On a stand-in, which nothing from outside can be.
_MARK = "_grip_stands_in"
# What Django keeps of a body that has been read.
_BODY_CACHES = ("_body", "_post", "_files", "_post_parse_error")


def copy_request(request: GripHttpRequest) -> GripHttpRequest:
    """A copy to make stand-ins of, before authentication leaves its traces on the request.

    Shallow, but for the headers: the session is the same one.
    """
    # Not copy.copy(): Django's requests leave out of it what cannot be pickled, the environ for one.
    new = type(request).__new__(type(request))
    new.__dict__.update(request.__dict__)
    for name in list(new.__dict__):
        if name in _BODY_CACHES or isinstance(getattr(type(new), name, None), cached_property):
            del new.__dict__[name]
    new.META = {name: value for name, value in request.META.items() if not _is_dropped(name)}
    if hasattr(new, "environ"):
        new.environ = new.META
    # GripMiddleware has looked at the Origin; a page that may open the WebSocket may use it.
    new._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    new.wscontext = None
    # Not proxied: a stand-in's answer is read here, nothing can be held for it.
    new.grip = GripData(new)
    new.grip_proxied = new.grip_signed = False
    return new


def make_stand_in(
    base: GripHttpRequest,
    match: ResolverMatch,
    *,
    method: str,
    path: str,
    query: str = "",
    data: Any = None,
    accept: str = JSON_TYPE,
    content_type: str = JSON_TYPE,
) -> GripHttpRequest:
    """Make a stand-in of a copy. path: without the script's prefix, not quoted. query: a query string.

    data: the body, as JSON holds it; None: no body. Raises: ValueError, for data that is not JSON.
    """
    body = b"" if data is None else encode_json(data).encode()
    new = copy_request(base)
    _renew_user(new)
    new.META.update(REQUEST_METHOD=method, PATH_INFO=path, QUERY_STRING=query, HTTP_ACCEPT=accept)
    if body:
        new.META.update(CONTENT_TYPE=content_type, CONTENT_LENGTH=str(len(body)))
    new.method = method
    new.path_info, new.path = path, f"{get_script_prefix().rstrip('/')}{path}"
    new.GET = QueryDict(query)
    new.content_type, new.content_params = (content_type if body else ""), {}
    # As if the body had been read.
    new._body, new._stream = body, BytesIO(body)
    new._read_started = True  # type: ignore[attr-defined]
    new.resolver_match = match
    setattr(new, _MARK, True)
    return new


def is_stand_in(request: Any) -> bool:
    """Whether a request, DRF's or Django's, stands in for an action of a WebSocket."""
    return bool(getattr(getattr(request, "_request", request), _MARK, False))


def match_of(request: GripHttpRequest) -> ResolverMatch:
    """How a request's URL was resolved, which is known in every view."""
    match = request.resolver_match
    assert match is not None  # noqa: S101 - for mypy
    return match


def strip_format(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A route's kwargs without a format suffix (``/tickets.json``): on a WebSocket everything is JSON."""
    return {name: value for name, value in kwargs.items() if name != api_settings.FORMAT_SUFFIX_KWARG}


def _renew_user(request: GripHttpRequest) -> None:
    """Let a stand-in load its user by itself, if that is how Django's own middleware has made it.

    What one action does to its ``request.user``, another shall not find there.
    """
    user = request.__dict__.get("user")
    if not isinstance(user, SimpleLazyObject):
        return
    if getattr(user.__dict__.get("_setupfunc"), "__module__", None) != _AUTH_MIDDLEWARE:
        return  # somebody else's
    from django.contrib.auth.middleware import auser, get_user

    for name in ("_cached_user", "_acached_user"):
        request.__dict__.pop(name, None)
    request.user = SimpleLazyObject(partial(get_user, request))  # type: ignore[assignment]
    request.auser = partial(auser, request)


def _is_dropped(name: str) -> bool:
    return name in _DROPPED or name.startswith(_DROPPED_PREFIXES)
