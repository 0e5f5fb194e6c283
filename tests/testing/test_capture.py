"""What is published can be looked at, with and without connections."""

from __future__ import annotations

import threading

import pytest
from django.db import transaction

from django_grip import (
    Channel,
    Event,
    HttpResponseFormat,
    HttpStreamFormat,
    Item,
    WebSocketMessageFormat,
    apublish,
    publish,
)
from django_grip.exceptions import ChannelNameError
from django_grip.testing import Captured, Published, capture_publishes
from django_grip.views import WebSocketView


def test_an_event_is_captured_for_every_transport(published):
    publish("news", Event({"a": 1}, event="added"), meta={"sender": "x"})
    (entry,) = published
    assert entry == Published(
        channel="news",
        websocket='{"event":"added","data":{"a":1}}',
        stream='event: added\ndata: {"a":1}\n\n',
        response=None,
        actions={"websocket": "send", "stream": "send", "response": "hint"},
        id=None,
        prev_id=None,
        meta={"sender": "x"},
    )
    assert entry.json() == {"event": "added", "data": {"a": 1}}


@pytest.mark.parametrize(
    ("formats", "field", "content"),
    [
        (WebSocketMessageFormat("ü"), "websocket", "ü"),
        (WebSocketMessageFormat(b"\xff", binary=True), "websocket", b"\xff"),
        (WebSocketMessageFormat(b"text", binary=True), "websocket", b"text"),
        (HttpStreamFormat("ü\n"), "stream", "ü\n"),
        (HttpStreamFormat(b"\xff"), "stream", b"\xff"),
        (HttpResponseFormat(body="ü"), "response", "ü"),
        (HttpResponseFormat(body=b"\xff"), "response", b"\xff"),
    ],
)
def test_contents_are_text_or_bytes(published, formats, field, content):
    publish("x", formats)
    others = {"websocket", "stream", "response"} - {field}
    assert getattr(published[0], field) == content
    assert [getattr(published[0], name) for name in others] == [None, None]


@pytest.mark.parametrize(
    ("formats", "actions"),
    [
        (WebSocketMessageFormat(action="close", code=4000), {"websocket": "close"}),
        (WebSocketMessageFormat(action="refresh"), {"websocket": "refresh"}),
        (HttpStreamFormat(close=True), {"stream": "close"}),
        ([HttpStreamFormat(action="hint"), HttpResponseFormat(action="hint")], {"stream": "hint", "response": "hint"}),
    ],
)
def test_what_is_to_be_done_is_told(published, formats, actions):
    publish("x", formats)
    assert published[0].actions == actions
    with pytest.raises(AssertionError, match="has no content"):
        published[0].json()


@pytest.mark.parametrize(
    ("formats", "data"),
    [
        (WebSocketMessageFormat('{"a":1}'), {"a": 1}),
        (HttpStreamFormat('data: {"a":1}\n\n'), {"a": 1}),
        (HttpStreamFormat('{"a":1}\n'), {"a": 1}),
        (HttpResponseFormat(body='{"a":1}'), {"a": 1}),
    ],
)
def test_json_is_decoded_wherever_it_is(published, formats, data):
    publish("x", formats)
    assert published[0].json() == data


def test_ids_are_those_that_were_given(published):
    publish("x", HttpStreamFormat("a"))
    publish("x", HttpStreamFormat("a"), id="2", prev_id=1)
    publish("x", Item(HttpStreamFormat("a"), id="3", no_seq=True))
    assert [(entry.id, entry.prev_id) for entry in published] == [(None, None), ("2", "1"), ("3", None)]


def test_the_list_tells_channels_and_picks_one(published, settings):
    settings.GRIP_PREFIX = "site-"
    publish("a", HttpStreamFormat("1"))
    publish("b", HttpStreamFormat("2"), blocking=True)
    publish("a", HttpStreamFormat("3"))
    assert published.channels == ["a", "b", "a"]
    assert [entry.stream for entry in published.on("a")] == ["1", "3"]
    assert published.on("c") == []


def test_an_entry_shows_what_it_carries(published):
    publish("a", [WebSocketMessageFormat("x"), HttpStreamFormat(close=True)])
    assert repr(published[0]) == "<Published on 'a': websocket 'x', stream 'close'>"


def test_what_cannot_be_published_is_refused_as_ever(published):
    with pytest.raises(ChannelNameError):
        publish("a,b", HttpStreamFormat("x"))
    assert published == []


def test_a_capture_begins_and_ends_with_its_block():
    publishes = capture_publishes()
    with publishes as outer:
        publish("a", HttpStreamFormat("x"))
        with publishes as inner:
            publish("b", HttpStreamFormat("x"))
        publish("c", HttpStreamFormat("x"))
    publish("d", HttpStreamFormat("x"))
    assert (outer.channels, inner.channels) == (["a", "b", "c"], ["b"])


def test_what_is_captured_still_arrives(route, grip_client, published):
    class View(WebSocketView):
        channels = ["all"]

        def on_message(self, message):
            self.publish(message)

    route("ws/", View)
    with grip_client.websocket("/ws/") as ws:
        ws.send("x")
        assert ws.receive() == published[0].websocket == "x"


def test_what_threads_publish_is_captured(published):
    thread = threading.Thread(target=publish, args=["x", HttpStreamFormat("x")])
    thread.start()
    thread.join()
    assert published.channels == ["x"]


async def test_what_async_code_publishes_is_captured(published):
    publication = await apublish("x", HttpStreamFormat("x"))
    assert (publication.done(), published.channels) == (True, ["x"])


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_a_commit_is_captured_then(published):
    with transaction.atomic():
        publish("x", HttpStreamFormat("x"), on_commit=True)
        assert published == []
    assert published.channels == ["x"]


@pytest.mark.django_db
def test_callbacks_that_run_behind_the_capture_find_a_publisher(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), capture_publishes() as published:
        publish("x", HttpStreamFormat("x"), on_commit=True)
    assert published == []


@capture_publishes()
def test_a_decorated_test_gets_the_list_last(published):
    assert type(published) is Captured
    publish("x", HttpStreamFormat("x"))
    assert published.channels == ["x"]


@pytest.mark.parametrize("name", ["a", "b"])
@capture_publishes()
async def test_an_async_test_can_be_decorated(name, captured):
    await apublish(name, HttpStreamFormat("x"))
    assert captured.channels == [name]


@pytest.mark.parametrize("wrong", [Channel, lambda: None, 5])
def test_only_functions_that_take_the_list_are_decorated(wrong):
    with pytest.raises(TypeError, match=r"capture_publishes\(\) decorates test functions that take the list as their"):
        capture_publishes()(wrong)
