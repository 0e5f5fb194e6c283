"""`APIGripClient`: Django REST framework's test client, which also opens WebSockets, streams and long-polls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APITestCase
from rest_framework_simplejwt.tokens import AccessToken

from django_grip.testing import LongPoll, Stream, WebSocket
from django_grip.testing.rest import APIGripClient

from .models import Ticket
from .sockets import make_user

pytestmark = pytest.mark.django_db

STREAM = {"Accept": "text/event-stream"}
# Of viewsets that take a session, a token, a token or a password.
URLS = ["/api/session/", "/api/token/", "/api/jwt/", "/api/basic/"]
LIST = {"action": "list", "ref": 1}


@pytest.fixture(autouse=True)
def auth_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.auth_project"


@pytest.fixture
def ann() -> User:
    return make_user("ann")


def open_stream(client: APIGripClient, url: str) -> Stream:
    return client.stream(url, headers=STREAM)


def open_socket(client: APIGripClient, url: str) -> WebSocket:
    return client.websocket(url, subprotocols=["grip.live"])


def open_longpoll(client: APIGripClient, url: str) -> LongPoll:
    etag = client.get(url).headers.get("ETag", '"none"')
    return client.longpoll(url, headers={"If-None-Match": etag, "Prefer": "wait=30"})


def is_open(connection: Any) -> bool:
    if isinstance(connection, WebSocket):
        return connection.accepted and not connection.closed
    return bool(connection.held)


OPENINGS = pytest.mark.parametrize("opening", [open_stream, open_socket, open_longpoll])
Opening = Callable[[APIGripClient, str], Any]


@OPENINGS
@pytest.mark.parametrize("url", URLS)
def test_who_is_authenticated_by_force_is_let_in_whatever_a_view_takes(
    api_grip_client: APIGripClient, ann: User, url: str, opening: Opening
) -> None:
    assert not is_open(opening(api_grip_client, url))
    api_grip_client.force_authenticate(ann)
    connection = opening(api_grip_client, url)
    assert is_open(connection)
    if not isinstance(connection, LongPoll):
        for seconds in (2, 61, 61):
            api_grip_client.advance(seconds)
            assert is_open(connection)


@OPENINGS
@pytest.mark.parametrize("url", URLS)
def test_a_connection_stays_whose_it_was(api_grip_client: APIGripClient, ann: User, url: str, opening: Opening) -> None:
    api_grip_client.force_authenticate(ann)
    connection = opening(api_grip_client, url)
    for other in (make_user("bob"), None):
        api_grip_client.force_authenticate(other)
        api_grip_client.advance(2)
        assert is_open(connection)
    assert not is_open(opening(api_grip_client, url))


@OPENINGS
def test_credentials_go_with_all_that_is_opened(api_grip_client: APIGripClient, ann: User, opening: Opening) -> None:
    for url, header in [
        ("/api/token/", f"Token {Token.objects.create(user=ann).key}"),
        ("/api/jwt/", f"Bearer {AccessToken.for_user(ann)}"),
    ]:
        api_grip_client.credentials(HTTP_AUTHORIZATION=header)
        assert is_open(opening(api_grip_client, url))
        api_grip_client.credentials()
        assert not is_open(opening(api_grip_client, url))


def test_a_header_of_one_connection_counts_before_credentials(api_grip_client: APIGripClient, ann: User) -> None:
    api_grip_client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    good = {"Authorization": f"Bearer {AccessToken.for_user(ann)}"}
    assert api_grip_client.websocket("/api/jwt/").status_code == 401
    assert api_grip_client.websocket("/api/jwt/", headers=good).accepted


def test_a_token_that_is_revoked_ends_what_it_has_opened(api_grip_client: APIGripClient, ann: User) -> None:
    token = Token.objects.create(user=ann)
    api_grip_client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
    stream, socket = open_stream(api_grip_client, "/api/token/"), open_socket(api_grip_client, "/api/token/")
    api_grip_client.advance(2)
    token.delete()
    api_grip_client.advance(61)
    assert (stream.ended, socket.close_code) == (True, 4401)


def test_actions_and_other_requests_have_its_formats(
    api_grip_client: APIGripClient, ann: User, django_capture_on_commit_callbacks: Any
) -> None:
    api_grip_client.force_authenticate(ann)
    with api_grip_client.websocket("/api/jwt/") as ws:
        assert ws.receive_json()["action"] == "subscribed"
        with django_capture_on_commit_callbacks(execute=True):
            response = api_grip_client.post("/api/jwt/", {"title": "x", "done": True}, format="json")
        assert (response.status_code, response.data["done"]) == (201, True)
        assert ws.receive_json() == {"action": "invalidate"}
        ws.send_json({"action": "partial_update", "ref": 1, "pk": response.data["id"], "data": {"title": "y"}})
        assert ws.receive_json()["data"]["title"] == "y"
        assert Ticket.objects.get().title == "y"


@override_settings(ROOT_URLCONF="tests.rest.auth_project")
class OfATestCase(APITestCase):
    """As in a project's own tests."""

    client_class = APIGripClient
    client: APIGripClient

    def test_it_is_the_client_of_a_test_case_of_drfs(self) -> None:
        self.client.force_authenticate(make_user("ann"))
        with self.client.websocket("/api/jwt/") as ws:
            assert ws.receive_json()["action"] == "subscribed"
            with self.captureOnCommitCallbacks(execute=True):
                self.client.post("/api/jwt/", {"title": "x"}, format="json")
            assert ws.receive_json() == {"action": "invalidate"}
