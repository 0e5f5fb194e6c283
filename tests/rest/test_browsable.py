"""The browsable API of a live URL: where the panel is, what it is told, and what it leaves alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_script_prefix
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.renderers import AdminRenderer, BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from django_grip.rest import LiveBrowsableAPIRenderer, LiveModelViewSet

from ..fake_proxy import PROXIES, proxied
from .models import Ticket
from .project import TicketSerializer, TicketViewSet
from .serving import Routes

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[2]
HTML = {"accept": "text/html"}
MISSING = "This page came straight from Django, which holds no connection open"


@pytest.fixture
def routes(routes: Routes, settings: Any) -> Routes:
    settings.STATIC_URL = "/static/"
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
    return routes


@pytest.fixture
def ticket() -> Ticket:
    return Ticket.objects.create(pk=1, title="<script>alert(1)</script>")


def panel_of(response: Any) -> dict[str, Any] | None:
    """The attributes of the panel, and what it offers; None if there is no panel."""
    page = response.content.decode()
    found = re.search(r'<section id="grip-live"[^>]*>.*?</section>', page, re.DOTALL)
    if found is None:
        return None
    attributes = {name: unescape(value) for name, value in re.findall(r'data-(url|detail|wait)="([^"]*)"', found[0])}
    examples = re.search(r'<script id="grip-live-examples" type="application/json">(.*?)</script>', found[0])
    return {
        **attributes,
        "buttons": re.findall(r'data-by="(\w+)"', found[0]),
        "examples": json.loads(examples[1]) if examples else None,
        "missing": " ".join(found[0].split()).find(MISSING) != -1,
    }


def panel(client: Client, url: str, **headers: str) -> Any:
    """The panel of a page that came through a proxy."""
    response = client.get(url, headers={**HTML, **proxied(), **headers})
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return panel_of(response)


@pytest.fixture(autouse=True)
def proxies(settings: Any) -> None:
    settings.GRIP_PROXIES = PROXIES


# -- where it is -------------------------------------------------------------------------------------------------------


def test_a_live_url_has_a_panel(client: Client, routes: Routes, ticket: Ticket) -> None:
    found = panel(client, routes.add())
    assert found == {
        "url": "/api/tickets/",
        "detail": "false",
        "wait": "25",
        "buttons": ["events", "socket", "poll"],
        "missing": False,
        "examples": found["examples"],
    }


def test_its_files_are_named_and_nothing_is_inline(client: Client, routes: Routes, ticket: Ticket) -> None:
    page = client.get(routes.add(), headers={**HTML, **proxied()}).content.decode()
    assert '<script src="/static/django_grip/rest/live.js"></script>' in page
    assert 'href="/static/django_grip/rest/live.css"' in page
    ours = re.search(r'<section id="grip-live".*?</section>', page, re.DOTALL)
    assert ours is not None
    assert re.findall(r"<script(?! id=\S+ type=.application/json.)|\sstyle=|\son\w+=|<style", ours[0]) == []
    assert "<script>alert" not in page


def test_an_object_has_one_too(client: Client, routes: Routes, ticket: Ticket) -> None:
    found = panel(client, routes.add() + "1/")
    assert (found["url"], found["detail"]) == ("/api/tickets/1/", "true")


def test_what_is_not_live_has_none(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(TicketViewSet):
        live_actions = ["retrieve"]

    url = routes.add(View)
    assert panel(client, url) is None
    assert panel(client, url + "1/") is not None
    assert panel(client, "/api/") is None


def test_the_page_of_a_form_that_was_sent_has_it(client: Client, routes: Routes) -> None:
    url = routes.add()
    for data, status in (({"title": "a"}, 201), ({"title": ""}, 400)):
        response = client.post(url, data, headers={**HTML, **proxied()})
        assert response.status_code == status
        assert panel_of(response) is not None


def test_who_may_not_see_the_url_is_not_offered_to_subscribe(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(TicketViewSet):
        permission_classes = [DjangoModelPermissions]

    url = routes.add(View)
    refused = client.get(url, headers={**HTML, **proxied()})
    assert (refused.status_code, panel_of(refused)) == (403, None)
    missing = client.get(routes.add(TicketViewSet, "open") + "7/", headers={**HTML, **proxied()})
    assert (missing.status_code, panel_of(missing)) == (404, None)


def test_past_the_proxy_it_says_in_one_sentence_what_is_missing(client: Client, routes: Routes, ticket: Ticket) -> None:
    found = panel_of(client.get(routes.add(), headers=HTML))
    assert found is not None
    assert (found["missing"], found["buttons"], found["examples"]) == (True, [], None)


# -- the address -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "url"),
    [
        ("/api/tickets/?format=api", "/api/tickets/"),
        ("/api/tickets/?page=2&format=api&q=a%26b", "/api/tickets/?page=2&q=a%26b"),
        ("/api/tickets.api", "/api/tickets/"),
        ("/api/tickets.api?page=2", "/api/tickets/?page=2"),
        ("/api/tickets/1.api", "/api/tickets/1/"),
    ],
)
def test_the_address_asks_for_no_format(client: Client, routes: Routes, ticket: Ticket, asked: str, url: str) -> None:
    routes.add()
    assert panel(client, asked, accept="*/*")["url"] == url


def test_a_script_name_is_kept(client: Client, routes: Routes, ticket: Ticket) -> None:
    routes.add()
    with override_script_prefix("/desk/"):
        assert panel(client, "/api/tickets.api", accept="*/*")["url"] == "/desk/api/tickets/"


def test_an_address_that_was_routed_by_hand_loses_its_suffix(client: Client, routes: Routes, ticket: Ticket) -> None:
    from rest_framework.urlpatterns import format_suffix_patterns

    routes.add_view("all", TicketViewSet.as_view({"get": "list"}))
    routes.urlpatterns[:] = format_suffix_patterns(routes.urlpatterns)
    assert panel(client, "/all.api")["url"] == "/all"


# -- what actions are filled in with -----------------------------------------------------------------------------------


def test_actions_are_filled_in_with_the_serializers_fields(client: Client, routes: Routes, ticket: Ticket) -> None:
    url = routes.add()
    examples = panel(client, url)["examples"]
    fields = {"title": "", "done": False, "project": None}
    assert {action: json.loads(text) for action, text in examples.items()} == {
        "create": fields,
        "update": fields,
        "partial_update": {},
    }
    of_object = panel(client, url + "1/")["examples"]
    assert json.loads(of_object["update"]) == {"id": 1, **fields, "title": ticket.title}
    assert set(of_object) == {"update", "partial_update"}


def test_who_may_only_look_gets_nothing_to_create_with(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(TicketViewSet):
        permission_classes = [DjangoModelPermissions]

    client.force_login(User.objects.create_user("cy"))
    assert "create" not in panel(client, routes.add(View))["examples"]


def test_a_long_poll_waits_no_longer_than_the_viewset_lets_it(client: Client, routes: Routes) -> None:
    class View(TicketViewSet):
        live_max_wait = 10

    assert panel(client, routes.add(View))["wait"] == "10"


# -- what it leaves alone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [BrowsableAPIRenderer, AdminRenderer])
def test_a_projects_own_renderer_is_left_as_it_is(client: Client, routes: Routes, ticket: Ticket, base: Any) -> None:
    class Own(base):
        format = "own"

    class View(TicketViewSet):
        renderer_classes = [JSONRenderer, Own]

    assert panel(client, routes.add(View)) is None


def test_a_projects_own_template_is_extended(
    client: Client, routes: Routes, ticket: Ticket, settings: Any, tmp_path: Path
) -> None:
    own = tmp_path / "rest_framework" / "api.html"
    own.parent.mkdir()
    own.write_text('{% extends "rest_framework/base.html" %}{% block branding %}<b>Ours</b>{% endblock %}')
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    response = client.get(routes.add(), headers={**HTML, **proxied()})
    assert "<b>Ours</b>" in response.content.decode()
    assert panel_of(response) is not None


def test_without_the_app_the_page_is_the_frameworks_own(
    client: Client, routes: Routes, ticket: Ticket, settings: Any
) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_grip"]
    assert panel(client, routes.add()) is None


def test_a_page_of_results_is_shown_as_ever(client: Client, routes: Routes, ticket: Ticket) -> None:
    class View(LiveModelViewSet):
        queryset = Ticket.objects.all()
        serializer_class = TicketSerializer
        permission_classes: Any = []

        def list(self, request: Any) -> Response:
            return Response({"an": "answer of its own"})

    page = client.get(routes.add(View), headers={**HTML, **proxied()}).content.decode()
    assert "an answer of its own" not in page
    assert "answer of its own" in page


# -- the package -------------------------------------------------------------------------------------------------------


def test_a_built_package_has_its_files(tmp_path: Path) -> None:
    # What it builds is beside nothing of ours; all else of a build would leave its traces here.
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120, capture_output=True)
    sources = [path for name in ("templates", "static") for path in (ROOT / "django_grip" / name).rglob("*.*")]
    assert len(sources) >= 4
    for source in sources:
        assert (tmp_path / source.relative_to(ROOT)).read_bytes() == source.read_bytes()


class OwnRenderer(LiveBrowsableAPIRenderer):
    """A project's own, for all of its views."""


class PlainViewSet(ModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    renderer_classes = [JSONRenderer, OwnRenderer]


def test_a_renderer_of_the_project_s_own_has_the_panel_where_it_derives_from_ours(
    client: Client, routes: Routes, ticket: Ticket
) -> None:
    class Live(TicketViewSet):
        renderer_classes = [JSONRenderer, OwnRenderer]

    assert panel_of(client.get(routes.add(Live), headers=HTML)) is not None
    page = client.get(routes.add(PlainViewSet, "plain"), headers=HTML)
    assert page.status_code == 200
    assert panel_of(page) is None
