"""Nobody hears of what a viewset's `queryset` leaves out; what comes to be in it is new, what goes from it is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer

from django_grip.rest import LiveModelViewSet
from django_grip.rest.changes import signals
from django_grip.testing import Captured

from .changing import CLOSED, HINTED, INVALIDATE, ask, event, told
from .models import Bug, Ticket
from .project import TicketSerializer

pytestmark = pytest.mark.django_db(transaction=True)


class Open(LiveModelViewSet):
    """Shows what is not done. So does each of the others, to those who listen."""

    queryset = Ticket.objects.filter(done=False)
    serializer_class = TicketSerializer
    live_serializer_class = TicketSerializer
    live_public = True
    permission_classes = [AllowAny]


class Tuned(Open):
    """Its queries are tuned, as one does."""

    def get_queryset(self) -> QuerySet[Ticket]:
        return super().get_queryset().select_related("project")


class Wide(Open):
    """Its editors get at all tickets by it; who listens is shown those of `queryset`."""

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.all()


class Routed(Wide):
    """Has channels of its own."""

    live_public = False

    def get_live_channels(self) -> list[str]:
        return ["tickets"]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return ["tickets"]


class Quiet(Wide):
    """Lists hear that there is news, and no more."""

    live_public = False
    live_serializer_class = None


VIEWSETS = [Open, Tuned, Wide, Routed, Quiet]


@pytest.fixture(params=[viewset for viewset in VIEWSETS if viewset is not Open], ids=lambda viewset: viewset.__name__)
def viewset(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=["by the view", "elsewhere"])
def save(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Save a ticket: ``save(viewset, ticket, done=True)``; the whole of the change, as its subscribers hear of it."""
    connected: list[Any] = []

    def by_the_view(viewset: Any, ticket: Ticket, **values: Any) -> None:
        # Whatever its get_queryset() shows, its perform_update() may be called with another object.
        view = type("Any" + viewset.__name__, (viewset,), {"get_queryset": lambda self: Ticket.objects.all()})
        view.__module__, view.__qualname__ = viewset.__module__, viewset.__qualname__
        ask(view, "patch", ticket.pk, values)

    def elsewhere(viewset: Any, ticket: Ticket, **values: Any) -> None:
        signals.connect(viewset)
        connected.append(viewset)
        for name, value in values.items():
            setattr(ticket, name, value)
        ticket.save()

    yield by_the_view if request.param == "by the view" else elsewhere
    for viewset in connected:
        signals.disconnect(viewset)


def heard(published: Captured, viewset: Any) -> list[tuple[str, Any]]:
    """What lists and objects hear, where there is no difference between a list's own channel and the default one."""
    return [("list" if name == "tickets" else name, said) for name, said in told(published) if name == "tickets"] + [
        (name, said) for name, said in told(published, of=viewset)
    ]


def lists_hear(published: Captured, viewset: Any) -> list[Any]:
    return [said for name, said in heard(published, viewset) if name == "list"]


def is_asked(ticket: Ticket) -> list[tuple[str, Any]]:
    """What is told to who has opened an object that lists are not shown: by `get_queryset` it may be theirs to see."""
    return [(str(ticket.pk), INVALIDATE), (str(ticket.pk), HINTED)]


def row(ticket: Ticket) -> dict[str, Any]:
    return {"id": ticket.pk, "title": ticket.title, "done": ticket.done, "project": None}


def expected(viewset: Any, action: str, pk: Any, data: Any = None) -> dict[str, Any]:
    return INVALIDATE if viewset is Quiet else event(action, pk, data)


# -- before and after --------------------------------------------------------------------------------------------------


def test_nobody_hears_of_what_is_not_shown_before_and_after(published: Captured, viewset: Any, save: Any) -> None:
    ticket = Ticket.objects.create(title="secret", done=True)
    save(viewset, ticket, title="secret 2")
    assert Ticket.objects.get().title == "secret 2"
    assert heard(published, viewset) == is_asked(ticket)


