"""Each action of a live WebSocket has the permissions, throttles and user of the request it stands for."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from .models import Ticket
from .sockets import ask, make_user, opened, said, socket_urls, ticket

__all__ = ["socket_urls", "ticket"]

pytestmark = pytest.mark.django_db

NO_TICKET = {"type": "error", "status": 404, "errors": {"detail": "No Ticket matches the given query."}}


def shown(ticket: Ticket, **changed: Any) -> dict[str, Any]:
    return {"id": ticket.pk, "title": ticket.title, "done": ticket.done, "project": None, **changed}


def response(status: int, data: Any) -> dict[str, Any]:
    return {"type": "response", "status": status, "data": data}


# -- permissions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/viewed/", "/api/permitted/"])
def test_a_view_only_user_subscribes_and_does_not_create(grip_client: Any, settings: Any, path: str) -> None:
    settings.ROOT_URLCONF = "tests.rest.project" if "permitted" in path else settings.ROOT_URLCONF
    ticket = Ticket.objects.create(title="printer")
    grip_client.force_login(make_user("viewer", "view"))
    denied = {"detail": "You do not have permission to perform this action."}
    with opened(grip_client, path) as ws:
        assert ask(ws, "list") == response(200, [shown(ticket)])
        assert ask(ws, "create", data={"title": "x"}) == {"type": "error", "status": 403, "errors": denied}
        for action in ("update", "partial_update", "destroy"):
            assert ask(ws, action, pk=ticket.pk, data={"title": "x"})["status"] == 403, action
        # It hears nothing of the refused, and stays.
        assert ask(ws, "retrieve", pk=ticket.pk) == response(200, shown(ticket))
    assert Ticket.objects.get() == ticket


def test_an_add_only_user_creates_and_does_not_destroy(grip_client: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
    ticket = Ticket.objects.create(title="printer")
    grip_client.force_login(make_user("adder", "add"))
    with opened(grip_client, "/api/permitted/") as ws:
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
        assert ask(ws, "destroy", pk=ticket.pk)["status"] == 403
        assert ask(ws, "update", pk=ticket.pk, data={"title": "y"})["status"] == 403
    assert Ticket.objects.filter(pk=ticket.pk, title="printer").exists()


def test_an_add_only_user_does_not_subscribe_where_reading_needs_a_permission(grip_client: Any) -> None:
    grip_client.force_login(make_user("adder", "add"))
    ws = grip_client.websocket("/api/viewed/")
    assert (ws.accepted, ws.status_code) == (False, 403)
    assert ws.response.json() == {"detail": "You do not have permission to perform this action."}


def test_permissions_of_an_object_are_asked_for_it(grip_client: Any) -> None:
    user = make_user("owner")
    own = Ticket.objects.create(title="own", owner=user)
    other = Ticket.objects.create(title="other", owner=make_user("other"))
    grip_client.force_login(user)
    with opened(grip_client, "/api/owner/") as ws:
        assert ask(ws, "retrieve", pk=other.pk)["status"] == 200
        assert ask(ws, "destroy", pk=other.pk) == {
            "type": "error",
            "status": 403,
            "errors": {"detail": "Only its owner may do that."},
        }
        assert ask(ws, "destroy", pk=own.pk) == response(204, None)
    assert list(Ticket.objects.all()) == [other]


def test_what_a_user_does_not_see_is_not_found(grip_client: Any) -> None:
    user, other = make_user("ann"), make_user("bob")
    own, hidden = (Ticket.objects.create(title="x", owner=owner) for owner in (user, other))
    grip_client.force_login(user)
    with opened(grip_client, "/api/own/") as ws:
        assert ask(ws, "list")["data"] == [shown(own)]
        for action in ("retrieve", "update", "partial_update", "destroy"):
            assert ask(ws, action, pk=hidden.pk, data={"title": "mine"}) == NO_TICKET, action
    hidden.refresh_from_db()
    assert hidden.title == "x"


def test_a_permission_revoked_counts_for_the_next_action(grip_client: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.rest.project"
    user = make_user("adder", "add")
    grip_client.force_login(user)
    with opened(grip_client, "/api/permitted/") as ws:
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
        user.user_permissions.clear()
        assert ask(ws, "create", data={"title": "y"})["status"] == 403


# -- throttles ---------------------------------------------------------------------------------------------------------


def test_each_action_is_throttled_by_itself_and_told_the_wait(grip_client: Any) -> None:
    cache.clear()
    with opened(grip_client, "/api/throttled/") as ws:
        # The opening was the first of what counts as "list".
        assert ask(ws, "list")["status"] == 200
        answer = ask(ws, "list")
        assert (answer["type"], answer["status"]) == ("error", 429)
        assert 1 <= answer.pop("retry_after") <= 60
        assert answer["errors"]["detail"].startswith("Request was throttled.")
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
        # The proxy's own requests count as nothing.
        grip_client.advance(600)
        assert ws.accepted
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
        assert ask(ws, "create", data={"title": "x"})["status"] == 429
    assert Ticket.objects.count() == 2


def test_an_opening_is_throttled(grip_client: Any) -> None:
    cache.clear()
    for _ in range(2):
        opened(grip_client, "/api/throttled/")
    ws = grip_client.websocket("/api/throttled/")
    assert (ws.accepted, ws.status_code) == (False, 429)
    assert 1 <= int(ws.response["Retry-After"]) <= 60
    assert ws.response.json()["detail"].startswith("Request was throttled.")


# -- who asks ----------------------------------------------------------------------------------------------------------


def test_an_action_that_logs_out_is_the_last(grip_client: Any) -> None:
    grip_client.force_login(make_user("ann"))
    ws = opened(grip_client, "/api/odd/")
    ws.send(
        '{"action": "whoami", "ref": 1}', '{"action": "leave", "ref": 2, "data": {}}', '{"action": "whoami", "ref": 3}'
    )
    assert [(answer["ref"], answer["data"]) for answer in said(ws)] == [(1, "ann"), (2, "bye")]
    assert (ws.close_code, ws.close_reason) == (4401, "log in again")


def test_what_an_action_does_to_its_user_the_next_does_not_find(grip_client: Any) -> None:
    grip_client.force_login(make_user("ann"))
    with opened(grip_client, "/api/odd/") as ws:
        ws.send('{"action": "scribble", "ref": 1}', '{"action": "whoami", "ref": 2}')
        assert [answer.get("data") for answer in said(ws)] == [None, "ann"]


def test_actions_are_done_by_the_user_of_the_connection(grip_client: Any) -> None:
    user = make_user("ann")
    grip_client.force_login(user)
    with opened(grip_client, "/api/own/") as ws:
        assert ask(ws, "create", data={"title": "x"})["status"] == 201
    assert Ticket.objects.get().owner == user
    assert User.objects.count() == 1
