"""Receivers that save again what was saved: the change within begins later, and is known first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models.signals import post_save, pre_delete, pre_save
from rest_framework.permissions import AllowAny

from django_grip.rest import LiveModelViewSet
from django_grip.rest.changes import signals
from django_grip.testing import Captured

from .changing import ask, event, told
from .models import Ticket
from .project import TicketSerializer

pytestmark = pytest.mark.django_db(transaction=True)


class Grouped(LiveModelViewSet):
    """Told to the group that a ticket belongs to."""

    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    live_signals = True
    permission_classes = [AllowAny]

    def get_live_channels(self) -> list[str]:
        return ["nobody asks"]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return [f"group:{instance.group_id}"]


@pytest.fixture(params=["the receiver comes first", "the receiver comes last"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Connect a project's receiver, before a viewset listens and after."""
    receivers: list[Any] = []

    def connect_it(signal: Any, receiver: Callable[[Ticket, dict[str, Any]], None]) -> None:
        def receive(instance: Ticket, **said: Any) -> None:
            receiver(instance, said)

        receivers.append((signal, receive))
        if request.param.endswith("last"):
            signals.connect(Grouped)
        signal.connect(receive, sender=Ticket)
        signals.connect(Grouped)

    yield connect_it
    for signal, receive in receivers:
        signal.disconnect(receive, sender=Ticket)
    signals.disconnect(Grouped)


@pytest.fixture(params=["one transaction", "each query a transaction"])
def around(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[Any]]:
    return transaction.atomic if request.param == "one transaction" else nullcontext


@pytest.fixture
def groups() -> list[int]:
    return [Group.objects.create(name=name).pk for name in "abc"]


def on_lists(published: Captured) -> list[tuple[str, Any]]:
    return [(channel, said) for channel, said in told(published) if channel.startswith("group:")]


def finish(ticket: Ticket, said: dict[str, Any]) -> None:
    if not ticket.done:
        ticket.done = True
        ticket.save()


@pytest.mark.parametrize("signal", [pre_save, post_save], ids=["pre_save", "post_save"])
def test_a_move_is_told_where_the_object_was_when_the_first_save_began(
    published: Captured, connect: Any, around: Any, groups: list[int], signal: Any
) -> None:
    connect(signal, finish)
    ticket = Ticket.objects.create(title="x", group_id=groups[0], done=True)
    published.clear()
    with around():
        ticket.group_id, ticket.done = groups[1], False
        ticket.save()
    heard = on_lists(published)
    left, joined = (f"group:{group}" for group in groups[:2])
    gone, new = (left, event("deleted", ticket.pk)), (joined, event("created", ticket.pk))
    # Where each save is told by itself, one may say again what the other has said.
    assert heard[:2] == [gone, new] if around is transaction.atomic else gone in heard and new in heard
    assert (left, event("updated", ticket.pk)) not in heard
    # Nothing is left of it: the next move is from there.
    published.clear()
    ticket.group_id = groups[2]
    ticket.save()
    assert on_lists(published) == [
        (joined, event("deleted", ticket.pk)),
        (f"group:{groups[2]}", event("created", ticket.pk)),
    ]


def test_what_is_new_is_created_though_its_receiver_saves_it_again(
    published: Captured, connect: Any, groups: list[int]
) -> None:
    connect(post_save, finish)
    with transaction.atomic():
        ticket = Ticket.objects.create(title="x", group_id=groups[0])
    assert told(published) == [(f"group:{groups[0]}", event("created", ticket.pk))]


def test_what_is_saved_once_more_before_it_is_deleted_is_deleted(
    published: Captured, connect: Any, around: Any, groups: list[int]
) -> None:
    connect(pre_delete, finish)
    ticket = Ticket.objects.create(title="x", group_id=groups[0])
    pk = ticket.pk
    published.clear()
    with around():
        ticket.delete()
    assert on_lists(published)[-1] == (f"group:{groups[0]}", event("deleted", pk))


def test_a_save_that_failed_leaves_nothing_behind(published: Captured, connect: Any, groups: list[int]) -> None:
    connect(post_save, lambda ticket, said: None)
    ticket = Ticket.objects.create(title="x", group_id=groups[0])
    ticket.title = None  # type: ignore[assignment]
    with suppress(IntegrityError):
        ticket.save()
    # Somebody else moves it.
    other = Ticket.objects.get(pk=ticket.pk)
    other.group_id = groups[1]
    other.save()
    published.clear()
    ticket.title, ticket.group_id = "y", groups[2]
    ticket.save()
    assert on_lists(published) == [
        (f"group:{groups[1]}", event("deleted", ticket.pk)),
        (f"group:{groups[2]}", event("created", ticket.pk)),
    ]


def test_a_request_whose_save_has_a_save_in_it_tells_of_one_move(
    published: Captured, connect: Any, around: Any, groups: list[int]
) -> None:
    class Moving(TicketSerializer):
        class Meta(TicketSerializer.Meta):
            fields = ["id", "title", "done", "group"]

    connect(post_save, finish)
    ticket = Ticket.objects.create(title="x", group_id=groups[0], done=True)
    published.clear()
    before = Grouped.serializer_class
    Grouped.serializer_class = Moving
    try:
        with around():
            ask(Grouped, "patch", ticket.pk, {"group": groups[1], "done": False})
    finally:
        Grouped.serializer_class = before
    assert on_lists(published) == [
        (f"group:{groups[0]}", event("deleted", ticket.pk)),
        (f"group:{groups[1]}", event("created", ticket.pk)),
    ]


def test_a_second_signal_without_the_first_says_that_something_was_changed(
    published: Captured, connect: Any, groups: list[int]
) -> None:
    connect(pre_save, lambda ticket, said: None)
    ticket = Ticket.objects.create(title="x", group_id=groups[0])
    published.clear()
    post_save.send(Ticket, instance=ticket, created=False, raw=False, using="default", update_fields=None)
    assert on_lists(published) == [(f"group:{groups[0]}", event("updated", ticket.pk))]
