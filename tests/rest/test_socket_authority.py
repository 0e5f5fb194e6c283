"""By whose authority a live WebSocket is open, and what ends it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session

from django_grip.rest.channels import user_channel
from django_grip.testing import GripClient

from .models import Ticket
from .socket_project import TOKENS
from .sockets import ask, make_user, may_not, opened, said, socket_urls, ticket

__all__ = ["socket_urls", "ticket"]

pytestmark = pytest.mark.django_db


# -- what ends it ------------------------------------------------------------------------------------------------------


def ends(client: Any, ws: Any, *, by_message: bool) -> tuple[int, str, list[Any]]:
    """How a connection ends when it is asked again, by a message or by the proxy's clock, and what it has heard."""
    if by_message:
        ws.send_json({"action": "create", "ref": 1, "data": {"title": "too late"}})
    else:
        client.advance(60)
    assert ws.closed
    assert not Ticket.objects.filter(title="too late").exists()
    return ws.close_code, ws.close_reason, said(ws)


by = pytest.mark.parametrize("by_message", [True, False], ids=["a message", "the clock"])


@by
def test_a_permission_revoked_closes_with_4403(grip_client: Any, by_message: bool) -> None:
    user = make_user("ann", "view", "add")
    grip_client.force_login(user)
    ws = opened(grip_client, "/api/viewed/")
    may_not(user, "view")
    assert ends(grip_client, ws, by_message=by_message) == (4403, "not permitted", [])


@by
@pytest.mark.parametrize("path", ["/by-hand/", "/api/own/", "/api/viewed/"])
def test_a_user_who_logs_out_is_closed_with_4401(grip_client: Any, path: str, by_message: bool) -> None:
    # Two that an anonymous user may read; one that DRF refuses with a 403, having no challenge.
    grip_client.force_login(make_user("ann", "view", "add"))
    ws = opened(grip_client, path)
    Session.objects.all().delete()
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_a_user_who_is_locked_out_or_has_another_password_is_closed_with_4401(
    grip_client: Any, by_message: bool
) -> None:
    user = make_user("ann")
    grip_client.force_login(user)
    ws = opened(grip_client, "/api/member/")
    user.set_password("another")
    user.save()
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_a_token_revoked_closes_with_4401(grip_client: Any, by_message: bool) -> None:
    TOKENS["t1"] = make_user("ann")
    ws = opened(grip_client, "/api/token/", headers={"authorization": "Token t1"})
    TOKENS.clear()
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_a_token_of_another_user_now_closes_with_4401(grip_client: Any, by_message: bool) -> None:
    TOKENS["t1"] = make_user("ann")
    ws = opened(grip_client, "/api/token/", headers={"authorization": "Token t1"})
    TOKENS["t1"] = make_user("bob")
    assert ends(grip_client, ws, by_message=by_message) == (4401, "log in again", [])


@by
def test_an_object_deleted_closes_its_websocket_with_4404(grip_client: Any, ticket: Ticket, by_message: bool) -> None:
    ws = opened(grip_client, f"/api/upper/{ticket.pk}/")
    ticket.delete()
    assert ends(grip_client, ws, by_message=by_message) == (4404, "not found", [])


def test_an_object_that_its_user_sees_no_longer_closes_with_4404(grip_client: Any) -> None:
    user = make_user("ann")
    ticket = Ticket.objects.create(title="printer", owner=user)
    grip_client.force_login(user)
    ws = opened(grip_client, f"/api/own/{ticket.pk}/")
    Ticket.objects.update(owner=make_user("bob"))
    assert ends(grip_client, ws, by_message=False) == (4404, "not found", [])


def test_who_goes_is_asked_nothing_more(
    grip_client: Any, ticket: Ticket, caplog: pytest.LogCaptureFixture, django_assert_num_queries: Any
) -> None:
    ws = opened(grip_client, f"/api/upper/{ticket.pk}/")
    lost = opened(grip_client, f"/api/upper/{ticket.pk}/")
    ticket.delete()
    with django_assert_num_queries(0):
        ws.close(1001, "bye")
        lost.lose()
    assert (ws.close_code, ws.close_reason) == (1001, "bye")
    assert not [record for record in caplog.records if record.name.startswith("django_grip")]


def test_messages_before_a_close_are_done(grip_client: Any) -> None:
    with opened(grip_client, "/by-hand/") as ws:
        ws.send_json({"action": "create", "data": {"title": "last words"}})
    assert Ticket.objects.get().title == "last words"


# -- by whose authority ------------------------------------------------------------------------------------------------


def test_each_action_is_authenticated_as_if_it_came_alone(grip_client: Any) -> None:
    TOKENS["t1"] = make_user("ann")
    for path in ("/api/token/", "/api/session/"):
        with opened(grip_client, path, headers={"authorization": "Token t1"}) as ws:
            # Not as a user of a session whom an earlier authentication has left on the request.
            assert ask(ws, "whoami")["data"] == ["ann", "t1", "ann"]
            assert ask(ws, "whoami")["data"] == ["ann", "t1", "ann"]
            assert user_channel(TOKENS["t1"].pk) in ws.channels


def test_the_order_of_authenticators_is_the_viewsets(grip_client: Any) -> None:
    TOKENS["t1"] = make_user("ann")
    grip_client.force_login(make_user("bob"))
    token = {"authorization": "Token t1"}
    assert ask(opened(grip_client, "/api/token/", headers=token), "whoami")["data"] == ["ann", "t1", "ann"]
    assert ask(opened(grip_client, "/api/session/", headers=token), "whoami")["data"] == ["bob", None, "bob"]


def test_a_session_needs_no_csrf_token_as_the_origin_was_looked_at() -> None:
    client = GripClient(enforce_csrf_checks=True)
    client.force_login(make_user("ann"))
    with opened(client, "/api/own/", headers={"origin": "http://testserver"}) as ws:
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
    assert client.post("/api/own/", {"title": "y"}).status_code == 403
    assert client.websocket("/api/own/", headers={"origin": "http://elsewhere.example"}).status_code == 403
    assert Ticket.objects.count() == 1


def test_pages_of_allowed_origins_may_act(settings: Any) -> None:
    settings.GRIP_ALLOWED_ORIGINS = ["https://app.example"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.middleware.csrf.CsrfViewMiddleware"]
    client = GripClient(enforce_csrf_checks=True)
    client.force_login(make_user("ann"))
    with opened(client, "/api/own/", headers={"origin": "https://app.example"}) as ws:
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
