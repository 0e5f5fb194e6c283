"""Links that the proxy follows by itself: their tokens, and the request they turn into (DESIGN decision 5).

The proxy fetches a next link, and posts to a gone link, with none of the client's headers or cookies, and shares a
fetch between all clients whose links have the same path. So a link carries its authority in the path, signed:
``/room/5/.grip/<token>/``. `GripMiddleware` takes the token off before the URL is resolved and puts back what it says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.encoding import escape_uri_path
from django.utils.http import escape_leading_slashes

from .conf import derive_keys
from .exceptions import InstructError, LinkError
from .link_headers import pack_headers, unpack_headers
from .protocol.links import LINK_MARK, Link, build_link_token, parse_link_token
from .read_only_session import set_session
from .refusals import refuse, show_path, stand_in
from .users import aload_user, claim_user, is_user_unchanged, load_user, open_session, set_user

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser
    from django.http.response import HttpResponseBase

    from .request import GripHttpRequest

__all__ = [
    "ACCEPT_KEY",
    "LINK_MARK",
    "abuild_link",
    "answer_link",
    "aopen_link",
    "build_link",
    "open_link",
    "rewrite_query",
]

logger = logging.getLogger("django_grip")

# A link must outlive the wait for the next fetch (Pushpin's default: 120 s) and an outage of the application.
MAX_AGE = 3600

# In a link's data.
ACCEPT_KEY = "http-accept"
_HEADERS_KEY = "http-headers"

# What a browser sends and the proxy, fetching a link by itself, does not: a link opened as a page (GRIP.md, 6). An
# Authorization is not among them, as a proxy's route may add one to all its requests.
_CLIENT_HEADERS = ("HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_SEC_FETCH_MODE")
_METHODS = {"next": "GET", "gone": "POST"}
# What is no refusal of a fetch: too early, too often, or the 304 of a hold.
_PASSING_STATUSES = (304, 408, 425, 429)
# Where servers keep the URL as it came, token and all.
_RAW_URLS = ("RAW_URI", "REQUEST_URI")


def build_link(
    request: HttpRequest,
    kind: str = "next",
    *,
    path: str | None = None,
    query: str = "",
    user: Any = None,
    channels: Iterable[str] = (),
    data: Mapping[str, str] | None = None,
    headers: Iterable[str] = (),
    max_age: int = MAX_AGE,
) -> str:
    """Build the URL of a link for ``instruct.set_next_link(url)`` or ``set_gone_link(url)``.

    kind: "next" (the proxy will GET it) or "gone" (the proxy will POST to it when the client has left).
    path: below the script prefix; None means this request's. query: without the "?".
    user: whose authority the link carries; None means ``request.user``. Permissions are asked again at every fetch.
    channels, data: signed with the link and found again in ``request.grip.link``. The proxy can read them. What data
        has as `ACCEPT_KEY` is the fetch's Accept: a cache before the view shall not give it another representation.
    headers: names of those of this request that the fetch brings again. They travel sealed.
    max_age: seconds from now; what is rounded up, so that clients with equal links share one fetch.

    Raises: InstructError for what a link cannot hold.
    """
    if user is None:
        user = getattr(request, "user", None)
    path = request.path_info if path is None else path
    if LINK_MARK in path:
        raise InstructError(f"the path of a link must not have {LINK_MARK!r}, behind which its token stands")
    # To the next multiple, so that clients who come within a tenth of the age share a URL, and with it a fetch.
    step = max(max_age // 10, 1)
    expires = int(time.time() + max_age) // step * step + step
    claim = claim_user(request, user)
    data = _add_headers(request, data, list(headers))
    items = tuple(data.items()) if data is not None else None
    query = _encode_query(request, query)
    token = _build_token(kind, path, query, claim, tuple(channels), items, expires, derive_keys("links")[0])
    script_name = request.META.get("SCRIPT_NAME", "").rstrip("/")
    page = escape_leading_slashes(escape_uri_path(script_name + path.rstrip("/")))
    # The closing slash keeps APPEND_SLASH from redirecting where a middleware stands before ours.
    return f"{page}{LINK_MARK}{token}/"


@lru_cache(maxsize=1024)
def _build_token(
    kind: str,
    path: str,
    query: str,
    user: tuple[tuple[str, str], ...] | None,
    channels: tuple[str, ...],
    data: tuple[tuple[str, str], ...] | None,
    expires: int,
    key: bytes,
) -> str:
    """Clients of one page have equal links until the next step of the clock, and signing is the dear part."""
    claim = None if user is None else dict(user)
    link = Link(kind, path, query, claim, channels, None if data is None else dict(data), expires)
    return build_link_token(link, key)


async def abuild_link(request: HttpRequest, kind: str = "next", **options: Any) -> str:
    """`build_link` for an async view, where ``request.user`` may not be loaded."""
    if options.get("user") is None and hasattr(request, "auser"):
        options["user"] = await request.auser()
    return build_link(request, kind, **options)


def _add_headers(request: HttpRequest, data: Mapping[str, str] | None, names: list[str]) -> Mapping[str, str] | None:
    grip = getattr(request, "grip", None)
    if grip is not None:
        grip.link_headers = frozenset(name.lower() for name in names)
    packed = pack_headers(request, names)
    return {**(data or {}), _HEADERS_KEY: packed} if packed else data


def _encode_query(request: HttpRequest, query: str) -> str:
    """Write a query in ASCII, as a URL has it, whatever server will read it again."""
    if query.isascii():
        return query
    # WSGI hands bytes over as latin-1.
    is_raw = hasattr(request, "environ") and query == request.META.get("QUERY_STRING")
    return quote(query.encode("latin-1" if is_raw else "utf-8"), safe="!#$%&'()*+,/:;=?@[]~")


def open_link(request: GripHttpRequest) -> HttpResponse | None:
    """Turn the fetch of a link into the request it stands for, with its user; or refuse it.

    Refused is a token that is forged, stale, another path's, or whose user may no longer be believed.
    """
    try:
        link = _read_link(request)
        session = open_session(link.user)
        user = None if link.user is None else load_user(link.user, session)
        _enter(request, link, user, session)
    except LinkError as error:
        return _refuse(request, error)
    return None


async def aopen_link(request: GripHttpRequest) -> HttpResponse | None:
    """`open_link` on an async stack."""
    try:
        link = _read_link(request)
        session = open_session(link.user)
        user = None if link.user is None else await aload_user(link.user, session)
        _enter(request, link, user, session)
    except LinkError as error:
        return _refuse(request, error)
    return None


class _RevokedError(LinkError):
    """The link is ours and fresh, but its user may no longer be believed."""


def _refuse(request: GripHttpRequest, error: LinkError) -> HttpResponse:
    refusal = refuse(403, str(error), request=request)
    if isinstance(error, _RevokedError) and request.method == _METHODS["next"]:
        return _end_stream()
    return refusal


def answer_link(request: GripHttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Let a refusal of a next link end the stream that it was fetched for.

    What is no 2xx the proxy takes for an outage: the stream stays open, and for half a minute it asks five times more
    (RETRY_MAX in its httpsession.cpp).
    """
    status, link = response.status_code, request.grip.link
    refused = 300 <= status < 500 and status not in _PASSING_STATUSES
    if link is None or link.kind != "next" or not refused:
        return response
    request.grip.instruct = None
    logger.info("The stream at %s is ended: its next link was answered with %d.", show_path(request), status)
    return stand_in(_end_stream(), response)


