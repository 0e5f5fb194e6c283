"""The `data` of events: written as the viewset's own answers are."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.serializers import ModelSerializer

from django_grip.rest import LiveModelViewSet
from django_grip.testing import Captured

from .changing import ask, event, told
from .models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)


class TitleSerializer(ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["title"]


class LoudRenderer(JSONRenderer):
    """Another spelling of keys, as that of a camel-case package."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        changed = {key.upper(): value for key, value in data.items()} if isinstance(data, dict) else data
        return bytes(super().render(changed, *args, **kwargs))


class AskingRenderer(JSONRenderer):
    """It looks at the response and the view, as many do."""

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        status, name = renderer_context["response"].status_code, type(renderer_context["view"]).__name__
        return bytes(super().render({"status": status, "view": name, **data}))


class RequestRenderer(JSONRenderer):
    """It looks at the request, which events have none of."""

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        by = renderer_context["request"].method
        return bytes(super().render({"by": by, **data}))


class TextRenderer(BaseRenderer):
    """JSON by another library, as text."""

    media_type = "application/json"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> str:
        return '{"by": "another"}'


class Tickets(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TitleSerializer
    live_public = True
    live_serializer_class = TitleSerializer
    permission_classes = [AllowAny]


class LoudTickets(Tickets):
    renderer_classes = [BrowsableAPIRenderer, LoudRenderer, JSONRenderer]


class AskingTickets(Tickets):
    renderer_classes = [AskingRenderer]


class RequestTickets(Tickets):
    renderer_classes = [RequestRenderer]


class OtherTickets(Tickets):
    renderer_classes = [TextRenderer]


class PageTickets(Tickets):
    renderer_classes = [BrowsableAPIRenderer]

    def get_renderers(self) -> list[Any]:
        assert self.request is not None
        return super().get_renderers()


@pytest.mark.parametrize(
    ("viewset", "data"),
    [
        (Tickets, {"title": "x"}),
        (LoudTickets, {"TITLE": "x"}),
        (AskingTickets, {"status": 200, "view": "AskingTickets", "title": "x"}),
        (OtherTickets, {"by": "another"}),
        (PageTickets, {"title": "x"}),
    ],
)
def test_the_data_of_events_is_written_by_the_viewset_s_own_renderer_of_json(
    published: Captured, viewset: Any, data: dict[str, Any]
) -> None:
    pk = Ticket.objects.create(title="old").pk
    ask(viewset, "patch", pk, {"title": "x"})
    assert told(published, of=viewset)[0] == ("list", event("updated", pk, data))


def test_where_that_needs_a_request_drf_s_own_writes_them_and_it_is_logged(
    published: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    pk = Ticket.objects.create(title="old").pk
    assert ask(RequestTickets, "patch", pk, {"title": "x"}) == {"title": "x"}
    assert told(published, of=RequestTickets)[0] == ("list", event("updated", pk, {"title": "x"}))
    [text] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert text == (
        f"{__name__}.RequestTickets: RequestRenderer failed for an event; DRF's JSONRenderer makes its data."
    )
