"""The views printed in the pages do what the pages say, asked as the proxy asks."""

from __future__ import annotations

import json
import threading
import unittest
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client, RequestFactory, override_settings
from django.urls import path

from django_grip.protocol.headers import parse_grip_channel
from tests.fake_proxy import FakeProxy, close, events_of, proxied, sent, text

from .conftest import Recorder
from .pages import run_page

pytestmark = pytest.mark.django_db(transaction=True)

OpenPage = Callable[..., ModuleType]


@pytest.fixture
def open_page(recorder: Recorder) -> Iterator[OpenPage]:
    """Run a page and serve its views; what it published by itself is forgotten."""
    cache.clear()
    with ExitStack() as stack:

        def open_it(page: str, **options: Any) -> ModuleType:
            module = run_page(page, **options)
            recorder.items.clear()
            stack.enter_context(override_settings(ROOT_URLCONF=module))
            return module

        yield open_it


def get(url: str, **headers: str) -> Any:
    return Client().get(url, headers=proxied(**headers))


def channels(response: Any) -> list[str]:
    """The channels of a hold, without what the view has for its own purposes."""
    names = [channel.name for channel in parse_grip_channel(response["Grip-Channel"])]
    return [name for name in names if not name.startswith("grip:")]


def body(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode()


def told(response: Any) -> list[Any]:
    """The JSON messages in an answer to WebSocket events."""
    return [json.loads(message) for message in sent(events_of(response))]


def test_the_readmes_first_screen_works(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("README.md", first=2)
    ws = FakeProxy("/rooms/lobby/")
    assert events_of(ws.open())[0] == ("OPEN", None)
    ws.send(text('{"text": "hi"}'))
    ws.send(close(1000))
    assert [json.loads(formats["ws-message"]["content"]) for formats in recorder.formats("room:lobby")] == [
        {"nick": "guest", "text": "hi"},
        {"text": "guest has left"},
    ]

    ticker = get("/ticker/")
    assert (body(ticker), ticker["Grip-Hold"]) == ('data: {"price":100}\n\n', "stream")
    assert channels(ticker) == ["ticker"]
    assert channels(get("/log/")) == ["log"]
    assert Client().post("/log/", "a line", content_type="text/plain").status_code == 204
    assert recorder.formats("log") == [{"http-stream": {"content": "a line\n"}}]

    answer = get("/docs/7/")
    assert (answer.status_code, answer.json()) == (200, {"text": ""})
    waiting = get("/docs/7/", if_none_match=answer["ETag"])
    assert waiting["Grip-Hold"] == "response"
    assert channels(waiting) == ["doc:7"]
    cache.set("doc:7", "new")
    page.Document.changed(pk="7")
    assert recorder.formats("doc:7") == [{"http-response": {"action": "hint"}}]
    assert get("/docs/7/", if_none_match=answer["ETag"]).json() == {"text": "new"}


def test_the_readmes_function_views_work(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("README.md")
    page.urlpatterns[:] = [path("feed/", page.feed), path("echo/", page.echo), path("broadcast/", page.broadcast)]
    assert channels(get("/feed/")) == ["feed"]
    Client().post("/feed/", {"line": "one"})
    assert recorder.formats("feed") == [{"http-stream": {"content": "one\n"}}]
    assert get("/echo/").status_code == 400
    ws = FakeProxy("/echo/")
    ws.open()
    assert sent(events_of(ws.send(text("hello")))) == [b"hello"]
    Client().post("/broadcast/", {"message": "all"})
    assert recorder.formats("everybody") == [{"ws-message": {"content": "all"}}]


def test_the_readmes_test_passes(open_page: OpenPage) -> None:
    page = open_page("README.md")
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(page.RoomTests).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])


def test_getting_started_works(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("getting-started.md")
    assert "new WebSocket(" in body(get("/"))
    ws = FakeProxy("/echo/")
    assert sent(events_of(ws.open())) == [b"welcome"]
    assert sent(events_of(ws.send(text("hello")))) == [b"HELLO"]
    assert body(get("/log/")) == "[stream open]\n"
    page.Echo.broadcast("hello from the shell")
    page.Log.broadcast("a line\n")
    assert recorder.formats("everybody") == [{"ws-message": {"content": "hello from the shell"}}]


def test_channels_are_built_as_the_page_says(open_page: OpenPage) -> None:
    page = open_page("views.md")
    assert page.channel_name("room:{room}", room="5:admin") == "room:5%3Aadmin"
    opened = events_of(FakeProxy("/shows/3/seats/a1/").open())
    subscribed = [content for _, content in opened if content and b'"subscribe"' in content]
    assert any(b'"show:3"' in content for content in subscribed)
    assert any(b'"show:3:seat:a1"' in content for content in subscribed)


def test_who_may_connect_is_asked_as_the_page_says(open_page: OpenPage) -> None:
    open_page("views.md")
    assert FakeProxy("/members/").open().status_code == 401
    assert FakeProxy("/editors/").open().status_code == 403
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    assert events_of(FakeProxy("/members/", client=client).open())[0] == ("OPEN", None)
    assert events_of(FakeProxy("/editors/", client=client).open())[0] == ("OPEN", None)


def test_the_views_of_the_page_on_websockets_work(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("websocket.md")
    names = ("Room", "Private", "Counted", "Forgiving", "Quiz", "Assistant", "Versioned")
    page.urlpatterns[:] = [path(f"{name}/<room>/", getattr(page, name).as_view()) for name in names]

    assert told(FakeProxy("/Room/x/").open()) == [{"text": "welcome, guest"}]
    refused = FakeProxy("/Private/x/").open()
    assert (refused.status_code, body(refused)) == (403, "This room is closed.")
    assert FakeProxy("/Counted/x/").open().cookies["seen"].value == "yes"

    forgiving = FakeProxy("/Forgiving/x/")
    forgiving.open()
    answers = told(forgiving.send(text('{"number": 3}'), text('"three"'), text('{"number": 4}')))
    assert answers == [{"half": 1.5}, {"error": "send a number"}, {"half": 2.0}]

    quiz = FakeProxy("/Quiz/x/")
    quiz.open()
    assert told(quiz.send(text('"42"'), text('"41"'))) == [1, 1]
    assert told(quiz.send(text('"42"'))) == [2]

    versioned = FakeProxy("/Versioned/x/", sec_websocket_protocol="chat.v1, chat.v3").open()
    assert sent(events_of(versioned)) == [b"we speak chat.v1"]
    assert versioned["Sec-WebSocket-Protocol"] == "chat.v1"

    assistant = FakeProxy("/Assistant/x/")
    assistant.open()
    assistant.send(text('"why"'))
    for thread in threading.enumerate():
        if getattr(thread, "_target", None) is page.answer:
            thread.join(timeout=60)
    messages = [item["formats"]["ws-message"] for item in recorder.items]
    assert [json.loads(message["content"])["word"] for message in messages[:-1]] == ["You", "asked:", "why"]
    assert messages[-1] == {"action": "close", "code": 1000, "reason": "that is all"}


def test_the_views_of_the_page_on_streams_work(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("stream.md")
    page.urlpatterns.append(path("tail/", page.Tail.as_view()))
    opened = get("/logs/web1/")
    assert (body(opened), channels(opened)) == ("[stream open]\n", ["log:web1"])
    Client().post("/logs/web1/", "hello", content_type="text/plain")
    Client().post("/logs/web1/", {"message": "from a form"})
    assert [formats["http-stream"]["content"] for formats in recorder.formats("log:web1")] == [
        "hello\n",
        "from a form\n",
    ]
    refused = get("/tail/")
    assert (refused.status_code, "Grip-Hold" in refused) == (400, False)
    assert body(get("/tail/?since=0")) == "line 0\nline 1\nline 2\n"


def test_the_views_of_the_page_on_event_streams_work(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("event-stream.md")
    page.urlpatterns.append(path("news/", page.News.as_view()))
    for number in range(3):
        page.News.add(number, f"news {number}")
    assert "id: 2" in recorder.formats("news")[2]["http-stream"]["content"]
    missed = body(get("/news/", last_event_id="0"))
    assert [line for line in missed.splitlines() if line.startswith("id")] == ["id: 1", "id: 2"]
    assert body(get("/news/", last_event_id="2")) == ""
    assert body(get("/news/", last_event_id="unknown")).startswith("event: reset\n")


def test_the_views_of_the_page_on_long_polls_work(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("long-poll.md")
    first = get("/docs/7/")
    assert (first.json(), first["ETag"]) == ({"text": ""}, '"0"')
    assert get("/docs/7/", if_none_match='"0"')["Grip-Hold"] == "response"
    page.save(7, "new")
    assert recorder.formats("doc:7") == [{"http-response": {"action": "hint"}}]
    second = get("/docs/7/", if_none_match='"0"')
    assert (second.json(), second["ETag"]) == ({"text": "new"}, '"1"')


def test_the_function_views_of_their_page_work(open_page: OpenPage, recorder: Recorder) -> None:
    page = open_page("procedural.md")
    plain = ("feed", "feed_with_keep_alive", "wait", "give", "chat", "tail", "write", "lines", "echo")
    page.urlpatterns = [path(f"{name}/", getattr(page, name)) for name in plain]
    page.urlpatterns.append(path("pages/<int:number>/", page.pages))

    assert get("/feed/")["Grip-Hold"] == "stream"
    assert "timeout=20" in get("/feed_with_keep_alive/")["Grip-Keep-Alive"]
    held = get("/wait/")
    assert (held["Grip-Hold"], held["Grip-Timeout"], body(held)) == ("response", "30", "nothing yet\n")
    get("/give/")
    assert recorder.formats("answers") == [{"http-response": {"body": "here it is\n"}}]
    ws = FakeProxy("/echo/")
    ws.open()
    assert sent(events_of(ws.send(text("hello")))) == [b"hello"]
    assert [body(get(f"/pages/{number}/")) for number in (1, 2, 3)] == ["page 1\n", "page 2\n", "page 3\n"]
    assert "/pages/2/" in get("/pages/1/")["Grip-Link"]
    assert "Grip-Link" not in get("/pages/3/")

    client = Client()
    client.force_login(User.objects.create_user("ada"))
    assert client.get("/chat/", headers=proxied())["Grip-Set-Meta"] == 'user="ada"'
    opened = client.get("/tail/", headers=proxied())
    assert body(opened) == "[open]\n"
    link = opened["Grip-Link"].partition("<")[2].partition(">")[0]
    fetched = get(link)
    assert (fetched.status_code, body(fetched), fetched["Grip-Hold"]) == (200, "", "stream")

    Client().post("/write/", {"line": "one"})
    Client().post("/write/", {"line": "two"})
    assert [(item["id"], item["prev-id"]) for item in recorder.items if item["channel"] == "lines"] == [
        ("1", "0"),
        ("2", "1"),
    ]
    fresh = get("/lines/")
    assert (body(fresh), fresh["Grip-Channel"]) == ("", "lines; prev-id=2")
    link = fresh["Grip-Link"].partition("<")[2].partition(">")[0]
    assert body(get(link, grip_last="lines; last-id=1")) == "two\n"


def test_the_room_beside_the_consumer_works(open_page: OpenPage, recorder: Recorder) -> None:
    open_page("from-channels.md")
    ws = FakeProxy("/rooms/lobby/")
    ws.open()
    ws.send(text('{"text": "hi"}'))
    (formats,) = recorder.formats("room:lobby")
    assert json.loads(formats["ws-message"]["content"]) == {"nick": "guest", "text": "hi"}


def test_a_function_view_without_the_decorator_is_told_by_the_page_what_it_got(open_page: OpenPage) -> None:
    page = open_page("reference.md")
    request = RequestFactory().get("/")
    page.urlpatterns = [path("", page.view)]
    assert body(get("/")) == "True"
    assert not hasattr(request, "grip")
