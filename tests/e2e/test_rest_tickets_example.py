"""The help desk, on every engine, with real clients: one URL, four transports, and each group with its own tickets."""

from __future__ import annotations

import base64
import importlib.util
import json
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from .clients import http_client, open_events, open_websocket, receive
from .conftest import build_site
from .engines import Stack
from .servers import ROOT, Project
from .sites import Site

if TYPE_CHECKING:
    from tests.postgres import Postgres

EXAMPLE = Project(package="", directory=ROOT / "examples" / "rest_tickets", ready="/static/tickets/icon.svg")
URL = "/api/tickets/"
# In the order in which they are made.
GROUPS = ["support", "sales"]
ENV = {"DJANGO_SETTINGS_MODULE": "tests.e2e.example_settings"}
# HTTP Basic hashes the password at each request, and the usual way takes a good part of a second.
SETTINGS = {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}

# One site serves all tests of this file, so each makes tickets of its own.
pytestmark = [pytest.mark.needs("rest"), pytest.mark.site(project=EXAMPLE, env=ENV, settings=SETTINGS)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first site's tables are kept, so that the others need not make them again."""
    return tmp_path_factory.mktemp("tickets") / "db.sqlite3"


@pytest.fixture
def desk(site: Site, template: Path) -> Site:
    """The site, with its people and groups."""
    database = site.app.directory / "db.sqlite3"
    if not database.exists() and template.exists():
        shutil.copy(template, database)
    elif not database.exists():
        prepare(site)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM INTO ?", [str(template)])
    return site


@pytest.fixture
def quiet_desk(desk: Site) -> Site:
    """The site, once the proxy has forgotten who heard of the groups' tickets in the test before: these are counted."""
    for name in GROUPS:
        for mode in ("ws", "stream"):
            wait_for_group(desk, name, mode, 0)
    return desk


def prepare(site: Site) -> None:
    manage(site, "migrate", "--verbosity", "0")
    manage(site, "demo_data")


def manage(site: Site, *command: str) -> None:
    line = [sys.executable, str(EXAMPLE.directory / "manage.py"), *command]
    subprocess.run(line, env=site.app.environment(), cwd=ROOT, check=True, timeout=60)


class Person:
    """Somebody who works at the help desk, with clients of their own."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"{name}:{name}".encode()).decode()}
        self.http = http_client(site.url)
        self.http.headers.update(self.headers)

    def create(self, title: str, **fields: Any) -> Any:
        answer = self.http.post(URL, json={"title": title, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def change(self, pk: int, **fields: Any) -> Any:
        answer = self.http.patch(f"{URL}{pk}/", json=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tickets(self, **headers: str) -> httpx.Response:
        return self.http.get(URL, headers=headers)

    def numbers(self) -> list[int]:
        return [ticket["id"] for ticket in self.tickets().json()]

    def events(self, path: str = URL) -> AbstractContextManager[Any]:
        return open_events(self.http, path, headers={"Accept": "text/event-stream"})

    def ws(self, path: str = URL) -> Any:
        return open_websocket(self.site.ws_url(path), additional_headers=self.headers)


@pytest.fixture
def people(desk: Site) -> Iterator[Callable[[str], Person]]:
    with ExitStack() as made:

        def make(name: str) -> Person:
            person = Person(desk, name)
            made.callback(person.http.close)
            return person

        yield make


def make_title() -> str:
    return f"No coffee {secrets.token_hex(5)}"


def ask(ws: Any, action: str, **message: Any) -> Any:
    """Ask for an action; what comes is its answer, and the events that came before it are passed over."""
    ref = secrets.token_hex(5)
    ws.send(json.dumps({"action": action, "ref": ref, **message}))
    while (answer := json.loads(receive(ws))).get("ref") != ref:
        assert "action" in answer
    return answer


def hear(ws: Any, pk: int) -> Any:
    """The next event on a WebSocket that is about a ticket."""
    while (event := json.loads(receive(ws))).get("pk") != pk:
        assert "action" in event
    return event


def check_hears(events: Any, person: Person, event: Any, *, behind: Any = None) -> None:
    """Check that an event is the next one about its ticket, or the next but one.

    A stream that looks again in the very moment of a change shows all anew, be it instead.
    """
    anew = {"action": "snapshot", "data": person.tickets().json()}
    while (heard := next(events).json()) not in (event, anew):
        assert heard.get("pk") != event["pk"] or heard == behind


def wait_for_group(site: Site, name: str, mode: str, count: int = 1) -> None:
    """Wait until the proxy has so many subscribers of a group's tickets."""
    site.wait_subscribed(f"tickets:{GROUPS.index(name) + 1}", mode=mode, count=count)


# -- one URL, four transports ----------------------------------------------------------------------------------------


def test_a_ticket_that_one_creates_comes_to_the_others_by_all_four(
    quiet_desk: Site, people: Callable[[str], Person]
) -> None:
    ada, cy = people("ada"), people("cy")
    first = cy.tickets()
    waits = {"If-None-Match": first.headers["ETag"], "Prefer": "wait=50"}
    with cy.ws() as ws, cy.events() as events, quiet_desk.in_background(cy.tickets, **waits) as waiting:
        assert set(json.loads(receive(ws))["actions"]) >= {"list", "create", "partial_update", "destroy", "close"}
        assert ask(ws, "list")["data"] == first.json()
        snapshot = next(events).json()
        assert (snapshot["action"], snapshot["data"]) == ("snapshot", first.json())
        for mode in ("ws", "stream", "response"):
            wait_for_group(quiet_desk, "support", mode)
        ticket = ada.create(make_title(), group="support", priority="high")
        assert hear(ws, ticket["id"]) == {"action": "created", "pk": ticket["id"], "data": ticket}
        check_hears(events, cy, {"action": "created", "pk": ticket["id"], "data": ticket})
        polled = waiting.result(60)
        assert ticket in polled.json()
        assert polled.headers["ETag"] != first.headers["ETag"]
    again = cy.tickets()
    assert again.json() == polled.json()
    assert cy.tickets(**{"If-None-Match": again.headers["ETag"]}).status_code == 304


def test_a_ticket_is_worked_on_by_actions_of_a_websocket(quiet_desk: Site, people: Callable[[str], Person]) -> None:
    ada, cy = people("ada"), people("cy")
    title = make_title()
    with ada.ws() as ws, cy.ws() as other:
        wait_for_group(quiet_desk, "support", "ws", 2)
        answer = ask(ws, "create", data={"title": title, "group": "support"})
        assert (answer["type"], answer["status"], answer["data"]["title"]) == ("response", 201, title)
        pk = answer["data"]["id"]
        assert hear(other, pk)["action"] == "created"
        answer = ask(ws, "partial_update", pk=pk, data={"priority": "low", "assignee": "cy"})
        assert (answer["status"], answer["data"]["priority"], answer["data"]["assignee"]) == (200, "low", "cy")
        assert hear(other, pk) == {"action": "updated", "pk": pk, "data": answer["data"]}
        answer = ask(ws, "close", pk=pk)
        assert (answer["status"], answer["data"]["status"]) == (200, "closed")
        assert hear(other, pk) == {"action": "updated", "pk": pk, "data": answer["data"]}
        assert ask(ws, "destroy", pk=pk)["status"] == 204
        assert hear(other, pk) == {"action": "deleted", "pk": pk}
        assert ask(ws, "retrieve", pk=pk)["status"] == 404


def test_what_a_form_would_be_told_a_websocket_is_told_too(people: Callable[[str], Person]) -> None:
    with people("ada").ws() as ws:
        answer = ask(ws, "create", data={"title": "x" * 121, "group": "legal"})
        assert (answer["type"], answer["status"]) == ("error", 400)
        assert answer["errors"] == {
            "title": ["Ensure this field has no more than 120 characters."],
            "group": ["Object with name=legal does not exist."],
        }


# -- groups and permissions ------------------------------------------------------------------------------------------


def test_a_group_hears_nothing_of_the_other_one(quiet_desk: Site, people: Callable[[str], Person]) -> None:
    ada, ben = people("ada"), people("ben")
    with ben.ws() as ws, ben.events() as events:
        listed = ask(ws, "list")["data"]
        assert {ticket["group"] for ticket in listed} == {"sales"}
        assert next(events).json()["data"] == listed
        for mode in ("ws", "stream"):
            wait_for_group(quiet_desk, "sales", mode)
        theirs = ada.create(make_title(), group="support")
        ada.change(theirs["id"], status="waiting")
        ours = ben.create(make_title(), group="sales")
        # What comes first is their own.
        assert json.loads(receive(ws)) == {"action": "created", "pk": ours["id"], "data": ours}
        check_hears(events, ben, {"action": "created", "pk": ours["id"], "data": ours})
        assert ask(ws, "retrieve", pk=theirs["id"])["status"] == 404
    assert theirs["id"] not in ben.numbers()


def test_a_ticket_that_moves_leaves_one_group_and_comes_to_the_other(
    quiet_desk: Site, people: Callable[[str], Person]
) -> None:
    ada, ben, cy = people("ada"), people("ben"), people("cy")
    with ben.ws() as bens, cy.ws() as cys, ben.events() as ben_streams, cy.events() as cy_streams:
        for events in (ben_streams, cy_streams):
            next(events)
        for name in GROUPS:
            for mode in ("ws", "stream"):
                wait_for_group(quiet_desk, name, mode)
        ticket = ada.create(make_title(), group="support")
        # One after the other: what two processes publish may pass each other.
        made = {"action": "created", "pk": ticket["id"], "data": ticket}
        assert hear(cys, ticket["id"]) == made
        with ada.ws() as ws:
            assert ask(ws, "partial_update", pk=ticket["id"], data={"group": "sales"})["status"] == 200
        left, come = {"action": "deleted", "pk": ticket["id"]}, {"action": "created", "pk": ticket["id"]}
        assert (hear(cys, ticket["id"]), hear(bens, ticket["id"])) == (left, come)
        check_hears(cy_streams, cy, left, behind=made)
        check_hears(ben_streams, ben, come)
        assert ask(bens, "retrieve", pk=ticket["id"])["data"] == {**ticket, "group": "sales"}
        assert ask(cys, "retrieve", pk=ticket["id"])["status"] == 404


def test_who_may_look_may_subscribe_and_nothing_else(people: Callable[[str], Person]) -> None:
    ada, cy = people("ada"), people("cy")
    ticket = ada.create(make_title(), group="support")
    with cy.ws() as ws:
        assert ticket in ask(ws, "list")["data"]
        for action, message in [
            ("create", {"data": {"title": make_title(), "group": "support"}}),
            ("partial_update", {"pk": ticket["id"], "data": {"title": "mine"}}),
            ("close", {"pk": ticket["id"]}),
            ("destroy", {"pk": ticket["id"]}),
        ]:
            answer = ask(ws, action, **message)
            assert (answer["type"], answer["status"]) == ("error", 403)
            assert answer["errors"] == {"detail": "You do not have permission to perform this action."}
        assert ask(ws, "retrieve", pk=ticket["id"])["data"] == ticket


def test_who_is_not_logged_in_is_refused_on_every_transport(desk: Site) -> None:
    for accept in ("application/json", "text/event-stream"):
        assert desk.http.get(URL, headers={"Accept": accept}).status_code == 403
    with pytest.raises(InvalidStatus) as refused, desk.ws(URL):
        pass
    assert refused.value.response.status_code == 403


def test_what_is_changed_in_the_admin_is_heard_of(people: Callable[[str], Person], quiet_desk: Site) -> None:
    ada, cy = people("ada"), people("cy")
    with http_client(quiet_desk.url) as browser, cy.ws() as ws:
        wait_for_group(quiet_desk, "support", "ws")
        ticket = ada.create(make_title(), group="support")
        assert hear(ws, ticket["id"])["action"] == "created"
        log_in(browser, "ada")
        form = {**ticket, "title": "changed in the admin", "group": "1", "assignee": ""}
        answer = browser.post(f"/admin/tickets/ticket/{ticket['id']}/change/", data=form, headers=csrf(browser))
        assert answer.status_code == 302, answer.text
        event = hear(ws, ticket["id"])
        assert (event["action"], event["data"]) == ("updated", {**ticket, "title": "changed in the admin"})


# -- the page --------------------------------------------------------------------------------------------------------


def csrf(browser: httpx.Client) -> dict[str, str]:
    return {"X-CSRFToken": browser.cookies["csrftoken"]}


def log_in(browser: httpx.Client, name: str) -> None:
    browser.get("/")
    answer = browser.post("/", data={"username": name, "password": name}, headers=csrf(browser))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_the_page_takes_nothing_from_elsewhere(desk: Site) -> None:
    with http_client(desk.url) as browser:
        assert "<script" not in browser.get("/").text
        log_in(browser, "ada")
        page = browser.get("/")
        policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
        assert "https://" not in page.text
        assert page.text.count("<script") == page.text.count('<script type="module" src="/static/tickets/') == 1
        assert "style=" not in page.text
        assert "came past the proxy" not in page.text
        for name in ("page.js", "page.css", "icon.svg"):
            assert browser.get(f"/static/tickets/{name}").status_code == 200


def test_the_browsable_page_has_a_panel_and_its_files(desk: Site, people: Callable[[str], Person]) -> None:
    page = people("ada").tickets(Accept="text/html")
    assert 'data-url="/api/tickets/"' in page.text
    for name in ("live.js", "live.css"):
        assert f"/static/django_grip/rest/{name}" in page.text
        assert desk.http.get(f"/static/django_grip/rest/{name}").status_code == 200


# -- the setting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p%40ss@db:5433/tickets?sslmode=require", ["tickets", "u", "p@ss", "db", "5433"]),
        ("postgres:///tickets?host=/run/postgresql", ["tickets", "", "", "", ""]),
    ],
)
def test_the_database_is_postgresql_by_one_setting(url: str, expected: list[str]) -> None:
    found = read_database(url)
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert [found[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == expected
    assert list(found["OPTIONS"].values()) in (["require"], ["/run/postgresql"])


@pytest.mark.needs("dev", "postgresql")
def test_on_postgresql_a_ticket_moves_as_it_does_on_sqlite(postgres: Postgres) -> None:
    name = postgres.create_database()
    env = {**ENV, "TICKETS_DATABASE": f"postgresql://grip@/{name}?host={postgres.directory}&port=5432"}
    site = build_site(Stack("embedded", "sync"), project=EXAMPLE, env=env, settings=SETTINGS)
    try:
        prepare(site)
        site.start()
        ada, ben = Person(site, "ada"), Person(site, "ben")
        with ada.http, ben.http, ada.ws() as adas, ben.ws() as bens:
            wait_for_group(site, "sales", "ws")
            ticket = ask(adas, "create", data={"title": make_title(), "group": "support"})["data"]
            assert ask(adas, "partial_update", pk=ticket["id"], data={"group": "sales"})["status"] == 200
            assert hear(bens, ticket["id"]) == {"action": "created", "pk": ticket["id"]}
            assert ask(bens, "retrieve", pk=ticket["id"])["data"] == {**ticket, "group": "sales"}
        assert not (site.app.directory / "db.sqlite3").exists()
    finally:
        site.close()
        postgres.drop_database(name)


def test_any_other_database_is_the_path_of_a_sqlite_file() -> None:
    found = read_database("/tmp/tickets.sqlite3")
    assert (found["ENGINE"], found["NAME"]) == ("django.db.backends.sqlite3", "/tmp/tickets.sqlite3")


def read_database(where: str) -> Any:
    spec = importlib.util.spec_from_file_location("tickets_database", EXAMPLE.directory / "database.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.read_database(where)
