"""The plain answers to requests that no view shall see: one sentence each, for whoever reads them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.http import HttpResponse

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["refuse", "refuse_direct_client", "refuse_plain_request"]

logger = logging.getLogger("django_grip.security")

BEHIND_PROXY_ONLY = "This address works only behind a GRIP proxy, such as Pushpin, and this request came directly."


def refuse(status: int, text: str, *, request: HttpRequest | None = None) -> HttpResponse:
    """Build the refusal. With a request it is logged too, as what a client should not have tried."""
    if request is not None:
        logger.warning("Refused with %d: %s %s: %s", status, request.method, request.path, text)
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")


def refuse_direct_client() -> HttpResponse:
    """501 for a client that asked for what only a proxy can do (DESIGN decision 10)."""
    return refuse(501, BEHIND_PROXY_ONLY)


def refuse_plain_request(request: HttpRequest) -> HttpResponse:
    """Answer a request without WebSocket events to a view that takes nothing else."""
    if "websocket" in request.META.get("HTTP_UPGRADE", "").lower():
        return refuse_direct_client()
    return refuse(400, "Request must contain WebSocket events.")
