"""Who uses the live viewsets of ``project/rest_views.py``, and the one site that all tests of these share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent
from websockets.sync.client import ClientConnection

from .clients import http_client, open_events, open_websocket, receive
from .sites import Site

PREFIX = "rest-"
TICKETS, RECHECKED, OWN = "/rest/tickets/", "/rest/rechecked/", "/rest/own/"
HASTY, THROTTLED, PROJECTS, FORMS = "/rest/hasty/", "/rest/throttled/", "/rest/projects/", "/rest/forms/"
STREAM = {"Accept": "text/event-stream"}
TICKET_CHANNEL = f"{PREFIX}live:tests.e2e.project.rest_views.TicketViewSet"
EVERYTHING = ("view", "add", "change", "delete")

REST_SITE = [
    pytest.mark.needs("rest"),
    pytest.mark.site(
        settings={
            "GRIP_PREFIX": PREFIX,
            "ATOMIC_REQUESTS": True,
            "SESSION_ENGINE": "django.contrib.sessions.backends.db",
            "ROOT_URLCONF": "tests.e2e.project.rest_views",
            "INSTALLED_APPS": [
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.sessions",
                "django.contrib.staticfiles",
                "django_grip",
                "rest_framework",
                "rest_framework.authtoken",
                "tests.rest",
            ],
            "STATIC_URL": "/static/",
            "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        },
    ),
]

_refs = count(1)


class Member:
    """A user with a token, who belongs to groups and has permissions on tickets, and clients of this user's own.

    channel: what all live connections of this user are on.
    """

    def __init__(self, site: Site, name: str, groups: list[str], may: tuple[str, ...]) -> None:
        self.site = site
        self.name = name
        self.http = http_client(site.url)
        known = self.become(groups, may)
        self.pk: int = known["pk"]
        self.channel = f"{PREFIX}live-user:{self.pk}"
        self.token, self.jwt, self.stale_jwt = known["token"], known["jwt"], known["stale_jwt"]
        self.headers = {"Authorization": f"Token {self.token}"}
        # What is written is told before it is answered: the two workers behind Pushpin publish each for itself.
        self.http.headers.update({**self.headers, "Settle": "1"})

    def become(self, groups: list[str], may: tuple[str, ...] = EVERYTHING) -> dict[str, Any]:
        """Have these groups and permissions, and no others, from now on."""
        answer = self.http.post(f"/members/{self.name}/", data={"group": groups, "may": list(may)})
        answer.raise_for_status()
        known: dict[str, Any] = answer.json()
        self.groups: list[int] = known["groups"]
        return known

    # -- requests ------------------------------------------------------------------------------------------------------

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def create(self, title: str, path: str = TICKETS, **fields: Any) -> Any:
        if path == TICKETS:
            fields.setdefault("group", self.groups[0])
        answer = self.http.post(path, json={"title": title, **fields})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def change(self, pk: int, path: str = TICKETS, **fields: Any) -> Any:
        answer = self.http.patch(f"{path}{pk}/", json=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def delete(self, pk: int, path: str = TICKETS) -> None:
        assert self.http.delete(f"{path}{pk}/").status_code == 204

    def pks(self, path: str = TICKETS) -> list[int]:
        return [ticket["id"] for ticket in self.get(path).json()]

    def many(self, *titles: str, undo: str | None = None) -> None:
        """Create several in one transaction, of which one is rolled back, or "all"."""
        answer = self.http.post(f"{TICKETS}many/", json={"group": self.groups[0], "titles": titles, "undo": undo})
        assert answer.status_code == 204, answer.text

    # -- transports ----------------------------------------------------------------------------------------------------

    def wait(self, path: str, *, seconds: int = 50) -> AbstractContextManager[Future[httpx.Response]]:
        """Know the present representation, and wait for the next one."""
        return self.site.in_background(
            self.get, path, If_None_Match=self.get(path).headers["ETag"], Prefer=f"wait={seconds}"
        )

    @contextmanager
    def events(self, path: str = TICKETS) -> Iterator[Stream]:
        """An event stream that has shown its first snapshot."""
        with open_events(self.http, path, headers=STREAM) as events:
            yield Stream(events)

    @contextmanager
    def ws(self, path: str = TICKETS, **options: Any) -> Iterator[ClientConnection]:
        """A WebSocket that has heard ``subscribed``."""
        options = {"additional_headers": self.headers, **options}
        with open_websocket(self.site.ws_url(path), **options) as ws:
            assert hear(ws)["action"] == "subscribed"
            yield ws

    def wait_subscribed(self, mode: str, count: int = 1) -> None:
        """Wait until so many clients hear of the tickets of the member's first group."""
        self.site.wait_subscribed(f"{PREFIX}group:{self.groups[0]}", mode=mode, count=count)

    def wait_held(self, mode: str, count: int = 1) -> None:
        """Wait until this member hears of anything at all by so many connections."""
        self.site.wait_subscribed(self.channel, mode=mode, count=count)

    def wait_shown(self, pk: int, mode: str, count: int = 1) -> None:
        """Wait until so many clients hear of a ticket at its own URL."""
        self.site.wait_subscribed(f"{TICKET_CHANNEL}:{pk}", mode=mode, count=count)


class Stream:
    """A live viewset's event stream. snapshot: the first one. heard: all that has come, in its order.

    A ``reset`` with a new snapshot may come at any time: a second after the opening the proxy has the picture compared,
    and what has changed until then it shows again. All changes are told as well, but for those that come right behind a
    hint, which Pushpin leaves out because it asks anew.
    """

    def __init__(self, events: Iterator[ServerSentEvent]) -> None:
        self._events = events
        self.heard: list[Any] = []
        first = self._next()
        assert first["action"] == "snapshot"
        self.snapshot = first["data"]

    def _next(self) -> Any:
        event = next(self._events)
        # So one handler, `onmessage`, serves all.
        assert event.event == "message"
        self.heard.append(event.json())
        return self.heard[-1]

    def change(self) -> Any:
        """The next event that is a change."""
        while (event := self._next())["action"] in ("reset", "snapshot"):
            pass
        return event

    def wait_for(self, data: Any) -> None:
        """Wait until all is told anew, and is this."""
        while (event := self._next())["action"] != "reset" or (event := self._next())["data"] != data:
            pass
        assert event["action"] == "snapshot"

    def wait_until(self, is_it: Callable[[Any], bool]) -> None:
        """Wait for an event, of whatever kind."""
        while not is_it(self._next()):
            pass

    def read_to_end(self) -> list[Any]:
        """What still comes until the stream ends."""
        read = len(self.heard)
        self.heard += [event.json() for event in self._events]
        return self.heard[read:]


@pytest.fixture
def join(site: Site, channel: str) -> Iterator[Callable[..., Member]]:
    """Make members: ``join("ada", "red", may=("view",))``. Neither they nor the groups are those of another test."""
    made: list[Member] = []

    def make(name: str, *groups: str, may: tuple[str, ...] = EVERYTHING, on: Site = site) -> Member:
        made.append(Member(on, f"{name}-{channel}", [f"{group}-{channel}" for group in groups], may))
        return made[-1]

    yield make
    for one in made:
        one.http.close()


def hear(ws: ClientConnection) -> Any:
    """The next message of a WebSocket."""
    return json.loads(receive(ws))


def ask(ws: ClientConnection, action: str, **message: Any) -> Any:
    """Ask for an action; what comes is its answer. Events that come before it are passed over."""
    ref = next(_refs)
    ws.send(json.dumps({"action": action, "ref": ref, **message}))
    while (answer := hear(ws)).get("ref") != ref:
        assert "action" in answer
    return answer
