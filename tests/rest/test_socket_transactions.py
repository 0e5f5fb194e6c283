"""ATOMIC_REQUESTS: on a live WebSocket each action has a transaction of its own, as each request has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny

from .models import Ticket
from .project import TicketViewSet
from .sockets import ask, opened, said

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[True, False], ids=["atomic", "not atomic"])
def is_atomic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    return bool(request.param)


def titles() -> list[str]:
    return [ticket.title for ticket in Ticket.objects.all()]


def statuses(ws: Any, *messages: dict[str, Any]) -> list[int]:
    """Send messages in one burst, and return the statuses of their answers."""
    ws.send(*map(json.dumps, messages))
    return [answer["status"] for answer in said(ws) if "type" in answer]


def create(title: str) -> dict[str, Any]:
    return {"action": "create", "data": {"title": title}}


FAILURES = {
    "a failure": (RuntimeError("broken"), 500),
    "an error of DRF's": (APIException("no"), 500),
}


@pytest.mark.parametrize("is_exempt", [True, False], ids=["exempt", "not exempt"])
def test_what_is_exempted_where_it_is_routed_has_no_transaction(
    grip_client: Any, routes: Any, is_atomic: bool, is_exempt: bool
) -> None:
    seen: list[bool] = []

    class Seeing(TicketViewSet):
        authentication_classes = []

        def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
            seen.append(connection.in_atomic_block)
            super().initial(request, *args, **kwargs)

    view = Seeing.as_view({"get": "list"})
    routes.add_view("seeing/", transaction.non_atomic_requests(view) if is_exempt else view)
    # Another route of the viewset is another view.
    routes.add_view("others/", Seeing.as_view({"get": "list"}))
    assert grip_client.get("/seeing/").status_code == 200
    with opened(grip_client, "/seeing/") as ws:
        assert ask(ws, "list")["status"] == 200
    grip_client.get("/others/")
    is_wrapped = is_atomic and not is_exempt
    # The request; the opening, the message and its action; the request for the other route.
    assert seen == [is_wrapped, is_wrapped, is_wrapped, is_wrapped, is_atomic]


def test_a_viewset_whose_init_takes_only_what_it_knows_is_served(
    grip_client: Any, routes: Any, is_atomic: bool
) -> None:
    class Strict(TicketViewSet):
        authentication_classes = []

        def __init__(self, suffix: Any = None, basename: Any = None, detail: Any = None) -> None:
            super().__init__(suffix=suffix, basename=basename, detail=detail)

    url = routes.add(Strict)
    assert grip_client.get(url).status_code == 200
    with opened(grip_client, url) as ws:
        assert ask(ws, "list")["status"] == 200


def test_what_dispatch_writes_around_a_request_is_undone_with_it(
    grip_client: Any, routes: Any, is_atomic: bool
) -> None:
    class Noting(TicketViewSet):
        authentication_classes = []

        def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            Ticket.objects.create(title=f"before a {request.method}")
            response = super().dispatch(request, *args, **kwargs)
            if request.method == "DELETE":
                raise RuntimeError("after the view")
            return response

    url = routes.add(Noting)
    ticket = Ticket.objects.create(title="x")
    grip_client.raise_request_exception = False
    assert grip_client.delete(f"{url}{ticket.pk}/").status_code == 500
    assert titles() == (["x"] if is_atomic else ["before a DELETE"])
    ticket = Ticket.objects.create(title="y")
    with opened(grip_client, url) as ws:
        assert ask(ws, "destroy", pk=ticket.pk)["status"] == 500
    # The requests that bring the messages have none; each action is a request of its own.
    assert titles().count("before a DELETE") == (0 if is_atomic else 2)
    assert ("y" in titles()) is is_atomic
    assert "before a POST" in titles()


@pytest.mark.parametrize(("error", "status"), FAILURES.values(), ids=FAILURES)
def test_one_actions_failure_undoes_its_own_changes_and_no_others(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch, is_atomic: bool, error: Exception, status: int
) -> None:
    def perform_create(self: Any, serializer: Any) -> None:
        assert connection.in_atomic_block is is_atomic
        serializer.save()
        if serializer.instance.title == "bad":
            raise error

    monkeypatch.setattr(TicketViewSet, "perform_create", perform_create)
    grip_client.raise_request_exception = False
    with opened(grip_client, "/api/tickets/") as ws:
        assert statuses(ws, create("one"), create("bad"), create("two")) == [201, status, 201]
    assert titles() == (["one", "two"] if is_atomic else ["one", "bad", "two"])


def test_what_an_action_commits_stands_when_the_request_fails(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch, is_atomic: bool
) -> None:
    with opened(grip_client, "/api/tickets/") as ws:
        # Of two in one burst the second ends the connection: binary is not taken.
        ws.send(json.dumps(create("one")), b"binary")
        assert ws.close_code == 1003
    assert titles() == ["one"]


def test_an_action_may_say_that_it_is_durable(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch, is_atomic: bool
) -> None:
    def perform_create(self: Any, serializer: Any) -> None:
        with transaction.atomic(durable=True):
            serializer.save()

    monkeypatch.setattr(TicketViewSet, "perform_create", perform_create)
    grip_client.raise_request_exception = False
    with opened(grip_client, "/api/tickets/") as ws:
        # As over HTTP: within ATOMIC_REQUESTS it is not, and nothing is around it otherwise.
        assert ask(ws, "create", data={"title": "x"})["status"] == (500 if is_atomic else 201)


def test_a_refused_subscription_leaves_nothing_written(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch, is_atomic: bool
) -> None:
    class Noting(AllowAny):
        def has_permission(self, request: Any, view: Any) -> bool:
            Ticket.objects.create(title="noted")
            return False

    monkeypatch.setattr(TicketViewSet, "permission_classes", [Noting])
    assert grip_client.websocket("/api/tickets/").status_code == 403
    assert titles() == ([] if is_atomic else ["noted"])


def test_on_commit_runs_when_the_action_commits(
    grip_client: Any, monkeypatch: pytest.MonkeyPatch, is_atomic: bool
) -> None:
    committed = []

    def perform_create(self: Any, serializer: Any) -> None:
        serializer.save()
        transaction.on_commit(lambda: committed.append(serializer.instance.title))
        if serializer.instance.title == "bad":
            raise APIException("no")

    monkeypatch.setattr(TicketViewSet, "perform_create", perform_create)
    with opened(grip_client, "/api/tickets/") as ws:
        statuses(ws, create("one"), create("bad"), create("two"))
    assert committed == (["one", "two"] if is_atomic else ["one", "bad", "two"])


def test_who_acts_hears_of_the_change_as_everybody_does(grip_client: Any, is_atomic: bool) -> None:
    with opened(grip_client, "/api/tickets/") as ws, opened(grip_client, "/api/tickets/") as other:
        ask_other = create("one")
        ws.send_json({**ask_other, "ref": 1})
        heard = said(ws)
        assert sorted(message.get("type", message.get("action")) for message in heard) == ["invalidate", "response"]
        assert said(other) == [{"action": "invalidate"}]