def test_what_is_shown_from_now_on_is_new(published: Captured, viewset: Any, save: Any) -> None:
    ticket = Ticket.objects.create(title="x", done=True)
    save(viewset, ticket, done=False)
    ticket.refresh_from_db()
    assert heard(published, viewset) == [
        ("list", expected(viewset, "created", ticket.pk, row(ticket))),
        *is_asked(ticket),
    ]


def test_what_is_shown_no_more_is_gone(published: Captured, viewset: Any, save: Any) -> None:
    ticket = Ticket.objects.create(title="x")
    save(viewset, ticket, title="secret", done=True)
    assert heard(published, viewset) == [("list", expected(viewset, "deleted", ticket.pk)), *is_asked(ticket)]


def test_where_all_see_the_same_it_is_gone_for_who_has_opened_it_too(published: Captured, connect: Any) -> None:
    connect(Open)
    ticket, hidden = Ticket.objects.create(title="x"), Ticket.objects.create(title="hidden", done=True)
    published.clear()
    hidden.save()
    assert published == []
    ticket.done = True
    ticket.save()
    pk = str(ticket.pk)
    assert heard(published, Open) == [
        ("list", event("deleted", ticket.pk)),
        (pk, event("deleted", ticket.pk)),
        (pk, CLOSED),
    ]


def test_who_may_see_what_lists_do_not_goes_on_hearing_of_it(grip_client: Any, routes: Any) -> None:
    class Edited(Wide):
        renderer_classes = [JSONRenderer]
        authentication_classes: list[Any] = []

    ticket = Ticket.objects.create(title="x")
    url = f"{routes.add(Edited)}{ticket.pk}/"
    ws, stream = grip_client.websocket(url), grip_client.stream(url, headers={"accept": "text/event-stream"})
    assert (ws.receive_json()["action"], stream.receive_event().json()["action"]) == ("subscribed", "snapshot")
    for change in ({"done": True}, {"title": "y"}, {"done": False}, {"title": "z"}):
        grip_client.patch(url, json.dumps(change), content_type="application/json")
        now = grip_client.get(url).json()
        assert json.loads(ws.receive_all()[-1])["action"] in ("invalidate", "updated")
        events = [json.loads(line[6:]) for line in stream.read().splitlines() if line.startswith("data: ")]
        assert events[0]["action"] in ("invalidate", "updated")
        assert "deleted" not in repr(events)
        # The whole, as it is now, has come with it, or with what has changed of it.
        assert events[-1].get("data") == now
    assert (ws.closed, stream.held) == (False, True)


def test_what_is_shown_is_told_as_ever(published: Captured, viewset: Any, save: Any) -> None:
    ticket = Ticket.objects.create(title="x")
    save(viewset, ticket, title="y")
    ticket.refresh_from_db()
    assert heard(published, viewset)[0] == ("list", expected(viewset, "updated", ticket.pk, row(ticket)))


@pytest.mark.parametrize("viewset", VIEWSETS)
def test_a_life_that_nobody_is_shown_is_not_told(published: Captured, connect: Any, viewset: Any) -> None:
    connect(viewset)
    ticket = Ticket.objects.create(title="secret", done=True)
    ticket.save()
    ticket.delete()
    assert lists_hear(published, viewset) == []
    assert "secret" not in repr(published)


@pytest.mark.parametrize("viewset", [Wide, Routed, Quiet])
@pytest.mark.parametrize("how", ["delete", "mark"])
def test_a_view_deletes_in_silence_what_was_not_shown(published: Captured, viewset: Any, how: str) -> None:
    class Deleting(viewset):  # type: ignore[misc]
        def perform_destroy(self, instance: Ticket) -> None:
            if how == "delete":
                instance.delete()
            else:
                Ticket.objects.update(title="deleted")

    ticket = Ticket.objects.create(title="secret", done=True)
    ask(Deleting, "delete", ticket.pk)
    assert lists_hear(published, Deleting) == []


