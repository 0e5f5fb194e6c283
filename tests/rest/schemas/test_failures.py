"""A viewset that cannot be described is named; the others are in the document."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import CommandError
from django.urls import include, path
from rest_framework import serializers
from rest_framework.routers import DefaultRouter

from django_grip.rest import LiveModelViewSet, WebSocketAPIView
from tests.asyncapi.documents import check, make, write

from ..models import Ticket
from ..project import TicketSerializer, TicketViewSet


class RaisingSerializer(serializers.Serializer):
    def get_fields(self) -> Any:
        raise RuntimeError("no fields today")


class RaisingViewSet(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = RaisingSerializer


class AskingViewSet(LiveModelViewSet):
    """Its serializer depends on who asks, and nobody does."""

    queryset = Ticket.objects.all()

    def get_serializer_class(self) -> Any:
        return {"ann": TicketSerializer}[self.request.user.get_username()]


class RaisingLiveViewSet(TicketViewSet):
    live_public = True
    live_serializer_class = RaisingSerializer


class RaisingSocket(WebSocketAPIView):
    serializer_class = RaisingSerializer

    def on_message(self, data: Any) -> None: ...


def serve(monkeypatch: pytest.MonkeyPatch, **viewsets: Any) -> tuple[str, str]:
    router = DefaultRouter()
    for name, viewset in viewsets.items():
        router.register(name, viewset, basename=name)
    urlconf: Any = ModuleType("failing_urlconf")
    urlconf.urlpatterns = [path("", include(router.urls)), path("socket/", RaisingSocket.as_view())]
    monkeypatch.setitem(sys.modules, "failing_urlconf", urlconf)
    return ("--urlconf", "failing_urlconf")


@pytest.mark.parametrize(
    ("viewset", "text"),
    [(RaisingViewSet, "no fields today"), (AskingViewSet, "''"), (RaisingLiveViewSet, "no fields today")],
)
def test_it_is_named_with_what_it_raised_and_the_others_are_there(
    way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, viewset: Any, text: str
) -> None:
    file = tmp_path / "asyncapi.json"
    with pytest.raises(CommandError) as caught:
        write(*serve(monkeypatch, good=TicketViewSet, bad=viewset), "--output", str(file))
    first, *failures = str(caught.value).splitlines()
    assert first == "These are missing in the document:"
    assert [line.split(": ")[0] for line in failures if line.startswith("/")] == [
        f"/bad/ ({__name__}.{viewset.__name__})",
        f"/bad/{{pk}}/ ({__name__}.{viewset.__name__})",
        f"/socket/ ({__name__}.RaisingSocket)",
    ]
    assert text in failures[0]
    document = json.loads(file.read_text())
    assert {channel["address"] for channel in document["channels"].values()} == {"/good/", "/good/{pk}/"}
    check(document)


class Other:
    class TicketSerializer(serializers.Serializer):
        subject = serializers.CharField()


class OtherViewSet(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = Other.TicketSerializer


class FreeSerializer(serializers.BaseSerializer):
    """It has no fields that anybody could ask for."""

    def to_representation(self, instance: Any) -> Any:
        return str(instance)


class FreeViewSet(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = FreeSerializer


def test_two_serializers_of_one_name_are_told_apart(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RaisingSocket, "serializer_class", None)
    document = make(*serve(monkeypatch, a=TicketViewSet, b=OtherViewSet))
    schemas = document["components"]["schemas"]
    assert set(schemas["Ticket"]["properties"]) == {"id", "title", "done", "project"}
    assert set(schemas["Ticket2"]["properties"]) == {"subject"}
    data = document["channels"]["b_websocket"]["messages"]["create"]["payload"]["properties"]["data"]
    assert data == {"$ref": "#/components/schemas/TicketRequest2"}
    check(document)


def test_of_a_serializer_without_fields_anything_may_come(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RaisingSocket, "serializer_class", None)
    options = serve(monkeypatch, free=FreeViewSet)
    if way == "spectacular":
        # It needs an extension for such a serializer, also for its own document.
        with pytest.raises(CommandError, match=r"FreeViewSet\): AttributeError: .*'fields'"):
            make(*options)
        return
    document = make(*options)
    data = document["channels"]["free_websocket"]["messages"]["retrieve_response"]["payload"]["properties"]["data"]
    assert data == {}
    check(document)
