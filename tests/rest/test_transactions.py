"""When changes are told, and which of them, on databases whose commits are real."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import pytest
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.serializers import IntegerField, ModelSerializer

from django_grip.rest import LiveModelViewSet
from django_grip.rest.changes import batch
from django_grip.testing import Captured

from ..e2e.waiting import PATIENCE, wait_until
from .changing import CLOSED, INVALIDATE, ask, event, told
from .database_entries import as_database, create_tables, sqlite_entry
from .models import Project, Ticket
from .project import TicketSerializer, TicketViewSet

pytest_plugins = ["tests.rest.real_databases"]


class KeyedSerializer(ModelSerializer):
    """The client chooses the key."""

    id = IntegerField()

    class Meta:
        model = Ticket
        fields = ["id", "title"]


class Keyed(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = KeyedSerializer
    live_serializer_class = KeyedSerializer
    live_public = True
    permission_classes = [AllowAny]


def create(pk: int = 1, title: str = "x") -> None:
    ask(Keyed, "post", data={"id": pk, "title": title})


def update(pk: int = 1, title: str = "y") -> None:
    ask(Keyed, "patch", pk, {"title": title})


def destroy(pk: int = 1) -> None:
    ask(Keyed, "delete", pk)


def shown(action: str, pk: int, title: str) -> dict[str, Any]:
    return event(action, pk, {"id": pk, "title": title})


class Unwanted(Exception):
    """Rolls a block back."""


# -- commit and rollback -----------------------------------------------------------------------------------------------


def test_nothing_goes_out_before_the_commit(database: str, published: Captured) -> None:
    with transaction.atomic():
        create()
        assert published == []
    assert connection.vendor == database
    assert told(published, of=Keyed) == [("list", shown("created", 1, "x"))]


def test_nothing_goes_out_after_a_rollback(database: str, published: Captured) -> None:
    with suppress(Unwanted), transaction.atomic():
        create()
        raise Unwanted
    assert published == []
    # Nor with the next transaction on this connection.
    create(2)
    assert told(published, of=Keyed) == [("list", shown("created", 2, "x"))]


def test_a_savepoint_that_is_rolled_back_takes_its_changes_with_it(database: str, published: Captured) -> None:
    with transaction.atomic():
        create(1)
        with suppress(Unwanted), transaction.atomic():
            create(2)
            update(1, "never")
            with transaction.atomic():
                create(3)
            raise Unwanted
        with transaction.atomic():
            create(4)
            with suppress(Unwanted), transaction.atomic():
                destroy(1)
                raise Unwanted
    assert told(published, of=Keyed) == [("list", shown("created", 1, "x")), ("list", shown("created", 4, "x"))]


def test_what_a_savepoint_had_done_first_is_not_missed_when_it_is_gone(database: str, published: Captured) -> None:
    Ticket.objects.create(pk=1, title="x")
    with transaction.atomic():
        with suppress(Unwanted), transaction.atomic():
            destroy()
            raise Unwanted
        update()
    assert told(published, of=Keyed) == [("list", shown("updated", 1, "y")), ("1", shown("updated", 1, "y"))]


def test_a_commit_that_fails_tells_nothing(database: str, published: Captured) -> None:
    class Loose(TicketViewSet):
        def perform_create(self, serializer: Any) -> None:
            # The constraint is deferred: only the commit finds that there is no such project.
            serializer.save(project_id=12345)

    with pytest.raises(IntegrityError), transaction.atomic():
        ask(Loose, "post", data={"title": "x"})
    assert published == []
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("fails", [False, True])
def test_an_atomic_request_tells_at_its_end(database: str, published: Captured, fails: bool) -> None:
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    seen: list[list[Any]] = []

    class Picky(Keyed):
        def create(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            response = super().create(request, *args, **kwargs)
            seen.append(list(published))
            if fails:
                raise ValidationError("no, after all")
            return response

    with suppress(AssertionError):
        ask(Picky, "post", data={"id": 1, "title": "x"})
    assert seen == [[]]
    assert told(published, of=Picky) == ([] if fails else [("list", shown("created", 1, "x"))])
    assert Ticket.objects.exists() is not fails


def test_where_each_query_is_a_transaction_an_error_undoes_nothing(sqlite: None, published: Captured) -> None:
    class Late(Keyed):
        def create(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            super().create(request, *args, **kwargs)
            raise ValidationError("too late")

    with suppress(AssertionError):
        ask(Late, "post", data={"id": 1, "title": "x"})
    assert told(published, of=Late) == [("list", shown("created", 1, "x"))]


# -- one of many -------------------------------------------------------------------------------------------------------

COALESCED: list[tuple[list[Callable[[], None]], list[Any]]] = [
    ([create, update], [("list", shown("created", 1, "y"))]),
    ([create, destroy], []),
    ([create, destroy, create], [("list", shown("created", 1, "x"))]),
    ([create, update, destroy], []),
]
COALESCED_LATER: list[tuple[list[Callable[[], None]], list[Any]]] = [
    ([update, update], [("list", shown("updated", 1, "y")), ("1", shown("updated", 1, "y"))]),
    ([update, destroy], [("list", event("deleted", 1)), ("1", event("deleted", 1)), ("1", CLOSED)]),
    ([destroy, create], [("list", shown("updated", 1, "x")), ("1", shown("updated", 1, "x"))]),
    ([destroy, create, destroy], [("list", event("deleted", 1)), ("1", event("deleted", 1)), ("1", CLOSED)]),
]


@pytest.mark.parametrize(
    ("steps", "expected"), COALESCED, ids=[", ".join(step.__name__ for step in steps) for steps, _ in COALESCED]
)
def test_a_new_object_s_changes_are_told_as_one(
    sqlite: None, published: Captured, steps: list[Callable[[], None]], expected: list[Any]
) -> None:
    with transaction.atomic():
        for step in steps:
            step()
    assert told(published, of=Keyed) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    COALESCED_LATER,
    ids=[", ".join(step.__name__ for step in steps) for steps, _ in COALESCED_LATER],
)
def test_an_old_object_s_changes_are_told_as_one(
    sqlite: None, published: Captured, steps: list[Callable[[], None]], expected: list[Any]
) -> None:
    Ticket.objects.create(pk=1, title="old")
    with transaction.atomic():
        for step in steps:
            step()
    assert told(published, of=Keyed) == expected


def test_a_list_hears_once_a_transaction_that_there_is_news(database: str, published: Captured) -> None:
    with transaction.atomic():
        pks = [ask(TicketViewSet, "post", data={"title": "x"})["id"] for _ in range(5)]
        ask(TicketViewSet, "patch", pks[0], {"title": "y"})
        ask(TicketViewSet, "delete", pks[1])
    assert told(published, of=TicketViewSet) == [("list", INVALIDATE)]


def test_objects_that_move_twice_left_once_and_came_once(sqlite: None, published: Captured) -> None:
    class Sorted(Keyed):
        def get_live_channels(self) -> list[str]:
            return []

        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return [f"title:{instance.title}"]

    Ticket.objects.create(pk=1, title="a")
    with transaction.atomic():
        for title in "bc":
            ask(Sorted, "patch", 1, {"title": title})
    assert told(published)[:2] == [("title:a", event("deleted", 1)), ("title:c", event("created", 1))]
    published.clear()
    with transaction.atomic():
        for title in "bc":
            ask(Sorted, "patch", 1, {"title": title})
    # There and back again.
    assert told(published)[0] == ("title:c", shown("updated", 1, "c"))


# -- connections, threads, databases -----------------------------------------------------------------------------------


class Locking(Keyed):
    """Locks the row it is going to change, as two writers need it."""

    def perform_update(self, serializer: Any) -> None:
        locked = Ticket.objects.select_for_update().get(pk=serializer.instance.pk)
        locked.title += serializer.validated_data["title"]
        locked.save()
        serializer.instance = locked


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        # Unlike pg_stat_activity it is no snapshot, which would stay the same until the end of this transaction.
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


def test_two_writers_of_one_object_are_both_told_of(database: str, published: Captured) -> None:
    Ticket.objects.create(pk=1, title="")

    def write_too() -> None:
        with transaction.atomic():
            ask(Locking, "patch", 1, {"title": "b"})

    with transaction.atomic():
        ask(Locking, "patch", 1, {"title": "a"})
        other = in_thread(write_too)
        if database == "postgresql":
            wait_until(is_waiting_for_a_lock, "the second writer waits for the first")
        assert published == []
    other.join(PATIENCE)
    assert Ticket.objects.get().title == "ab"
    on_list = [said["data"]["title"] for channel, said in told(published, of=Locking) if channel == "list"]
    # Of the first is told how it was, or how it is by now; never what was not committed.
    assert len(on_list) == 2
    assert set(on_list) <= {"a", "ab"}
    assert "ab" in on_list


@pytest.mark.needs("postgresql")
def test_a_transaction_of_another_thread_is_none_of_ours(postgresql: None, published: Captured) -> None:
    with suppress(Unwanted), transaction.atomic():
        create(1)
        in_thread(lambda: create(2)).join(PATIENCE)
        assert told(published, of=Keyed) == [("list", shown("created", 2, "x"))]
        raise Unwanted
    assert len(published) == 1


@pytest.mark.needs("postgresql")
def test_a_query_that_fails_while_asking_leaves_the_request_its_cause(postgresql: None, published: Captured) -> None:
    class Curious(Keyed):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return list(Project.objects.extra(where=["no_such_column = 1"]).values_list("slug", flat=True))

    create(1)
    published.clear()
    with pytest.raises(DatabaseError, match="no_such_column"), transaction.atomic():
        ask(Curious, "patch", 1, {"title": "y"})
    assert published == []
    assert Ticket.objects.get().title == "x"


@pytest.fixture
def other(sqlite: None, tmp_path: Path) -> Iterator[None]:
    """A second database."""
    entry = sqlite_entry(tmp_path / "other")
    with as_database(entry):
        create_tables()
    with as_database(entry, "other"):
        yield


class Elsewhere(TicketViewSet):
    """Writes to the second database."""

    queryset = Ticket.objects.using("other")
    live_public = True
    live_serializer_class = TicketSerializer

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = Ticket.objects.using("other").create(**serializer.validated_data)


@pytest.mark.parametrize("fails", ["default", "other", None])
def test_each_database_s_commit_counts_for_its_own_changes(other: None, published: Captured, fails: str | None) -> None:
    with suppress(Unwanted), transaction.atomic():
        ask(TicketViewSet, "post", data={"title": "x"})
        with suppress(Unwanted), transaction.atomic(using="other"):
            made = ask(Elsewhere, "post", data={"title": "y"})
            ask(Elsewhere, "patch", made["id"], {"title": "z"})
            if fails == "other":
                raise Unwanted
        assert told(published, of=TicketViewSet) == []
        assert [said["data"]["title"] for _, said in told(published)] == ([] if fails == "other" else ["z"])
        if fails == "default":
            raise Unwanted
    assert told(published, of=TicketViewSet) == ([] if fails == "default" else [("list", INVALIDATE)])


class Replicated:
    """Reads come from a copy, writes go to the original."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "copy"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True


