"""Live viewsets as event streams: a snapshot, then changes, with nothing missed, for who may still see them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from .clients import http_client, open_events
from .puppets import closing
from .rest_members import OWN, PREFIX, PROJECTS, REST_SITE, TICKETS, Member, ask, join
from .sites import Site

__all__ = ["join"]

pytestmark = REST_SITE

Join = Callable[..., Member]

STREAM = {"Accept": "text/event-stream"}


def events_to_the_end(events: Any) -> list[Any]:
    return [event.json() for event in events]


# -- snapshots and changes -----------------------------------------------------------------------------------------


def test_a_snapshot_comes_first_then_each_change(join: Join) -> None:
    ada = join("ada", "red")
    first = ada.create("one")
    with ada.events() as events:
        assert next(events).json() == {"action": "snapshot", "data": [first]}
        ada.wait_subscribed("stream")
        second = ada.create("two")
        assert next(events).json() == {"action": "created", "pk": second["id"], "data": second}
        changed = ada.change(first["id"], done=True)
        assert next(events).json() == {"action": "updated", "pk": first["id"], "data": changed}
        ada.delete(second["id"])
        event = next(events)
        # One handler, `onmessage`, serves all.
        assert (event.event, event.json()) == ("message", {"action": "deleted", "pk": second["id"]})


def test_the_stream_of_an_object_ends_when_it_is_deleted(join: Join, site: Site) -> None:
    ada = join("ada", "red")
    ticket = ada.create("one")
    with ada.events(f"{TICKETS}{ticket['id']}/") as events:
        assert next(events).json() == {"action": "snapshot", "data": ticket}
        pk = ticket["id"]
        site.wait_subscribed(f"{PREFIX}live:tests.e2e.project.rest_views.TicketViewSet:{pk}", mode="stream")
        ada.change(pk, title="two")
        # Data for everybody who has opened it is data only where everything is public.
        assert next(events).json() == {"action": "updated", "pk": pk}
        ada.delete(pk)
        assert events_to_the_end(events) == [{"action": "deleted", "pk": pk}]
    refused = ada.get(f"{TICKETS}{pk}/", **STREAM)
    assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/json")


class Picture:
    """What a client makes of a stream: each ticket by its key."""

    def __init__(self) -> None:
        self.tickets: dict[int, Any] = {}

    def take_in(self, event: Any) -> None:
        if event["action"] == "snapshot":
            self.tickets = {ticket["id"]: ticket for ticket in event["data"]}
        elif event["action"] in ("created", "updated"):
            self.tickets[event["pk"]] = event["data"]
        elif event["action"] == "deleted":
            self.tickets.pop(event["pk"], None)

    def has(self, title: str) -> bool:
        return any(ticket["title"] == title for ticket in self.tickets.values())


def test_who_comes_while_others_write_misses_nothing(join: Join) -> None:
    ada = join("ada", "red")

    def follow() -> dict[int, Any]:
        picture = Picture()
        with http_client(ada.site.url) as client, open_events(client, TICKETS, headers=ada.headers | STREAM) as events:
            for event in events:
                picture.take_in(event.json())
                if picture.has("last"):
                    return picture.tickets
        raise AssertionError("the stream ended")

    with ThreadPoolExecutor(6) as threads:
        following = []
        for number in range(6):
            # Each is opened, somewhere, while these are written.
            following.append(threads.submit(follow))
            tickets = [ada.create(f"{number}-{each}") for each in range(3)]
            ada.change(tickets[0]["id"], done=True)
            ada.delete(tickets[1]["id"])
        ada.create("last")
        expected = {ticket["id"]: ticket for ticket in ada.get(TICKETS).json()}
        for each in following:
            assert each.result(60) == expected


def test_after_a_gap_all_is_told_anew(join: Join, site: Site) -> None:
    ada = join("ada", "red")
    ticket = ada.create("one")
    with ada.events() as events:
        assert next(events).json() == {"action": "snapshot", "data": [ticket]}
        ada.wait_subscribed("stream")
        # What no event tells of, and the proxy asks for as it does when it sees a gap.
        site.http.post(f"/silently/{ticket['id']}/", data={"title": "two"}).raise_for_status()
        site.publish(f"{PREFIX}group:{ada.groups[0]}", {"http-stream": {"action": "hint"}})
        assert next(events).json() == {"action": "reset"}
        assert next(events).json() == {"action": "snapshot", "data": [{**ticket, "title": "two"}]}
        last = ada.change(ticket["id"], title="three")
        assert next(events).json() == {"action": "updated", "pk": ticket["id"], "data": last}


def test_a_snapshot_too_large_for_a_hold_is_followed_by_changes(join: Join, channel: str) -> None:
    ada = join("ada")
    slug = f"p-{channel}"
    ada.http.post(PROJECTS, json={"name": "big", "slug": slug}).raise_for_status()
    with ada.events(f"{PROJECTS}{slug}/") as events:
        snapshot = next(events).json()
        assert (snapshot["data"]["name"], len(snapshot["data"]["padding"])) == ("big", 150_000)
        ada.site.http.post(f"/rename/{slug}/", data={"name": "small"}).raise_for_status()
        said = next(events).json()
        if said["action"] == "reset":
            # It was changed before the proxy had subscribed.
            assert next(events).json()["data"]["name"] == "small"
        else:
            assert (said["action"], said["data"]) == ("updated", {"name": "small", "slug": slug})


def test_an_error_on_an_event_stream_is_an_error_of_the_framework_s(join: Join, site: Site) -> None:
    ada, eve = join("ada", "red"), join("eve", "red", may=())
    for client, path, status in (
        (ada.http, f"{TICKETS}999999999/", 404),
        (eve.http, TICKETS, 403),
        (site.http, TICKETS, 401),
    ):
        answer = client.get(path, headers=STREAM)
        assert answer.status_code == status
        assert list(answer.json()) == ["detail"]
    # Only what is live is streamed.
    assert ada.http.post(TICKETS, json={}, headers=STREAM).status_code == 406


# -- tickets -------------------------------------------------------------------------------------------------------


def make_ticket(member: Member, path: str) -> str:
    answer = member.http.post("/rest/ticket/", json={"path": path})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ticket"])


def test_a_ticket_opens_a_stream_for_who_has_no_header(join: Join, site: Site) -> None:
    ada = join("ada", "red")
    one = ada.create("one")
    key = make_ticket(ada, TICKETS)
    with http_client(site.url) as browser:
        with open_events(browser, TICKETS, headers=STREAM, params={"ticket": key}) as events:
            assert next(events).json() == {"action": "snapshot", "data": [one]}
            ada.wait_subscribed("stream")
            two = ada.create("two")
            assert next(events).json()["data"] == two
        for path, accept, status in (
            (TICKETS, "application/json", 401),
            (OWN, "text/event-stream", 401),
            (f"{TICKETS}{one['id']}/", "text/event-stream", 401),
        ):
            assert browser.get(path, headers={"Accept": accept}, params={"ticket": key}).status_code == status
        for wrong in (key[:-4] + "AAAA", key + "x", "", "nonsense", "grip-ticket." + "x" * 3000):
            assert browser.get(TICKETS, headers=STREAM, params={"ticket": wrong}).status_code == 401
        assert browser.post(TICKETS, json={"title": "x"}, params={"ticket": key}).status_code == 401
        assert browser.post("/rest/ticket/", json={"path": TICKETS}).status_code == 401
    # The proxy itself logs what it is asked for; the application does not.
    assert site.stack.is_embedded or key not in site.app.log_text()


# -- the end of it -------------------------------------------------------------------------------------------------


def test_what_is_revoked_ends_a_stream_within_the_recheck(join: Join, site: Site) -> None:
    members = {name: join(name, "red") for name in ("token", "permission", "group", "stays")}
    with ExitStack() as stack:
        streams = {}
        for name, member in members.items():
            streams[name] = stack.enter_context(member.events())
            assert next(streams[name]).json()["action"] == "snapshot"
        stays = members["stays"]
        stays.wait_subscribed("stream", 4)
        group = f"red-{members['token'].name.removeprefix('token-')}"
        site.http.post(f"/revoke/{members['token'].name}/").raise_for_status()
        members["permission"].become([group], ())
        members["group"].become([])
        for name in ("token", "permission"):
            assert events_to_the_end(streams[name]) == []
        # Who has left the group still has a list, which is empty but for what comes.
        stays.wait_subscribed("stream", 1)
        ticket = stays.create("one")
        assert next(streams["stays"]).json()["pk"] == ticket["id"]


@pytest.mark.parametrize("by", ["user", "channel", "both"])
def test_connections_are_ended_at_once(join: Join, site: Site, by: str) -> None:
    ada, bob = join("ada", "red"), join("bob", "blue")
    known = {"user": str(ada.pk), "channel": f"group:{ada.groups[0]}"}
    with ada.ws() as ws, ada.events() as events, ada.wait(TICKETS) as waiting, bob.ws() as other:
        next(events)
        for mode in ("ws", "stream", "response"):
            ada.wait_subscribed(mode)
        site.http.post("/end/", data=known if by == "both" else {by: known[by]}).raise_for_status()
        assert closing(ws) == ((4401, "log in again") if by == "user" else (4403, "not permitted"))
        assert events_to_the_end(events) == []
        assert ask(other, "list")["status"] == 200
        # The long-poll was asked again, and is let wait on.
        ada.create("one")
        assert waiting.result(60).status_code == 200
        with ada.ws() as again:
            assert len(ask(again, "list")["data"]) == 1
