"""`close_subscribers` and its async twin: whose connections they end, and how."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.test import TestCase

from django_grip.exceptions import ChannelNameError
from django_grip.rest import aclose_subscribers, close_subscribers
from django_grip.rest.channels import list_channel, pair_channel, user_channel
from django_grip.testing import GripClient, capture_publishes

from .auth_project import SessionViewSet

STREAM = {"Accept": "text/event-stream"}
CHANNEL = list_channel(SessionViewSet)


@pytest.fixture(autouse=True)
def auth_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.auth_project"


@pytest.mark.parametrize(
    ("user", "channel", "found"),
    [
        (7, None, user_channel(7)),
        ("7", None, user_channel(7)),
        (0, None, user_channel(0)),
        (User(pk=7), None, user_channel(7)),
        (User(pk=7), "a:b", pair_channel(7, "a:b")),
        (None, "a:b", "a:b"),
    ],
)
def test_the_channel_is_that_of_exactly_those(user: Any, channel: str | None, found: str) -> None:
    with capture_publishes() as published:
        close_subscribers(user=user, channel=channel, on_commit=False)
    assert published.channels == [found]


def test_neither_user_nor_channel_is_nobody() -> None:
    with pytest.raises(TypeError, match=r"close_subscribers\(\) needs user=, channel=, or both"):
        close_subscribers()


@pytest.mark.parametrize(
    "user", [User(), AnonymousUser(), True, "", User, User.objects.none(), User.objects, [7], (7,), {"pk": 7}, b"7"]
)
def test_a_user_who_is_none_is_refused(user: Any) -> None:
    with pytest.raises(TypeError, match="takes for user= one that is stored, or its primary key"):
        close_subscribers(user=user)


def test_a_channel_that_is_none_is_refused() -> None:
    with capture_publishes(), pytest.raises(ChannelNameError):
        close_subscribers(channel="a,b")


class Users:
    """Two users with all three kinds of connections to the list that everybody hears of."""

    def __init__(self) -> None:
        self.users = [User.objects.create_user(name) for name in ("ann", "bob")]
        self.clients = [GripClient() for _ in self.users]
        for client, user in zip(self.clients, self.users, strict=True):
            client.force_login(user)
        self.sockets = [client.websocket("/api/session/", subprotocols=["grip.live"]) for client in self.clients]
        self.streams = [client.stream("/api/session/", headers=STREAM) for client in self.clients]
        self.polls = [self._poll(client) for client in self.clients]

    def _poll(self, client: GripClient) -> Any:
        etag = client.get("/api/session/")["ETag"]
        return client.longpoll("/api/session/", headers={"If-None-Match": etag, "Prefer": "wait=60"})

    def look(self) -> list[tuple[int | None, bool]]:
        """For each user: how the WebSocket was closed, and whether the stream has ended."""
        return [(socket.close_code, stream.ended) for socket, stream in zip(self.sockets, self.streams, strict=True)]


@pytest.fixture
def users(db: None) -> Users:
    users = Users()
    assert users.look() == [(None, False), (None, False)]
    assert all(connection.held for connection in [*users.streams, *users.polls])
    return users


def close(**options: Any) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        close_subscribers(**options)


def test_a_users_connections_end_and_nobody_elses(users: Users) -> None:
    close(user=users.users[0])
    assert users.look() == [(4401, True), (None, False)]
    assert users.sockets[0].close_reason == "log in again"


def test_a_channels_connections_end_for_everybody(users: Users) -> None:
    close(channel=CHANNEL)
    assert users.look() == [(4403, True), (4403, True)]
    assert users.sockets[0].close_reason == "not permitted"


def test_a_users_connections_to_one_channel_end_and_no_others(users: Users) -> None:
    other = users.clients[0].websocket("/api/token/", subprotocols=["grip.live"])
    close(user=users.users[0].pk, channel=CHANNEL)
    assert users.look() == [(4403, True), (None, False)]
    assert not other.closed
    close(user=users.users[0].pk)
    assert other.close_code == 4401


def test_another_channel_ends_nothing(users: Users) -> None:
    close(channel=CHANNEL + "x")
    close(user=users.users[0], channel=CHANNEL + "x")
    close(user=999_999)
    assert users.look() == [(None, False), (None, False)]


def test_a_long_poll_asks_again_and_waits_on_if_it_may(users: Users) -> None:
    close(user=users.users[0])
    assert users.polls[0].held
    User.objects.filter(pk=users.users[0].pk).update(is_active=False)
    close(user=users.users[0])
    assert not users.polls[0].held
    assert users.polls[0].status_code == 403
    assert users.polls[1].held


def test_who_may_still_come_in_comes_back(users: Users) -> None:
    close(user=users.users[0])
    with users.clients[0].websocket("/api/session/", subprotocols=["grip.live"]) as socket:
        assert socket.receive_json()["action"] == "subscribed"


def test_it_waits_for_the_transaction_that_revokes(users: Users) -> None:
    with TestCase.captureOnCommitCallbacks() as callbacks:
        publication = close_subscribers(user=users.users[0])
    assert users.look() == [(None, False), (None, False)]
    assert not publication.done()
    (commit,) = callbacks
    commit()
    assert users.look() == [(4401, True), (None, False)]
    assert publication.done()


def test_it_does_nothing_when_that_is_rolled_back(users: Users) -> None:
    def revoke_and_fail() -> None:
        with transaction.atomic():
            close_subscribers(user=users.users[0])
            raise ZeroDivisionError

    with TestCase.captureOnCommitCallbacks(execute=True), pytest.raises(ZeroDivisionError):
        revoke_and_fail()
    assert users.look() == [(None, False), (None, False)]


def test_it_does_not_wait_where_it_shall_not(users: Users) -> None:
    close_subscribers(user=users.users[0], on_commit=False)
    assert users.look() == [(4401, True), (None, False)]


def test_one_item_is_published_for_every_transport(users: Users) -> None:
    with capture_publishes() as published:
        close(user=users.users[0])
    (item,) = published
    assert item.channel == user_channel(users.users[0].pk)
    assert item.actions == {"websocket": "close", "stream": "close", "response": "hint"}


def test_websocket_api_views_are_found_too(users: Users) -> None:
    rooms = [client.websocket("/room/a/") for client in users.clients]
    stranger = GripClient().websocket("/room/a/")
    close(user=users.users[0], channel="room:b")
    assert not any(room.closed for room in [*rooms, stranger])
    close(user=users.users[0], channel="room:a")
    assert [room.close_code for room in rooms] == [4403, None]
    close(user=users.users[1])
    assert rooms[1].close_code == 4401
    assert not stranger.closed
    close(channel="room:a")
    assert stranger.close_code == 4403


def test_they_are_found_on_channels_that_were_joined_later_and_not_on_those_left(users: Users) -> None:
    client, user = users.clients[0], users.users[0]
    joined, left = client.websocket("/room/a/"), client.websocket("/room/a/")
    for room in (joined, left):
        room.send_json({"do": "join", "channel": "extra"})
    left.send_json({"do": "leave", "channel": "extra"})
    close(user=user, channel="extra")
    assert (joined.close_code, left.close_code) == (4403, None)


async def test_the_async_twin_does_the_same_at_once() -> None:
    with capture_publishes() as published:
        publication = await aclose_subscribers(user=7, channel="a:b")
    assert publication.done()
    assert published.channels == [pair_channel(7, "a:b")]
    with pytest.raises(TypeError, match="needs user="):
        await aclose_subscribers()
