"""WebSocket-over-HTTP at Django's edge: from a request to ``request.wscontext``, and from there to the response.

A request is WebSocket-over-HTTP (WOH) only if everything about it says so (DESIGN decision 2); what only looks like
it is refused before any view. What the view answers becomes events for the proxy (DESIGN decision 8).
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .conf import grip_settings
from .exceptions import WebSocketEventsError
from .protocol.headers import from_header_value
from .protocol.session import WebSocketSession
from .protocol.websocket_events import decode_websocket_events
from .refusals import refuse

if TYPE_CHECKING:
    from .request import GripData

__all__ = ["answer_websocket", "is_websocket_like", "receive_websocket"]

logger = logging.getLogger("django_grip")

EVENTS_TYPE = "application/websocket-events"

# The close codes by which a client learns what an HTTP status would have told it (DESIGN decision 8).
_CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 413: 1009}
_CLOSE_REASONS = {4401: "log in again", 4403: "not permitted", 4404: "not found", 1009: "too big", 1011: "server error"}

_NOT_A_TOKEN = re.compile(r"[^a-z0-9/-]")


def is_websocket_like(content_type: str) -> bool:
    """Whether a Content-Type is, or would by some parser be taken for, that of WOH."""
    # The exact type first: it is what nearly every request of a WebSocket has. The rest is the near-spellings:
    # another case, blanks, parameters, quotes, the type given twice (GRIP.md, 1).
    if content_type == EVENTS_TYPE:
        return True
    return "websocket-events" in (lowered := content_type.lower()) and EVENTS_TYPE in _NOT_A_TOKEN.sub("", lowered)


def receive_websocket(request: HttpRequest, grip: GripData) -> HttpResponse | None:
    """Make ``request.wscontext`` from a request that is WOH; or refuse one that only looks like it.

    Returns None when there is a session, else the refusal.
    """
    meta = request.META
    connection_id = meta.get("HTTP_CONNECTION_ID")
    if meta.get("CONTENT_TYPE") != EVENTS_TYPE:
        return refuse(400, f'The Content-Type is not, byte for byte, "{EVENTS_TYPE}".')
    if request.method != "POST":
        return refuse(400, f"WebSocket events come by POST, not by {request.method}.")
    if not grip.proxied:
        return refuse(403, "WebSocket events are taken only from the GRIP proxy, and this request is not signed by it.")
    if not connection_id:
        return refuse(400, "A request with WebSocket events needs a Connection-Id.")
    try:
        events = decode_websocket_events(request.body)
    except (WebSocketEventsError, RequestDataTooBig) as error:
        return refuse(413 if isinstance(error, RequestDataTooBig) else 400, f"The WebSocket events are wrong: {error}")
    request.wscontext = WebSocketSession(  # type: ignore[attr-defined]
        connection_id,
        _take_meta(meta),
        events,
        prefix=grip_settings().prefix,
        content_bytes_replayed=_parse_count(meta.get("HTTP_CONTENT_BYTES_REPLAYED")),
    )
    # A proxied, signed request cannot be forged by a page; whether the page may open the WebSocket at all is asked
    # in process_view, by its Origin. Set here, as CsrfViewMiddleware may look before our process_view does.
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return None


def _take_meta(meta: dict[str, Any]) -> dict[str, str]:
    """Take the connection's meta out of the headers, so that no error report shows it."""
    names = [name for name in meta if name.startswith("HTTP_META_")]
    return {name[10:].lower().replace("_", "-"): from_header_value(meta.pop(name)) for name in names}


def _parse_count(value: str | None) -> int | None:
    return int(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 10 else None


def answer_websocket(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Turn what the view answered into what the proxy understands."""
    session: WebSocketSession = request.wscontext  # type: ignore[attr-defined]
    status = response.status_code
    if session.is_opening():
        if not (session.accepted and 200 <= status < 300):
            return _refuse_opening(request, response, session)
    elif not 200 <= status < 300:
        _close_for_status(request, session, status)
    return _send_events(request, response, session)


def _refuse_opening(request: HttpRequest, response: HttpResponseBase, session: WebSocketSession) -> HttpResponseBase:
    """What is no acceptance is a refusal: the proxy relays its status, headers and body to the client."""
    status = response.status_code
    if 200 <= status < 300:
        if not session.closed:
            logger.warning("The view at %s did not accept the WebSocket; it is refused with 403.", request.path)
        response.status_code = 403
    elif status in (302, 303):
        # No WebSocket client can follow a redirect to a log-in page; 301, 307 and 308 name another address.
        return _copy_aside(refuse(401, "Log in first."), response)
    return response


def _close_for_status(request: HttpRequest, session: WebSocketSession, status: int) -> None:
    """After the opening no status reaches the client, so a close code tells it instead."""
    code = 4401 if 300 <= status < 400 else _CLOSE_CODES.get(status, 1011)
    # Exceptions were logged, with their traceback, where Django turned them into a response.
    logger.warning("The view at %s answered %d; the WebSocket is closed with %d.", request.path, status, code)
    session.close(code, _CLOSE_REASONS[code])


def _send_events(request: HttpRequest, response: HttpResponseBase, session: WebSocketSession) -> HttpResponseBase:
    _warn_of_losses(request, response, session)
    built = session.build_response()
    if type(response) is not HttpResponse or response.status_code != 200:
        # A streaming response, a 204, a redirect: their kind stands in the way of a body.
        response = _copy_aside(HttpResponse(), response, with_headers=session.is_opening())
    assert isinstance(response, HttpResponse)  # noqa: S101 - for mypy; both branches made one
    response.content = built.body
    headers = response.headers
    headers["Content-Type"] = EVENTS_TYPE
    for name in ("Content-Length", "Content-Encoding", "ETag"):
        if name in headers:
            del headers[name]
    for name, value in built.headers:
        headers[name] = value
    return response


def _warn_of_losses(request: HttpRequest, response: HttpResponseBase, session: WebSocketSession) -> None:
    if not session.closed and session.lost:
        logger.warning(
            "The view at %s left %d WebSocket messages unread; they are lost. Call recv() until can_recv() is false.",
            request.path,
            session.lost,
        )
    if 200 <= response.status_code < 300 and (response.streaming or response.content):  # type: ignore[attr-defined]
        logger.warning(
            "The view at %s answered WebSocket events with a body, which reaches nobody; use wscontext.send().",
            request.path,
        )


def _copy_aside(new: HttpResponse, old: HttpResponseBase, *, with_headers: bool = False) -> HttpResponse:
    """Let one response stand in for another, whose resources are then closed with it."""
    if with_headers:
        for name, value in old.items():
            new.headers[name] = value
        new.cookies = old.cookies
    new._resource_closers.extend(old._resource_closers)  # type: ignore[attr-defined]
    return new
