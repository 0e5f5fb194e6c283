"""WebSocket-over-HTTP at Django's edge: from a request to ``request.wscontext``, and from there to the response.

A request is WebSocket-over-HTTP (WOH) only if everything about it says so (DESIGN decision 2); what only looks like
it is refused before any view. What the view answers becomes events for the proxy (DESIGN decision 8).
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from django.http.request import UnreadablePostError

from .conf import grip_settings
from .exceptions import HeaderError, UsageError
from .protocol.headers import from_header_value
from .protocol.session import WebSocketSession
from .protocol.websocket_events import CONTENT_TYPE, decode_websocket_events
from .refusals import refuse, show_path, stand_in
from .request import hide_headers

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from .protocol.session import WebSocketResponse
    from .request import GripData, GripHttpRequest

__all__ = ["answer_websocket", "is_websocket_like", "receive_websocket"]

logger = logging.getLogger("django_grip")

# The close codes by which a client learns what an HTTP status would have told it (DESIGN decision 8).
_CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 413: 1009}
_CLOSE_REASONS = {4401: "log in again", 4403: "not permitted", 4404: "not found", 1009: "too big", 1011: "server error"}

_NOT_A_TOKEN = re.compile(r"[^a-z0-9/-]")
_count = re.compile(r"[0-9]{1,9}", re.ASCII)


def is_websocket_like(content_type: str) -> bool:
    """Whether a Content-Type is, or would by some parser be taken for, that of WOH."""
    # The exact type first: it is what nearly every request of a WebSocket has. The rest is the near-spellings:
    # another case, blanks, parameters, quotes, the type given twice (GRIP.md, 1).
    if content_type == CONTENT_TYPE:
        return True
    return "websocket-events" in (lowered := content_type.lower()) and CONTENT_TYPE in _NOT_A_TOKEN.sub("", lowered)


def receive_websocket(request: GripHttpRequest, grip: GripData) -> HttpResponse | None:
    """Make ``request.wscontext`` from a request that is WOH; or refuse one that only looks like it.

    Returns None when there is a session, else the refusal. Raises: ProtocolError for bad bytes.
    """
    refusal = _check_websocket(request, grip)
    if refusal is not None:
        return refusal
    try:
        body = request.body
    except RequestDataTooBig:
        return _refuse_too_big(request)
    except UnreadablePostError:
        return refuse(400, "The body of the request broke off.", request=request)
    meta, config = request.META, grip_settings()
    request.wscontext = WebSocketSession(
        meta["HTTP_CONNECTION_ID"],
        _take_meta(request),
        decode_websocket_events(body),
        prefix=config.prefix,
        content_bytes_replayed=_count_replayed(meta, grip),
        max_channels=config.max_channels,
    )
    # The answer is for the proxy, which asks for no compression; what stands between it and us might.
    meta.pop("HTTP_ACCEPT_ENCODING", None)
    _name_scheme_as_http(request)
    # A proxied, signed request cannot be forged by a page; whether the page may open this WebSocket at all is asked
    # in check_view, by its Origin. Set here, as CsrfViewMiddleware may look before our process_view does.
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return None


def _check_websocket(request: GripHttpRequest, grip: GripData) -> HttpResponse | None:
    """Refuse what is not WOH in every respect."""
    meta = request.META
    if meta["CONTENT_TYPE"] != CONTENT_TYPE:
        return refuse(400, f'The Content-Type is not, byte for byte, "{CONTENT_TYPE}".', request=request)
    if request.method != "POST":
        return refuse(400, f"WebSocket events come by POST, not by {request.method}.", request=request)
    if not grip.proxied:
        text = "WebSocket events are taken only from the GRIP proxy, and this request is not signed by it."
        return refuse(403, text, request=request)
    if not meta.get("HTTP_CONNECTION_ID"):
        return refuse(400, "A request with WebSocket events needs a Connection-Id.", request=request)
    return None


def _name_scheme_as_http(request: GripHttpRequest) -> None:
    """Let Django know a secure WebSocket for secure.

    The proxy tells a WebSocket's own scheme, wss, and Django knows only https: it would not trust the Origin of the
    site's own pages, and redirect to https under SECURE_SSL_REDIRECT.
    """
    schemes = {"wss": "https", "ws": "http"}
    told = request.META.get("HTTP_X_FORWARDED_PROTO")
    if told in schemes:
        request.META["HTTP_X_FORWARDED_PROTO"] = schemes[told]
    scope = getattr(request, "scope", None)
    if scope is not None and scope.get("scheme") in schemes:
        # uvicorn takes the scheme over from that header by itself.
        request.scope = {**scope, "scheme": schemes[scope["scheme"]]}  # type: ignore[attr-defined]


def _refuse_too_big(request: GripHttpRequest) -> HttpResponse:
    """Close a WebSocket whose events Django would not read. An opening cannot be so big: it comes alone."""
    logger.warning(
        "The WebSocket at %s is closed with 1009: its events are more than DATA_UPLOAD_MAX_MEMORY_SIZE.",
        show_path(request),
    )
    session = WebSocketSession(request.META["HTTP_CONNECTION_ID"], {}, [])
    session.close(1009, _CLOSE_REASONS[1009])
    return HttpResponse(session.build_response().body, content_type=CONTENT_TYPE)


def _take_meta(request: GripHttpRequest) -> dict[str, str]:
    """Take the connection's meta out of the headers, so that no error report shows it."""
    meta = request.META
    names = [name for name in meta if "HTTP_META_" in name and name.startswith("HTTP_META_")]
    if not names:
        return {}
    taken = {name: meta[name] for name in names}
    hide_headers(request, names)
    return {name[10:].lower().replace("_", "-"): _decode_meta(name, value) for name, value in taken.items()}


