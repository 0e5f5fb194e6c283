"""`GripMiddleware`: verify and decode on the way in, instruct the proxy on the way out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpResponse

from .conf import grip_settings
from .exceptions import MessageDecodeError, ProtocolError
from .holds import apply_instruct
from .links import LINK_MARK, answer_link, aopen_link, open_link
from .origins import is_origin_allowed
from .refusals import refuse, refuse_bad_bytes, refuse_plain_request, show_path
from .request import current_grip, identify_request
from .websocket import answer_websocket, is_websocket_like, receive_websocket

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from .request import GripHttpRequest

    SyncHandler = Callable[[GripHttpRequest], HttpResponseBase]
    AsyncHandler = Callable[[GripHttpRequest], Awaitable[HttpResponseBase]]

__all__ = ["GripMiddleware"]

logger = logging.getLogger("django_grip")


class GripMiddleware:
    """Make a Django project speak GRIP. Put it first in ``MIDDLEWARE``; it is right in any place.

    Every request gets ``request.grip`` (see `GripData`), ``request.grip_proxied``, ``request.grip_signed`` and
    ``request.wscontext`` (a `WebSocketSession` for WebSocket events, else None).
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: SyncHandler | AsyncHandler) -> None:
        grip_settings()  # What is wrong with the settings is told when the server starts, not by its requests.
        self.get_response: Callable[[GripHttpRequest], Any] = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
            # Django would send a plain function through a thread on its async stack.
            self.process_view = self.aprocess_view  # type: ignore[method-assign, assignment]

    def __call__(self, request: GripHttpRequest) -> Any:
        if self.is_async:
            return self.__acall__(request)
        response = self.process_request(request)
        if response is None and LINK_MARK in request.path_info:
            response = open_link(request)
        if response is not None:
            return response
        token = current_grip.set(request.grip)
        try:
            response = self.get_response(request)
        finally:
            current_grip.reset(token)
        return self.process_response(request, response)

    async def __acall__(self, request: GripHttpRequest) -> HttpResponseBase:
        response = self.process_request(request)
        if response is None and LINK_MARK in request.path_info:
            response = await aopen_link(request)
        if response is not None:
            return response
        token = current_grip.set(request.grip)
        try:
            response = await self.get_response(request)
        finally:
            current_grip.reset(token)
        return self.process_response(request, response)

    def process_request(self, request: GripHttpRequest) -> HttpResponse | None:
        """Read what the proxy says of the request; a response is the refusal of a malformed or forged one."""
        try:
            grip = identify_request(request)
            if is_websocket_like(request.META.get("CONTENT_TYPE", "")):
                return receive_websocket(request, grip)
        except ProtocolError as error:
            return refuse_bad_bytes(error, request)
        return None

    def process_view(
        self, request: GripHttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Keep from a view what is not for it: a page of another site, a plain request for a WebSocket view."""
        session = request.wscontext
        if session is None:
            return refuse_plain_request(request) if getattr(view, "websocket_only", False) else None
        if session.is_opening():
            return self._refuse_foreign_origin(request, getattr(view, "allowed_origins", None) or ())
        return None

    def _refuse_foreign_origin(self, request: GripHttpRequest, of_view: Iterable[str]) -> HttpResponse | None:
        if is_origin_allowed(request, (*grip_settings().trusted_origins, *of_view)):
            return None
        note = f"Its Origin is {request.META['HTTP_ORIGIN'][:200]!r}; GRIP_ALLOWED_ORIGINS may name it."
        return refuse(403, "Pages of this origin may not open this WebSocket.", request=request, note=note)

    async def aprocess_view(
        self, request: GripHttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """`process_view` on an async stack."""
        return type(self).process_view(self, request, view, args, kwargs)

    def process_exception(self, request: GripHttpRequest, exception: Exception) -> HttpResponse | None:
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

    def process_response(self, request: GripHttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Put on the response what the proxy shall do with it."""
        if request.wscontext is not None:
            return answer_websocket(request, response)
        return apply_instruct(request, answer_link(request, response))
