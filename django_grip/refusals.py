"""The plain answers to requests that no view shall see: one sentence each, for whoever reads them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.utils.encoding import escape_uri_path

from .conf import grip_settings
from .exceptions import ProtocolError
from .protocol.links import LINK_MARK

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from .request import GripHttpRequest

__all__ = [
    "is_handshake",
    "refuse",
    "refuse_bad_bytes",
    "refuse_direct_client",
    "refuse_plain_request",
    "show_path",
    "stand_in",
]

logger = logging.getLogger("django_grip.security")

BEHIND_PROXY_ONLY = "This address works only behind a GRIP proxy, such as Pushpin, and this request came directly."
# To whoever develops, and has another runserver or none of the extra "dev".
NOT_EMBEDDED = (
    'The embedded proxy is not in front of it: put "django_grip" first in INSTALLED_APPS, install "django-grip[dev]", '
    'and read what runserver says of "Realtime". Under an ASGI server of your own, such as uvicorn, asgi.py takes '
    "get_asgi_application from django_grip.asgi."
)
NOT_OVER_HTTP = "The GRIP proxy sends WebSockets to this address as they are; its route needs the option over_http."
EVENTS_ONLY = "Request must contain WebSocket events."

# Characters of a path in a log record.
_MAX_PATH = 200


def refuse(status: int, text: str, *, request: HttpRequest | None = None, note: str = "") -> HttpResponse:
    """Build the refusal. With a request it is logged too, as what a client should not have tried.

    note: for the log alone.
    """
    response = HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
    if request is not None:
        line = f"{text} {note}".rstrip()
        logger.warning("Refused with %d: %s %s: %s", status, request.method, show_path(request), line)
    # Django would log it again; and a 5xx as an error of the site, which goes to the admins by mail.
    response._has_been_logged = request is not None or status >= 500  # type: ignore[attr-defined]
    return response


def refuse_bad_bytes(error: ProtocolError, request: HttpRequest) -> HttpResponse:
    """400 for a peer that breaks the protocol (DESIGN decision 16)."""
    return refuse(400, f"The request breaks the GRIP protocol: {error}.", request=request)


def refuse_direct_client() -> HttpResponse:
    """501 for a client that asked for what only a proxy can do (DESIGN decision 10)."""
    config = grip_settings()
    develops = config.debug and config.embedded
    return refuse(501, f"{BEHIND_PROXY_ONLY}\n{NOT_EMBEDDED}" if develops else BEHIND_PROXY_ONLY)


def is_handshake(request: HttpRequest) -> bool:
    """Whether a plain request would open a WebSocket, which no view can do."""
    return "websocket" in request.META.get("HTTP_UPGRADE", "").lower()


def refuse_plain_request(request: GripHttpRequest) -> HttpResponse:
    """Answer a request without WebSocket events to a view that takes nothing else."""
    if not is_handshake(request):
        return refuse(400, EVENTS_ONLY)
    if request.grip.proxied:
        return refuse(501, NOT_OVER_HTTP, request=request)
    return refuse_direct_client()


def stand_in(new: HttpResponse, old: HttpResponseBase) -> HttpResponse:
    """Let one response stand in for another, whose resources are then closed with it."""
    new._resource_closers.extend(old._resource_closers)  # type: ignore[attr-defined]
    return new


def show_path(request: HttpRequest) -> str:
    """The request's path as a log may hold it: in one line, not for ever, and without a link's token."""
    path = escape_uri_path(request.path.partition(LINK_MARK)[0])
    return path if len(path) <= _MAX_PATH else f"{path[:_MAX_PATH]}..."
