"""Sessions: a WebSocket's requests are POSTs without a CSRF token, and only they are exempt."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.middleware.csrf import _get_new_csrf_string
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated

from django_grip import HttpStreamFormat, publish
from django_grip.testing import GripClient
from django_grip.views import EventStreamView

from .models import Ticket
from .project import TicketViewSet

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


class ChosenGroup(TicketViewSet):
    """Everybody sees what they have chosen to see."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]

    def get_queryset(self) -> Any:
        self.request.session["seen"] = True
        return Ticket.objects.filter(title__startswith=self.request.session.get("group", ""))


class ChosenChannel(EventStreamView):
    def get_channels(self) -> list[str]:
        return [f"group:{self.request.session['group']}"]


def choose(client: GripClient, group: str) -> None:
    session = client.session
    session["group"] = group
    session.pop("seen", None)
    session.save()


def test_a_stream_is_asked_for_again_with_its_session(client: GripClient, routes: Any) -> None:
    for title in ("a1", "b1"):
        Ticket.objects.create(title=title)
    choose(client, "a")
    stream = client.stream(routes.add(ChosenGroup), headers={"Accept": "text/event-stream"})
    assert [row["title"] for row in stream.receive_event().json()["data"]] == ["a1"]
    choose(client, "a")
    client.advance(1)
    assert stream.read() == ""
    # What the fetch has written is nobody's.
    assert "seen" not in client.session
    Ticket.objects.create(title="a2")
    publish(f"live:{__name__}.ChosenGroup", HttpStreamFormat(action="hint"))
    assert stream.receive_event().json() == {"action": "reset"}
    assert [row["title"] for row in stream.receive_event().json()["data"]] == ["a1", "a2"]


def test_so_is_a_stream_of_django_alone(client: GripClient, routes: Any) -> None:
    choose(client, "a")
    stream = client.stream(routes.add_view("events/", ChosenChannel.as_view()))
    assert stream.channels == {"group:a"}
    choose(client, "b")
    client.advance(61)
    assert (stream.held, stream.channels) == (True, {"group:b"})


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
