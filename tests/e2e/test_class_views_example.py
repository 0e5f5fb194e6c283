"""The class-view example, on every engine, with real clients: every one of its five views."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from .clients import receive
from .servers import ROOT, Project
from .sites import Site
from .waiting import wait_until

EXAMPLE = Project(package="", directory=ROOT / "examples" / "class_views", ready="/")

# One site serves all tests of this file, so each has a place of its own in the example's store.
pytestmark = [
    pytest.mark.site(project=EXAMPLE, env={"DJANGO_SETTINGS_MODULE": "tests.e2e.example_settings"}),
]


def news(ws: Any) -> Any:
    return json.loads(receive(ws))


def last_news(ws: Any) -> Any:
    """What comes behind the words."""
    while "word" in (last := news(ws)):
        pass
    return last


def token(site: Site) -> dict[str, str]:
    site.http.get("/")
    return {"X-CSRFToken": site.http.cookies["csrftoken"]}


def test_the_chat_room_knows_who_is_there(site: Site) -> None:
    with site.ws("/rooms/lobby/?nick=ada") as ada:
        assert news(ada) == {"text": "ada has joined", "people": ["ada"]}
        with site.ws("/rooms/lobby/?nick=bob") as bob:
            assert news(bob) == {"text": "bob has joined", "people": ["ada", "bob"]}
            assert news(ada) == {"text": "bob has joined", "people": ["ada", "bob"]}
            bob.send(json.dumps({"text": " hello "}))
            assert news(ada) == news(bob) == {"nick": "bob", "text": "hello"}
            bob.send(json.dumps(["not", "a", "message"]))
            bob.send(json.dumps({"text": "still here"}))
            assert news(ada) == {"nick": "bob", "text": "still here"}
            bob.send(json.dumps({"nick": "rob"}))
            assert news(ada) == {"text": "bob is now called rob", "people": ["ada", "rob"]}
            ada.send(json.dumps({"text": "hello rob"}))
            assert news(ada) == {"nick": "ada", "text": "hello rob"}
        assert news(ada) == {"text": "rob has left", "people": ["ada"]}


def test_who_says_no_name_is_not_let_in(site: Site) -> None:
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refused, site.ws("/rooms/lobby/"):
        pass
    assert refused.value.response.status_code == 400
    assert b"Say who you are" in refused.value.response.body


def test_the_assistant_speaks_to_one_client_until_it_is_stopped(site: Site) -> None:
    with site.ws("/assistant/") as asking, site.ws("/assistant/") as other:
        asking.send(json.dumps({"ask": "Who are you?"}))
        words = [news(asking)["word"] for _ in range(4)]
        assert words == ["You", "asked:", "“Who", "are"]
        asking.send(json.dumps({"stop": True}))
        assert last_news(asking) == {"done": True, "stopped": True}
        other.send(json.dumps({"ask": "And you?"}))
        assert news(other) == {"word": "You"}
        # Nobody stops this one.
        assert last_news(other) == {"done": True, "stopped": False}


def tick(site: Site, times: int) -> None:
    command = [sys.executable, str(EXAMPLE.directory / "manage.py"), "tick", "--times", str(times), "--pause", "0"]
    subprocess.run(command, env=site.app.environment(), cwd=ROOT, check=True, timeout=60)


def test_the_ticker_tells_each_price_and_what_was_missed(site: Site) -> None:
    with site.events("/ticker/") as events:
        first = next(events)
        assert (first.event, first.json(), first.id) == ("price", {"price": 100.0}, "1")
        site.wait_subscribed("ticker", mode="stream")
        tick(site, 2)
        assert [next(events).id for _ in range(2)] == ["2", "3"]
    tick(site, 2)
    with site.events("/ticker/", headers={"Last-Event-ID": "3"}) as events:
        assert [next(events).id for _ in range(2)] == ["4", "5"]
    tick(site, 60)
    with site.events("/ticker/", headers={"Last-Event-ID": "3"}) as events:
        # Nobody knows any more what came after the third.
        assert [next(events).event, next(events).id] == ["reset", "6"]


def test_the_log_is_read_on_and_added_to(site: Site) -> None:
    headers = token(site)
    assert site.http.post("/log/", content="one", headers={**headers, "Content-Type": "text/plain"}).status_code == 204
    with site.stream("/log/") as stream:
        assert stream.read_until("one\n") == b"one\n"
        site.wait_subscribed("log", mode="stream")
        assert site.http.post("/log/", content="two", headers=headers).status_code == 204
        # "one" may still be on its way to the proxy when the stream opens: then it is told twice.
        assert stream.read_until("two\n") in (b"two\n", b"one\ntwo\n")
    assert site.http.post("/log/", content="three").status_code == 403


def test_who_waits_for_the_document_gets_its_next_version(site: Site) -> None:
    headers = token(site)
    first = site.http.get("/documents/notes/")
    assert first.json()["version"] == 0
    with site.in_background(
        site.http.get, "/documents/notes/", headers={"If-None-Match": first.headers["ETag"]}
    ) as waiting:
        site.wait_subscribed("document:notes", mode="response")
        saved = site.http.post("/documents/notes/save/", data={"text": "new"}, headers=headers)
        assert saved.status_code == 204
        second = waiting.result(60)
    assert second.status_code == 200
    assert second.json() == {"text": "new", "version": 1}
    assert second.headers["ETag"] != first.headers["ETag"]
    wait_until(site.is_alive, "the example is still up")
