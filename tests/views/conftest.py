"""What the tests of the views share: a project behind a proxy, on either stack, with hooks of either kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from django_grip.publisher import publish_to
from django_grip.publishing import Parcel
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


class Recorder:
    """A transport that keeps what it gets."""

    url = "recorder"
    max_bytes = 1_000_000

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        self.items += [json.loads(parcel.body) for parcel in parcels]

    def close(self) -> None:
        pass

    @property
    def channels(self) -> list[str]:
        return [item["channel"] for item in self.items]

    def of(self, transport: str) -> list[dict[str, Any]]:
        """What was published for one transport: ``ws-message``, ``http-stream`` or ``http-response``."""
        return [item["formats"][transport] for item in self.items]

    @property
    def messages(self) -> list[Any]:
        return [message.get("content", message) for message in self.of("ws-message")]


@pytest.fixture
def published() -> Iterator[Recorder]:
    """What was published, in order; nothing leaves."""
    recorder = Recorder()
    with publish_to(recorder):
        yield recorder


class AsyncInSync:
    """Django's AsyncClient, called from a test that is not async: the same test then runs on both stacks."""

    def __init__(self, **options: Any) -> None:
        self.client = AsyncClient(**options)
        self.cookies = self.client.cookies

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            return asyncio.run(_wait_for(result)) if asyncio.iscoroutine(result) else result

        return call


async def _wait_for(coroutine: Any) -> Any:
    response = await coroutine
    if getattr(response, "streaming", False):
        # The test looks at the response outside of this event loop.
        response.streaming_content = [part async for part in response]
    return response


def make_client(stack: str, **options: Any) -> Any:
    return Client(**options) if stack == "wsgi" else AsyncInSync(**options)


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


def body_of(response: Any) -> bytes:
    """The whole body, of a response of any kind."""
    return b"".join(response)


def instructions(response: Any) -> Mapping[str, str]:
    """The headers for the proxy."""
    return {name: value for name, value in response.items() if name.lower().startswith("grip-")}
