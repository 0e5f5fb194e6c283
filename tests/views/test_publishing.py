"""Publishing from a view's hooks, and to a view's clients from anywhere."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import async_to_sync

from django_grip import Event
from django_grip.exceptions import ChannelNameError, UsageError
from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

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


def test_a_message_goes_to_the_views_channel_in_its_encoding(routes, http, published):
    routes.add("ws/<room>/", Room)
    with http.websocket("/ws/a%2Cb/") as one, http.websocket("/ws/a%2Cb/") as two:
        one.send('{"a": 1}', '"two"')
        assert one.receive_all() == two.receive_all() == ['{"a":1}', '"two"']
        assert one.channels == {"room:a%2Cb"}
    assert published.channels == ["room:a%2Cb"] * 2
    assert [entry.actions for entry in published] == [{"websocket": "send"}] * 2


def test_bytes_go_as_bytes(routes, http, published):
    class View(WebSocketView):
        channels = ["all"]
        encoding = "bytes"

        def on_open(self):
            self.publish(b"\xff")

    routes.add("ws/", View)
    with http.websocket("/ws/"), http.websocket("/ws/"):
        pass
    assert [entry.websocket for entry in published] == [b"\xff"] * 2


def test_an_event_goes_to_every_transport(routes, http, published):
    class View(Room):
        def on_open(self):
            self.publish(Event({"a": 1}))

    routes.add("ws/<room>/", View)
    http.websocket("/ws/lobby/")
    (entry,) = published
    assert (entry.websocket, entry.stream, entry.response) == ('{"a":1}', 'data: {"a":1}\n\n', None)
    assert entry.actions == {"websocket": "send", "stream": "send", "response": "hint"}


@pytest.mark.parametrize(("channel", "name"), [("all", "all"), ("room:{room}", "room:lobby"), ("other", "other")])
def test_with_several_channels_one_is_named(routes, http, published, channel, name):
    class View(Two):
        def on_open(self):
            with pytest.raises(UsageError, match=r"View has 2 channels: say channel= when publishing\."):
                self.publish("lost")
            self.publish("x", channel=channel)

    routes.add("ws/<room>/", View)
    assert http.websocket("/ws/lobby/").accepted
    assert published.channels == [name]


def test_without_a_channel_there_is_none_to_publish_to(routes, http, published):
    class View(WebSocketView):
        def on_open(self):
            with pytest.raises(UsageError, match=r"View has no channel to publish to: set channels = \[.*\], or say"):
                self.publish("x")

    routes.add("ws/", View)
    assert http.websocket("/ws/").accepted


@pytest.mark.parametrize("channel", ["", "a,b", " a"])
def test_a_name_that_no_header_can_carry_is_refused(routes, http, published, channel):
    class View(WebSocketView):
        def on_open(self):
            with pytest.raises(ChannelNameError):
                self.publish("x", channel=channel)

    routes.add("ws/", View)
    assert http.websocket("/ws/").accepted


def test_computed_channels_are_asked_for_once_a_request(routes, http, published):
    class View(WebSocketView):
        def get_channels(self):
            asked.append(self.request)
            return ["computed"]

        def on_message(self, message):
            self.publish(message)

    asked = []
    routes.add("ws/", View)
    with http.websocket("/ws/") as ws:
        assert len(asked) == 1
        ws.send("a")
        assert len(asked) == 2
        ws.send("b", "c", "d")  # two requests, the second with two messages
        assert len(asked) == 4
        assert ws.receive_all() == ["a", "b", "c", "d"]
    assert published.channels == ["computed"] * 4


def test_channels_computed_by_an_async_method(routes, http, published):
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
    with http.websocket("/ws/") as ws:
        ws.send("x")
        assert ws.receive_all() == ["asked for"]
    assert [entry.websocket for entry in published] == ["known from the opening", "asked for"]
    assert published.channels == ["computed"] * 2


def test_a_client_can_be_left_out_of_what_it_says(routes, http, published):
    class View(Room):
        def on_message(self, message):
            self.publish(message, exclude_self=True, meta={"a": "b"})
            self.send(self.connection)

    routes.add("ws/<room>/", View)
    with http.websocket("/ws/lobby/") as one, http.websocket("/ws/lobby/") as two:
        one.send_json(1)
        assert (one.receive_json(), two.receive_json()) == (one.connection, 1)
        one.receive_nothing()
        assert published[0].meta == {"sender": one.connection, "a": "b"}


def test_options_are_those_of_publish(routes, http, published):
    class View(Room):
        def on_message(self, message):
            self.publish(message, id="5", prev_id="4", blocking=True, meta={"a": "b"})

    routes.add("ws/<room>/", View)
    with http.websocket("/ws/lobby/") as ws:
        ws.send_json(1)
    (entry,) = published
    assert (entry.id, entry.prev_id, entry.meta) == ("5", "4", {"a": "b"})


def test_an_async_hook_awaits_the_proxies(routes, http):
    class View(WebSocketView):
        channels = ["room:{room}"]

        async def on_message(self, message):
            publication = await self.apublish(message)
            self.send(f"{publication.done()}")

    routes.add("ws/<room>/", View)
    with http.websocket("/ws/lobby/") as ws:
        ws.send("x")
        assert ws.receive_all() == ["x", "True"]


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
    ("view", "message", "kwargs", "channel", "contents"),
    [
        (Room, {"a": 1}, {"room": "lobby"}, "room:lobby", {"websocket": '{"a":1}'}),
        (Room, {"a": 1}, {"room": 5, "other": "ignored"}, "room:5", {"websocket": '{"a":1}'}),
        (Room, "x", {"room": "5:admin"}, "room:5%3Aadmin", {"websocket": '"x"'}),
        (Two, "x", {"channel": "all"}, "all", {"websocket": "x"}),
        (Two, "x", {"channel": "room:{room}", "room": "a"}, "room:a", {"websocket": "x"}),
        (Log, "line\n", {}, "log", {"stream": "line\n"}),
        (Log, b"\xff", {}, "log", {"stream": b"\xff"}),
        (Ticker, {"p": 1}, {"symbol": "A"}, "ticker:A", {"stream": 'data: {"p":1}\n\n'}),
        (Ticker, "a\nb", {"symbol": "A"}, "ticker:A", {"stream": "data: a\ndata: b\n\n"}),
        (
            Ticker,
            Event(1, event="e", id="7"),
            {"symbol": "A"},
            "ticker:A",
            {
                "stream": "event: e\nid: 7\ndata: 1\n\n",
                "websocket": '{"event":"e","data":1,"id":"7"}',
                "response": None,
            },
        ),
    ],
)
def test_broadcast_reaches_everybody_on_a_views_channel(broadcast, published, view, message, kwargs, channel, contents):
    assert broadcast(view, message, **kwargs).done()
    (entry,) = published
    assert entry.channel == channel
    assert {name: getattr(entry, name) for name in entry.actions} == contents


def test_broadcast_hands_options_on(broadcast, published):
    broadcast(Room, "x", room="lobby", options={"id": "7"})
    assert published[0].id == "7"


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
    assert published == []


@pytest.mark.parametrize("change", [lambda view, **kwargs: view.changed(**kwargs), None], ids=["changed", "achanged"])
def test_a_changed_resource_hints_that_clients_ask_again(published, change):
    class Document(LongPollView):
        channels = ["doc:{pk}"]

    async def achanged(view, **kwargs):
        return await view.achanged(**kwargs)

    change = change or (lambda view, **kwargs: asyncio.run(achanged(view, **kwargs)))
    change(Document, pk=7)
    change(Document, channel="doc:8", options={"id": "5"})
    assert [(entry.channel, entry.actions) for entry in published] == [
        ("doc:7", {"response": "hint"}),
        ("doc:8", {"response": "hint"}),
    ]
    assert published[1].id == "5"


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
    ann, bob = make_session(make_user("ann", pk=3)), make_session(make_user("bob", pk=4))
    http.cookies["sessionid"] = bob
    with http.stream("/log/a/") as bobs:
        http.cookies["sessionid"] = ann
        with http.stream("/log/a/") as anns:
            assert http.post("/log/a/", "hello", content_type="text/plain").status_code == 204
            assert (anns.read(), bobs.read()) == ("", "hello\n")
    assert published[0].meta == {"sender": "user:3"}


def test_an_anonymous_client_cannot_be_left_out_of_a_stream(routes, http, published):
    class View(StreamView):
        channels = ["log"]

        def on_message(self, message):
            with pytest.raises(UsageError, match="exclude_self on a stream needs a user that is logged in"):
                self.publish(message, exclude_self=True)

    routes.add("log/", View)
    assert http.post("/log/", "hello", content_type="text/plain").status_code == 204
