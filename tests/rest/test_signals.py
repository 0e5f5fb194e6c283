"""``live_signals``: what is changed elsewhere is told too, and each change once."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.test.utils import CaptureQueriesContext
from rest_framework.permissions import AllowAny

from django_grip.rest import LiveModelViewSet
from django_grip.rest.changes import signals
from django_grip.rest.changes.bulk import MAX_OBJECTS
from django_grip.testing import Captured

from ..publishing.servers import ControlServer
from .changing import CLOSED, HINTED, INVALIDATE, ask, event, told
from .models import Bug, NamedProject, Project, Ticket
from .project import ProjectSerializer, TicketSerializer

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]


class Projects(LiveModelViewSet):
    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    live_serializer_class = ProjectSerializer
    live_public = True
    live_signals = True
    permission_classes = [AllowAny]


class Tickets(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    live_public = True
    live_signals = True
    permission_classes = [AllowAny]


class Watched(Tickets):
    """Told to those who watch a ticket, and to its owner."""

    live_public = False

    def get_live_channels(self) -> list[str]:
        return [f"user:{self.request.user.pk}"]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        # There is no request in what is changed elsewhere.
        assert self.request is None
        watchers = instance.watchers.order_by("pk").values_list("pk", flat=True)
        return [f"owner:{instance.owner_id}", *(f"user:{pk}" for pk in watchers)]


class Bugs(Tickets):
    queryset = Bug.objects.all()


@pytest.fixture
def connect() -> Iterator[Callable[..., None]]:
    """Connect viewsets for the time of a test."""
    connected: list[type[Any]] = []

    def connect_all(*viewsets: type[Any]) -> None:
        connected.extend(viewsets)
        for viewset in viewsets:
            signals.connect(viewset)

    yield connect_all
    for viewset in connected:
        signals.disconnect(viewset)
    assert signals._listeners == {}


@pytest.fixture
def users() -> list[User]:
    return [User.objects.create(username=name) for name in ("ada", "bob", "cyd")]


# -- rows --------------------------------------------------------------------------------------------------------------


def test_what_is_saved_and_deleted_elsewhere_is_told(published: Captured, connect: Any) -> None:
    connect(Projects)
    project = Project.objects.create(name="X", slug="x")
    pk = project.pk
    project.name = "Y"
    project.save()
    project.delete()
    new, newer = {"name": "X", "slug": "x"}, {"name": "Y", "slug": "x"}
    assert told(published, of=Projects) == [
        ("list", event("created", pk, new)),
        ("list", event("updated", pk, newer)),
        (str(pk), event("updated", pk, newer)),
        ("list", event("deleted", pk)),
        (str(pk), event("deleted", pk)),
        (str(pk), CLOSED),
    ]


def test_an_instance_that_was_saved_can_be_pickled_wherever_the_viewset_is_defined(connect: Any) -> None:
    class Local(Tickets):
        """Not found by its name."""

    connect(Local, Tickets)
    ticket = Ticket.objects.create(title="x")
    ticket.save()
    assert "live_changes" not in vars(ticket._state)
    assert pickle.loads(pickle.dumps(ticket)) == ticket
    ticket.delete()
    pickle.dumps(ticket)


def test_they_are_told_when_the_transaction_commits(published: Captured, connect: Any) -> None:
    connect(Projects)
    with transaction.atomic():
        project = Project.objects.create(name="X", slug="x")
        project.name = "Y"
        project.save()
        assert published == []
    assert told(published) == [(f"live:{__name__}.Projects", event("created", project.pk, {"name": "Y", "slug": "x"}))]


@pytest.mark.parametrize("atomic", [False, True], ids=["each query a transaction", "one transaction"])
def test_what_a_request_does_is_told_once_all_the_same(published: Captured, connect: Any, atomic: bool) -> None:
    def run(*args: Any) -> None:
        if atomic:
            with transaction.atomic():
                ask(*args)
        else:
            ask(*args)

    connect(Projects)
    run(Projects, "post", None, {"name": "X", "slug": "x"})
    pk = Project.objects.get().pk
    run(Projects, "patch", pk, {"name": "Y"})
    run(Projects, "delete", pk)
    assert [said["action"] for channel, said in told(published, of=Projects) if channel == "list"] == [
        "created",
        "updated",
        "deleted",
    ]
    assert [said.get("action", "closed") for channel, said in told(published, of=Projects) if channel == str(pk)] == [
        "updated",
        "deleted",
        "closed",
    ]


def test_of_very_many_objects_lists_hear_that_there_is_news_and_each_object_its_own(
    published: Captured, connect: Any
) -> None:
    rows = [Project(name="x", slug=str(number)) for number in range(MAX_OBJECTS + 1)]
    Project.objects.bulk_create(rows)
    connect(Projects)
    with transaction.atomic():
        for project in Project.objects.all():
            project.save()
    heard = told(published, of=Projects)
    assert heard[0] == ("list", INVALIDATE)
    assert sorted(heard[1:]) == sorted((str(row.pk), event("updated", row.pk)) for row in rows)


def test_routing_a_viewset_connects_it_once(published: Captured, connect: Any) -> None:
    class Routed(Projects):
        """Routed as a list and as a detail."""

    connect()
    try:
        Routed.as_view({"get": "list"})
        Routed.as_view({"get": "retrieve"})
        Project.objects.create(name="X", slug="x")
        assert len(published) == 1
    finally:
        signals.disconnect(Routed)


def test_another_model_s_changes_are_not_heard_of(published: Captured, connect: Any) -> None:
    connect(Projects)
    Ticket.objects.create(title="x").delete()
    assert published == []
    assert not post_delete.has_listeners(Ticket)


def test_a_fixture_is_loaded_in_silence(published: Captured, connect: Any) -> None:
    connect(Projects, Watched)
    rows = serializers.serialize("json", [Project(pk=1, name="X", slug="x"), Ticket(pk=1, title="x", owner_id=None)])
    for loaded in serializers.deserialize("json", rows):
        loaded.save()
    assert (Project.objects.count(), Ticket.objects.count(), published) == (1, 1, [])


def test_a_proxy_s_changes_are_those_of_its_model(published: Captured, connect: Any) -> None:
    class Named(Projects):
        queryset = NamedProject.objects.all()

    connect(Projects, Named)
    project = NamedProject.objects.create(name="X", slug="x")
    pk = project.pk
    assert (
        told(published, of=Projects)
        == told(published, of=Named)
        == [("list", event("created", pk, {"name": "X", "slug": "x"}))]
    )
    published.clear()
    Project.objects.get().delete()
    assert [said for _, said in told(published, of=Named)] == [event("deleted", pk), event("deleted", pk), CLOSED]


def test_a_child_s_changes_are_its_parent_s_too(published: Captured, connect: Any) -> None:
    connect(Tickets, Bugs)
    bug = Bug.objects.create(title="x")
    pk = bug.pk
    bug.severity = 2
    bug.save()
    bug.delete()
    for viewset in (Tickets, Bugs):
        heard = [said["action"] for channel, said in told(published, of=viewset) if channel == "list"]
        assert heard == ["created", "updated", "deleted"]
        assert (str(pk), event("deleted", pk)) in told(published, of=viewset)


def test_a_parent_s_changes_are_its_child_s_if_there_is_one(published: Captured, connect: Any) -> None:
    connect(Bugs)
    bug = Bug.objects.create(title="x")
    published.clear()
    # Not a bug, and never one.
    plain = Ticket.objects.create(title="y")
    plain.save()
    assert [channel for channel, _ in told(published, of=Bugs)].count("list") <= 1
    published.clear()
    parent = Ticket.objects.get(pk=bug.pk)
    parent.title = "z"
    parent.save()
    assert ("list", event("updated", bug.pk)) in told(published, of=Bugs)
    published.clear()
    parent.delete()
    assert ("list", event("deleted", bug.pk)) in told(published, of=Bugs)


# -- from one channel to another ---------------------------------------------------------------------------------------


def test_a_move_is_noticed_by_the_row_as_it_was(published: Captured, connect: Any, users: list[User]) -> None:
    connect(Watched)
    ada, bob, _ = users
    ticket = Ticket.objects.create(title="x", owner=ada)
    published.clear()
    # An instance that never was at its old owner's.
    Ticket(pk=ticket.pk, title="x", owner=bob).save()
    mine = f"live:{__name__}.Watched:{ticket.pk}"
    assert told(published) == [
        (f"owner:{ada.pk}", event("deleted", ticket.pk)),
        (f"owner:{bob.pk}", event("created", ticket.pk)),
        (mine, INVALIDATE),
        (mine, HINTED),
    ]


def test_a_deletion_is_told_where_the_object_was(published: Captured, connect: Any, users: list[User]) -> None:
    connect(Watched)
    ticket = Ticket.objects.create(title="x", owner=users[0])
    pk = ticket.pk
    published.clear()
    ticket.delete()
    assert told(published)[0] == (f"owner:{users[0].pk}", event("deleted", pk))


def test_the_old_row_is_asked_for_only_where_channels_depend_on_it(
    connect: Any, users: list[User], published: Captured
) -> None:
    from django.db import connection

    def count(work: Callable[[], Any]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            work()
        return len(queries)

    class Quiet(Tickets):
        live_public = False

    ticket = Ticket.objects.create(title="x")
    connect(Quiet)
    # The update itself.
    assert count(ticket.save) == 1
    assert count(lambda: Ticket.objects.create(title="x")) == 1
    connect(Watched)
    # Before and after: the row and what its channels ask for.
    assert count(ticket.save) == 5
    # A row that was not there is not looked for.
    assert count(lambda: Ticket.objects.create(title="x")) == 3


def test_a_write_elsewhere_stands_where_its_channels_cannot_be_found(
    connect: Any, published: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    class Requesting(Watched):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return [f"user:{self.request.user.pk}"]

    ticket = Ticket.objects.create(title="x")
    pk = ticket.pk
    connect(Requesting)
    ticket.title = "y"
    ticket.save()
    ticket.delete()
    assert not Ticket.objects.exists()
    assert "'NoneType' object has no attribute 'user'" in caplog.text
    name = f"live:{__name__}.{Requesting.__qualname__}:{pk}"
    assert told(published) == [
        (name, INVALIDATE),
        (name, HINTED),
        (name, event("deleted", pk)),
        (name, CLOSED),
    ]


# -- many to many ------------------------------------------------------------------------------------------------------


def changes_of(published: Captured, ticket: Ticket) -> list[tuple[str, str]]:
    return [(channel, said["action"]) for channel, said in told(published) if channel.startswith(("owner", "user"))]


@pytest.mark.parametrize("side", ["ticket", "user"])
def test_relations_are_heard_of_from_either_side(
    published: Captured, connect: Any, users: list[User], side: str
) -> None:
    ada, bob, _ = users
    ticket = Ticket.objects.create(title="x", owner=ada)
    connect(Watched)

    def heard(*arguments: Any) -> list[tuple[str, str]]:
        published.clear()
        name, of_ticket, of_user = arguments
        getattr(ticket.watchers if side == "ticket" else bob.watched, name)(
            *(of_ticket if side == "ticket" else of_user)
        )
        return changes_of(published, ticket)

    owner = (f"owner:{ada.pk}", "updated")
    assert heard("add", [bob], [ticket]) == [owner, (f"user:{bob.pk}", "created")]
    # It is there already.
    assert heard("add", [bob], [ticket]) == []
    assert heard("remove", [bob], [ticket]) == [owner, (f"user:{bob.pk}", "deleted")]
    assert heard("set", [[bob]], [[ticket]]) == [owner, (f"user:{bob.pk}", "created")]
    assert heard("clear", [], []) == [owner, (f"user:{bob.pk}", "deleted")]


def test_relations_that_are_rolled_back_are_not_heard_of(published: Captured, connect: Any, users: list[User]) -> None:
    connect(Tickets)
    ticket = Ticket.objects.create(title="x")
    published.clear()
    with transaction.atomic():
        ticket.watchers.add(users[0])
        transaction.set_rollback(True)
    assert published == []


def test_relations_of_many_objects_at_once(published: Captured, connect: Any, users: list[User]) -> None:
    number = MAX_OBJECTS + 1
    tickets = Ticket.objects.bulk_create([Ticket(title="x", owner=users[0]) for _ in range(number)])
    connect(Watched)
    users[1].watched.add(*tickets)
    assert changes_of(published, tickets[0]) == [
        (f"owner:{users[0].pk}", "invalidate"),
        (f"user:{users[1].pk}", "invalidate"),
    ]
    published.clear()
    users[1].watched.clear()
    assert changes_of(published, tickets[0]) == [
        (f"owner:{users[0].pk}", "invalidate"),
        (f"user:{users[1].pk}", "invalidate"),
    ]


def test_a_relation_s_signals_without_a_transaction_are_heard_afterwards(
    published: Captured, connect: Any, users: list[User]
) -> None:
    """Not Django's own: of a field that is like one of many to many."""
    ticket = Ticket.objects.create(title="x")
    connect(Tickets)
    through = Ticket.watchers.through
    said = {"instance": ticket, "reverse": False, "model": User, "pk_set": {users[0].pk}, "using": "default"}
    m2m_changed.send(through, action="pre_add", **said)
    assert published == []
    m2m_changed.send(through, action="post_add", **said)
    assert told(published, of=Tickets)[0] == ("list", event("updated", ticket.pk))


