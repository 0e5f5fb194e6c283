"""Links that the proxy follows by itself: their tokens, and the request they turn into (DESIGN decision 5).

The proxy fetches a next link, and posts to a gone link, with none of the client's headers or cookies, and shares a
fetch between all clients whose links have the same path. So a link carries its authority in the path, signed:
``/room/5/.grip/<token>/``. `GripMiddleware` takes the token off before the URL is resolved and puts back what it says.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_backends
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path

from .conf import derive_keys
from .exceptions import LinkError
from .protocol.links import LINK_MARK, Link, build_link_token, parse_link_token
from .refusals import refuse
from .users import fingerprint_user, is_user_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import AbstractUser

__all__ = ["LINK_MARK", "abuild_link", "aopen_link", "build_link", "open_link"]

# A link must outlive the wait for the next fetch (Pushpin's default: 120 s) and an outage of the application.
MAX_AGE = 3600

# What a browser sends and the proxy, fetching a link by itself, does not: a link opened as a page (GRIP.md, 6).
_CLIENT_HEADERS = ("HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_AUTHORIZATION", "HTTP_REFERER", "HTTP_SEC_FETCH_MODE")


def build_link(
    request: HttpRequest,
    kind: str = "next",
    *,
    path: str | None = None,
    query: str = "",
    user: Any = None,
    channels: Iterable[str] = (),
    data: Mapping[str, str] | None = None,
    max_age: int = MAX_AGE,
) -> str:
    """Build the URL of a link for ``instruct.set_next_link(url)`` or ``set_gone_link(url)``.

    kind: "next" (the proxy will GET it) or "gone" (the proxy will POST to it when the client has left).
    path: below the script prefix; None means this request's. query: without the "?".
    user: whose authority the link carries; None means ``request.user``. Permissions are asked again at every fetch.
    channels, data: signed with the link and found again in ``request.grip.link``. The proxy can read them.
    max_age: seconds from now; what is rounded up, so that clients with equal links share one fetch.
    """
    if user is None:
        user = getattr(request, "user", None)
    # To the next multiple, so that clients who come within a tenth of the age share a URL, and with it a fetch.
    step = max(max_age // 10, 1)
    expires = int(time.time() + max_age) // step * step + step
    path = request.path_info if path is None else path
    claim, items = _claim(user), tuple(data.items()) if data is not None else None
    token = _build_token(kind, path, query, claim, tuple(channels), items, expires, derive_keys("links")[0])
    script_name = request.META.get("SCRIPT_NAME", "").rstrip("/")
    # The closing slash keeps APPEND_SLASH from redirecting where a middleware stands before ours.
    return f"{escape_uri_path(script_name + path.rstrip('/'))}{LINK_MARK}{token}/"


@lru_cache(maxsize=1024)
def _build_token(
    kind: str,
    path: str,
    query: str,
    user: tuple[str, str] | None,
    channels: tuple[str, ...],
    data: tuple[tuple[str, str], ...] | None,
    expires: int,
    key: bytes,
) -> str:
    """Clients of one page have equal links until the next step of the clock, and signing is the dear part."""
    claim = None if user is None else {"pk": user[0], "hash": user[1]}
    link = Link(kind, path, query, claim, channels, None if data is None else dict(data), expires)
    return build_link_token(link, key)


async def abuild_link(request: HttpRequest, kind: str = "next", **options: Any) -> str:
    """`build_link` for an async view, where ``request.user`` may not be loaded."""
    if options.get("user") is None and hasattr(request, "auser"):
        options["user"] = await request.auser()
    return build_link(request, kind, **options)


def _claim(user: Any) -> tuple[str, str] | None:
    """What a link says of a user: whom to load, and how to tell that the password is still the same."""
    if user is None or not user.is_authenticated:
        return None
    return str(user.pk), fingerprint_user(user)


def open_link(request: HttpRequest) -> HttpResponse | None:
    """Turn the fetch of a link into the request it stands for, with its user; or refuse it.

    Refused is a token that is forged, stale, another path's, or whose user may no longer be believed.
    """
    try:
        link = _take_off(request)
        if link.user is not None:
            _restore_user(request, link.user, _load_user(link.user["pk"]))
    except LinkError as error:
        return refuse(403, str(error), request=request)
    return None


async def aopen_link(request: HttpRequest) -> HttpResponse | None:
    """`open_link` on an async stack."""
    try:
        link = _take_off(request)
        if link.user is not None:
            _restore_user(request, link.user, await _aload_user(link.user["pk"]))
    except LinkError as error:
        return refuse(403, str(error), request=request)
    return None


def _take_off(request: HttpRequest) -> Link:
    grip = request.grip  # type: ignore[attr-defined]
    if not grip.proxied or any(name in request.META for name in _CLIENT_HEADERS):
        raise LinkError("This address is for the GRIP proxy alone.")
    page, _, token = request.path_info.partition(LINK_MARK)
    link = parse_link_token(token.removesuffix("/"), derive_keys("links"), time.time())
    if link.path.rstrip("/") != page:
        raise LinkError("The link was made for another path.")
    if request.method != {"next": "GET", "gone": "POST"}[link.kind]:
        raise LinkError(f"A {link.kind} link is not fetched with {request.method}.")
    _rewrite(request, link)
    grip.link = link
    # The proxy has no CSRF cookie; the signed token is what shows that the fetch is meant.
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return link


def _rewrite(request: HttpRequest, link: Link) -> None:
    request.path_info = link.path
    request.path = request.META.get("SCRIPT_NAME", "").rstrip("/") + link.path
    request.META["PATH_INFO"] = link.path
    request.META["QUERY_STRING"] = link.query
    # A middleware outside of ours may have looked at the query; what it saw was not the page's.
    request.__dict__.pop("GET", None)


def _load_user(pk: str) -> AbstractUser | None:
    users = (backend.get_user(pk) for backend in _backends())
    return next((user for user in users if user is not None), None)


async def _aload_user(pk: str) -> AbstractUser | None:
    for backend in _backends():
        get_user: Callable[[str], Any] = getattr(backend, "aget_user", None) or sync_to_async(backend.get_user)
        user: AbstractUser | None = await get_user(pk)
        if user is not None:
            return user
    return None


def _backends() -> list[Any]:
    return [backend for backend in get_backends() if hasattr(backend, "get_user")]


def _restore_user(request: HttpRequest, claim: Mapping[str, str], user: AbstractUser | None) -> None:
    if user is None or not is_user_unchanged(user, claim["hash"]):
        raise LinkError("The link's user is no longer logged in.")

    async def auser() -> Any:
        return user

    request.user = user  # type: ignore[assignment]
    request.auser = auser
    # Django's AuthenticationMiddleware sets both again if it stands behind ours, from these.
    request._cached_user = request._acached_user = user  # type: ignore[attr-defined]
