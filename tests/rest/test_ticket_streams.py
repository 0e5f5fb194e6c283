"""What a ticket opens, in the whole: from `LiveTicketView` to a stream, and what it does not open."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from rest_framework.authtoken.models import Token

from django_grip.rest.channels import user_channel
from django_grip.testing import GripClient

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/event-stream"}
PUBLIC = "/api/public/"


@pytest.fixture(autouse=True)
def auth_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.auth_project"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann", password="secret")


@pytest.fixture
def client() -> GripClient:
    """Without cookies."""
    return GripClient()


def get_ticket(user: User, path: str = PUBLIC) -> str:
    client = GripClient()
    client.force_login(user)
    ticket: str = client.post("/api/ticket/", {"path": path}).json()["ticket"]
    return ticket


def get_ticket_by_token(user: User, path: str = PUBLIC) -> str:
    headers = {"Authorization": f"Token {Token.objects.create(user=user).key}"}
    ticket: str = GripClient().post("/api/ticket/", {"path": path}, headers=headers).json()["ticket"]
    return ticket


@pytest.mark.parametrize("getter", [get_ticket, get_ticket_by_token])
def test_a_ticket_opens_its_users_stream(client: GripClient, user: User, getter: Any) -> None:
    ticket = getter(user)
    for _ in range(2):  # an EventSource that was cut off at once comes back
        stream = client.stream(f"{PUBLIC}?ticket={ticket}", headers=STREAM)
        assert stream.receive_event().json()["action"] == "snapshot"
        assert user_channel(user.pk) in stream.channels


@pytest.mark.parametrize("getter", [get_ticket, get_ticket_by_token])
def test_a_ticket_comes_before_the_cookie_of_another_user(client: GripClient, user: User, getter: Any) -> None:
    other = User.objects.create_user("bob")
    client.force_login(other)
    stream = client.stream(f"{PUBLIC}?ticket={getter(user)}", headers=STREAM)
    assert user_channel(user.pk) in stream.channels
    assert user_channel(other.pk) not in stream.channels
    client.advance(2)
    client.advance(61)
    assert stream.held
    assert user_channel(user.pk) in stream.channels


@pytest.mark.parametrize("getter", [get_ticket, get_ticket_by_token])
def test_a_ticket_comes_before_a_header(client: GripClient, user: User, getter: Any) -> None:
    other = Token.objects.create(user=User.objects.create_user("bob"))
    headers = {**STREAM, "Authorization": f"Token {other.key}"}
    stream = client.stream(f"{PUBLIC}?ticket={getter(user)}", headers=headers)
    assert user_channel(user.pk) in stream.channels


def test_a_ticket_comes_before_what_else_the_url_says(client: GripClient, user: User) -> None:
    User.objects.create_user("bob")
    headers = {"Authorization": "Basic " + b64encode(b"ann:secret").decode()}
    response = client.post("/api/ticket/", {"path": "/api/query/"}, headers=headers)
    stream = client.stream(f"/api/query/?key=bob&ticket={response.json()['ticket']}", headers=STREAM)
    assert user_channel(user.pk) in stream.channels


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (PUBLIC, {"Accept": "text/event-stream"}),
        (PUBLIC, {"Accept": "text/event-stream, */*;q=0.1"}),
        ("/api/public.sse", {}),
    ],
)
def test_whatever_is_answered_by_a_stream_takes_a_ticket(
    client: GripClient, user: User, path: str, headers: dict[str, str]
) -> None:
    assert client.stream(f"{path}?ticket={get_ticket(user, path)}", headers=headers).held


def test_the_format_parameter_may_ask_for_the_stream(client: GripClient, user: User) -> None:
    assert client.stream(f"{PUBLIC}?format=sse&ticket={get_ticket(user)}").held


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("grip-ticket.", "The ticket is forged or damaged."),
        ("grip-ticket.AAAA", "The ticket is forged or damaged."),
        ("grip-ticket." + "A" * 20_000, "The ticket is forged or damaged."),
        ("grip-ticket.%F0%9F%8E%AB", "The ticket is forged or damaged."),
        ("grip-ticket.a&ticket=grip-ticket.b", "There is more than one ticket."),
    ],
)
def test_a_wrong_ticket_is_a_401_for_whoever_brings_it(
    client: GripClient, user: User, is_known: bool, value: str, text: str
) -> None:
    if is_known:
        client.force_login(user)
    stream = client.stream(f"{PUBLIC}?ticket={value}", headers=STREAM)
    assert (stream.status_code, stream.held) == (401, False)
    assert stream.response["WWW-Authenticate"]
    assert text in stream.response.content.decode()


@pytest.mark.parametrize("value", ["", "undefined", "7", "7&ticket=8"])
def test_what_is_no_ticket_is_a_401_that_names_the_attribute(client: GripClient, value: str) -> None:
    stream = client.stream(f"{PUBLIC}?ticket={value}", headers=STREAM)
    assert (stream.status_code, stream.held) == (401, False)
    assert stream.response["WWW-Authenticate"]
    assert stream.response.json()["detail"] == (
        "The ticket is malformed. If 'ticket' is no ticket but a parameter of the view's own, name another in its "
        "live_ticket_parameter."
    )


@pytest.mark.parametrize("value", ["", "undefined", "7", "7&ticket=8"])
@pytest.mark.parametrize("kind", ["session", "token"])
def test_it_is_a_parameter_of_the_view_s_own_where_others_know_who_asks(
    client: GripClient, user: User, kind: str, value: str
) -> None:
    headers = dict(STREAM)
    if kind == "session":
        client.force_login(user)
    else:
        headers["Authorization"] = f"Token {Token.objects.create(user=user).key}"
    path = f"/api/{kind}/"
    stream = client.stream(f"{path}?ticket={value}", headers=headers)
    assert stream.receive_event().json()["action"] == "snapshot"
    assert user_channel(user.pk) in stream.channels
    # Its links have the parameter, too, and go by the same credential.
    client.advance(1)
    client.advance(60)
    assert stream.held


def test_a_wrong_token_beside_it_is_told_as_such(client: GripClient) -> None:
    stream = client.stream("/api/token/?ticket=7", headers={**STREAM, "Authorization": "Token wrong"})
    assert (stream.status_code, stream.response.json()) == (401, {"detail": "Invalid token."})


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_a_ticket_is_no_key_to_anything_else(client: GripClient, user: User, method: str) -> None:
    response = getattr(client, method)(f"{PUBLIC}?ticket={get_ticket(user)}")
    assert response.status_code == 401
    if method == "get":
        text = "A ticket opens an event stream (Accept: text/event-stream), and nothing else."
        assert response.json() == {"detail": text}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_and_nothing_else_is_an_event_stream(client: GripClient, user: User, method: str) -> None:
    stream = client.stream(f"{PUBLIC}?ticket={get_ticket(user)}", method=method, headers=STREAM)
    assert stream.status_code == 406


def test_a_ticket_opens_no_websocket(client: GripClient, user: User) -> None:
    socket = client.websocket(f"{PUBLIC}?ticket={get_ticket(user)}", subprotocols=["grip.live"])
    assert socket.status_code == 401
    assert b"A ticket opens an event stream by GET, not by POST." in socket.response.content


def test_a_ticket_opens_no_long_poll(client: GripClient, user: User) -> None:
    etag = client.get(PUBLIC)["ETag"]
    poll = client.longpoll(f"{PUBLIC}?ticket={get_ticket(user)}", headers={"If-None-Match": etag, "Prefer": "wait=30"})
    assert poll.status_code == 401


def test_a_ticket_does_not_get_another_ticket(client: GripClient, user: User) -> None:
    ticket = get_ticket(user, "/api/ticket/")
    assert client.post(f"/api/ticket/?ticket={ticket}", {"path": PUBLIC}).status_code == 401


def test_another_viewsets_ticket_opens_nothing(client: GripClient, user: User) -> None:
    stream = client.stream(f"{PUBLIC}?ticket={get_ticket(user, '/api/token/')}", headers=STREAM)
    assert stream.status_code == 401
    assert b"The ticket is for another path." in stream.response.content


@pytest.mark.parametrize("query", ["ticket=7", "ticket=", "ticket", "ticket=7&ticket=8"])
def test_an_ordinary_parameter_of_that_name_is_left_to_the_view(client: GripClient, query: str) -> None:
    response = client.get(f"{PUBLIC}?{query}")
    assert response.status_code == 200
    assert response.wsgi_request.META["QUERY_STRING"] == query


@pytest.mark.parametrize("path", ["/api/jwt/", "/api/session/", "/api/basic/"])
def test_such_a_request_is_refused_as_one_without_it(client: GripClient, path: str) -> None:
    plain, other = client.get(path), client.get(f"{path}?ticket=7")
    assert (plain.status_code, plain.headers.get("WWW-Authenticate")) == (
        other.status_code,
        other.headers.get("WWW-Authenticate"),
    )


def test_a_websocket_brings_its_token_beside_such_a_parameter(client: GripClient, user: User) -> None:
    token = Token.objects.create(user=user).key
    for filters in ("?ticket=7", "?ticket=7&ticket=8", "?ticket"):
        ws = client.websocket(f"/api/token/{filters}", subprotocols=["grip.live", f"bearer.{token}"])
        assert (ws.accepted, ws.subprotocol) == (True, "grip.live")
        assert user_channel(user.pk) in ws.channels
        assert client.websocket(f"/api/token/{filters}", subprotocols=[f"bearer.{token}"]).status_code == 400


def test_a_password_that_was_changed_makes_a_ticket_worthless(client: GripClient, user: User) -> None:
    ticket = get_ticket(user)
    user.set_password("another")
    user.save()
    stream = client.stream(f"{PUBLIC}?ticket={ticket}", headers=STREAM)
    assert stream.status_code == 401
    assert b"The user who opened this stream is no longer logged in." in stream.response.content


def test_so_does_a_log_out(client: GripClient, user: User) -> None:
    ticket = get_ticket(user)
    Session.objects.all().delete()
    assert client.stream(f"{PUBLIC}?ticket={ticket}", headers=STREAM).status_code == 401


def test_so_does_a_user_who_is_locked_out(client: GripClient, user: User) -> None:
    ticket = get_ticket(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert client.stream(f"{PUBLIC}?ticket={ticket}", headers=STREAM).status_code == 401


def test_so_does_a_token_that_is_revoked(client: GripClient, user: User) -> None:
    ticket = get_ticket_by_token(user)
    Token.objects.all().delete()
    stream = client.stream(f"{PUBLIC}?ticket={ticket}", headers=STREAM)
    assert stream.status_code == 401
    assert b"Invalid token." in stream.response.content


def test_a_token_that_the_streams_view_does_not_take_opens_nothing(client: GripClient, user: User) -> None:
    stream = client.stream(f"/api/session/?ticket={get_ticket_by_token(user, '/api/session/')}", headers=STREAM)
    assert stream.status_code == 401
    assert b"The credential that this stream was opened with is no longer accepted." in stream.response.content


def test_a_view_may_have_no_tickets(client: GripClient, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.rest.auth_project.PublicViewSet.live_ticket_parameter", None)
    stream = client.stream(f"{PUBLIC}?ticket={get_ticket(user)}", headers=STREAM)
    assert user_channel(user.pk) not in stream.channels
