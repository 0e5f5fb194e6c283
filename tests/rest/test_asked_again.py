"""Who asks is asked again: at each message, at each tick of a WebSocket, at each fetch of a stream's link.

Each way to authenticate is one object below. What a client has once been let in by, it is let in by until it is
revoked, and no longer, on every transport that it fits.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

import jwt.api_jwt
import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.tokens import AccessToken

from django_grip.testing import GripClient, Stream, WebSocket

from .auth_project import QueryKeyAuthentication
from .models import Ticket

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/event-stream"}
LIST = {"action": "list", "ref": 1}


@pytest.fixture(autouse=True)
def auth_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.auth_project"


@pytest.fixture(autouse=True)
def no_revoked_keys() -> None:
    QueryKeyAuthentication.revoked.clear()


class Someone:
    """A user with credentials of all kinds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str = "ann") -> None:
        self.user = User.objects.create_user(name, password="secret")
        self.client = GripClient()
        self.token = Token.objects.create(user=self.user).key
        self.jwt = str(AccessToken.for_user(self.user))
        self.basic = "Basic " + base64.b64encode(f"{name}:secret".encode()).decode()
        self._monkeypatch = monkeypatch

    def log_in(self) -> GripClient:
        self.client.force_login(self.user)
        return self.client

    # -- what may happen to a user ---------------------------------------------------------------------------------

    def keep(self) -> None:
        """Nothing that matters: a field of the user changes."""
        User.objects.filter(pk=self.user.pk).update(first_name="Ann")

    def end_session(self) -> None:
        assert Session.objects.all().delete()[0] == 1

    def log_out(self) -> None:
        self.client.logout()

    def change_password(self) -> None:
        self.user.set_password("another")
        self.user.save()

    def deactivate(self) -> None:
        User.objects.filter(pk=self.user.pk).update(is_active=False)

    def delete_token(self) -> None:
        Token.objects.all().delete()

    def revoke_key(self) -> None:
        QueryKeyAuthentication.revoked.add(self.user.username)

    def let_jwt_expire(self) -> None:
        class Later(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
                return datetime.datetime.now(tz) + datetime.timedelta(minutes=6)

        self._monkeypatch.setattr(jwt.api_jwt, "datetime", Later)


@pytest.fixture
def someone(monkeypatch: pytest.MonkeyPatch) -> Someone:
    return Someone(monkeypatch)


# -- how a stream is opened --------------------------------------------------------------------------------------------


def stream_by_session(someone: Someone) -> Stream:
    return someone.log_in().stream("/api/session/", headers=STREAM)


def stream_by_token(someone: Someone) -> Stream:
    return someone.client.stream("/api/token/", headers={**STREAM, "Authorization": f"Token {someone.token}"})


def stream_by_jwt(someone: Someone) -> Stream:
    return someone.client.stream("/api/jwt/", headers={**STREAM, "Authorization": f"Bearer {someone.jwt}"})


def stream_by_stateless_jwt(someone: Someone) -> Stream:
    return someone.client.stream("/api/stateless/", headers={**STREAM, "Authorization": f"Bearer {someone.jwt}"})


def stream_by_basic(someone: Someone) -> Stream:
    return someone.client.stream("/api/basic/", headers={**STREAM, "Authorization": someone.basic})


def stream_by_query_key(someone: Someone) -> Stream:
    return someone.client.stream(f"/api/query/?key={someone.user.username}", headers=STREAM)


def stream_by_certificate(someone: Someone) -> Stream:
    return someone.client.stream("/api/certificate/", headers={**STREAM, "X-Client-Name": someone.user.username})


def stream_by_key_header(someone: Someone) -> Stream:
    return someone.client.stream("/api/keyheader/", headers={**STREAM, "X-Client-Name": someone.user.username})


def _by_ticket(someone: Someone, path: str, **headers: str) -> Stream:
    response = someone.client.post("/api/ticket/", {"path": path}, headers=headers)
    # As from a page of another site: without cookies.
    return GripClient().stream(f"{path}?ticket={response.json()['ticket']}", headers=STREAM)


def stream_by_ticket_of_a_session(someone: Someone) -> Stream:
    someone.log_in()
    return _by_ticket(someone, "/api/token/")


def stream_by_ticket_of_a_token(someone: Someone) -> Stream:
    return _by_ticket(someone, "/api/token/", Authorization=f"Token {someone.token}")


def stream_by_ticket_of_a_jwt(someone: Someone) -> Stream:
    return _by_ticket(someone, "/api/jwt/", Authorization=f"Bearer {someone.jwt}")


def stream_by_ticket_of_a_password(someone: Someone) -> Stream:
    return _by_ticket(someone, "/api/basic/", Authorization=someone.basic)


# -- how a WebSocket is opened -----------------------------------------------------------------------------------------


def socket_by_session(someone: Someone) -> WebSocket:
    return someone.log_in().websocket("/api/session/", subprotocols=["grip.live"])


def socket_by_token(someone: Someone) -> WebSocket:
    headers = {"Authorization": f"Token {someone.token}"}
    return someone.client.websocket("/api/token/", subprotocols=["grip.live"], headers=headers)


def socket_by_jwt(someone: Someone) -> WebSocket:
    headers = {"Authorization": f"Bearer {someone.jwt}"}
    return someone.client.websocket("/api/jwt/", subprotocols=["grip.live"], headers=headers)


def socket_by_stateless_jwt(someone: Someone) -> WebSocket:
    headers = {"Authorization": f"Bearer {someone.jwt}"}
    return someone.client.websocket("/api/stateless/", subprotocols=["grip.live"], headers=headers)


def socket_by_bearer_token(someone: Someone) -> WebSocket:
    return someone.client.websocket("/api/token/", subprotocols=["grip.live", f"bearer.{someone.token}"])


def socket_by_bearer_jwt(someone: Someone) -> WebSocket:
    return someone.client.websocket("/api/jwt/", subprotocols=[f"bearer.{someone.jwt}", "grip.live"])


def socket_by_bearer_token_where_both_are_known(someone: Someone) -> WebSocket:
    return someone.client.websocket("/api/either/", subprotocols=["grip.live", f"bearer.{someone.token}"])


def socket_by_bearer_jwt_where_both_are_known(someone: Someone) -> WebSocket:
    return someone.client.websocket("/api/either/", subprotocols=["grip.live", f"bearer.{someone.jwt}"])


def socket_by_basic(someone: Someone) -> WebSocket:
    return someone.client.websocket("/api/basic/", subprotocols=["grip.live"], headers={"Authorization": someone.basic})


def socket_by_query_key(someone: Someone) -> WebSocket:
    return someone.client.websocket(f"/api/query/?key={someone.user.username}", subprotocols=["grip.live"])


def socket_by_certificate(someone: Someone) -> WebSocket:
    headers = {"X-Client-Name": someone.user.username}
    return someone.client.websocket("/api/certificate/", subprotocols=["grip.live"], headers=headers)


class Case(NamedTuple):
    """A way to open a connection, and what revokes it."""

    opening: Callable[[Someone], Any]
    revocation: Callable[[Someone], None]


def cases(table: dict[Callable[[Someone], Any], list[Callable[[Someone], None]]]) -> Any:
    found = [Case(opening, revocation) for opening, revocations in table.items() for revocation in revocations]
    return pytest.mark.parametrize(
        "case", found, ids=[f"{case.opening.__name__}-{case.revocation.__name__}" for case in found]
    )


_SESSION = [Someone.end_session, Someone.log_out, Someone.change_password, Someone.deactivate]
_TOKEN = [Someone.delete_token, Someone.deactivate]
_JWT = [Someone.let_jwt_expire, Someone.deactivate]

STREAMS = {
    stream_by_session: _SESSION,
    stream_by_token: _TOKEN,
    stream_by_jwt: _JWT,
    stream_by_stateless_jwt: [Someone.let_jwt_expire],
    stream_by_basic: [Someone.change_password, Someone.deactivate],
    stream_by_query_key: [Someone.revoke_key],
    stream_by_certificate: [Someone.change_password, Someone.deactivate],
    stream_by_key_header: [],
    stream_by_ticket_of_a_session: _SESSION,
    stream_by_ticket_of_a_token: _TOKEN,
    stream_by_ticket_of_a_jwt: _JWT,
    stream_by_ticket_of_a_password: [Someone.change_password, Someone.deactivate],
}

SOCKETS = {
    socket_by_session: _SESSION,
    socket_by_token: _TOKEN,
    socket_by_jwt: _JWT,
    socket_by_stateless_jwt: [Someone.let_jwt_expire],
    socket_by_bearer_token: _TOKEN,
    socket_by_bearer_jwt: _JWT,
    socket_by_bearer_token_where_both_are_known: _TOKEN,
    socket_by_bearer_jwt_where_both_are_known: _JWT,
    socket_by_basic: [Someone.change_password, Someone.deactivate],
    socket_by_query_key: [Someone.revoke_key],
    socket_by_certificate: [],
}


@pytest.mark.parametrize("opening", STREAMS)
def test_a_stream_stays_open_while_its_user_may_have_it(opening: Callable[[Someone], Stream], someone: Someone) -> None:
    stream = opening(someone)
    assert stream.receive_event().json() == {"action": "snapshot", "data": []}
    for seconds in (2, 60, 61, 61):
        stream.client.advance(seconds)
        someone.keep()
        assert stream.held
    assert "data:" not in stream.read()


@cases(STREAMS)
def test_a_stream_ends_when_its_user_may_not(case: Case, someone: Someone) -> None:
    stream = case.opening(someone)
    stream.client.advance(2)
    case.revocation(someone)
    assert stream.held
    stream.client.advance(61)
    assert stream.ended


@cases(STREAMS)
def test_a_stream_ends_at_its_first_link_too(case: Case, someone: Someone) -> None:
    stream = case.opening(someone)
    case.revocation(someone)
    stream.client.advance(2)
    assert stream.ended


@pytest.mark.parametrize("opening", SOCKETS)
def test_a_websocket_stays_open_while_its_user_may_have_it(
    opening: Callable[[Someone], WebSocket], someone: Someone
) -> None:
    socket = opening(someone)
    assert socket.accepted
    assert socket.subprotocol == "grip.live"
    assert socket.receive_json()["action"] == "subscribed"
    for _ in range(3):
        socket.client.advance(61)
        someone.keep()
        socket.send_json(LIST)
        assert socket.receive_json() == {"type": "response", "ref": 1, "status": 200, "data": []}


@cases(SOCKETS)
def test_a_websocket_is_closed_at_the_next_message(case: Case, someone: Someone) -> None:
    socket = case.opening(someone)
    socket.receive_json()
    case.revocation(someone)
    socket.send_json({"action": "create", "ref": 1, "data": {"title": "by nobody"}})
    assert (socket.receive_all(), socket.close_code) == ([], 4401)
    assert not Ticket.objects.exists()


@cases(SOCKETS)
def test_a_silent_websocket_is_closed_at_the_next_tick(case: Case, someone: Someone) -> None:
    socket = case.opening(someone)
    socket.receive_json()
    case.revocation(someone)
    assert not socket.closed
    socket.client.advance(61)
    assert (socket.receive_all(), socket.close_code) == ([], 4401)


def test_a_websocket_api_view_asks_a_jwt_again(someone: Someone) -> None:
    room = someone.client.websocket("/room/a/", subprotocols=["x", f"bearer.{someone.jwt}"])
    room.client.advance(61)
    room.send_json({"do": "join", "channel": "b"})
    assert not room.closed
    someone.let_jwt_expire()
    room.send_json({"do": "join", "channel": "c"})
    assert room.close_code == 4401


# -- what is not who: permissions --------------------------------------------------------------------------------------


@pytest.fixture
def permission(someone: Someone) -> Permission:
    permission = Permission.objects.get(codename="view_ticket")
    someone.user.user_permissions.add(permission)
    return permission


def test_a_revoked_permission_ends_all_of_a_users_connections(someone: Someone, permission: Permission) -> None:
    headers = {"Authorization": f"Token {someone.token}"}
    socket = someone.client.websocket("/api/permitted/", subprotocols=["grip.live"], headers=headers)
    silent = someone.client.websocket("/api/permitted/", subprotocols=["grip.live", f"bearer.{someone.token}"])
    stream = someone.client.stream("/api/permitted/", headers={**STREAM, **headers})
    assert socket.receive_json()["action"] == silent.receive_json()["action"] == "subscribed"
    someone.client.advance(2)
    assert stream.held
    someone.user.user_permissions.remove(permission)
    socket.send_json(LIST)
    assert (socket.receive_all(), socket.close_code) == ([], 4403)
    someone.client.advance(61)
    assert (silent.receive_all(), silent.close_code) == ([], 4403)
    assert stream.ended


# -- what was one user's does not become another's ---------------------------------------------------------------------


def test_a_token_that_becomes_anothers_ends_the_websocket(someone: Someone, monkeypatch: pytest.MonkeyPatch) -> None:
    other = User.objects.create_user("bob")
    socket = socket_by_token(someone)
    socket.receive_json()
    Token.objects.update(user=other)
    socket.send_json(LIST)
    assert (socket.receive_all(), socket.close_code) == ([], 4401)


def test_a_public_stream_of_a_revoked_token_does_not_go_on_as_anonymous(someone: Someone) -> None:
    stream = someone.client.stream("/api/public/", headers={**STREAM, "Authorization": f"Token {someone.token}"})
    someone.client.advance(2)
    assert stream.held
    someone.delete_token()
    someone.client.advance(61)
    assert stream.ended


def test_a_public_websocket_of_a_revoked_session_does_not_go_on_as_anonymous(someone: Someone) -> None:
    socket = someone.log_in().websocket("/api/public/", subprotocols=["grip.live"])
    socket.receive_json()
    someone.end_session()
    socket.send_json(LIST)
    assert (socket.receive_all(), socket.close_code) == ([], 4401)


def test_a_public_stream_of_nobody_stays_open() -> None:
    client = GripClient()
    stream = client.stream("/api/public/", headers=STREAM)
    client.advance(2)
    client.advance(61)
    assert stream.held
