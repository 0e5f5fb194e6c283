"""A client chooses its URL so as to read, or write to, channels that are not its own."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest
from django.urls import path as url_path

from django_grip.views import EventStreamView, LongPollView, StreamView, WebSocketView

from ..fake_proxy import controls, events_of, proxied

# What is in the path, and the value that a template's field gets.
PATHS = [
    ("5", "5"),
    ("5:admin", "5%3Aadmin"),
    ("a%2Cb", "a%2Cb"),
    ("a,b", "a%2Cb"),
    ("a%252Cb", "a%252Cb"),
    ("a;filter=skip-self", "a%3Bfilter=skip-self"),
    ("a%3Bprev-id=1", "a%3Bprev-id=1"),
    ("%22a%22", "%22a%22"),
    ("%20a", " a"),
    ("a%20", "a%20"),
    ("%20", "%20"),
    ("a%0DGrip-Channel:%20admin", "a%0DGrip-Channel%3A admin"),
    ("a%00b", "a%00b"),
    ("%C3%A9", "é"),
    ("%7Bother%7D", "{other}"),
    ("..", ".."),
    ("a%2Fb", "a/b"),
]


class Socket(WebSocketView):
    channels = ["room:{room}"]


class Stream(StreamView):
    channels = ["room:{room}"]

    def on_message(self, message):
        self.publish(message)


class Events(EventStreamView):
    channels = ["room:{room}"]


class Poll(LongPollView):
    channels = ["room:{room}"]

    def get_etag(self):
        return "v1"


@pytest.mark.parametrize(("path", "value"), PATHS)
def test_a_websocket_is_subscribed_to_one_room_whatever_is_in_the_url(site, path, value):
    site.route("rooms/<path:room>/", Socket.as_view())
    response = site.connect(f"/rooms/{path}/").open()
    subscribed = [json.loads(control)["channel"] for control in controls(events_of(response)) if b'"sub' in control]
    assert [name for name in subscribed if not name.startswith("grip:")] == [f"room:{value}"]
    assert len(subscribed) == 2


@pytest.mark.parametrize(("path", "value"), PATHS)
@pytest.mark.parametrize("view", [Stream, Events, Poll])
def test_a_hold_is_on_one_room_whatever_is_in_the_url(site, view, path, value):
    site.route("rooms/<path:room>/", view.as_view(live_recheck=None))
    response = site.get(f"/rooms/{path}/", headers=proxied(if_none_match="*"))
    channels = response["Grip-Channel"].encode("latin-1").decode().split(", ")
    assert [name for name in channels if not name.startswith("grip:")] == [f"room:{value}"]
    assert "admin" not in response.headers.get("X-Injected", "")


@pytest.mark.parametrize(("path", "value"), PATHS)
def test_a_message_goes_to_one_room_whatever_is_in_the_url(site, published, path, value):
    site.route("rooms/<path:room>/", Stream.as_view())
    assert site.post(f"/rooms/{path}/", b"x", content_type="text/plain").status_code in (204, 403)
    site.settings.MIDDLEWARE = ["django_grip.GripMiddleware"]
    assert site.post(f"/rooms/{path}/", b"x", content_type="text/plain").status_code == 204
    assert set(published.channels) == {f"room:{value}"}


@pytest.mark.parametrize(("path", "value"), PATHS)
def test_who_broadcasts_reaches_the_room_of_the_same_url(published, path, value):
    """No two values of a kwarg have a name in common, so nobody is heard, or overheard, in another's room."""
    Socket.broadcast("x", room=unquote(path))
    assert published.channels == [f"room:{value}"]


def test_two_fields_cannot_be_shifted_into_each_other(published):
    class Two(WebSocketView):
        channels = ["{a}:{b}"]

    for a, b in [("x:y", "z"), ("x", "y:z"), ("x:", "y:z"), ("x%3Ay", "z"), ("x", "y%3Az"), ("", "x:y:z")]:
        Two.broadcast("x", a=a, b=b)
    assert len(set(published.channels)) == len(published.channels)


TOO_LONG = [("x" * 2000, "is 2,005 bytes long in UTF-8"), ("%E2%98%83" * 400, "is 1,205 bytes long in UTF-8")]


@pytest.mark.parametrize(("path", "text"), TOO_LONG)
def test_a_name_too_long_is_a_400_of_one_sentence(site, path, text):
    site.settings.MIDDLEWARE = ["django_grip.GripMiddleware"]
    for name, view in [("ws", Socket), ("stream", Stream), ("poll", Poll)]:
        site.route(f"{name}/<room>/", view.as_view())
    for response in (
        site.connect(f"/ws/{path}/").open(),
        site.get(f"/stream/{path}/", headers=proxied()),
        site.post(f"/stream/{path}/", b"x", content_type="text/plain"),
        site.get(f"/poll/{path}/", headers=proxied(if_none_match="*")),
    ):
        assert response.status_code == 400
        assert response.content.decode().startswith("This URL names no channel: channel name 'room:")
        assert text in response.content.decode()
        assert response.content.count(b"\n") == 1
        assert not [name for name, _ in response.items() if name.lower().startswith("grip-")]


def test_an_empty_value_is_a_400(site):
    class Bare(StreamView):
        channels = ["{room}"]

    site.urlpatterns.append(url_path("all/", Bare.as_view(), {"room": ""}))
    response = site.get("/all/", headers=proxied())
    assert (response.status_code, response.content) == (
        400,
        b"This URL names no channel: a channel name must not be empty\n",
    )


@pytest.mark.parametrize("name", ["5:admin", "a,b", "a;b", '"a"', " a", "", "a\nb", "grip:connection:t:x"])
def test_names_that_a_view_computes_are_not_mended(site, name):
    """What is put together by hand is refused where GRIP cannot carry it, and taken as it is otherwise."""

    class Computed(StreamView):
        def get_channels(self):
            return [name]

    site.route("x/", Computed.as_view(live_recheck=None))
    response = site.get("/x/", headers=proxied())
    if name in ("5:admin", "grip:connection:t:x"):
        assert response["Grip-Channel"] == name
    else:
        assert response.status_code == 400
        assert response.content.startswith(b"This URL names no channel: ")


def test_a_query_cannot_shed_the_link_by_which_a_stream_is_asked_for_again(site):
    """A link has the query in it; one that is too long for a link would leave a stream that nobody can end."""
    site.route("rooms/<room>/", Stream.as_view())
    response = site.get("/rooms/5/", query="x" * 5000, headers=proxied())
    assert (response.status_code, response.content) == (414, b"This URL is too long for a stream that stays open.\n")
