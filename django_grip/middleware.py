"""`GripMiddleware`: verify and decode on the way in, instruct the proxy on the way out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .conf import grip_settings
from .exceptions import HeaderError, MessageDecodeError
from .holds import apply_instruct
from .links import LINK_MARK, aopen_link, open_link
from .origins import is_origin_allowed
from .refusals import refuse, refuse_plain_request
from .request import current_grip, identify_request
from .websocket import answer_websocket, is_websocket_like, receive_websocket

if TYPE_CHECKING:
    GetResponse = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]

__all__ = ["GripMiddleware"]

logger = logging.getLogger("django_grip.security")


class GripMiddleware:
    """Make a Django project speak GRIP. Put it first in ``MIDDLEWARE``; it is right in any place.

    Every request gets ``request.grip`` (see `GripData`), ``request.grip_proxied``, ``request.grip_signed`` and
    ``request.wscontext`` (a `WebSocketSession` for WebSocket events, else None).
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response: Callable[[HttpRequest], Any] = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
            # Django would send a plain function through a thread on its async stack.
            self.process_view = self.aprocess_view  # type: ignore[method-assign, assignment]

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self.__acall__(request)
        response = self.process_request(request)
        if response is None and LINK_MARK in request.path_info:
            response = open_link(request)
        if response is not None:
            return response
        token = current_grip.set(request.grip)  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            current_grip.reset(token)
        return self.process_response(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.process_request(request)
        if response is None and LINK_MARK in request.path_info:
            response = await aopen_link(request)
        if response is not None:
            return response
        token = current_grip.set(request.grip)  # type: ignore[attr-defined]
        try:
            response = await self.get_response(request)
        finally:
            current_grip.reset(token)
        return self.process_response(request, response)

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Read what the proxy says of the request; a response is the refusal of a malformed or forged one."""
        grip = identify_request(request)
        if is_websocket_like(request.META.get("CONTENT_TYPE", "")):
            return receive_websocket(request, grip)
        return None

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Keep from a view what is not for it: a page of another site, a plain request for a WebSocket view."""
        session = request.wscontext  # type: ignore[attr-defined]
        if session is None:
            return refuse_plain_request(request) if getattr(view, "websocket_only", False) else None
        if session.is_opening() and "HTTP_ORIGIN" in request.META:
            return self._refuse_foreign_origin(request, getattr(view, "allowed_origins", None) or ())
        return None

    def _refuse_foreign_origin(self, request: HttpRequest, of_view: Iterable[str]) -> HttpResponse | None:
        config = grip_settings()
        if is_origin_allowed(request, (*config.csrf_trusted_origins, *config.allowed_origins, *of_view)):
            return None
        origin = request.META["HTTP_ORIGIN"]
        logger.warning(
            "A page of %.200r may not open the WebSocket %s. To let it, see GRIP_ALLOWED_ORIGINS.", origin, request.path
        )
        return refuse(403, "Pages of this origin may not open this WebSocket.")

    async def aprocess_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """`process_view` on an async stack."""
        return type(self).process_view(self, request, view, args, kwargs)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a peer's bad bytes plainly, and let no hold stand on an error page."""
        request.grip.instruct = None  # type: ignore[attr-defined]
        session = request.wscontext  # type: ignore[attr-defined]
        if isinstance(exception, MessageDecodeError) and session is not None:
            session.close(1007, "not UTF-8")
            return HttpResponse()
        if isinstance(exception, HeaderError):
            return refuse(400, str(exception))
        return None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Put on the response what the proxy shall do with it."""
        if request.wscontext is not None:  # type: ignore[attr-defined]
            return answer_websocket(request, response)
        return apply_instruct(request, response)
