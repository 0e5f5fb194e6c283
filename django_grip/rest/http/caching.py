"""Django's cache, and answers that the proxy asks for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rest_framework.request import Request

__all__ = ["keep_out_of_cache"]


def keep_out_of_cache(request: Request) -> None:
    """Let Django's cache not store the answer: the view gives it each time.

    A decorator of the action looks at the one request, a middleware at the other.
    """
    request._cache_update_cache = request._request._cache_update_cache = False
