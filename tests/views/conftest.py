"""What the tests of the views share: a project with a proxy, both stacks, and what was published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from django_grip import connections
from django_grip.views import base, longpoll

from ..proxy import PROXIES, FakeProxy


class Routes:
    """A URLconf for one test."""

    def __init__(self) -> None:
        self.urlpatterns: list[Any] = []

    def add(self, route: str, view: Any) -> None:
        self.urlpatterns.append(path(route, view.as_view() if isinstance(view, type) else view))


class Published(NamedTuple):
    channel: str
    formats: Any
    options: dict[str, Any]


@pytest.fixture
def routes() -> Iterator[Routes]:
    """Add views to it; they are served, behind a proxy that signs."""
    routes = Routes()
    with override_settings(ROOT_URLCONF=routes, GRIP_PROXIES=PROXIES):
        yield routes


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Published]:
    """What was published, in order; nothing leaves."""
    items: list[Published] = []

    def publish(channel: str, formats: Any, **options: Any) -> None:
        items.append(Published(channel, formats, options))

    async def apublish(channel: str, formats: Any, **options: Any) -> None:
        items.append(Published(channel, formats, options))

    for module in (base, longpoll, connections):
        monkeypatch.setattr(module, "publish", publish)
        if hasattr(module, "apublish"):
            monkeypatch.setattr(module, "apublish", apublish)
    return items


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
        content = b"".join([part async for part in response])
        response.streaming_content = [content]
    return response


@pytest.fixture(params=["sync", "async"])
def http(request: pytest.FixtureRequest) -> Any:
    """A client of the sync stack, and one of the async stack."""
    return Client() if request.param == "sync" else AsyncInSync()


@pytest.fixture
def connect(http: Any) -> Callable[..., FakeProxy]:
    """Make a fake proxy for a WebSocket, on either stack."""

    def make(path: str, **options: Any) -> FakeProxy:
        return FakeProxy(path, client=http, **options)

    return make
