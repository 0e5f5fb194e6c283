"""Viewsets whose objects are no rows of a model: every transport answers, and changes are told by `invalidate`."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import transaction
from django.http import Http404
from rest_framework.permissions import AllowAny
from rest_framework.serializers import CharField, IntegerField, Serializer

from django_grip.rest import LiveModelViewSet
from django_grip.testing import Captured

from .changing import INVALIDATE, ask, told
from .project import OwnTicketViewSet, TicketViewSet
from .serving import Routes
from .sockets import ask as say
from .sockets import opened

pytestmark = pytest.mark.django_db(transaction=True)

STREAM = {"Accept": "text/event-stream"}
HOSTS: dict[str, dict[str, Any]] = {}


class HostSerializer(Serializer):
    name = CharField()
    load = IntegerField(default=0)

    def create(self, data: dict[str, Any]) -> dict[str, Any]:
        return HOSTS.setdefault(data["name"], data)

    def update(self, host: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        host.update(data)
        return host


class Hosts(LiveModelViewSet):
    serializer_class = HostSerializer
    permission_classes = [AllowAny]
    lookup_url_kwarg = "name"

    def get_queryset(self) -> Any:
        return list(HOSTS.values())

    def get_object(self) -> Any:
        if self.kwargs["name"] not in HOSTS:
            raise Http404
        return HOSTS[self.kwargs["name"]]

    def perform_destroy(self, host: dict[str, Any]) -> None:
        del HOSTS[host["name"]]


@pytest.fixture(autouse=True)
def hosts() -> Any:
    HOSTS.update(a={"name": "a", "load": 1}, b={"name": "b", "load": 2})
    yield
    HOSTS.clear()


@pytest.fixture
def url(routes: Routes) -> str:
    return routes.add(Hosts, "hosts")


@pytest.mark.parametrize("path", ["", "a/"])
def test_each_transport_answers(grip_client: Any, url: str, path: str) -> None:
    plain = grip_client.get(url + path)
    assert plain.status_code == 200
    with grip_client.stream(url + path, headers=STREAM) as stream:
        assert stream.receive_event().json() == {"action": "snapshot", "data": plain.json()}
    with opened(grip_client, url + path) as ws:
        assert say(ws, "subscribe")["data"] == plain.json()
    assert grip_client.longpoll(url + path, headers={"If-None-Match": plain["ETag"], "Prefer": "wait=30"}).held


def test_changes_by_the_viewset_make_lists_and_who_has_the_object_ask_again(grip_client: Any, url: str) -> None:
    with (
        opened(grip_client, url) as hosts,
        opened(grip_client, f"{url}a/") as a,
        opened(grip_client, f"{url}b/") as b,
        grip_client.stream(f"{url}a/", headers=STREAM) as stream,
    ):
        stream.receive_event()
        assert say(hosts, "partial_update", pk="a", data={"load": 7})["status"] == 200
        assert a.receive_json() == INVALIDATE
        assert stream.receive_event().json() == INVALIDATE
        assert b.receive_all() == []
        assert say(hosts, "list")["data"][0]["load"] == 7


def test_each_change_is_told(published: Captured) -> None:
    ask(Hosts, "post", data={"name": "c"})
    assert told(published, of=Hosts) == [("list", INVALIDATE)]
    published.clear()
    ask(Hosts, "put", "c", {"name": "c", "load": 3})
    assert told(published, of=Hosts) == [("list", INVALIDATE), ("c", INVALIDATE)]
    published.clear()
    ask(Hosts, "delete", "c")
    assert told(published, of=Hosts) == [("list", INVALIDATE), ("c", INVALIDATE)]


def test_who_has_a_stream_of_what_is_gone_hears_of_it(grip_client: Any, url: str) -> None:
    with grip_client.stream(f"{url}a/", headers=STREAM) as stream:
        stream.receive_event()
        del HOSTS["a"]
        grip_client.advance(60)
        assert stream.receive_event().json() == {"action": "deleted", "pk": "a"}


def test_channels_of_its_own_are_asked_for_such_an_object_too(published: Captured) -> None:
    class Own(Hosts):
        def get_live_channels(self) -> list[str]:
            return ["racks:1"]

        def get_publish_channels(self, instance: Any) -> list[str]:
            return [f"racks:{instance['load']}"]

    ask(Own, "put", "a", {"name": "a", "load": 3})
    assert [item.channel for item in published] == ["racks:3", f"live:{__name__}.{Own.__qualname__}:a"]


def test_what_cannot_be_told_is_logged_and_the_change_stands(
    published: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Hosts):
        def get_publish_channels(self, instance: Any) -> list[str]:
            return [instance.pk]

    ask(Broken, "put", "a", {"name": "a", "load": 3})
    assert HOSTS["a"]["load"] == 3
    assert told(published) == []
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().endswith("Broken: nobody is told of a change.")


# -- from anywhere -----------------------------------------------------------------------------------------------------


def test_lists_are_told_to_ask_again_from_anywhere(published: Captured) -> None:
    Hosts.publish_invalidate()
    assert told(published, of=Hosts) == [("list", INVALIDATE)]
    published.clear()
    TicketViewSet.publish_invalidate(["a", "b", "a"])
    assert told(published) == [("a", INVALIDATE), ("b", INVALIDATE)]


def test_they_are_once_when_the_transaction_commits_and_never_after_a_rollback(published: Captured) -> None:
    with transaction.atomic():
        for _ in range(3):
            Hosts.publish_invalidate()
        try:
            with transaction.atomic():
                Hosts.publish_invalidate(["other"])
                raise ValueError
        except ValueError:
            pass
        assert told(published) == []
    assert told(published, of=Hosts) == [("list", INVALIDATE)]
    assert len(published) == 1


def test_a_project_without_databases_is_told_at_once(published: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connections

    monkeypatch.setitem(connections.settings, "default", {"ENGINE": "django.db.backends.dummy"})
    Hosts.publish_invalidate()
    assert told(published, of=Hosts) == [("list", INVALIDATE)]


@pytest.mark.parametrize(
    ("viewset", "channels", "text"),
    [
        (OwnTicketViewSet, None, "OwnTicketViewSet has channels of its own: say which are told, by "),
        (TicketViewSet, "all", r"TicketViewSet\.publish_invalidate\(\) takes a list of channels, not 'all'\."),
    ],
)
def test_it_is_to_be_known_which_lists_those_are(viewset: Any, channels: Any, text: str) -> None:
    with pytest.raises(TypeError, match=f"^{text}"):
        viewset.publish_invalidate(channels)