def test_changes_are_told_with_the_database_that_was_written_to(
    sqlite: None, published: Captured, settings: Any
) -> None:
    create()
    settings.DATABASE_ROUTERS = [Replicated()]
    with as_database(sqlite_entry(connection.settings_dict["NAME"]), "copy"):
        for change, action in ((update, "updated"), (destroy, "deleted")):
            published.clear()
            with transaction.atomic(using="default"):
                change()
                assert published == []
            assert told(published, of=Keyed)[0][1]["action"] == action


def test_what_is_written_without_its_instance_counts_for_the_database_that_is_written_to(
    sqlite: None, published: Captured, settings: Any
) -> None:
    """The instance was read from the copy, and does not learn otherwise."""

    class ByQueryset(Keyed):
        def perform_update(self, serializer: Any) -> None:
            Ticket.objects.filter(pk=serializer.instance.pk).update(**serializer.validated_data)

    create()
    settings.DATABASE_ROUTERS = [Replicated()]
    with as_database(sqlite_entry(connection.settings_dict["NAME"]), "copy"):
        published.clear()
        with suppress(Unwanted), transaction.atomic(using="default"):
            ask(ByQueryset, "patch", 1, {"title": "never"})
            raise Unwanted
        assert published == []
        with transaction.atomic(using="default"):
            ask(ByQueryset, "patch", 1, {"title": "y"})
            assert published == []
        assert told(published, of=ByQueryset)[0] == ("list", shown("updated", 1, "y"))


