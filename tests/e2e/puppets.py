"""How tests pull the strings of the class-based views in ``project/socket_views.py``, and who is logged in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from .clients import http_client, receive
from .sites import Site

# All channels of these views have it at the proxy, and nowhere else.
PREFIX = "live-"

# One site for all the tests of class-based views. Sessions in the database, as they can be revoked there.
LIVE_SITE = pytest.mark.site(
    settings={"GRIP_PREFIX": PREFIX, "SESSION_ENGINE": "django.contrib.sessions.backends.db"},
)


def tell(ws: ClientConnection, do: str, **arguments: Any) -> None:
    """Let a view do something: ``tell(ws, "send", message="hello")``."""
    ws.send(json.dumps({"do": do, **arguments}))


def hear(ws: ClientConnection) -> Any:
    """The next message of a view that speaks JSON."""
    return json.loads(receive(ws))


def ask(ws: ClientConnection, do: str, **arguments: Any) -> Any:
    """Let a view do something, and return what it sends."""
    tell(ws, do, **arguments)
    return hear(ws)


def closing(ws: ClientConnection) -> tuple[int | None, str | None]:
    """Wait until the other side has closed, and return its code and reason; 1006 if it gave none."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            receive(ws)
    return ws.close_code, ws.close_reason


@contextmanager
def browser(site: Site) -> Iterator[httpx.Client]:
    """A client with cookies of its own."""
    with http_client(site.url) as client:
        yield client


@contextmanager
def logged_in(site: Site, name: str, *permissions: str) -> Iterator[httpx.Client]:
    """A client that is logged in as a user of this name, who has these permissions."""
    with browser(site) as client:
        client.post(f"/views/log-in/{name}/", params={"permission": permissions}).raise_for_status()
        yield client


def cookie_header(client: httpx.Client) -> dict[str, str]:
    """The client's cookies, for a WebSocket of the same browser."""
    return {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)}


def open_as(site: Site, path: str, client: httpx.Client, **options: Any) -> ClientConnection:
    """Open a WebSocket from the same browser."""
    return site.ws(path, additional_headers=cookie_header(client), **options)


def change(site: Site, name: str, what: str) -> None:
    """Change a user's account as an administrator would: the ``password``, ``deactivate`` it, clear ``permissions``."""
    with browser(site) as admin:
        admin.post(f"/views/change/{name}/", params={"what": what}).raise_for_status()
