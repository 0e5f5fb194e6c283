"""`changing`: what a block changes in bulk is told as it was before and is afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError
from rest_framework.permissions import AllowAny

from django_grip.rest import LiveModelViewSet
from django_grip.rest.changes.bulk import MAX_OBJECTS
from django_grip.rest.channels import list_channel, object_channel
from django_grip.testing import Captured

from .changing import CLOSED, HINTED, INVALIDATE, event, told
from .models import Project, Ticket, Work
from .project import ProjectViewSet, TicketSerializer, TicketViewSet

pytest_plugins = ["tests.rest.real_databases"]
in_database = pytest.mark.django_db(transaction=True)


class Grouped(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    permission_classes = [AllowAny]

    def get_live_channels(self) -> list[str]:
        return []

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return [f"group:{instance.group_id}"]


class Open(TicketViewSet):
    """Shows what is not done."""

    queryset = Ticket.objects.filter(done=False)
    live_public = True


@pytest.fixture
def groups(request: pytest.FixtureRequest) -> list[Group]:
    request.getfixturevalue("database" if "database" in request.fixturenames else "transactional_db")
    return [Group.objects.create(name=name) for name in ("one", "two")]


@pytest.mark.parametrize("atomic", [False, True], ids=["each query a transaction", "one transaction"])
def test_a_move_in_bulk_is_a_deletion_here_and_a_creation_there(
    database: str, groups: list[Group], published: Captured, atomic: bool
) -> None:
    one, two = groups
    tickets = [Ticket.objects.create(title="x", group=one) for _ in range(2)]
    found = Ticket.objects.filter(group=one).order_by("pk")

    def move() -> None:
        with Grouped.changing(found):
            # It matches nothing afterwards.
            found.update(group=two)
            assert published == []

    if atomic:
        with transaction.atomic():
            move()
            assert published == []
    else:
        move()
    expected: list[Any] = []
    for ticket in tickets:
        own = object_channel(Grouped, ticket)
        expected += [(f"group:{one.pk}", event("deleted", ticket.pk)), (f"group:{two.pk}", event("created", ticket.pk))]
        expected += [(own, INVALIDATE), (own, HINTED)]
    assert told(published) == expected


def test_what_is_rolled_back_is_not_told(database: str, groups: list[Group], published: Captured) -> None:
    found = Ticket.objects.filter(group=groups[0])
    Ticket.objects.create(title="x", group=groups[0])

    def fail() -> None:
        with transaction.atomic(), Grouped.changing(found):
            found.update(group=groups[1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert published == []


@in_database
def test_what_was_changed_before_a_block_failed_is_told(published: Captured) -> None:
    Ticket.objects.create(pk=7, title="x")

    def fail() -> None:
        with TicketViewSet.changing(Ticket.objects.all()):
            Ticket.objects.update(title="y")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert told(published, of=TicketViewSet) == [("list", INVALIDATE), ("7", event("updated", 7))]


@pytest.fixture
def moved(groups: list[Group]) -> QuerySet[Ticket]:
    """Too many tickets to be told of one by one, all of one group."""
    Ticket.objects.bulk_create([Ticket(title="x", group=groups[0]) for _ in range(MAX_OBJECTS + 1)])
    return Ticket.objects.filter(group=groups[0])


@in_database
def test_where_many_have_moved_is_told_though_the_block_failed_afterwards(
    published: Captured, groups: list[Group], moved: Any
) -> None:
    with pytest.raises(ZeroDivisionError), Grouped.changing(moved):
        raise ZeroDivisionError(moved.update(group=groups[1]))
    assert told(published) == [(f"group:{group.pk}", INVALIDATE) for group in groups]


@in_database
def test_of_a_block_that_failed_its_own_error_is_raised(
    published: Captured, moved: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        with transaction.atomic(), Grouped.changing(moved):
            # As after an error of the database's, nothing can be asked of it any more.
            transaction.set_rollback(True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert published == []
    [record] = [record for record in caplog.records if record.name == "django_grip"]
    assert record.getMessage() == (
        "tests.rest.test_bulk.Grouped: not all are told of what a block that failed had changed."
    )


@in_database
def test_an_error_that_is_kept_keeps_nothing_that_was_rolled_back(
    published: Captured, groups: list[Group], moved: Any
) -> None:
    with pytest.raises(TransactionManagementError) as kept, transaction.atomic(), Grouped.changing(moved):
        transaction.set_rollback(True)
    assert kept.value.__traceback__ is not None
    ticket = Ticket.objects.create(title="y", group=groups[0])
    Grouped.publish_changes(Ticket.objects.filter(pk=ticket.pk), action="created")
    assert told(published) == [(f"group:{groups[0].pk}", event("created", ticket.pk))]


@in_database
def test_a_generator_that_is_suspended_in_a_block_keeps_nothing_else_untold(published: Captured) -> None:
    Ticket.objects.create(pk=7, title="x")

    def change() -> Iterator[None]:
        with TicketViewSet.changing(Ticket.objects.all()):
            Ticket.objects.update(title="y")
            yield

    suspended = change()
    next(suspended)
    assert published == []
    Ticket.objects.create(pk=8, title="z")
    others = Ticket.objects.filter(pk=8)
    TicketViewSet.publish_changes(others, action="created")
    assert told(published, of=TicketViewSet) == [("list", INVALIDATE)]
    published.clear()
    # Closed by another thread, it has its own changes told there, and leaves this one's as they are.
    thread = Thread(target=lambda: (suspended.close(), connection.close()))
    thread.start()
    thread.join()
    assert told(published, of=TicketViewSet) == [("list", INVALIDATE), ("7", event("updated", 7))]
    published.clear()
    TicketViewSet.publish_changes(others)
    assert ("8", event("updated", 8)) in told(published, of=TicketViewSet)


@in_database
def test_what_a_block_takes_out_of_a_queryset_or_brings_into_it_is_told_so(published: Captured) -> None:
    Ticket.objects.create(pk=1, title="goes")
    Ticket.objects.create(pk=2, title="comes", done=True)
    Ticket.objects.create(pk=3, title="is not shown", done=True)
    with Open.changing(Ticket.objects.order_by("pk")):
        Ticket.objects.filter(pk__in=[1, 3]).update(done=True)
        Ticket.objects.filter(pk=2).update(done=False)
    assert told(published, of=Open) == [
        ("list", event("deleted", 1)),
        ("1", event("deleted", 1)),
        ("1", CLOSED),
        ("list", event("created", 2)),
    ]


@in_database
def test_a_new_url_is_told_as_such(published: Captured) -> None:
    Project.objects.create(pk=7, name="X", slug="x")
    with ProjectViewSet.changing(Project.objects.filter(slug="x")):
        Project.objects.update(slug="y")
    assert told(published, of=ProjectViewSet)[:2] == [
        ("list", event("deleted", "x")),
        ("list", event("created", "y", {"name": "X", "slug": "y"})),
    ]


@in_database
def test_what_a_related_row_decides_is_told_by_the_objects_that_depend_on_it(published: Captured) -> None:
    class OfProject(Grouped):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            assert instance.project is not None
            return [f"named:{instance.project.name}"]

    project = Project.objects.create(name="old", slug="x")
    ticket = Ticket.objects.create(title="x", project=project)
    with OfProject.changing(project.tickets.all()):
        project.name = "new"
        project.save()
    assert told(published)[:2] == [
        ("named:old", event("deleted", ticket.pk)),
        ("named:new", event("created", ticket.pk)),
    ]


@in_database
def test_children_with_keys_of_their_own_are_told_of_by_their_family_s(published: Captured) -> None:
    Ticket.objects.create(title="filler")
    work = Work.objects.create(title="x")
    assert work.pk != work.ticket_id
    with Open.changing(Work.objects.all()):
        Work.objects.update(title="y")
    Open.publish_changes(Work.objects.all())
    heard = [said for channel, said in told(published, of=Open) if channel == "list"]
    assert heard == [event("updated", work.ticket_id)] * 2


@in_database
def test_where_more_than_the_limit_were_and_are_lists_hear_that_there_is_news(
    published: Captured, groups: list[Group]
) -> None:
    one, two = groups
    Ticket.objects.bulk_create([Ticket(title="x", group=one) for _ in range(MAX_OBJECTS + 1)])
    found = Ticket.objects.filter(group=one)
    with Grouped.changing(found), TicketViewSet.changing(found):
        found.update(group=two)
    assert sorted(told(published)) == sorted(
        [(f"group:{one.pk}", INVALIDATE), (f"group:{two.pk}", INVALIDATE), (list_channel(TicketViewSet), INVALIDATE)]
    )


@in_database
def test_what_matches_nothing_tells_nothing(published: Captured) -> None:
    with TicketViewSet.changing(Ticket.objects.all()):
        pass
    TicketViewSet.publish_changes(Ticket.objects.all())
    assert published == []


def test_it_takes_a_queryset() -> None:
    with pytest.raises(TypeError, match=r"^TicketViewSet\.changing\(\) takes a queryset, not list\.$"):
        TicketViewSet.changing([]).__enter__()  # type: ignore[arg-type]
