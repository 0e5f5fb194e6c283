"""OPTIONS names the live transports."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.decorators import action
from rest_framework.metadata import BaseMetadata
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer, TemplateHTMLRenderer
from rest_framework.response import Response

from django_grip.rest import EventStreamRenderer
from django_grip.rest.http.metadata import describe_transports

from .models import Ticket
from .project import TicketViewSet
from .serving import Routes

pytestmark = pytest.mark.django_db


@pytest.fixture
def routes(routes: Routes) -> Routes:
    Ticket.objects.create(pk=1, title="a")
    return routes


@pytest.mark.parametrize(("path", "action"), [("", "list"), ("1/", "retrieve")])
def test_a_live_url_names_its_transports(client: Client, routes: Routes, path: str, action: str) -> None:
    answer = client.options(routes.add() + path).json()
    assert answer["live"] == {
        "action": action,
        "transports": {
            "event-stream": {"media_type": "text/event-stream"},
            "websocket": {"media_type": "application/json", "subprotocols": ["grip.live"]},
            "long-poll": {"media_type": "application/json", "max_wait": 60},
        },
    }
    # What the framework says is there as before.
    assert {"name", "description", "renders", "parses"} < answer.keys()


class Tuned(TicketViewSet):
    live_actions = ["list"]
    live_max_wait = 20
    live_subprotocols = ["tickets.v1", "grip.live"]

    @action(detail=False)
    def recent(self, request: Any) -> Response:
        return Response([])


def test_what_the_viewset_has_set_is_what_is_said(client: Client, routes: Routes) -> None:
    live = client.options(routes.add(Tuned)).json()["live"]
    assert live["transports"]["long-poll"]["max_wait"] == 20
    assert live["transports"]["websocket"]["subprotocols"] == ["tickets.v1", "grip.live"]


@pytest.mark.parametrize("path", ["1/", "recent/"])
def test_a_url_that_is_not_live_names_none(client: Client, routes: Routes, path: str) -> None:
    answer = client.options(routes.add(Tuned) + path)
    assert (answer.status_code, "live" in answer.json()) == (200, False)


@pytest.mark.parametrize(
    ("renderers", "media_type"),
    [
        ([BrowsableAPIRenderer, JSONRenderer], "application/json"),
        ([EventStreamRenderer, JSONRenderer], "application/json"),
        ([BrowsableAPIRenderer, TemplateHTMLRenderer], None),
    ],
)
def test_a_long_poll_is_answered_with_what_is_no_page(routes: Routes, renderers: Any, media_type: str | None) -> None:
    class View(TicketViewSet):
        renderer_classes = renderers

    view = View(action_map={"get": "list"})
    transports = describe_transports(view)["transports"]
    assert transports.get("long-poll", {}).get("media_type") == media_type


class ListMetadata(BaseMetadata):
    def determine_metadata(self, request: Any, view: Any) -> Any:
        return ["own"]


class OwnMetadata(BaseMetadata):
    data = {"own": True}

    def determine_metadata(self, request: Any, view: Any) -> Any:
        return self.data


def test_metadata_of_ones_own_is_added_to_and_left_alone(client: Client, routes: Routes) -> None:
    class View(TicketViewSet):
        metadata_class = OwnMetadata

    answer = client.options(routes.add(View)).json()
    assert (answer["own"], answer["live"]["action"]) == (True, "list")
    assert OwnMetadata.data == {"own": True}


def test_metadata_that_is_no_object_stays_what_it_is(client: Client, routes: Routes) -> None:
    class View(TicketViewSet):
        metadata_class = ListMetadata

    assert client.options(routes.add(View)).json() == ["own"]


def test_without_metadata_there_is_no_answer(client: Client, routes: Routes) -> None:
    class View(TicketViewSet):
        metadata_class = None

    assert client.options(routes.add(View)).status_code == 405
