"""What a viewset changes is told to its subscribers: which of them, and how much."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.db.models import F, QuerySet
from rest_framework.permissions import AllowAny
from rest_framework.serializers import ListSerializer, ModelSerializer, SerializerMethodField

from django_grip.publisher import publish_to
from django_grip.publishing import Policy
from django_grip.publishing.outcome import Unreached
from django_grip.rest import LiveModelViewSet
from django_grip.rest.changes.bulk import MAX_OBJECTS
from django_grip.testing import Captured

from .changing import CLOSED, HINTED, INVALIDATE, ask, event, told
from .models import Project, Ticket
from .project import OwnTicketViewSet, ProjectViewSet, TicketSerializer, TicketViewSet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> User:
    return User.objects.create(username="ada")


@pytest.fixture
def bob() -> User:
    return User.objects.create(username="bob")


class OwnedSerializer(ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "title", "owner"]


class OwnedViewSet(LiveModelViewSet):
    """Tickets move from one owner's channel to another's."""

    queryset = Ticket.objects.all()
    serializer_class = OwnedSerializer
    live_serializer_class = OwnedSerializer
    permission_classes = [AllowAny]

    def get_live_channels(self) -> list[str]:
        return [f"owner:{self.request.user.pk}"]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return [f"owner:{instance.owner_id}"]


# -- by default --------------------------------------------------------------------------------------------------------


def test_a_list_hears_that_there_is_news_and_an_object_what_became_of_it(published: Captured) -> None:
    pk = ask(TicketViewSet, "post", data={"title": "x"})["id"]
    ask(TicketViewSet, "patch", pk, {"title": "y"})
    ask(TicketViewSet, "put", pk, {"title": "z"})
    ask(TicketViewSet, "delete", pk)
    assert told(published, of=TicketViewSet) == [
        ("list", INVALIDATE),
        ("list", INVALIDATE),
        (str(pk), event("updated", pk)),
        ("list", INVALIDATE),
        (str(pk), event("updated", pk)),
        ("list", INVALIDATE),
        (str(pk), event("deleted", pk)),
        (str(pk), CLOSED),
    ]
    assert len(published) == 8


def test_one_item_has_every_transport_s_format(published: Captured) -> None:
    ask(TicketViewSet, "post", data={"title": "x"})
    [item] = published
    assert item.actions == {"stream": "send", "websocket": "send", "response": "hint"}
    assert (item.stream, item.websocket) == ('data: {"action":"invalidate"}\n\n', '{"action":"invalidate"}')


def test_what_is_changed_elsewhere_is_not_told(published: Captured) -> None:
    Ticket.objects.create(title="x")
    assert published == []


def test_a_request_that_is_refused_tells_nothing(published: Captured) -> None:
    with pytest.raises(AssertionError):
        ask(TicketViewSet, "post", data={"title": ""})
    assert published == []


def test_each_viewset_of_a_model_has_channels_of_its_own(published: Captured) -> None:
    ask(TicketViewSet, "post", data={"title": "x"})
    assert told(published, of=OwnedViewSet) == []


# -- how much ----------------------------------------------------------------------------------------------------------


def test_where_everything_is_public_lists_hear_all(published: Captured) -> None:
    ask(ProjectViewSet, "post", data={"name": "X", "slug": "x"})
    pk = Project.objects.get().pk
    ask(ProjectViewSet, "patch", "x", {"name": "Y"})
    ask(ProjectViewSet, "delete", "x")
    new, newer = {"name": "X", "slug": "x"}, {"name": "Y", "slug": "x"}
    # What clients are told is what its URL has; only the channel has the row's key.
    assert told(published, of=ProjectViewSet) == [
        ("list", event("created", "x", new)),
        ("list", event("updated", "x", newer)),
        (str(pk), event("updated", "x", newer)),
        ("list", event("deleted", "x")),
        (str(pk), event("deleted", "x")),
        (str(pk), CLOSED),
    ]


def test_a_key_and_no_data_without_a_serializer_for_it(published: Captured) -> None:
    class Keys(ProjectViewSet):
        live_serializer_class = None

    ask(Keys, "post", data={"name": "X", "slug": "x"})
    assert told(published, of=Keys) == [("list", event("created", "x"))]


def test_two_users_never_hear_of_each_other_s_objects(published: Captured, ada: User, bob: User) -> None:
    pk = ask(OwnTicketViewSet, "post", data={"title": "x"}, user=ada)["id"]
    ask(OwnTicketViewSet, "patch", pk, {"title": "y"}, user=ada)
    ask(OwnTicketViewSet, "delete", pk, user=ada)
    shown = {"id": pk, "title": "x", "done": False, "project": None}
    assert told(published) == [
        (f"owner:{ada.pk}", event("created", pk, shown)),
        (f"owner:{ada.pk}", event("updated", pk, {**shown, "title": "y"})),
        # Whoever has opened it may have lost it since, so there is no data.
        (object_of(OwnTicketViewSet, pk), event("updated", pk)),
        (f"owner:{ada.pk}", event("deleted", pk)),
        (object_of(OwnTicketViewSet, pk), event("deleted", pk)),
        (object_of(OwnTicketViewSet, pk), CLOSED),
    ]


def object_of(viewset: Any, pk: Any) -> str:
    return f"live:{viewset.__module__}.{viewset.__qualname__}:{pk}"


def test_a_move_is_a_deletion_here_and_a_creation_there(published: Captured, ada: User, bob: User) -> None:
    ticket = Ticket.objects.create(title="secret", owner=ada)
    ask(OwnedViewSet, "patch", ticket.pk, {"owner": bob.pk})
    assert told(published) == [
        (f"owner:{ada.pk}", event("deleted", ticket.pk)),
        (f"owner:{bob.pk}", event("created", ticket.pk)),
        (object_of(OwnedViewSet, ticket.pk), INVALIDATE),
        (object_of(OwnedViewSet, ticket.pk), HINTED),
    ]
    published.clear()
    ask(OwnedViewSet, "patch", ticket.pk, {"title": "secret 2"})
    assert f"owner:{ada.pk}" not in published.channels


def test_who_stays_in_both_groups_hears_of_an_update(published: Captured, ada: User, bob: User) -> None:
    class Shared(OwnedViewSet):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return ["all", f"owner:{instance.owner_id}", "all"]

    ticket = Ticket.objects.create(title="x", owner=ada)
    ask(Shared, "patch", ticket.pk, {"owner": bob.pk})
    assert told(published)[:3] == [
        ("all", event("updated", ticket.pk)),
        (f"owner:{ada.pk}", event("deleted", ticket.pk)),
        (f"owner:{bob.pk}", event("created", ticket.pk)),
    ]


@pytest.mark.parametrize("method", ["get_live_channels", "get_publish_channels"])
def test_one_channel_method_alone_gives_no_right_to_tell(published: Captured, method: str) -> None:
    viewset = type("Half", (TicketViewSet,), {method: lambda self, *instance: ["mine"]})
    ask(viewset, "post", data={"title": "x"})
    [item] = published
    assert item.json() == INVALIDATE
    assert item.channel == ("mine" if method == "get_publish_channels" else f"live:{__name__}.Half")


class SeenSerializer(ModelSerializer):
    seen_by = SerializerMethodField()
    comments = SerializerMethodField()

    class Meta:
        model = Ticket
        fields = ["title", "seen_by", "comments"]

    def get_seen_by(self, ticket: Ticket) -> list[Any]:
        view = self.context["view"]
        return [self.context["request"], view.request, getattr(ticket, "mine", None)]

    def get_comments(self, ticket: Ticket) -> list[str]:
        return [user.username for user in ticket.watchers.all()]


def test_nothing_of_the_acting_user_s_request_goes_out(published: Captured, ada: User, bob: User) -> None:
    class Seen(LiveModelViewSet):
        serializer_class = TicketSerializer
        live_serializer_class = SeenSerializer
        live_public = True

        def get_queryset(self) -> QuerySet[Ticket]:
            # What is prefetched and annotated here is for the acting user's eyes.
            return Ticket.objects.annotate(mine=F("owner")).prefetch_related("watchers")

    ticket = Ticket.objects.create(title="x", owner=ada)
    ticket.watchers.set([ada, bob])
    ask(Seen, "patch", ticket.pk, {"title": "y"}, user=ada)
    data = {"title": "y", "seen_by": [None, None, None], "comments": ["ada", "bob"]}
    assert told(published, of=Seen)[0] == ("list", event("updated", ticket.pk, data))


def test_the_serializer_s_context_may_be_a_project_s_own(published: Captured) -> None:
    class Named(ModelSerializer):
        site = SerializerMethodField()

        class Meta:
            model = Project
            fields = ["site"]

        def get_site(self, project: Project) -> str:
            return str(self.context["site"])

    class Sited(ProjectViewSet):
        live_serializer_class = Named

        def get_live_serializer_context(self) -> dict[str, Any]:
            return {**super().get_live_serializer_context(), "site": "example.com"}

    ask(Sited, "post", data={"name": "X", "slug": "x"})
    assert published[0].json()["data"] == {"site": "example.com"}


# -- what the viewset shows --------------------------------------------------------------------------------------------


class Done(TicketViewSet):
    """Shows what is done, to everybody."""

    queryset = Ticket.objects.filter(done=True)
    live_public = True
    live_serializer_class = TicketSerializer


def test_what_a_viewset_does_not_show_is_not_told(published: Captured) -> None:
    ask(Done, "post", data={"title": "a draft", "done": False})
    assert published == []


def test_what_is_not_shown_any_more_is_deleted(published: Captured) -> None:
    pk = ask(Done, "post", data={"title": "x", "done": True})["id"]
    published.clear()
    ask(Done, "patch", pk, {"done": False})
    assert told(published, of=Done) == [
        ("list", event("deleted", pk)),
        (str(pk), event("deleted", pk)),
        (str(pk), CLOSED),
    ]


# -- a project's own perform_* -----------------------------------------------------------------------------------------


def test_a_perform_create_that_saves_nothing_tells_nothing(published: Captured) -> None:
    class Refusing(TicketViewSet):
        def create(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            serializer = self.get_serializer(data=request.data)
            serializer.is_valid(raise_exception=True)
            self.perform_create(serializer)
            from rest_framework.response import Response

            return Response(status=202)

        def perform_create(self, serializer: Any) -> None:
            serializer.instance = Ticket(**serializer.validated_data)

    ask(Refusing, "post", data={"title": "x"})
    assert published == []
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("how", ["delete", "delete in bulk", "mark", "do nothing"])
@pytest.mark.parametrize("asks", [False, True], ids=["queryset", "get_queryset"])
def test_a_perform_destroy_may_delete_or_mark_or_do_nothing(published: Captured, how: str, asks: bool) -> None:
    class Base(TicketViewSet):
        def perform_destroy(self, instance: Ticket) -> None:
            if how == "delete":
                instance.delete()
            elif how == "delete in bulk":
                Ticket.objects.filter(pk=instance.pk).delete()
            elif how == "mark":
                instance.done = True
                instance.save()

    class Asked(Base):
        def get_queryset(self) -> QuerySet[Ticket]:
            return Ticket.objects.filter(done=False)

    class Named(Base):
        queryset = Ticket.objects.filter(done=False)

    viewset = Asked if asks else Named
    ticket = Ticket.objects.create(title="x")
    ask(viewset, "delete", ticket.pk)
    pk = str(ticket.pk)
    heard = [(pk, event("deleted", ticket.pk)), (pk, CLOSED)]
    if how == "do nothing":
        heard = [(pk, event("updated", ticket.pk))]
    elif how == "mark" and asks:
        # Who is asking might make a difference.
        heard = [(pk, INVALIDATE), (pk, HINTED)]
    assert told(published, of=viewset) == [("list", INVALIDATE), *heard]


def test_who_only_leaves_an_object_does_not_end_it_for_others(published: Captured, ada: User, bob: User) -> None:
    class Shared(OwnedViewSet):
        """To delete a ticket is to watch it no more; it stays for who else does."""

        queryset = None

        def get_queryset(self) -> QuerySet[Ticket]:
            return Ticket.objects.filter(watchers=self.request.user)

        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return [f"owner:{user.pk}" for user in instance.watchers.order_by("pk")]

        def perform_destroy(self, instance: Ticket) -> None:
            instance.watchers.remove(self.request.user)

    ticket = Ticket.objects.create(title="x")
    ticket.watchers.set([ada, bob])
    ask(Shared, "delete", ticket.pk, user=ada)
    assert told(published) == [
        (f"owner:{ada.pk}", INVALIDATE),
        (f"owner:{bob.pk}", INVALIDATE),
        (object_of(Shared, ticket.pk), INVALIDATE),
        (object_of(Shared, ticket.pk), HINTED),
    ]


class ManySerializer(ListSerializer):
    def update(self, instance: Any, validated_data: list[Any]) -> list[Ticket]:
        """The first gets a new title, the second goes, and what is over is new."""
        old = list(instance)
        old[0].title = validated_data[0]["title"]
        old[0].save()
        old[1].delete()
        return [old[0], Ticket.objects.create(**validated_data[1])]


class EachSerializer(TicketSerializer):
    class Meta(TicketSerializer.Meta):
        list_serializer_class = ManySerializer


class Many(TicketViewSet):
    """Takes lists."""

    serializer_class = EachSerializer
    live_public = True

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_serializer(*args, **{**kwargs, "many": True})

    def get_object(self) -> Any:
        return self.get_queryset()


def test_many_objects_are_created_in_one_request(published: Captured) -> None:
    made = ask(Many, "post", data=[{"title": "x"}, {"title": "y"}])
    assert told(published, of=Many) == [("list", event("created", one["id"])) for one in made]


def test_a_list_is_updated_in_one_request(published: Captured) -> None:
    one, two = (Ticket.objects.create(title=title) for title in "xy")
    ask(Many, "put", 0, [{"title": "x2"}, {"title": "z"}])
    three = Ticket.objects.get(title="z")
    assert [said for channel, said in told(published, of=Many) if channel == "list"] == [
        event("updated", one.pk),
        event("created", three.pk),
        event("deleted", two.pk),
    ]


def test_what_the_url_says_helps_to_find_the_channels(published: Captured) -> None:
    class Nested(OwnedViewSet):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return [f"project:{self.kwargs['project_pk']}:{self.request.method}"]

    ask(Nested, "post", data={"title": "x"}, project_pk=7)
    assert published.channels == ["project:7:POST"]


# -- what fails --------------------------------------------------------------------------------------------------------


class Fragile(ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["title"]

    def to_representation(self, instance: Ticket) -> Any:
        if "bad" in instance.title:
            raise RuntimeError("cannot be shown")
        return super().to_representation(instance)


class FragileMany(Many):
    serializer_class = TicketSerializer
    live_serializer_class = Fragile


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "django_grip" and record.levelno >= logging.ERROR]


def test_a_serializer_that_raises_is_logged_and_the_others_go_out(
    published: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    made = ask(FragileMany, "post", data=[{"title": "bad s3cret"}, {"title": "good"}])
    bad, good = (one["id"] for one in made)
    assert told(published, of=FragileMany) == [
        ("list", event("created", bad)),
        ("list", event("created", good, {"title": "good"})),
    ]
    [record] = errors(caplog)
    assert record.getMessage() == f"{__name__}.FragileMany: live_serializer_class failed for object {bad}."
    assert "RuntimeError: cannot be shown" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(("size", "is_told"), [(100, True), (1_100_000, False)])
def test_data_over_the_limits_stays_behind(
    published: Captured, caplog: pytest.LogCaptureFixture, size: int, is_told: bool
) -> None:
    class Large(ModelSerializer):
        text = SerializerMethodField()

        class Meta:
            model = Project
            fields = ["text"]

        def get_text(self, project: Project) -> str:
            return "x" * size

    class Texts(ProjectViewSet):
        live_serializer_class = Large

    ask(Texts, "post", data={"name": "X", "slug": "x"})
    data = {"text": "x" * size} if is_told else None
    assert told(published, of=Texts) == [("list", event("created", "x", data))]
    assert [record.getMessage() for record in errors(caplog)] == (
        [] if is_told else [f"{__name__}.{Texts.__qualname__}: the event of object 'x' cannot be published."]
    )


def test_of_an_object_whose_name_cannot_go_out_there_is_news(
    published: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    class Titled(TicketViewSet):
        lookup_field = "title"
        live_public = True

        def perform_create(self, serializer: Any) -> None:
            # SQLite does not mind how long it is.
            serializer.save(title="x" * 1_100_000)

    ask(Titled, "post", data={"title": "x"})
    assert told(published, of=Titled) == [("list", INVALIDATE)]
    [record] = errors(caplog)
    assert record.getMessage().endswith("cannot be published.")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("answer", [RuntimeError("no idea"), "owner:1", [7], None], ids=repr)
def test_a_write_stands_where_its_channels_cannot_be_found(
    published: Captured, caplog: pytest.LogCaptureFixture, ada: User, moment: str, answer: Any
) -> None:
    class Lost(OwnedViewSet):
        def get_publish_channels(self, instance: Ticket) -> Any:
            if instance.title != ("x" if moment == "before" else "y"):
                return ["known"]
            if isinstance(answer, Exception):
                raise answer
            return answer

    ticket = Ticket.objects.create(title="x")
    ask(Lost, "patch", ticket.pk, {"title": "y"})
    ticket.refresh_from_db()
    assert ticket.title == "y"
    [record] = errors(caplog)
    assert record.exc_info is not None
    said = (
        f"where object {ticket.pk} was, before it was changed, is not known."
        if moment == "before"
        else f"where to tell of object {ticket.pk} is not known."
    )
    assert record.getMessage() == f"{__name__}.{Lost.__qualname__}: {said}"
    # It may have been a move, so those who have opened it are asked for their authority.
    assert told(published) == [
        ("known", event("updated", ticket.pk) if moment == "before" else INVALIDATE),
        (object_of(Lost, ticket.pk), INVALIDATE),
        (object_of(Lost, ticket.pk), HINTED),
    ]


def test_an_error_of_the_database_before_the_write_is_the_request_s(published: Captured) -> None:
    class Broken(OwnedViewSet):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            raise DatabaseError("no such column")

    ticket = Ticket.objects.create(title="x")
    with pytest.raises(DatabaseError, match="no such column"):
        ask(Broken, "patch", ticket.pk, {"title": "y"})
    ticket.refresh_from_db()
    assert (ticket.title, published) == ("x", [])


def test_a_name_that_no_channel_can_have_is_logged(published: Captured, caplog: pytest.LogCaptureFixture) -> None:
    class Bad(OwnedViewSet):
        def get_publish_channels(self, instance: Ticket) -> list[str]:
            return ["good", "bad;name", "better"]

    pk = ask(Bad, "post", data={"title": "x"})["id"]
    assert published.channels == ["good", "better"]
    [record] = errors(caplog)
    assert record.getMessage() == f"{__name__}.{Bad.__qualname__}: 'bad;name' was not told of object {pk}."
    assert "GRIP's headers cannot carry it" in caplog.text


def test_without_a_proxy_the_write_stands_and_one_line_tells(caplog: pytest.LogCaptureFixture) -> None:
    ticket = Ticket.objects.create(title="x")
    with publish_to():
        ask(TicketViewSet, "delete", ticket.pk)
    assert not Ticket.objects.exists()
    assert [record.getMessage() for record in errors(caplog)] == [
        "tests.rest.project.TicketViewSet: its subscribers were not told of a change. "
        "There is no proxy to publish to: set GRIP_URL or GRIP_PROXIES (or PUBLISH_SERVERS)."
    ]


class Down:
    """A proxy that nobody answers at."""

    url = "http://proxy.test"
    max_bytes = 1_000_000

    def send(self, parcels: Any, *, deadline: float) -> None:
        raise Unreached("connection refused")

    def close(self) -> None: ...


def test_a_proxy_that_is_down_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    with publish_to(Down(), policy=Policy(timeout=0.1, backoff=0.01)) as publisher:
        pk = ask(TicketViewSet, "post", data={"title": "x"})["id"]
        [counted] = publisher.counters().values()
    assert Ticket.objects.get().pk == pk
    assert (counted.sent, counted.failed) == (0, 1)
    assert "1 item was not published to http://proxy.test" in caplog.text


def test_a_viewset_that_cannot_be_asked_at_all_keeps_its_writes(
    published: Captured, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> Any:
        raise DatabaseError("the connection is lost")

    monkeypatch.setattr("django_grip.rest.changes.announcements.find_shown", fail)
    ask(ProjectViewSet, "post", data={"name": "X", "slug": "x"})
    assert Project.objects.exists()
    assert published == []
    assert [record.getMessage() for record in errors(caplog)] == [
        "tests.rest.project.ProjectViewSet: its subscribers were not told of a change."
    ]


# -- in bulk -----------------------------------------------------------------------------------------------------------


def test_changes_in_bulk_are_told_when_one_says_so(published: Captured) -> None:
    for name in "xy":
        Project.objects.create(name=name, slug=name)
    Project.objects.update(name="z")
    ProjectViewSet.publish_changes(Project.objects.all())
    assert [said for channel, said in told(published, of=ProjectViewSet) if channel == "list"] == [
        event("updated", "x", {"name": "z", "slug": "x"}),
        event("updated", "y", {"name": "z", "slug": "y"}),
    ]


def test_a_deletion_in_bulk_is_told_where_the_objects_were(published: Captured, ada: User, bob: User) -> None:
    pks = [Ticket.objects.create(title="x", owner=owner).pk for owner in (ada, bob)]
    OwnTicketViewSet.publish_changes(Ticket.objects.all(), action="deleted")
    assert [(channel, said) for channel, said in told(published) if channel.startswith("owner")] == [
        (f"owner:{ada.pk}", event("deleted", pks[0])),
        (f"owner:{bob.pk}", event("deleted", pks[1])),
    ]


def test_of_a_creation_in_bulk_everybody_hears_their_own(published: Captured, ada: User, bob: User) -> None:
    Ticket.objects.bulk_create([Ticket(title="x", owner=owner) for owner in (ada, bob)])
    OwnTicketViewSet.publish_changes(Ticket.objects.all(), action="created")
    assert [(item.channel, item.json()["data"]["title"]) for item in published] == [
        (f"owner:{ada.pk}", "x"),
        (f"owner:{bob.pk}", "x"),
    ]


@pytest.mark.parametrize("action", ["created", "updated", "deleted"])
def test_of_more_objects_than_the_limit_lists_hear_that_there_is_news(
    published: Captured, ada: User, bob: User, action: str
) -> None:
    owners = [ada, bob, *[ada] * (MAX_OBJECTS - 1)]
    Ticket.objects.bulk_create([Ticket(title="x", owner=owner) for owner in owners])
    OwnTicketViewSet.publish_changes(Ticket.objects.all(), action=action)
    TicketViewSet.publish_changes(Ticket.objects.all(), action=action)
    assert told(published) == [
        (f"owner:{ada.pk}", INVALIDATE),
        (f"owner:{bob.pk}", INVALIDATE),
        ("live:tests.rest.project.TicketViewSet", INVALIDATE),
    ]


def test_as_many_as_the_limit_are_told_one_by_one(published: Captured) -> None:
    Project.objects.bulk_create([Project(name="x", slug=str(number)) for number in range(MAX_OBJECTS)])
    ProjectViewSet.publish_changes(Project.objects.order_by("pk"), action="created")
    assert {json.loads(str(item.websocket))["action"] for item in published} == {"created"}
    assert len(published) == MAX_OBJECTS


def test_changes_in_bulk_want_a_queryset_and_an_action() -> None:
    with pytest.raises(TypeError, match=r"^TicketViewSet\.publish_changes\(\) takes a queryset, not list\.$"):
        TicketViewSet.publish_changes([])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"not Ticket; of one object: objects\.filter\(pk=instance\.pk\)\.$"):
        TicketViewSet.publish_changes(Ticket())  # type: ignore[arg-type]
    expected = (
        r"^TicketViewSet\.publish_changes\(\): action is \"created\", \"updated\" or \"deleted\", not 'update'\.$"
    )
    with pytest.raises(ValueError, match=expected):
        TicketViewSet.publish_changes(Ticket.objects.all(), action="update")
