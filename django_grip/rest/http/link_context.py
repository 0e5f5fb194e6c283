"""What a stream's link keeps of the request that opened it, so that its fetch makes the same representation.

The proxy fetches links with none of the client's headers (GRIP.md, 6), but an API's answers depend on some of them: the
version in ``Accept``, absolute URLs, texts in the client's language and times in its time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from django.utils import timezone, translation

from ...links import ACCEPT_KEY

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

__all__ = ["NAMES", "recall", "remember"]

# In a link's data.
NAMES = (ACCEPT_KEY, "scheme", "host", "language", "zone")


def remember(request: Request) -> dict[str, str]:
    """What goes into the link. The proxy can read it."""
    found = (
        request.accepted_media_type,
        request.scheme,
        request.get_host(),
        translation.get_language(),
        # A fixed offset has no name that would bring it back.
        getattr(timezone.get_current_timezone(), "key", None),
    )
    return {name: value for name, value in zip(NAMES, found, strict=True) if value}


def recall(request: HttpRequest, data: Mapping[str, str]) -> ExitStack:
    """Make the fetch of a link like the request that opened the stream.

    Returns: what puts language and time zone back, which are the thread's and not the request's.
    """
    request.META["HTTP_HOST"] = data["host"]
    # A middleware before the view may have looked at this copy of the headers.
    request.__dict__.pop("headers", None)
    scheme = data["scheme"]
    request._get_scheme = lambda: scheme  # type: ignore[attr-defined]
    # Whatever chooses them, for each request, has chosen for one without a client.
    recalled = ExitStack()
    if data.get("language", translation.get_language()) != translation.get_language():
        recalled.enter_context(translation.override(data["language"]))
    if data.get("zone", timezone.get_current_timezone_name()) != timezone.get_current_timezone_name():
        recalled.enter_context(timezone.override(data["zone"]))
    return recalled
