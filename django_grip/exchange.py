"""One exchange with the proxy: what `GripMiddleware` does with a request, its view, and its response."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse

from .conf import grip_settings
from .exceptions import MessageDecodeError, ProtocolError
from .holds import apply_instruct
from .late_cookies import leave_newer_cookies
from .link_headers import warn_of_forgotten_headers
from .links import LINK_MARK, answer_link, aopen_link, open_link
from .origins import is_origin_allowed
from .refusals import refuse, refuse_bad_bytes, refuse_plain_request, show_path
from .request import current_grip, identify_request
from .websocket import answer_websocket, is_websocket_like, receive_websocket

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from .request import GripHttpRequest

__all__ = [
    "LINK_MARK",
    "answer_exception",
    "aopen_link",
    "check_view",
    "current_grip",
    "grip_settings",
    "open_link",
    "read_request",
    "write_response",
]

logger = logging.getLogger("django_grip")


def read_request(request: GripHttpRequest) -> HttpResponse | None:
    """Read what the proxy says of the request; a response is the refusal of a malformed or forged one."""
    try:
        grip = identify_request(request)
        if is_websocket_like(request.META.get("CONTENT_TYPE", "")):
            return receive_websocket(request, grip)
    except ProtocolError as error:
        return refuse_bad_bytes(error, request)
    return None


def check_view(request: GripHttpRequest, view: Callable[..., Any]) -> HttpResponse | None:
    """Keep from a view what is not for it: a page of another site, a plain request for a WebSocket view."""
    session = request.wscontext
    if session is None:
        return refuse_plain_request(request) if getattr(view, "websocket_only", False) else None
    if session.is_opening():
        return _refuse_foreign_origin(request, view)
    return None


def _refuse_foreign_origin(request: GripHttpRequest, view: Callable[..., Any]) -> HttpResponse | None:
    config = grip_settings()
    of_view: Iterable[str] = getattr(view, "allowed_origins", None) or ()
    if is_origin_allowed(request, (*config.csrf_trusted_origins, *of_view)):
        return None
    note = "may name it"
    if is_origin_allowed(request, config.allowed_origins):
        if getattr(view, "websocket_only", False):
            return None
        # These pages may open WebSockets, not post forms: by way of a WebSocket they shall not reach, unasked for a
        # CSRF token, a view that expects a form.
        request._dont_enforce_csrf_checks = False  # type: ignore[attr-defined]
        if getattr(view, "csrf_exempt", False) or not config.has_csrf:
            return None
        note = "names it, but for views that are websocket_only or csrf_exempt"
    note = f"Its Origin is {request.META['HTTP_ORIGIN'][:200]!r}; GRIP_ALLOWED_ORIGINS {note}."
    return refuse(403, "Pages of this origin may not open this WebSocket.", request=request, note=note)


def answer_exception(request: GripHttpRequest, exception: Exception) -> HttpResponse | None:
    """Answer a peer's bad bytes plainly, and let no hold stand on an error page."""
    request.grip.instruct = None
    if not isinstance(exception, ProtocolError):
        return None
    session = request.wscontext
    if session is None or (session.is_opening() and not session.accepted):
        return refuse_bad_bytes(exception, request)
    code, reason = (1007, "not UTF-8") if isinstance(exception, MessageDecodeError) else (1002, "protocol error")
    logger.warning("The WebSocket at %s is closed with %d: %s.", show_path(request), code, exception)
    session.close(code, reason)
    return HttpResponse()


def write_response(request: GripHttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Put on the response what the proxy shall do with it."""
    if request.wscontext is not None:
        return answer_websocket(request, response)
    if request.grip.link is not None:
        response = answer_link(request, response)
    warn_of_forgotten_headers(request, response)
    response = apply_instruct(request, response)
    leave_newer_cookies(request, response)
    return response
