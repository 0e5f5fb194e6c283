"""WebSocketAPIView and ATOMIC_REQUESTS: each message has a transaction of its own, however its error is answered."""

from __future__ import annotations

import json

import pytest
from django.db import connection, connections, transaction
from django.http import Http404
from django.utils.decorators import method_decorator
from rest_framework import exceptions, permissions, serializers, throttling

from django_grip.rest import ws_action

from ..fake_proxy import close, events_of, sent, text
from ..views.test_transactions import FILES, databases, words, write
from .api_sockets import Socket, accounts, logged, stack, world
from .models import Ticket

__all__ = ["accounts", "databases", "logged", "stack", "world"]
pytest_plugins = ["tests.rest.real_databases"]

only_sync_hooks = pytest.mark.parametrize("world", ["sync"], indirect=True)


def call(wire, *messages):
    """Send messages in one request; the statuses of their answers."""
    response = wire.send(*(text(json.dumps(message)) for message in messages))
    return [json.loads(answer)["status"] for answer in sent(events_of(response))]


def do(action, data=None):
    return {"action": action, "data": data}


class Writer(Socket):
    """Writes each message into both databases; some fail behind that."""

    def write(self, data):
        for alias in FILES:
            assert connections[alias].in_atomic_block
            write(data, alias)

    @ws_action("write")
    def succeed(self, data):
        self.write(data)

    @ws_action("refuse")
    def refuse(self, data):
        self.write("refused")
        raise exceptions.ValidationError({"word": ["No."]})

    @ws_action("miss")
    def miss(self, data):
        self.write("missed")
        raise Http404

    @ws_action("break")
    def fail(self, data):
        self.write("broken")
        raise RuntimeError("a bug")

    @ws_action("too much")
    def remember_too_much(self, data):
        self.write("too much")
        self.state["a"] = "x" * 10_000

    @ws_action("odd")
    def answer_oddly(self, data):
        self.write("odd")
        return object()


FAILURES = {"refuse": 400, "miss": 404, "break": 500, "too much": 500, "odd": 500}


@pytest.mark.parametrize(("failing", "status"), FAILURES.items(), ids=FAILURES)
def test_a_failing_message_is_undone_and_no_other(world, databases, failing, status):
    wire = world.wire(Writer)
    assert call(wire, do("write", "a"), do(failing), do("write", "b"), do(failing)) == [200, status, 200, status]
    assert words("files") == words("more_files") == ["a", "b"]
    assert call(wire, do("write", "c")) == [200]
    assert words("files") == words("more_files") == ["a", "b", "c"]


def test_an_error_of_the_database_is_undone_too(world, databases):
    wire = world.wire(Writer)
    assert call(wire, do("write", "a"), do("write", "a"), do("write", "b")) == [200, 500, 200]
    assert words("files") == words("more_files") == ["a", "b"]


def test_messages_that_call_no_action_have_transactions_too(world, databases):
    class View(Writer):
        def on_message(self, data):
            self.write(data)
            if data == "bad":
                raise exceptions.PermissionDenied

    wire = world.wire(View)
    assert call(wire, "a", "bad", "b") == [403]
    assert words("files") == words("more_files") == ["a", "b"]


@only_sync_hooks
def test_drfs_rollback_reaches_no_transaction_around_the_request(world, databases):
    """Its handler marks the innermost block of each database: here one that all messages share."""

    class Picky(permissions.BasePermission):
        def has_permission(self, request, view):
            return view.action != "odd"

    @method_decorator(transaction.atomic(using="files"), name="dispatch")
    class View(Writer):
        permission_classes = [Picky]

    wire = world.wire(View)
    assert call(wire, do("write", "a"), do("refuse"), do("nonsense"), do("odd"), do("write", "b"), do("miss")) == [
        200,
        400,
        400,
        401,
        200,
        404,
    ]
    assert words("files") == words("more_files") == ["a", "b"]


def test_a_nested_block_that_fails_and_is_caught_undoes_only_itself(world, databases):
    class View(Writer):
        def on_message(self, data):
            self.write(data)
            try:
                with transaction.atomic(using="files"):
                    write("inner", "files")
                    raise exceptions.NotFound
            except exceptions.NotFound:
                write("caught", "more_files")

    wire = world.wire(View)
    assert call(wire, "a") == []
    assert (words("files"), words("more_files")) == (["a"], ["a", "caught"])


def test_validation_is_in_the_transaction_of_its_message(world, databases):
    class Serializer(serializers.Serializer):
        word = serializers.CharField()

        def validate(self, attrs):
            assert connections["files"].in_atomic_block
            write(attrs["word"])
            if attrs["word"] == "bad":
                raise serializers.ValidationError("No.")
            return attrs

    class View(Socket):
        @ws_action("write", serializer_class=Serializer)
        def write(self, data):
            pass

    wire = world.wire(View)
    assert call(wire, do("write", {"word": "bad"}), do("write", {"word": "good"})) == [400, 200]
    assert words() == ["good"]


