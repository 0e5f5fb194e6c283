"""What tests of WebSockets share: users, and a message with its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType

from .models import Ticket
from .socket_project import TOKENS

__all__ = ["ask", "make_user", "may", "may_not", "opened", "said", "socket_urls", "ticket"]


@pytest.fixture(autouse=True)
def socket_urls(settings: Any, project_urls: None) -> Iterator[None]:
    settings.ROOT_URLCONF = "tests.rest.socket_project"
    yield
    TOKENS.clear()


@pytest.fixture
def ticket() -> Ticket:
    return Ticket.objects.create(title="printer")


def ask(ws: Any, action: str, **rest: Any) -> dict[str, Any]:
    """Send one message, and return its answer."""
    ws.send_json({"action": action, "ref": 1, **rest})
    (answer,) = [message for message in said(ws) if "type" in message]
    assert answer.pop("ref") == 1
    return answer


def said(ws: Any) -> list[Any]:
    """All messages that have come."""
    return [json.loads(text) for text in ws.receive_all()]


def opened(client: Any, path: str, **options: Any) -> Any:
    """A WebSocket that has heard its ``subscribed``."""
    ws = client.websocket(path, **options)
    assert ws.accepted, (ws.status_code, ws.response.content)
    assert ws.receive_json()["action"] == "subscribed"
    return ws


def make_user(name: str, *names: str) -> User:
    """A user with permissions for tickets: "view", "add", "change", "delete"."""
    user = User.objects.create_user(name, password=f"the password of {name}")
    may(user, *names)
    return user


def may(user: User, *names: str) -> None:
    user.user_permissions.add(*_permissions(names))


def may_not(user: User, *names: str) -> None:
    user.user_permissions.remove(*_permissions(names))


def _permissions(names: tuple[str, ...]) -> list[Permission]:
    kind = ContentType.objects.get_for_model(Ticket)
    return [Permission.objects.get(content_type=kind, codename=f"{name}_ticket") for name in names]