def _decode_meta(name: str, value: str) -> str:
    try:
        return from_header_value(value)
    except HeaderError:
        # Its text shows the value.
        raise HeaderError(f"the header {name[5:].replace('_', '-').title()} is not UTF-8") from None


def _count_replayed(meta: dict[str, Any], grip: GripData) -> int | None:
    """How many bytes the proxy brings again; 0 if it would, None if it never does."""
    value = meta.get("HTTP_CONTENT_BYTES_REPLAYED")
    if value is None:
        # Pushpin 1.41 tells of what it learned in the same version by this feature only, and of the bytes not before
        # some were left over once.
        return 0 if "link:gone" in grip.features else None
    if not _count.fullmatch(value):
        raise HeaderError("Content-Bytes-Replayed is not a number of bytes")
    return int(value)


def answer_websocket(request: GripHttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Turn what the view answered into what the proxy understands."""
    session = request.wscontext
    assert session is not None  # noqa: S101 - for mypy; the caller looked
    opening, succeeded = session.is_opening(), 200 <= response.status_code < 300
    if opening and not (session.accepted and succeeded):
        return _refuse_opening(request, response, session)
    if succeeded:
        _warn_of_losses(request, response, session)
    else:
        _close_for_status(request, session, response.status_code)
    built = session.build_response() if opening else _build_or_close(request, session)
    return _send_events(response, built, with_headers=opening)


def _refuse_opening(
    request: GripHttpRequest, response: HttpResponseBase, session: WebSocketSession
) -> HttpResponseBase:
    """What is no acceptance is a refusal: the proxy relays its status, headers and body to the client."""
    status = response.status_code
    if 200 <= status < 300:
        if not session.closed:
            logger.warning("The view at %s did not accept the WebSocket; it is refused with 403.", show_path(request))
        response.status_code = 403
    elif status in (302, 303):
        # No WebSocket client can follow a redirect to a log-in page; 301, 307 and 308 name another address.
        return stand_in(refuse(401, "Log in first."), response)
    return response


def _close_for_status(request: GripHttpRequest, session: WebSocketSession, status: int) -> None:
    """After the opening no status reaches the client, so a close code tells it instead."""
    code = 4401 if 300 <= status < 400 else _CLOSE_CODES.get(status, 1011)
    # Exceptions were logged, with their traceback, where Django turned them into a response.
    logger.warning("The view at %s answered %d; the WebSocket is closed with %d.", show_path(request), status, code)
    session.close(code, _CLOSE_REASONS[code])


def _build_or_close(request: GripHttpRequest, session: WebSocketSession) -> WebSocketResponse:
    """Build the answer; what cannot be built would drop the client without a word, so it closes instead."""
    try:
        return session.build_response()
    except UsageError:
        logger.exception("The view at %s left a WebSocket that cannot be answered; it is closed.", show_path(request))
        session.keep_alive_interval = None
        session.close(1011, _CLOSE_REASONS[1011])
        return session.build_response()


def _send_events(response: HttpResponseBase, built: WebSocketResponse, *, with_headers: bool) -> HttpResponse:
    if type(response) is not HttpResponse or response.status_code != 200:
        # A streaming response, a 204, a redirect: their kind stands in the way of a body.
        response = _copy_aside(response, with_headers=with_headers)
    response.content = built.body
    headers = response.headers
    for name in ("Content-Encoding", "ETag") if len(headers) > 1 else ():
        headers.pop(name, None)
    if headers.get("Content-Type") != CONTENT_TYPE:
        headers["Content-Type"] = CONTENT_TYPE
    headers["Content-Length"] = str(len(built.body))
    for name, value in built.headers:
        headers[name] = value
    return response


def _copy_aside(response: HttpResponseBase, *, with_headers: bool) -> HttpResponse:
    new = stand_in(HttpResponse(), response)
    if with_headers:
        for name, value in response.items():
            new.headers[name] = value
        new.cookies = response.cookies
    return new


def _warn_of_losses(request: GripHttpRequest, response: HttpResponseBase, session: WebSocketSession) -> None:
    if not session.closed and session.unread and session.lost:
        logger.warning(
            "The view at %s left %d WebSocket messages unread; they are lost. Call recv() until can_recv() is false.",
            show_path(request),
            session.lost,
        )
    if response.streaming or response.content:  # type: ignore[attr-defined]
        logger.warning(
            "The view at %s answered WebSocket events with a body, which reaches nobody; use wscontext.send().",
            show_path(request),
        )
    if request.grip.instruct is not None:
        logger.warning(
            "The view at %s set a hold for WebSocket events, which does nothing; use wscontext.subscribe().",
            show_path(request),
        )
