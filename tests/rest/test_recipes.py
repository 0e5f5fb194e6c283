"""The page of recipes: its viewsets do what it says."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import include, path
from rest_framework.routers import DefaultRouter
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.versioning import NamespaceVersioning

from django_grip.testing import Captured

from ..docs.pages import ROOT, run_page
from .changing import INVALIDATE, ask, event, told
from .models import Project, Ticket
from .sockets import opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    # What the page imports from the project's apps.
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "tests" / "docs" / "stand_ins")])
    return run_page("rest-recipes.md")


@pytest.fixture
def ada() -> User:
    return User.objects.create(username="ada")


def test_an_action_that_saves_by_itself_tells_of_it(page: ModuleType, published: Captured, ada: User) -> None:
    ticket = Ticket.objects.create(title="x")
    request = APIRequestFactory().post("/")
    force_authenticate(request, ada)
    assert page.ClosingViewSet.as_view({"post": "close"}, detail=True)(request, pk=ticket.pk).data["done"] is True
    assert told(published, of=page.ClosingViewSet) == [
        ("list", INVALIDATE),
        (str(ticket.pk), event("updated", ticket.pk)),
    ]


def test_a_nested_list_hears_of_its_own_objects(page: ModuleType, published: Captured, ada: User) -> None:
    ours, theirs = (Project.objects.create(name=name, slug=name) for name in ("ours", "theirs"))
    ticket = Ticket.objects.create(title="x", project=ours, owner=ada)
    ask(page.ProjectTicketViewSet, "patch", ticket.pk, {"title": "y"}, user=ada, project_pk=ours.pk)
    data = {"id": ticket.pk, "title": "y"}
    assert published[0].channel == f"tickets-of:{ours.pk}"
    assert published[0].json() == event("updated", ticket.pk, data)
    published.clear()
    ask(page.ProjectTicketViewSet, "patch", ticket.pk, {"project": theirs.pk}, user=ada, project_pk=ours.pk)
    assert {item.channel: item.json()["action"] for item in published if item.channel.startswith("tickets-of")} == {
        f"tickets-of:{ours.pk}": "deleted",
        f"tickets-of:{theirs.pk}": "created",
    }


def test_the_data_of_events_has_links(page: ModuleType, published: Captured, routes: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    router = DefaultRouter()
    router.register("tickets", page.LinkedTicketViewSet)
    routes.urlpatterns.append(path("v1/", include((router.urls, "v1"), namespace="v1")))
    viewset = type("Linked", (page.LinkedTicketViewSet,), {"versioning_class": NamespaceVersioning})
    ticket = Ticket.objects.create(title="x")
    viewset.publish_changes(Ticket.objects.filter(pk=ticket.pk))
    assert published[0].json()["data"] == {"url": f"https://example.com/v1/tickets/{ticket.pk}/", "title": "x"}


def test_nobody_listens_to_a_project_that_is_not_theirs(
    page: ModuleType, grip_client: Any, routes: Any, ada: User
) -> None:
    ours, theirs = (Project.objects.create(name=name, slug=name) for name in ("ours", "theirs"))
    Ticket.objects.create(title="x", project=ours, owner=ada)
    routes.add(page.ProjectTicketViewSet, under="<int:project_pk>/")
    grip_client.force_login(ada)
    with opened(grip_client, f"/{ours.pk}/tickets/") as ws:
        assert f"tickets-of:{ours.pk}" in ws.channels
    assert grip_client.websocket(f"/{theirs.pk}/tickets/").status_code == 404