def test_a_view_that_hides_what_it_was_to_delete_says_that_it_is_gone(published: Captured) -> None:
    class Marking(Wide):
        def perform_destroy(self, instance: Ticket) -> None:
            Ticket.objects.update(done=True)

    ticket = Ticket.objects.create(title="x")
    ask(Marking, "delete", ticket.pk)
    pk = str(ticket.pk)
    assert told(published, of=Marking) == [
        ("list", event("deleted", ticket.pk)),
        (pk, event("deleted", ticket.pk)),
        (pk, CLOSED),
    ]


class Bare(Tuned):
    renderer_classes = [JSONRenderer]
    authentication_classes: list[Any] = []


def test_on_every_transport_nobody_hears_of_what_they_cannot_see(grip_client: Any, routes: Any) -> None:
    hidden, shown = (Ticket.objects.create(title=title, done=title == "hidden") for title in ("hidden", "shown"))
    url = routes.add(Bare)
    ws, stream = grip_client.websocket(url), grip_client.stream(url, headers={"accept": "text/event-stream"})
    poll = grip_client.longpoll(url, headers={"if-none-match": grip_client.get(url)["etag"], "prefer": "wait=30"})
    assert (ws.receive_json()["action"], stream.receive_event().json()["action"]) == ("subscribed", "snapshot")
    Bare.publish_changes(Ticket.objects.filter(pk=hidden.pk), action="deleted")
    stream.receive_nothing()
    assert (ws.receive_all(), poll.held) == ([], True)
    body = json.dumps({"title": "secret", "done": True})
    grip_client.patch(f"{url}{shown.pk}/", body, content_type="application/json")
    gone = event("deleted", shown.pk)
    assert (ws.receive_json(), stream.receive_event().json(), poll.receive().json()) == (gone, gone, [])


# -- in one transaction ------------------------------------------------------------------------------------------------

SHOW, HIDE, TOUCH, DELETE = {"done": False}, {"done": True}, {"title": "y"}, None
STEPS: list[tuple[bool, list[Any], list[str]]] = [
    (False, [SHOW, TOUCH], ["created"]),
    (False, [TOUCH, SHOW], ["created"]),
    (False, [SHOW, HIDE], []),
    (False, [SHOW, DELETE], []),
    (False, [TOUCH, DELETE], []),
    (True, [HIDE, SHOW], ["updated"]),
    (True, [HIDE, TOUCH], ["deleted"]),
    (True, [TOUCH, HIDE], ["deleted"]),
    (True, [HIDE, DELETE], ["deleted"]),
]


@pytest.mark.parametrize(("is_shown", "steps", "actions"), STEPS)
def test_what_was_shown_before_the_transaction_is_compared_with_what_is_behind_it(
    published: Captured, connect: Any, is_shown: bool, steps: list[Any], actions: list[str]
) -> None:
    connect(Open)
    with transaction.atomic():
        ticket = Ticket.objects.create(title="x", done=not is_shown)
    published.clear()
    with transaction.atomic():
        for values in steps:
            if values is None:
                ticket.delete()
            else:
                for name, value in values.items():
                    setattr(ticket, name, value)
                ticket.save()
    assert [said["action"] for channel, said in told(published, of=Open) if channel == "list"] == actions


# -- by other ways -----------------------------------------------------------------------------------------------------


@pytest.fixture
def connect() -> Iterator[Callable[..., None]]:
    connected: list[Any] = []

    def connect_it(viewset: Any) -> None:
        connected.append(viewset)
        signals.connect(viewset)

    yield connect_it
    for viewset in connected:
        signals.disconnect(viewset)


