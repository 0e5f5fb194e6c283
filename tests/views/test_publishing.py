"""Publishing from a view's hooks, and to a view's clients from anywhere."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import async_to_sync

from django_grip import Event
from django_grip.exceptions import ChannelNameError, UsageError
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

from ..fake_proxy import events_of, proxied, sent, text
from .users import accounts, make_session, make_user

__all__ = ["accounts"]


class Room(WebSocketView):
    channels = ["room:{room}"]
    encoding = "json"

    def on_message(self, message):
        self.publish(message)


class Two(WebSocketView):
    channels = ["room:{room}", "all"]


# -- from a hook -------------------------------------------------------------------------------------------------------


def test_a_message_goes_to_the_views_channel_in_its_encoding(routes, connect, published):
    routes.add("ws/<room>/", Room)
    ws = connect("/ws/a%2Cb/")
    ws.open()
    ws.send(text('{"a":1}'), text('"two"'))
    assert published.channels == ["room:a%2Cb"] * 2
    assert published.of("ws-message") == [{"content": '{"a":1}'}, {"content": '"two"'}]
    assert set(published.items[0]["formats"]) == {"ws-message"}


def test_bytes_go_as_bytes(routes, connect, published):
    class View(WebSocketView):
        channels = ["all"]
        encoding = "bytes"

        def on_open(self):
            self.publish(b"\xff")

    routes.add("ws/", View)
    connect("/ws/").open()
    assert published.of("ws-message") == [{"content-bin": "/w=="}]


def test_an_event_goes_to_every_transport(routes, connect, published):
    class View(Room):
        def on_open(self):
            self.publish(Event({"a": 1}))

    routes.add("ws/<room>/", View)
    connect("/ws/lobby/").open()
    assert published.items[0]["formats"] == {
        "ws-message": {"content": '{"a":1}'},
        "http-stream": {"content": 'data: {"a":1}\n\n'},
        "http-response": {"action": "hint"},
    }


@pytest.mark.parametrize(("channel", "name"), [("all", "all"), ("room:{room}", "room:lobby"), ("other", "other")])
def test_with_several_channels_one_is_named(routes, connect, published, channel, name):
    class View(Two):
        def on_open(self):
            with pytest.raises(UsageError, match=r"View has 2 channels: say channel= when publishing\."):
                self.publish("lost")
            self.publish("x", channel=channel)

    routes.add("ws/<room>/", View)
    assert connect("/ws/lobby/").open().status_code == 200
    assert published.channels == [name]


def test_without_a_channel_there_is_none_to_publish_to(routes, connect, published):
    class View(WebSocketView):
        def on_open(self):
            with pytest.raises(UsageError, match=r"View has no channel to publish to: set channels = \[.*\], or say"):
                self.publish("x")

    routes.add("ws/", View)
    assert connect("/ws/").open().status_code == 200


@pytest.mark.parametrize("channel", ["", "a,b", " a"])
def test_a_name_that_no_header_can_carry_is_refused(routes, connect, published, channel):
    class View(WebSocketView):
        def on_open(self):
            with pytest.raises(ChannelNameError):
                self.publish("x", channel=channel)

    routes.add("ws/", View)
    assert connect("/ws/").open().status_code == 200


def test_computed_channels_are_asked_for_once_a_request(routes, connect, published):
    class View(WebSocketView):
        def get_channels(self):
            asked.append(self.request)
            return ["computed"]

        def on_message(self, message):
            self.publish(message)

    asked = []
    routes.add("ws/", View)
    ws = connect("/ws/")
    ws.open(text("a"), text("b"))
    assert len(asked) == 1
    ws.send(text("c"), text("d"))
    assert len(asked) == 2
    assert published.channels == ["computed"] * 4


def test_channels_computed_by_an_async_method(routes, connect, published):
    class View(WebSocketView):
        async def get_channels(self):
            return ["computed"]

        def on_open(self):
            self.publish("known from the opening")

        def on_message(self, message):
            with pytest.raises(
                UsageError, match=r"View.get_channels is async: await self.apublish\(\), or say channel= to publish\(\)"
            ):
                self.publish("x")
            async_to_sync(self.apublish)("asked for")

    routes.add("ws/", View)
    ws = connect("/ws/")
    assert ws.open().status_code == 200
    assert events_of(ws.send(text("x"))) == []
    assert published.messages == ["known from the opening", "asked for"]
    assert published.channels == ["computed"] * 2


def test_a_client_can_be_left_out_of_what_it_says(routes, connect, published):
    class View(Room):
        def on_message(self, message):
            self.publish(message, exclude_self=True, meta={"a": "b"})
            self.send(self.connection)

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    ws.open()
    (connection,) = sent(events_of(ws.send(text("1"))))
    assert published.items[0]["meta"] == {"sender": connection.decode().strip('"'), "a": "b"}


def test_options_are_those_of_publish(routes, connect, published):
    class View(Room):
        def on_message(self, message):
            self.publish(message, id="5", prev_id="4", blocking=True, meta={"a": "b"})

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    ws.open()
    ws.send(text("1"))
    (item,) = published.items
    assert (item["id"], item["prev-id"], item["meta"]) == ("5", "4", {"a": "b"})


def test_an_async_hook_awaits_the_proxies(connect, published, routes):
    class View(WebSocketView):
        channels = ["room:{room}"]

        async def on_message(self, message):
            publication = await self.apublish(message)
            self.send(f"{publication.done()}")

    routes.add("ws/<room>/", View)
    ws = connect("/ws/lobby/")
    ws.open()
    assert sent(events_of(ws.send(text("x")))) == [b"True"]
    assert published.messages == ["x"]


# -- from anywhere -----------------------------------------------------------------------------------------------------


async def abroadcast(view, *args, **kwargs):
    return await view.abroadcast(*args, **kwargs)


BROADCASTS = [
    lambda view, *args, **kwargs: view.broadcast(*args, **kwargs),
    lambda view, *args, **kwargs: asyncio.run(abroadcast(view, *args, **kwargs)),
]


@pytest.fixture(params=BROADCASTS, ids=["broadcast", "abroadcast"])
def broadcast(request, published):
    return request.param


class Log(StreamView):
    channels = ["log"]


class Ticker(EventStreamView):
    channels = ["ticker:{symbol}"]


@pytest.mark.parametrize(
    ("view", "message", "kwargs", "channel", "formats"),
    [
        (Room, {"a": 1}, {"room": "lobby"}, "room:lobby", {"ws-message": {"content": '{"a":1}'}}),
        (Room, {"a": 1}, {"room": 5, "other": "ignored"}, "room:5", {"ws-message": {"content": '{"a":1}'}}),
        (Room, "x", {"room": "5:admin"}, "room:5%3Aadmin", {"ws-message": {"content": '"x"'}}),
        (Two, "x", {"channel": "all"}, "all", {"ws-message": {"content": "x"}}),
        (Two, "x", {"channel": "room:{room}", "room": "a"}, "room:a", {"ws-message": {"content": "x"}}),
        (Log, "line\n", {}, "log", {"http-stream": {"content": "line\n"}}),
        (Log, b"\xff", {}, "log", {"http-stream": {"content-bin": "/w=="}}),
        (Ticker, {"p": 1}, {"symbol": "A"}, "ticker:A", {"http-stream": {"content": 'data: {"p":1}\n\n'}}),
        (Ticker, "a\nb", {"symbol": "A"}, "ticker:A", {"http-stream": {"content": "data: a\ndata: b\n\n"}}),
        (
            Ticker,
            Event(1, event="e", id="7"),
            {"symbol": "A"},
            "ticker:A",
            {
                "http-stream": {"content": "event: e\nid: 7\ndata: 1\n\n"},
                "ws-message": {"content": '{"event":"e","data":1,"id":"7"}'},
                "http-response": {"action": "hint"},
            },
        ),
    ],
)
def test_broadcast_reaches_everybody_on_a_views_channel(broadcast, published, view, message, kwargs, channel, formats):
    assert broadcast(view, message, **kwargs).done()
    (item,) = published.items
    assert (item["channel"], item["formats"]) == (channel, formats)


def test_broadcast_hands_options_on(broadcast, published):
    broadcast(Room, "x", room="lobby", options={"id": "7"})
    assert published.items[0]["id"] == "7"


class Computed(WebSocketView):
    def get_channels(self):
        return ["computed"]


@pytest.mark.parametrize(
    ("view", "message", "kwargs", "error", "text"),
    [
        (Room, "x", {}, ChannelNameError, "channel template 'room:{room}': no value for 'room'"),
        (Room, "x", {"room": None}, ChannelNameError, "the value for 'room' is None"),
        (Two, "x", {"room": "a"}, UsageError, "Two has 2 channels: say channel= when publishing."),
        (WebSocketView, "x", {}, UsageError, "WebSocketView has no channel to publish to"),
        (Computed, "x", {}, UsageError, "Computed computes its channels in get_channels: say channel= when broad"),
        (Log, {"a": 1}, {}, TypeError, "Log streams str or bytes, not dict."),
        (Two, {"a": 1}, {"channel": "all"}, TypeError, 'With encoding = "text" a message is a str, not dict'),
    ],
)
def test_what_cannot_be_broadcast_is_said_at_once(broadcast, published, view, message, kwargs, error, text):
    with pytest.raises(error) as caught:
        broadcast(view, message, **kwargs)
    assert text in str(caught.value)
    assert published.items == []


@pytest.mark.parametrize("change", [lambda view, **kwargs: view.changed(**kwargs), None], ids=["changed", "achanged"])
def test_a_changed_resource_hints_that_clients_ask_again(published, change):
    class Document(LongPollView):
        channels = ["doc:{pk}"]

    async def achanged(view, **kwargs):
        return await view.achanged(**kwargs)

    change = change or (lambda view, **kwargs: asyncio.run(achanged(view, **kwargs)))
    change(Document, pk=7)
    change(Document, channel="doc:8", options={"id": "5"})
    assert [(item["channel"], item["formats"]) for item in published.items] == [
        ("doc:7", {"http-response": {"action": "hint"}}),
        ("doc:8", {"http-response": {"action": "hint"}}),
    ]
    assert published.items[1]["id"] == "5"


def test_a_long_poll_sends_no_messages(published):
    class Document(LongPollView):
        channels = ["doc"]

    with pytest.raises(TypeError, match=r"Document sends no messages: call Document.changed\(\) when there is a new"):
        Document.broadcast("x")


# -- streams -----------------------------------------------------------------------------------------------------------


def test_a_post_publishes_to_the_stream_and_may_leave_its_user_out(routes, http, published, accounts):
    class View(StreamView):
        channels = ["log:{name}"]

        def on_message(self, message):
            self.publish(message + "\n", exclude_self=True)

    routes.add("log/<name>/", View)
    http.cookies["sessionid"] = make_session(make_user("ann", pk=3))
    opened = http.get("/log/a/", headers=proxied())
    assert opened["Grip-Channel"].startswith("log:a; filter=skip-self")
    assert opened["Grip-Set-Meta"] == 'user="user:3"'
    assert http.post("/log/a/", "hello", content_type="text/plain").status_code == 204
    (item,) = published.items
    assert (item["channel"], item["meta"]) == ("log:a", {"sender": "user:3"})
    assert item["formats"] == {"http-stream": {"content": "hello\n"}}


def test_an_anonymous_client_cannot_be_left_out_of_a_stream(routes, http, published):
    class View(StreamView):
        channels = ["log"]

        def on_message(self, message):
            with pytest.raises(UsageError, match="exclude_self on a stream needs a user that is logged in"):
                self.publish(message, exclude_self=True)

    routes.add("log/", View)
    assert http.post("/log/", "hello", content_type="text/plain").status_code == 204