# -- which signals -----------------------------------------------------------------------------------------------------


def test_the_model_has_to_be_known() -> None:
    class Nameless(LiveModelViewSet):
        live_signals = True
        serializer_class = TicketSerializer

        def get_queryset(self) -> Any:
            return Ticket.objects.filter(owner=self.request.user)

    with pytest.raises(ImproperlyConfigured) as raised:
        Nameless.as_view({"get": "list"})
    assert str(raised.value) == (
        "Nameless.live_signals needs to know whose signals: set queryset, as in queryset = Ticket.objects.all(); "
        "get_queryset() decides all the same what a request sees."
    )


def test_disconnecting_leaves_nothing_behind() -> None:
    before = [len(signal.receivers) for signal in (post_save, post_delete, m2m_changed)]
    signals.connect(Bugs)
    assert [len(signal.receivers) for signal in (post_save, post_delete, m2m_changed)] != before
    signals.disconnect(Bugs)
    signals.disconnect(Bugs)
    assert [len(signal.receivers) for signal in (post_save, post_delete, m2m_changed)] == before


# A project whose shell does not load the URLconf.
PROJECT = {
    "manage.py": """
        import os, sys
        os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
    """,
    "site_settings.py": """
        import os
        SECRET_KEY = "x" * 50
        INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_grip", "groups"]
        MIDDLEWARE = ["django_grip.GripMiddleware"]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        ROOT_URLCONF = "site_urls"
        USE_TZ = True
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        GRIP_PROXIES = [{"control_uri": os.environ["CONTROL_URI"], "key": "tests-only-key-0123456789-0123456789"}]
    """,
    "site_urls.py": """
        raise AssertionError("a shell has no need of the URLconf")
    """,
    "groups/__init__.py": "",
    "groups/apps.py": """
        from django.apps import AppConfig

        class GroupsConfig(AppConfig):
            name = "groups"

            def ready(self):
                from .views import GroupViewSet

                GroupViewSet.connect_live_signals()
    """,
    "groups/views.py": """
        from django.contrib.auth.models import Group
        from rest_framework.serializers import ModelSerializer
        from django_grip.rest import LiveModelViewSet

        class GroupSerializer(ModelSerializer):
            class Meta:
                model = Group
                fields = ["name"]

        class GroupViewSet(LiveModelViewSet):
            queryset = Group.objects.all()
            serializer_class = GroupSerializer
            live_signals = True
    """,
}
IN_THE_SHELL = """
from django.core.management import call_command
from django.contrib.auth.models import Group
call_command("migrate", verbosity=0, skip_checks=True)
Group.objects.create(name="from the shell")
"""


def test_a_shell_publishes_what_it_changes(tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(text))
    server = ControlServer()
    try:
        env = {**os.environ, "CONTROL_URI": server.url, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
        command = [sys.executable, "manage.py", "shell", "-c", IN_THE_SHELL]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        server.stop()
    [item] = server.taken
    assert item["channel"] == "live:groups.views.GroupViewSet"
    assert item["formats"]["ws-message"] == {"content": '{"action":"invalidate"}'}
