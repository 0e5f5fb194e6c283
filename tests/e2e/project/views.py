"""Views every test may need."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token


def ready(request: HttpRequest) -> HttpResponse:
    """What the rig asks for to see whether the application is up."""
    return HttpResponse("ready\n")


def csrf(request: HttpRequest) -> HttpResponse:
    """Set the CSRF cookie and tell the token."""
    return HttpResponse(get_token(request), content_type="text/plain")
