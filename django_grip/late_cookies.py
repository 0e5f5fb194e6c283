"""Cookies of an answer that comes long after its request: the client may have better ones by then.

A long-poll that is held, and the request that the proxy makes again for it, have the cookies of when it was opened.
Who has logged in since, in another tab, has another session; Django sees only that the old one is gone, and its answer
would delete the cookie of the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conf import csrf_cookie_name, session_cookie_name

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from .request import GripHttpRequest

__all__ = ["leave_newer_cookies"]


def leave_newer_cookies(request: GripHttpRequest, response: HttpResponseBase) -> None:
    """Let a late answer neither set nor delete the cookies of the session and of CSRF protection."""
    if not response.cookies:
        return
    is_made_again = bool(request.grip.last) and request.grip.link is None
    is_held = response.headers.get("Grip-Hold") == "response"
    for name in (session_cookie_name(), csrf_cookie_name()):
        # Who had none, and is held, is given one: a view may keep in the session what the client has seen.
        if is_made_again or (is_held and name in request.COOKIES):
            response.cookies.pop(name, None)
