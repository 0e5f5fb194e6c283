"""What names an object: its row and its database in channels, its URL in what clients are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer

from django_grip.rest import LiveModelViewSet
from django_grip.rest.changes import signals
from django_grip.rest.channels import list_channel, object_channel
from django_grip.rest.events import change
from django_grip.testing import Captured

from .changing import CLOSED, INVALIDATE, ask, event, told
from .database_entries import as_database, sqlite_entry
from .models import Moment, Price, Project, Ticket, Work
from .project import ProjectViewSet, TicketSerializer
from .serving import Routes
from .sockets import said

pytest_plugins = ["tests.rest.real_databases"]
in_database = pytest.mark.django_db(transaction=True)


class Tickets(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    live_public = True
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]


# -- what clients are told ---------------------------------------------------------------------------------------------


@pytest.fixture
def project() -> Project:
    # Its key is none that a ticket or another project has.
    return Project.objects.create(pk=404, name="Four", slug="four")


@in_database
def test_what_an_event_calls_an_object_is_what_a_message_and_a_url_take(
    grip_client: Any, routes: Routes, project: Project
) -> None:
    url = routes.add(ProjectViewSet, "projects")
    ws = grip_client.websocket(url)
    assert ws.receive_json()["action"] == "subscribed"
    ws.send_json({"action": "partial_update", "ref": 1, "pk": "four", "data": {"name": "4"}})
    heard = next(message for message in said(ws) if message.get("action") == "updated")
    assert heard["pk"] == "four"
    ws.send_json({"action": "retrieve", "ref": 2, "pk": heard["pk"]})
    assert ws.receive_json()["data"] == {"name": "4", "slug": "four"}
    assert grip_client.get(f"{url}{heard['pk']}/").status_code == 200


@in_database
@pytest.mark.parametrize(
    ("lookup", "name"),
    [
        ("pk", 7),
        ("id", 7),
        ("title", "x"),
        ("title__iexact", "x"),
        ("project", 404),
        ("project_id", 404),
        ("project__pk", 404),
        ("project__slug", "four"),
        ("project__slug__iexact", "four"),
        # Of what has no URL that is known there is nothing to tell but that there is news.
        ("owner__username", None),
        ("owner", None),
        ("watchers__username", None),
        ("annotated", None),
    ],
)
def test_the_name_is_what_the_lookup_field_finds_it_by(
    published: Captured, project: Project, lookup: str, name: Any
) -> None:
    class Found(Tickets):
        lookup_field = lookup

        def get_object(self) -> Ticket:
            return Ticket.objects.get()

    Ticket.objects.create(pk=7, title="x", project=project)
    ask(Found, "patch", "any", {"done": True})
    expected = INVALIDATE if name is None else event("updated", name)
    assert told(published, of=Found) == [("list", expected), ("7", expected)]


@in_database
def test_what_is_deleted_and_has_no_name_is_deleted_all_the_same(published: Captured) -> None:
    class Found(Tickets):
        lookup_field = "owner__username"

        def get_object(self) -> Ticket:
            return Ticket.objects.get()

    Ticket.objects.create(pk=7, title="x")
    ask(Found, "delete", "any")
    assert told(published, of=Found) == [("list", INVALIDATE), ("7", {"action": "deleted"}), ("7", CLOSED)]


@in_database
@pytest.mark.parametrize("how", ["request", "signal"])
def test_an_object_with_another_url_is_deleted_by_the_old_name_and_created_by_the_new(
    published: Captured, project: Project, how: str
) -> None:
    class Named(ProjectViewSet):
        """Projects are found by their slugs."""

    if how == "request":
        ask(Named, "patch", "four", {"slug": "vier"})
    else:
        signals.connect(Named)
        try:
            project.slug = "vier"
            project.save()
        finally:
            signals.disconnect(Named)
    assert told(published, of=Named) == [
        ("list", event("deleted", "four")),
        ("list", event("created", "vier", {"name": "Four", "slug": "vier"})),
        ("404", event("deleted", "four")),
        ("404", CLOSED),
    ]


@in_database
def test_who_may_not_be_told_of_a_new_url_hears_that_there_is_news(published: Captured, project: Project) -> None:
    class Quiet(ProjectViewSet):
        live_public = False
        live_serializer_class = None

    ask(Quiet, "patch", "four", {"slug": "vier"})
    assert told(published, of=Quiet) == [("list", INVALIDATE), ("404", event("deleted", "four")), ("404", CLOSED)]


@in_database
def test_an_object_that_moves_and_is_renamed_goes_by_the_old_name_and_comes_by_the_new(published: Captured) -> None:
    class GroupedSerializer(TicketSerializer):
        class Meta(TicketSerializer.Meta):
            fields = ["title", "group"]

    class Grouped(Tickets):
        lookup_field = "title"
        serializer_class = GroupedSerializer
        live_public = False

        def get_live_channels(self) -> list[str]:
            return ["all"]

        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return ["all", f"group:{instance.group_id}"]

    one, two = (Group.objects.create(name=name) for name in ("one", "two"))
    ticket = Ticket.objects.create(title="old", group=one)
    ask(Grouped, "patch", "old", {"title": "new", "group": two.pk})
    own = object_channel(Grouped, ticket)
    assert told(published) == [
        ("all", event("deleted", "old")),
        ("all", event("created", "new")),
        (f"group:{one.pk}", event("deleted", "old")),
        (f"group:{two.pk}", event("created", "new")),
        (own, event("deleted", "old")),
        (own, CLOSED),
    ]


@in_database
@pytest.mark.parametrize("action", ["created", "updated", "deleted"])
def test_changes_in_bulk_are_told_by_the_same_names(published: Captured, project: Project, action: str) -> None:
    ProjectViewSet.publish_changes(Project.objects.all(), action=action)
    assert {item.json()["pk"] for item in published if item.websocket and "pk" in item.json()} == {"four"}


@in_database
def test_a_stream_of_an_object_that_is_gone_ends_by_its_name(
    grip_client: Any, routes: Routes, project: Project
) -> None:
    class Named(ProjectViewSet):
        renderer_classes = [JSONRenderer]

    stream = grip_client.stream(routes.add(Named) + "four/", headers={"Accept": "text/event-stream"})
    stream.read()
    # Nobody tells of what is deleted so.
    Project.objects.all().delete()
    grip_client.advance(1)
    assert json.loads(stream.receive_event().data) == event("deleted", "four")
    assert stream.ended


@pytest.mark.parametrize(
    ("name", "told_as"),
    [
        (7, 7),
        ("four", "four"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Decimal("7.50"), "7.50"),
        (date(2024, 1, 2), "2024-01-02"),
        # A composite key.
        ((3, 2), [3, 2]),
        ((UUID(int=7), "x"), ["00000000-0000-0000-0000-000000000007", "x"]),
        # JSON has no such thing, and what a URL has is text.
        (b"x", "b'x'"),
    ],
    ids=repr,
)
def test_a_name_is_text_unless_it_is_a_number_as_messages_take_it(name: Any, told_as: Any) -> None:
    spelt = json.dumps(told_as, separators=(",", ":"))
    assert change("updated", name).to_websocket() == f'{{"action":"updated","pk":{spelt}}}'


# -- what channels are called ------------------------------------------------------------------------------------------


@pytest.fixture
def two_databases(tmp_path: Path, django_db_blocker: Any, sqlite_template: Path) -> Iterator[None]:
    """The same tables in "default" and in "other"."""
    for name in ("default", "other"):
        shutil.copy(sqlite_template, tmp_path / name)
    with (
        django_db_blocker.unblock(),
        as_database(sqlite_entry(tmp_path / "default"), "default"),
        as_database(sqlite_entry(tmp_path / "other"), "other"),
    ):
        yield


class Tenants(Tickets):
    """A database for each tenant."""

    live_serializer_class = TicketSerializer

    def get_queryset(self) -> QuerySet[Ticket]:
        return super().get_queryset().using(self.kwargs["tenant"])


@pytest.mark.usefixtures("two_databases")
def test_of_equal_keys_in_two_databases_each_has_a_channel_of_its_own(grip_client: Any, routes: Routes) -> None:
    routes.add(Tenants, under="<tenant>/")
    for alias in ("default", "other"):
        Ticket.objects.using(alias).create(pk=5, title="x")
    sockets = {alias: grip_client.websocket(f"/{alias}/tickets/5/") for alias in ("default", "other")}
    streams = {
        alias: grip_client.stream(f"/{alias}/tickets/5/", headers={"Accept": "text/event-stream"}) for alias in sockets
    }
    for connection in (*sockets.values(), *streams.values()):
        getattr(connection, "receive_all", getattr(connection, "read", None))()
    content = {"content_type": "application/json"}
    assert grip_client.patch("/other/tickets/5/", json.dumps({"title": "secret"}), **content).status_code == 200
    assert [message["action"] for message in said(sockets["other"])] == ["updated"]
    assert grip_client.delete("/other/tickets/5/").status_code == 204
    assert (said(sockets["other"]), sockets["other"].close_code) == ([event("deleted", 5)], 4404)
    assert streams["other"].ended
    assert (said(sockets["default"]), sockets["default"].closed) == ([], False)
    assert (streams["default"].read(), streams["default"].ended) == ("", False)


class Primary:
    """Reads go elsewhere than writes."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "other"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True