def test_what_a_filtered_viewset_showed_is_asked_of_the_database_that_is_written_to(
    sqlite: None, published: Captured, settings: Any
) -> None:
    """The copy may lag behind."""

    class Named(Keyed):
        queryset = Ticket.objects.exclude(title="")

        def get_queryset(self) -> Any:
            return Ticket.objects.all()

    create(title="x")
    settings.DATABASE_ROUTERS = [Replicated()]
    with as_database(sqlite_entry(connection.settings_dict["NAME"]), "copy"):
        published.clear()
        with transaction.atomic(using="default"):
            Ticket.objects.using("default").update(title="")
            ask(Named, "patch", 1, {"title": "y"})
        assert told(published, of=Named)[0] == ("list", shown("created", 1, "y"))


# -- what else there is in a transaction -------------------------------------------------------------------------------


def test_transactions_managed_by_hand_keep_their_writes(
    sqlite: None, published: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    transaction.set_autocommit(False)
    try:
        create()
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert Ticket.objects.exists()
    assert published == []
    assert f"{__name__}.Keyed: nobody is told of object 1." in caplog.text
    assert "on_commit() cannot be used in manual transaction management" in caplog.text


def test_a_hook_of_the_project_s_that_raises_behind_the_first_change_stops_none(
    sqlite: None, published: Captured
) -> None:
    def fail() -> None:
        raise Unwanted

    with suppress(Unwanted), transaction.atomic():
        create(1)
        transaction.on_commit(fail)
        create(2)
    assert [said["pk"] for _, said in told(published, of=Keyed)] == [1, 2]


def test_a_change_made_when_the_transaction_has_committed_is_told_too(sqlite: None, published: Captured) -> None:
    def change_more() -> None:
        update(1, "z")
        with suppress(Unwanted), transaction.atomic():
            create(3)
            raise Unwanted

    with transaction.atomic():
        transaction.on_commit(change_more)
        create(1)
        create(2)
    lists = [said for channel, said in told(published, of=Keyed) if channel == "list"]
    assert lists == [shown("created", 1, "z"), shown("created", 2, "x")]


def test_where_references_are_not_counted_each_change_is_told_by_itself(
    sqlite: None, published: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PyPy, where what was rolled back lingers on."""
    lingering: list[batch.Change] = []
    add = batch._Batch.add
    monkeypatch.setattr(batch, "_COUNTS_REFERENCES", False)
    monkeypatch.setattr(batch._Batch, "add", lambda self, change: (lingering.append(change), add(self, change)))
    with transaction.atomic():
        create(1)
        with suppress(Unwanted), transaction.atomic():
            create(2)
            raise Unwanted
        update(1)
    assert len(lingering) == 3
    assert [said for _, said in told(published, of=Keyed)] == [
        shown("created", 1, "y"),
        shown("updated", 1, "y"),
        shown("updated", 1, "y"),
    ]


# -- in a project's own tests ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_test_case_s_captured_hooks_tell_what_was_changed_in_their_block(
    published: Captured, django_capture_on_commit_callbacks: Any
) -> None:
    create(1)
    with django_capture_on_commit_callbacks(execute=True):
        update(1, "in the block")
        update(1, "in the block, too")
        with suppress(Unwanted), transaction.atomic():
            create(2)
            raise Unwanted
        assert published == []
    data = shown("updated", 1, "in the block, too")
    assert told(published, of=Keyed) == [("list", data), ("1", data)]
    published.clear()
    with django_capture_on_commit_callbacks(execute=True):
        destroy(1)
    assert told(published, of=Keyed) == [("list", event("deleted", 1)), ("1", event("deleted", 1)), ("1", CLOSED)]


@pytest.mark.django_db
@pytest.mark.parametrize("is_rolled_back", [False, True])
def test_very_many_captured_hooks_are_gone_through_a_few_times_only(
    published: Captured, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch, is_rolled_back: bool
) -> None:
    walks: list[Any] = []

    class Counting(WeakValueDictionary[int, batch.Change]):
        def values(self) -> Any:
            walks.append(self)
            return super().values()

    monkeypatch.setattr(batch, "WeakValueDictionary", Counting)
    monkeypatch.setattr(batch, "_batches", WeakKeyDictionary())
    create(1)
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(30):
            update(1, f"{number}")
        if is_rolled_back:
            with suppress(Unwanted), transaction.atomic():
                create(2)
                raise Unwanted
    data = shown("updated", 1, "29")
    assert told(published, of=Keyed) == [("list", data), ("1", data)]
    assert len(walks) <= 2


@pytest.mark.django_db
def test_a_test_case_that_runs_no_hooks_tells_nothing(published: Captured) -> None:
    create(1)
    assert published == []
