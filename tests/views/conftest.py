"""What the tests of the views share: a project behind a proxy, on either stack, with hooks of either kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import wraps
from inspect import isawaitable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import override_settings
from django.urls import path

from django_grip.testing import AsyncGripClient, GripClient
from django_grip.testing.connection import Connection
from django_grip.testing.in_process import proxy
from django_grip.views import LongPollView
from django_grip.views.base import GripView

from ..fake_proxy import PROXIES, FakeProxy

HOOKS = {"sync": "sync hooks", "async": "async hooks"}


def as_async(view: type[GripView]) -> type[GripView]:
    """The same view, with async hooks. They run in a thread, since some use what blocks."""

    def convert(method: Callable[..., Any]) -> Callable[..., Any]:
        if view._is_async(method):
            return method

        def call(*args: Any, **kwargs: Any) -> tuple[Any, Exception | None]:
            try:
                return method(*args, **kwargs), None
            except Exception as error:  # noqa: BLE001 - not every one gets through the future between the threads
                return None, error

        @wraps(method)
        async def hook(*args: Any, **kwargs: Any) -> Any:
            result, error = await sync_to_async(call)(*args, **kwargs)
            if error is not None:
                raise error
            return result

        return hook

    names = ["get_etag", "get_payload"] if issubclass(view, LongPollView) else view._own_hooks()
    namespace: dict[str, Any] = {name: convert(getattr(view, name)) for name in names}
    made: type[GripView] = type(
        view.__name__, (view,), {**namespace, "__module__": view.__module__, "__qualname__": view.__qualname__}
    )
    return made


class Routes:
    """A URLconf for one test. Views are served with hooks of one kind."""

    def __init__(self, hooks: str) -> None:
        self.hooks = hooks
        self.urlpatterns: list[Any] = []

    def add(self, route: str, view: Any, wrap: Callable[..., Any] | None = None, **initkwargs: Any) -> Any:
        """Serve a view class, or a view, in a decorator; the class is returned as it is served."""
        if isinstance(view, type):
            if self.hooks == "async":
                view = as_async(view)
            served = view.as_view(**initkwargs)  # type: ignore[attr-defined]
        else:
            served = view
        self.urlpatterns.append(path(route, wrap(served) if wrap else served))
        return view


@pytest.fixture(params=HOOKS, ids=HOOKS.values())
def routes(request: pytest.FixtureRequest) -> Iterator[Routes]:
    """Add views to it; they are served, behind a proxy that signs."""
    routes = Routes(request.param)
    with override_settings(ROOT_URLCONF=routes, GRIP_PROXIES=PROXIES):
        yield routes


class InSync:
    """A client of the async stack, or a connection of one, for tests that are not async: they run on both stacks."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if proxy._asks:
            # As a sync connection does by itself, whatever of it is looked at.
            asyncio.run(proxy.asettle())
        value = getattr(self._inner, name)
        return _call_in_sync(value) if callable(value) else value

    def __enter__(self) -> InSync:
        self.__getattr__("__aenter__")()
        return self

    def __exit__(self, *error: Any) -> None:
        self.__getattr__("__aexit__")(*error)


def _call_in_sync(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        if isawaitable(result):
            result = asyncio.run(_wait_for(result))
        return InSync(result) if isinstance(result, Connection) else result

    return call


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    result = await awaitable
    if getattr(result, "streaming", False):
        # The test looks at the response outside of this event loop.
        result.streaming_content = [part async for part in result]
    return result


def make_client(stack: str, **options: Any) -> Any:
    return GripClient(**options) if stack == "wsgi" else InSync(AsyncGripClient(**options))


@pytest.fixture(params=["wsgi", "asgi"])
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def http(stack: str) -> Any:
    """A client of the sync stack, and one of the async stack. It gets the error page of what a view raises."""
    return make_client(stack, raise_request_exception=False)


@pytest.fixture
def connect(http: Any) -> Callable[..., FakeProxy]:
    """Make a fake proxy for a WebSocket, on either stack."""

    def make(path: str, **options: Any) -> FakeProxy:
        return FakeProxy(path, client=http, **options)

    return make


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[..., list[str]]:
    """Call it for the messages that a logger has written, this package's if no other is named."""

    def messages(logger: str = "django_grip") -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == logger]

    return messages


def ending(ws: Any) -> tuple[int | None, str]:
    """Code and reason with which a WebSocket has ended."""
    return ws.close_code, ws.close_reason


def body_of(response: Any) -> bytes:
    """The whole body, of a response of any kind."""
    return b"".join(response)


def instructions(response: Any) -> Mapping[str, str]:
    """The headers for the proxy."""
    return {name: value for name, value in response.items() if name.lower().startswith("grip-")}