@pytest.mark.usefixtures("two_databases")
def test_what_is_read_from_a_replica_has_the_channel_of_what_is_written(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Primary"]
    ticket = Ticket(pk=5, title="x")
    written = object_channel(Tickets, ticket)
    ticket._state.db = "other"
    assert object_channel(Tickets, ticket) == written == list_channel(Tickets) + ":5"


class Hosted(Tickets):
    """Tenants by what they are asked for, in one database: their rows are not told apart by their keys."""

    live_signals = True

    def get_live_channels(self) -> list[str]:
        return [f"tenant:{self.kwargs['tenant']}"]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return [f"tenant:{instance.title}"]

    def get_object_channel(self, instance: Ticket) -> str:
        return f"tenant:{instance.title}:{super().get_object_channel(instance)}"


@pytest.fixture
def hosted(routes: Routes) -> Iterator[None]:
    routes.add(Hosted, under="<tenant>/")
    yield
    signals.disconnect(Hosted)


@in_database
@pytest.mark.usefixtures("hosted")
@pytest.mark.parametrize("how", ["request", "save", "relation", "bulk", "delete"])
def test_who_has_opened_an_object_and_who_tells_of_it_ask_the_same_method(
    grip_client: Any, published: Captured, how: str
) -> None:
    ticket = Ticket.objects.create(title="acme")
    own = f"tenant:acme:{list_channel(Hosted)}:{ticket.pk}"
    ws = grip_client.websocket(f"/acme/tickets/{ticket.pk}/")
    assert ws.channels == {own}
    published.clear()
    if how == "request":
        ask(Hosted, "patch", ticket.pk, {"done": True}, tenant="acme")
    elif how == "save":
        ticket.save()
    elif how == "relation":
        User.objects.create(username="ada").watched.add(ticket)
    elif how == "bulk":
        Hosted.publish_changes(Ticket.objects.all())
    else:
        ticket.delete()
    assert next(channel for channel in published.channels if channel != "tenant:acme") == own


@in_database
def test_an_object_channel_that_cannot_be_found_is_logged_and_lists_hear_of_it(
    published: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    class Lost(Tickets):
        def get_object_channel(self, instance: Ticket) -> str:
            raise LookupError("no tenant")

    ticket = Ticket.objects.create(title="x")
    ask(Lost, "patch", ticket.pk, {"title": "y"})
    ask(Lost, "delete", ticket.pk)
    assert {item.channel for item in published} == {list_channel(Lost)}
    assert f"{Lost.__qualname__}: who has opened object {ticket.pk} is not known." in caplog.text
    assert "no tenant" in caplog.text


@in_database
def test_a_child_with_a_key_of_its_own_has_its_family_s_channel(
    grip_client: Any, routes: Routes, published: Captured
) -> None:
    class Kinds(Tickets):
        """Rows come as what they are."""

        def get_object(self) -> Any:
            found = super().get_object()
            self.live_object = getattr(found, "work", found)
            return self.live_object

    Ticket.objects.bulk_create([Ticket(title="filler") for _ in range(3)])
    work = Work.objects.create(title="x")
    assert work.pk != work.ticket_id
    ws = grip_client.websocket(f"{routes.add(Kinds)}{work.ticket_id}/")
    own = f"{list_channel(Kinds)}:{work.ticket_id}"
    assert ws.channels == {own}
    for method in ("patch", "delete"):
        published.clear()
        ask(Kinds, method, work.ticket_id, {"title": "y"} if method == "patch" else None)
        action = "updated" if method == "patch" else "deleted"
        assert told(published)[:2] == [
            (list_channel(Kinds), event(action, work.ticket_id)),
            (own, event(action, work.ticket_id)),
        ]


class Keyed(LiveModelViewSet):
    """Of any model."""


NOON = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("saved", "read"),
    [
        (Price(pk=Decimal("7")), Price(pk=Decimal("7.00"))),
        (Price(pk=Decimal("700")), Price(pk=Decimal("7E2"))),
        (Moment(pk=NOON), Moment(pk=NOON.astimezone(timezone(timedelta(hours=2))))),
    ],
    ids=repr,
)
def test_equal_keys_make_one_channel_however_they_are_spelt(saved: Any, read: Any) -> None:
    assert object_channel(Keyed, saved) == object_channel(Keyed, read)
