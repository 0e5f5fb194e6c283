"""Of what kind the keys in events are: as in the URLs."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps

from django_grip.rest.schemas.told import ANY_PK, pk_schema

from ..models import Ticket
from ..project import TicketSerializer, TicketViewSet


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ("pk", {"type": "integer"}),
        ("id", {"type": "integer"}),
        ("title", {"type": "string"}),
        ("title__iexact", {"type": "string"}),
        ("project", {"type": "integer"}),
        ("project_id", {"type": "integer"}),
        ("project__pk", {"type": "integer"}),
        ("project__slug", {"type": "string"}),
        ("owner__username", {"type": "string"}),
        ("annotated", ANY_PK),
        ("done", ANY_PK),
    ],
)
@pytest.mark.parametrize("queryset", [Ticket.objects.all(), None], ids=["queryset", "serializer"])
def test_they_are_of_the_kind_of_the_lookup_field(lookup: str, expected: Any, queryset: Any) -> None:
    attributes = {"lookup_field": lookup, "queryset": queryset, "serializer_class": TicketSerializer}
    viewset = type("Found", (TicketViewSet,), attributes)
    assert pk_schema(viewset()) == expected


@pytest.mark.skipif(not hasattr(models, "CompositePrimaryKey"), reason="Django 5.2 brings them")
@isolate_apps("tests.rest")
def test_a_composite_key_is_a_list() -> None:
    class Seat(models.Model):
        pk = models.CompositePrimaryKey("row", "number")
        row = models.CharField(max_length=1)
        number = models.IntegerField()

        class Meta:
            app_label = "rest"

    viewset = type("Seats", (TicketViewSet,), {"queryset": Seat._base_manager.all()})
    assert pk_schema(viewset()) == {"type": "array", "items": ANY_PK}
