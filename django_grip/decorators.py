"""Decorators for function views."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import wraps
from inspect import isawaitable
from typing import Any, ParamSpec, Protocol, overload

from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from .conf import read_origins

__all__ = ["websocket_only"]

P = ParamSpec("P")


class _Decorator(Protocol):
    """What it does to a view: returning nothing is as good as returning a response."""

    @overload
    def __call__(
        self, view: Callable[P, Coroutine[Any, Any, HttpResponseBase | None]], /
    ) -> Callable[P, Coroutine[Any, Any, HttpResponseBase]]: ...
    @overload
    def __call__(self, view: Callable[P, HttpResponseBase | None], /) -> Callable[P, HttpResponseBase]: ...


@overload
def websocket_only(
    view: Callable[P, Coroutine[Any, Any, HttpResponseBase | None]], /
) -> Callable[P, Coroutine[Any, Any, HttpResponseBase]]: ...
@overload
def websocket_only(view: Callable[P, HttpResponseBase | None], /) -> Callable[P, HttpResponseBase]: ...
@overload
def websocket_only(*, allowed_origins: Iterable[str] = ...) -> _Decorator: ...
def websocket_only(view: Any = None, /, *, allowed_origins: Iterable[str] = ()) -> Any:
    """Let only WebSocket events through to a view; ``request.wscontext`` is then never None.

    The view, sync or async, need return nothing: what it did with ``request.wscontext`` is the answer.
    allowed_origins: pages of these origins, besides the site's own, may open the WebSocket (see GRIP_ALLOWED_ORIGINS).
    """
    origins = read_origins(allowed_origins)
    if view is None:
        return lambda view: _wrap(view, origins)
    if not callable(view):
        raise TypeError("Write @websocket_only, or @websocket_only(allowed_origins=[...]).")
    return _wrap(view, origins)


def _wrap(view: Callable[..., Any], origins: tuple[str, ...]) -> Callable[..., Any]:
    if iscoroutinefunction(view):

        @wraps(view)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            return _fill_in(await view(*args, **kwargs))

    else:

        @wraps(view)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            response = view(*args, **kwargs)
            # The dispatch() of a class-based view with async handlers is itself a plain function.
            return _afill_in(response) if isawaitable(response) else _fill_in(response)

    # GripMiddleware reads both in process_view; decorators outside of this one hand them on.
    wrapped.websocket_only = True  # type: ignore[attr-defined]
    wrapped.allowed_origins = origins  # type: ignore[attr-defined]
    return wrapped


def _fill_in(response: Any) -> Any:
    return HttpResponse() if response is None else response


async def _afill_in(response: Awaitable[Any]) -> Any:
    return _fill_in(await response)
