"""What a viewset changes is told to its subscribers, once and when it is committed."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from django_grip.testing import Captured

from .models import Ticket
from .project import TicketViewSet

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "live:tests.rest.project.TicketViewSet"


def told(published: Captured) -> list[Any]:
    return [(item.channel, item.json() if item.websocket is not None else item.actions) for item in published]


def test_a_list_hears_that_there_is_news(published: Captured) -> None:
    client = APIClient()
    pk = client.post("/api/tickets/", {"title": "x"}).json()["id"]
    assert told(published) == [(LIST, {"action": "invalidate"})]
    published.clear()
    client.patch(f"/api/tickets/{pk}/", {"title": "y"})
    assert told(published) == [
        (LIST, {"action": "invalidate"}),
        (f"{LIST}:{pk}", {"action": "updated", "pk": pk}),
    ]
    published.clear()
    client.delete(f"/api/tickets/{pk}/")
    assert told(published) == [
        (LIST, {"action": "invalidate"}),
        (f"{LIST}:{pk}", {"action": "deleted", "pk": pk}),
        (f"{LIST}:{pk}", {"stream": "close", "websocket": "close"}),
    ]
