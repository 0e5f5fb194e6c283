"""`GripMiddleware`: what Django calls for every request. What it does with them is in `exchange`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from .request import GripHttpRequest

    SyncHandler = Callable[[GripHttpRequest], HttpResponseBase]
    AsyncHandler = Callable[[GripHttpRequest], Awaitable[HttpResponseBase]]

__all__ = ["GripMiddleware"]


class GripMiddleware:
    """Make a Django project speak GRIP. Put it first in ``MIDDLEWARE``; it is right in any place.

    Every request gets ``request.grip`` (see `GripData`), ``request.grip_proxied``, ``request.grip_signed`` and
    ``request.wscontext`` (a `WebSocketSession` for WebSocket events, else None).
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: SyncHandler | AsyncHandler) -> None:
        # Here and not above: naming the middleware, as settings and tools do, loads nothing of Django's HTTP.
        from . import exchange

        # What is wrong with the settings is told when the server starts, not by its requests.
        exchange.grip_settings()
        self._exchange = exchange
        self.get_response: Callable[[GripHttpRequest], Any] = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
            # Django would send a plain function through a thread on its async stack.
            self.process_view = self.aprocess_view  # type: ignore[method-assign, assignment]

    def __call__(self, request: GripHttpRequest) -> Any:
        if self.is_async:
            return self.__acall__(request)
        exchange = self._exchange
        response = self.process_request(request)
        if response is None and exchange.LINK_MARK in request.path_info:
            response = exchange.open_link(request)
        if response is not None:
            return response
        token = exchange.current_grip.set(request.grip)
        try:
            response = self.get_response(request)
        finally:
            exchange.current_grip.reset(token)
        return self.process_response(request, response)

    async def __acall__(self, request: GripHttpRequest) -> HttpResponseBase:
        exchange = self._exchange
        response = self.process_request(request)
        if response is None and exchange.LINK_MARK in request.path_info:
            response = await exchange.aopen_link(request)
        if response is not None:
            return response
        token = exchange.current_grip.set(request.grip)
        try:
            response = await self.get_response(request)
        finally:
            exchange.current_grip.reset(token)
        return self.process_response(request, response)

    def process_request(self, request: GripHttpRequest) -> HttpResponse | None:
        return self._exchange.read_request(request)

    def process_view(
        self, request: GripHttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        return self._exchange.check_view(request, view)

    async def aprocess_view(
        self, request: GripHttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """`process_view` on an async stack."""
        return type(self).process_view(self, request, view, args, kwargs)

    def process_exception(self, request: GripHttpRequest, exception: Exception) -> HttpResponse | None:
        return self._exchange.answer_exception(request, exception)

    def process_response(self, request: GripHttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return self._exchange.write_response(request, response)