def test_what_throttles_count_stays_when_a_message_fails(world, databases):
    """Else, where the cache is a database's, bad messages would be free."""

    class Counting(throttling.BaseThrottle):
        def allow_request(self, request, view):
            assert not connections["files"].in_atomic_block
            write(f"{view.action} {len(words())}")
            return True

    class View(Writer):
        throttle_classes = [Counting]

        @ws_action("break")
        def fail(self, data):
            raise RuntimeError("a bug")

    wire = world.wire(View)
    assert call(wire, do("refuse"), do("break"), do("nonsense")) == [400, 500, 400]
    assert words() == ["on_open 0", "refuse 1", "break 2", "None 3"]


def test_a_commit_that_fails_is_answered_as_a_failure(world, databases):
    with connections["files"].cursor() as cursor:
        cursor.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        cursor.execute("CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")

    class View(Writer):
        @ws_action("orphan")
        def add_orphan(self, data):
            with connections["files"].cursor() as cursor:
                cursor.execute("INSERT INTO child VALUES (1)")
            return "done"

    wire = world.wire(View)
    assert call(wire, do("write", "a"), do("orphan"), do("write", "b")) == [200, 500, 200]
    assert words() == ["a", "b"]


def test_what_waits_for_the_commit_is_published_if_there_is_one(world, databases, published):
    class View(Writer):
        channels = ["all"]

        @ws_action("say")
        def say(self, data):
            self.publish(data, on_commit="files")
            if data == "bad":
                raise exceptions.ParseError

    wire = world.wire(View)
    assert call(wire, do("say", "a"), do("say", "bad"), do("say", "b")) == [200, 400, 200]
    assert [item.json() for item in published] == ["a", "b"]


def test_the_other_hooks_have_their_transactions(world, databases):
    class View(Socket):
        def on_open(self):
            write("again" if words() else "open")

        def on_refresh(self):
            write("refresh")
            raise exceptions.NotFound

        def on_close(self, code, reason):
            write("close")

    wire = world.wire(View)
    wire.send(close(1000))
    other = world.wire(View)
    other.send()
    assert words() == ["open", "close", "again"]


def test_a_refused_opening_leaves_nothing(world, databases):
    class View(Socket):
        def on_open(self):
            write("opened")
            raise exceptions.PermissionDenied

    assert world.refused(View).status_code == 403
    assert words() == []


def test_without_atomic_requests_there_are_no_transactions(world):
    class View(Socket):
        def on_message(self, data):
            self.send({"status": connections["default"].in_atomic_block})

    assert call(world.wire(View), "x") == [False]


# -- the ORM -----------------------------------------------------------------------------------------------------------


class TicketSerializer(serializers.ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "title", "project"]


class Tickets(Socket):
    serializer_class = TicketSerializer
    queryset = Ticket.objects.all()

    @ws_action("create")
    def create(self, data):
        assert connection.in_atomic_block
        ticket = self.serializer.save()
        if ticket.title == "bad":
            raise exceptions.ValidationError({"title": ["No."]})
        return self.serializer.data

    @ws_action("list", serializer_class=None)
    def list_titles(self, data):
        return self.get_queryset().order_by("pk").values_list("title", flat=True)

    @ws_action("clash", serializer_class=None)
    def clash(self, data):
        Ticket.objects.create(title="clashed")
        Ticket.objects.create(pk=Ticket.objects.first().pk, title="twice")


@pytest.fixture
def atomic(monkeypatch):
    """ATOMIC_REQUESTS for the database of the test."""

    def make():
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    return make


MESSAGES = [
    {"action": "create", "data": {"title": "a"}},
    {"action": "create", "data": {"title": "bad"}},
    {"action": "create", "data": {"title": "b", "project": 99}},
    {"action": "clash"},
    {"action": "create", "data": {"title": "c"}},
]
STATUSES = [200, 400, 400, 500, 200]


@pytest.mark.parametrize("stack", ["wsgi"], indirect=True)
@only_sync_hooks
def test_on_real_databases_one_failure_undoes_no_success(database, world, atomic):
    atomic()
    wire = world.wire(Tickets)
    assert call(wire, *MESSAGES) == STATUSES
    assert not connection.in_atomic_block
    assert [ticket.title for ticket in Ticket.objects.order_by("pk")] == ["a", "c"]
    response = wire.send(text('{"action": "list"}'))
    assert json.loads(sent(events_of(response))[0])["data"] == ["a", "c"]


@pytest.mark.parametrize("stack", ["wsgi"], indirect=True)
@only_sync_hooks
@pytest.mark.django_db
def test_within_a_test_cases_own_transaction_it_is_the_same(world, atomic):
    """DRF's handler marks that one too, if no other is there; nothing could be asked of the database any more."""
    atomic()
    wire = world.wire(Tickets)
    assert call(wire, *MESSAGES, {"action": "nonsense"}) == [*STATUSES, 400]
    assert [ticket.title for ticket in Ticket.objects.order_by("pk")] == ["a", "c"]

    class View(Tickets):
        permission_classes = [permissions.IsAuthenticated]

    world.routes.urlpatterns.clear()
    assert world.refused(View).status_code == 401
    assert Ticket.objects.count() == 2
