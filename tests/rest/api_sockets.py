"""What the tests of `WebSocketAPIView` share: users with tokens, and a project with hooks of either kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import override_settings
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.serializers import CharField, IntegerField, Serializer

from django_grip.rest import WebSocketAPIView

from ..fake_proxy import PROXIES, FakeProxy
from ..views.conftest import HOOKS, Routes, make_client
from ..views.users import accounts, make_user, users

__all__ = ["MessageSerializer", "Socket", "TokenAuthentication", "World", "accounts", "logged", "stack", "world"]


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Token <username>``; who is not active has none."""

    def authenticate(self, request: Any) -> tuple[Any, str] | None:
        scheme, _, name = get_authorization_header(request).decode().partition(" ")
        if scheme != "Token":
            return None
        user = next((user for user in users.values() if user.username == name and user.is_active), None)
        if user is None:
            raise AuthenticationFailed("Invalid token.")
        return user, f"token of {name}"

    def authenticate_header(self, request: Any) -> str:
        return 'Token realm="api"'


class MessageSerializer(Serializer):
    text = CharField(max_length=10)
    times = IntegerField(default=1)


class Socket(WebSocketAPIView):
    """Everybody is let in."""

    authentication_classes = [TokenAuthentication]
    permission_classes = [AllowAny]


class World(SimpleNamespace):
    """A project for one test, and its clients."""

    routes: Routes
    http: Any

    def serve(self, view: type[WebSocketAPIView], route: str = "ws/", **options: Any) -> None:
        self.routes.add(route, view, **options)

    def open(self, view: type[WebSocketAPIView], **options: Any) -> Any:
        """Serve a view, and open a WebSocket to it."""
        self.serve(view)
        return self.http.websocket("/ws/", **options).__enter__()

    def refused(self, view: type[WebSocketAPIView], **options: Any) -> Any:
        """Serve a view, and be refused by it; with what response."""
        self.serve(view)
        ws = self.http.websocket("/ws/", **options)
        assert not ws.accepted
        return ws.response

    def wire(self, view: type[WebSocketAPIView], **headers: str) -> FakeProxy:
        """Serve a view, and open a WebSocket to it, event by event."""
        self.serve(view)
        proxy = FakeProxy("/ws/", client=self.http, **headers)
        response = proxy.open()
        assert response.status_code == 200, response.content
        return proxy

    @staticmethod
    def token(name: str = "ann", *, pk: int = 1, may: tuple[str, ...] = ()) -> dict[str, str]:
        """The headers of a new user."""
        make_user(name, pk=pk, may=may)
        return {"authorization": f"Token {name}"}


@pytest.fixture(params=["wsgi", "asgi"])
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=HOOKS, ids=HOOKS.values())
def world(request: pytest.FixtureRequest, stack: str, accounts: Any) -> Iterator[World]:
    """A project with views whose hooks are sync, or async; asked on the sync stack, or the async one."""
    routes = Routes(request.param)
    cache.clear()
    with override_settings(ROOT_URLCONF=routes, GRIP_PROXIES=PROXIES):
        yield World(routes=routes, http=make_client(stack, raise_request_exception=False))
    cache.clear()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[..., list[str]]:
    """Call it for the messages that a logger has written."""

    def messages(logger: str = "django_grip") -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == logger]

    return messages
