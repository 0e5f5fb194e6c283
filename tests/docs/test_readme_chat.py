"""The chat room of the README works on every engine, as it is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.e2e.clients import receive


def join(site: Any, nick: str) -> Any:
    return site.ws(f"/lobby/socket/?nick={nick}", origin=site.url)


def hear(ws: Any, text: str) -> None:
    """Wait for a line. One's own joining may be heard, or may come too early for that."""
    while json.loads(receive(ws)) != {"text": text}:
        pass


def test_the_chat_room_of_the_readme_works(make_site: Callable[..., Any]) -> None:
    site = make_site(settings={"ROOT_URLCONF": "tests.docs.readme_site"})
    page = site.http.get("/lobby/")
    assert page.status_code == 200
    assert "new WebSocket(" in page.text

    with join(site, "ada") as ada:
        site.wait_subscribed("room:lobby", mode="ws")
        with join(site, "bob") as bob:
            hear(ada, "bob has joined")
            site.wait_subscribed("room:lobby", mode="ws", count=2)
            bob.send(json.dumps({"text": "hello"}))
            hear(ada, "bob: hello")
            hear(bob, "bob: hello")
            if not site.stack.is_embedded:  # which would end with its application
                site.app.restart()
            ada.send(json.dumps({"text": "still here"}))
            hear(ada, "ada: still here")
            hear(bob, "ada: still here")
        hear(ada, "bob has left")
