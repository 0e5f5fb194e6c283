"""The chat room of the README works behind a real Pushpin, as it is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.clients import receive

pytestmark = pytest.mark.needs("pushpin", "zmq")


def join(site: Any, nick: str) -> Any:
    return site.ws(f"/lobby/socket/?nick={nick}", origin=site.url)


def hear(ws: Any, text: str) -> None:
    """Wait for a line. One's own joining may be heard, or may come too early for that."""
    while json.loads(receive(ws)) != {"text": text}:
        pass


@pytest.mark.parametrize("server", ["wsgi", pytest.param("asgi", marks=pytest.mark.needs("dev"))])
def test_the_chat_room_of_the_readme_works(server: str, make_site: Callable[..., Any]) -> None:
    site = make_site(server, settings={"ROOT_URLCONF": "tests.docs.readme_site"})
    page = site.http.get("/lobby/")
    assert page.status_code == 200
    assert "new WebSocket(" in page.text

    with join(site, "ada") as ada:
        site.wait_subscribed("room:lobby", mode="ws")
        with join(site, "bob") as bob:
            hear(ada, "bob has joined")
            bob.send(json.dumps({"text": "hello"}))
            hear(ada, "bob: hello")
            hear(bob, "bob: hello")
            site.app.restart()
            ada.send(json.dumps({"text": "still here"}))
            hear(ada, "ada: still here")
            hear(bob, "ada: still here")
        hear(ada, "bob has left")
