"""Models and viewsets that are made in their own way: a write does not fail for them, and those who hear are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import QuerySet

from django_grip.rest import LiveModelViewSet
from django_grip.testing import Captured

from .changing import CLOSED, INVALIDATE, ask, event, told
from .models import Ticket
from .project import TicketSerializer

pytestmark = pytest.mark.django_db(transaction=True)


class View(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer


class Remembering(Ticket):
    """Compares with what it was, as many models do: whoever makes one without its fields loads them."""

    class Meta:
        proxy = True
        app_label = "rest"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._old = (self.title, self.done)


class RememberingSerializer(TicketSerializer):
    class Meta(TicketSerializer.Meta):
        model = Remembering


class RememberingView(View):
    queryset = Remembering.objects.all()
    serializer_class = RememberingSerializer


class ByProperty(View):
    @property
    def queryset(self) -> QuerySet[Ticket]:  # type: ignore[override]
        return Ticket.objects.all()


class OfList(View):
    queryset = []  # type: ignore[assignment]

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.all()


class Sliced(View):
    queryset = Ticket.objects.all()[:100]
    live_public = True

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.all()


@pytest.mark.parametrize("viewset", [RememberingView, ByProperty, OfList, Sliced], ids=lambda viewset: viewset.__name__)
def test_all_that_is_written_is_told(published: Captured, viewset: Any) -> None:
    def says(action: str) -> Any:
        return event(action, pk) if viewset.live_public else INVALIDATE

    pk = ask(viewset, "post", data={"title": "x"})["id"]
    assert told(published, of=viewset) == [("list", says("created"))]
    published.clear()
    ask(viewset, "patch", pk, {"title": "y"})
    assert told(published, of=viewset) == [("list", says("updated")), (str(pk), event("updated", pk))]
    published.clear()
    ask(viewset, "delete", pk)
    assert told(published, of=viewset) == [
        ("list", says("deleted")),
        (str(pk), event("deleted", pk)),
        (str(pk), CLOSED),
    ]


def test_telling_makes_no_object_whose_fields_are_then_loaded(
    published: Captured, django_assert_num_queries: Callable[[int], Any]
) -> None:
    ticket = Remembering.objects.create(title="x")
    with django_assert_num_queries(1):
        RememberingView.publish_changes(Remembering.objects.filter(pk=ticket.pk), action="deleted")
    assert (str(ticket.pk), CLOSED) in told(published, of=RememberingView)