def _end_stream() -> HttpResponse:
    """What neither holds nor links on ends a stream at once."""
    return HttpResponse(headers={"Cache-Control": "no-store"})


def _read_link(request: GripHttpRequest) -> Link:
    by_client = request.wscontext is not None or any(request.META.get(name) for name in _CLIENT_HEADERS)
    if not request.grip.proxied or by_client:
        raise LinkError("This address is for the GRIP proxy alone.")
    page, _, token = request.path_info.partition(LINK_MARK)
    link = parse_link_token(token.removesuffix("/"), derive_keys("links"), time.time())
    if link.path.rstrip("/") != page:
        raise LinkError("The link was made for another path.")
    if request.method != _METHODS[link.kind]:
        raise LinkError(f"A {link.kind} link is not fetched with {request.method}.")
    return link


def _enter(request: GripHttpRequest, link: Link, user: AbstractUser | None, session: Any) -> None:
    """Make the request what the link says."""
    if link.user is not None:
        if user is None or not is_user_unchanged(user, link.user["hash"]):
            raise _RevokedError("The link's user is no longer logged in.")
        set_user(request, user)
    if session is not None:
        set_session(request, session)
    _rewrite(request, link)
    request.grip.link = link
    if link.kind == "gone":
        _empty(request)
        # The proxy has no CSRF cookie; the signed token is what shows that the fetch is meant.
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]


def _rewrite(request: HttpRequest, link: Link) -> None:
    request.path_info = link.path
    request.path = request.META.get("SCRIPT_NAME", "").rstrip("/") + link.path
    request.META["PATH_INFO"] = link.path
    if link.data and _HEADERS_KEY in link.data:
        unpack_headers(request, link.data[_HEADERS_KEY])
    if link.data and ACCEPT_KEY in link.data:
        request.META["HTTP_ACCEPT"] = link.data[ACCEPT_KEY]
        # A middleware outside of ours may have looked at this copy of the headers.
        request.__dict__.pop("headers", None)
    rewrite_query(request, link.query)


def rewrite_query(request: HttpRequest, query: str) -> None:
    """Let a request have come with another query, raw and without the "?"."""
    request.META["QUERY_STRING"] = query
    # A middleware outside of ours may have looked at the query; what it saw was another.
    request.__dict__.pop("GET", None)
    for name in _RAW_URLS:
        if name in request.META:
            request.META[name] = request.get_full_path()


def _empty(request: HttpRequest) -> None:
    """Let nobody read a body: the token does not vouch for it, and the proxy sends none."""
    request._body = b""
    request._stream = BytesIO()
    request._post, request._files = QueryDict(), MultiValueDict()  # type: ignore[attr-defined]