def test_a_relation_can_show_and_hide(published: Captured, connect: Any, django_user_model: Any) -> None:
    class Watched(Open):
        queryset = Ticket.objects.filter(watchers__isnull=False).distinct()

    connect(Watched)
    ada = django_user_model.objects.create(username="ada")
    ticket = Ticket.objects.create(title="x")
    assert published == []
    ticket.watchers.add(ada)
    ticket.save()
    ticket.watchers.clear()
    ticket.save()
    assert [said["action"] for channel, said in told(published, of=Watched) if channel == "list"] == [
        "created",
        "updated",
        "deleted",
    ]


def test_a_parent_that_is_no_child_is_none_of_the_child_s_objects(published: Captured, connect: Any) -> None:
    class Bugs(Open):
        queryset = Bug.objects.all()

    class OpenBugs(Open):
        queryset = Bug.objects.filter(done=False)

    connect(Bugs)
    connect(OpenBugs)
    plain = Ticket.objects.create(title="x")
    plain.save()
    plain.delete()
    assert published == []
    bug = Bug.objects.create(title="x", done=True)
    published.clear()
    parent = Ticket.objects.get(pk=bug.pk)
    parent.done = False
    parent.save()
    assert told(published, of=OpenBugs)[0] == ("list", event("created", bug.pk, row(parent)))


def test_in_bulk_a_key_is_told_of_what_is_shown_only(published: Captured) -> None:
    one, two = (Ticket.objects.create(title="x", done=done) for done in (True, False))
    Open.publish_changes(Ticket.objects.order_by("pk"))
    Open.publish_changes(Ticket.objects.order_by("pk"), action="deleted")
    assert [said for channel, said in told(published, of=Open) if channel == "list"] == [
        # It may have been shown, or may not: who has it, asks again.
        INVALIDATE,
        event("updated", two.pk, row(two)),
        event("deleted", two.pk),
    ]
    assert event("deleted", one.pk) in [said for _, said in told(published, of=Open)]


def test_a_queryset_of_none_tells_nothing(published: Captured) -> None:
    class Named(Wide):
        queryset = Ticket.objects.none()

    pk = ask(Named, "post", data={"title": "x"})["id"]
    ask(Named, "patch", pk, {"title": "y"})
    ask(Named, "delete", pk)
    assert lists_hear(published, Named) == []


def test_without_a_queryset_everything_counts_as_shown(published: Captured) -> None:
    class Asked(Open):
        queryset = None

        def get_queryset(self) -> QuerySet[Ticket]:
            return Ticket.objects.filter(done=False)

    ticket = Ticket.objects.create(title="x")
    ask(Asked, "patch", ticket.pk, {"done": True})
    ticket.refresh_from_db()
    assert told(published, of=Asked)[0] == ("list", event("updated", ticket.pk, row(ticket)))


def test_whether_it_was_shown_is_asked_only_where_that_makes_a_difference(published: Captured) -> None:
    from django.db import connection

    class All(Quiet):
        queryset = Ticket.objects.all()

    def count(viewset: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            ask(viewset, "patch", ticket.pk, {"title": "y"})
        return len([query for query in queries if "rest_ticket" in query["sql"]])

    ticket = Ticket.objects.create(title="x")
    # The object, its update; and where objects are left out, before and after.
    assert (count(All), count(Quiet)) == (2, 4)


def test_who_has_opened_an_object_that_moves_out_of_sight_is_asked(published: Captured) -> None:
    class Moving(Routed):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return [f"tickets:{instance.title}"]

    ticket = Ticket.objects.create(title="x")
    ask(Moving, "patch", ticket.pk, {"title": "y", "done": True})
    ask(Moving, "patch", ticket.pk, {"title": "z", "done": False})
    mine = f"live:{__name__}.{Moving.__qualname__}:{ticket.pk}"
    ticket.refresh_from_db()
    assert told(published) == [
        ("tickets:x", event("deleted", ticket.pk)),
        (mine, INVALIDATE),
        (mine, HINTED),
        ("tickets:z", event("created", ticket.pk, row(ticket))),
        (mine, INVALIDATE),
        (mine, HINTED),
    ]
