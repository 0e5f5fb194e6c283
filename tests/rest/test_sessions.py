"""Sessions: a WebSocket's requests are POSTs without a CSRF token, and only they are exempt."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.middleware.csrf import _get_new_csrf_string

from django_grip.testing import GripClient

from .models import Ticket

pytestmark = pytest.mark.django_db

PATH = "/api/session/"
CREATE = {"action": "create", "ref": 1, "data": {"title": "one"}}


@pytest.fixture(autouse=True)
def auth_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.auth_project"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]


@pytest.fixture
def client() -> GripClient:
    client = GripClient(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("ann"))
    return client


def test_a_session_opens_a_websocket_and_acts_on_it(client: GripClient) -> None:
    socket = client.websocket(PATH, subprotocols=["grip.live"], headers={"Origin": "http://testserver"})
    assert socket.receive_json()["action"] == "subscribed"
    socket.send_json(CREATE)
    assert socket.receive_json()["status"] == 201
    assert Ticket.objects.get().title == "one"


def test_a_page_of_another_site_opens_none(client: GripClient) -> None:
    socket = client.websocket(PATH, subprotocols=["grip.live"], headers={"Origin": "https://evil.example"})
    assert socket.status_code == 403
    assert socket.response.content == b"Pages of this origin may not open this WebSocket.\n"


@pytest.mark.parametrize("origin", ["null", "http://testserver.evil.example", "http://testserver@evil.example", "x"])
def test_nor_does_one_that_looks_like_our_own(client: GripClient, origin: str) -> None:
    assert client.websocket(PATH, headers={"Origin": origin}).status_code == 403


def test_an_ordinary_post_needs_its_csrf_token(client: GripClient) -> None:
    response = client.post(PATH, {"title": "one"})
    assert (response.status_code, response.json()) == (403, {"detail": "CSRF Failed: CSRF cookie not set."})
    client.cookies["csrftoken"] = secret = _get_new_csrf_string()
    assert client.post(PATH, {"title": "one"}, headers={"X-CSRFToken": secret}).status_code == 201
    assert client.post(PATH, {"title": "one"}, headers={"X-CSRFToken": secret[::-1]}).status_code == 403


@pytest.mark.parametrize("headers", [{"Connection-Id": "a"}, {"Grip-Sig": "x.y.z"}, {"Upgrade": "websocket"}, {}])
def test_a_post_that_only_says_it_is_a_websockets_is_none(client: GripClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, b"OPEN\r\n", content_type="application/websocket-events", headers=headers)
    assert response.status_code == 403
    assert not Ticket.objects.exists()


def test_a_session_reads_and_streams_without_one(client: GripClient) -> None:
    assert client.get(PATH).status_code == 200
    stream = client.stream(PATH, headers={"Accept": "text/event-stream"})
    client.advance(2)
    client.advance(61)
    assert stream.held


def test_who_logs_in_again_is_another_session_and_the_old_connections_end(client: GripClient) -> None:
    socket = client.websocket(PATH, subprotocols=["grip.live"])
    stream = client.stream(PATH, headers={"Accept": "text/event-stream"})
    user = User.objects.get()
    client.logout()
    client.force_login(user)
    socket.receive_json()
    socket.send_json(CREATE)
    assert (socket.receive_all(), socket.close_code) == ([], 4401)
    client.advance(2)
    assert stream.ended
    assert client.websocket(PATH, subprotocols=["grip.live"]).accepted


@pytest.mark.parametrize(
    ("offered", "text"),
    [
        (["bearer.abc"], "Offer another subprotocol beside that of the token, such as 'grip.live'"),
        (["grip.live", "bearer.abc", "bearer.abc"], "There is more than one subprotocol that begins with 'bearer.'."),
        (["grip.live", "bearer."], "The subprotocol 'bearer.' has no token."),
        (["grip.live", "bearer.a b"], "The token behind 'bearer.' has characters that no subprotocol may have."),
    ],
)
def test_a_bad_bearer_is_a_400_even_with_a_session(client: GripClient, offered: list[str], text: str) -> None:
    socket = client.websocket(PATH, subprotocols=offered)
    assert socket.status_code == 400
    assert text in socket.response.content.decode()


def test_a_wrong_token_is_not_anonymous() -> None:
    socket = GripClient().websocket("/api/public/", subprotocols=["grip.live", "bearer.wrong"])
    assert socket.status_code == 401
    assert b"Invalid token." in socket.response.content
