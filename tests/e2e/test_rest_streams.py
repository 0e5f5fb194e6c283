"""Live viewsets as event streams: a snapshot, then changes, with nothing missed, for who may still see them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from httpx_sse import ServerSentEvent

from .clients import http_client, open_events
from .puppets import closing
from .rest_members import OWN, PREFIX, PROJECTS, RECHECKED, REST_SITE, STREAM, TICKETS, Member, Stream, ask, join
from .sites import Site
from .waiting import PATIENCE

__all__ = ["join"]

pytestmark = REST_SITE

Join = Callable[..., Member]

# -- snapshots and changes -----------------------------------------------------------------------------------------


def test_a_snapshot_comes_first_then_each_change(join: Join) -> None:
    ada = join("ada", "red")
    first = ada.create("one")
    with ada.events() as events:
        assert events.snapshot == [first]
        ada.wait_subscribed("stream")
        second = ada.create("two")
        assert events.change() == {"action": "created", "pk": second["id"], "data": second}
        changed = ada.change(first["id"], done=True)
        assert events.change() == {"action": "updated", "pk": first["id"], "data": changed}
        ada.delete(second["id"])
        assert events.change() == {"action": "deleted", "pk": second["id"]}


def test_a_stream_is_asked_for_again_with_the_headers_that_it_depends_on(join: Join, site: Site) -> None:
    ada = join("ada", "red")
    tickets = [ada.create("mine"), ada.create("another")]
    with open_events(ada.http, "/rest/titled/", headers={**STREAM, "X-Title": "mine"}) as opened:
        events = Stream(opened)
        assert events.snapshot == tickets[:1]
        ada.wait_subscribed("stream")
        for _ in range(2):
            # A hint has the whole compared, and told anew.
            tickets.append(ada.create("mine"))
            site.publish(f"{PREFIX}group:{ada.groups[0]}", {"http-stream": {"action": "hint"}})
            events.wait_for([ticket for ticket in tickets if ticket["title"] == "mine"])


def test_the_stream_of_an_object_ends_when_it_is_deleted(join: Join, site: Site, channel: str) -> None:
    ada = join("ada")
    project = {"name": "first", "slug": f"p-{channel}"}
    path = f"{PROJECTS}{project['slug']}/"
    ada.http.post(PROJECTS, json=project).raise_for_status()
    with ada.events(path) as events:
        assert events.snapshot == {**project, "padding": ""}
        # The one comparison that the proxy makes by itself may be over by now; for this it makes another.
        site.http.post(f"/rename/{project['slug']}/?silent", data={"name": "second"}).raise_for_status()
        ada.wait_held("stream")
        site.publish(ada.channel, {"http-stream": {"action": "hint"}})
        events.wait_for({**project, "name": "second", "padding": ""})
        ada.http.patch(path, json={"name": "third"}).raise_for_status()
        event = events.change()
        assert (event["action"], event["data"]) == ("updated", {**project, "name": "third"})
        assert ada.http.delete(path).status_code == 204
        assert events.read_to_end() == [{"action": "deleted", "pk": event["pk"]}]
    refused = ada.get(path, **STREAM)
    assert (refused.status_code, refused.headers["Content-Type"]) == (404, "application/json")


def test_who_comes_just_before_it_is_deleted_is_told_too(join: Join, channel: str) -> None:
    """Be it by what is published or, where the proxy has not subscribed yet, by its second look."""
    ada = join("ada")
    path = f"{PROJECTS}p-{channel}/"
    ada.http.post(PROJECTS, json={"name": "first", "slug": f"p-{channel}"}).raise_for_status()
    with ada.events(path) as events:
        assert events.snapshot["name"] == "first"
        assert ada.http.delete(path).status_code == 204
        assert [event["action"] for event in events.read_to_end()] == ["deleted"]


def test_who_comes_while_others_write_misses_nothing(join: Join) -> None:
    ada = join("ada", "red")
    # What will be there in the end: of three tickets each, one is finished and one deleted.
    expected = {"last": False} | {f"{number}-{each}": each == 0 for number in range(6) for each in (0, 2)}

    def follow() -> bool:
        """Keep a picture of the list by what a stream of it tells, until it is as expected."""
        with http_client(ada.site.url) as client, open_events(client, TICKETS, headers=ada.headers | STREAM) as events:
            tickets: dict[int, Any] = {}
            for event in map(ServerSentEvent.json, events):
                if event["action"] == "snapshot":
                    tickets = {ticket["id"]: ticket for ticket in event["data"]}
                elif event["action"] == "deleted":
                    tickets.pop(event["pk"], None)
                elif event["action"] in ("created", "updated"):
                    tickets[event["pk"]] = event["data"]
                if {ticket["title"]: ticket["done"] for ticket in tickets.values()} == expected:
                    return True
        return False

    with ThreadPoolExecutor(6) as threads:
        following = []
        for number in range(6):
            # Each is opened, somewhere, while these are written.
            following.append(threads.submit(follow))
            tickets = [ada.create(f"{number}-{each}") for each in range(3)]
            ada.change(tickets[0]["id"], done=True)
            ada.delete(tickets[1]["id"])
        ada.create("last")
        assert [each.result(PATIENCE) for each in following] == [True] * 6


def test_after_a_gap_all_is_told_anew(join: Join, site: Site) -> None:
    ada = join("ada", "red")
    ticket = ada.create("one")
    with ada.events() as events:
        assert events.snapshot == [ticket]
        ada.wait_subscribed("stream")
        for title in ("two", "three"):
            # What no event tells of, and the proxy asks for as it does when it sees a gap.
            site.http.post(f"/silently/{ticket['id']}/", data={"title": title}).raise_for_status()
            site.publish(f"{PREFIX}group:{ada.groups[0]}", {"http-stream": {"action": "hint"}})
            events.wait_for([{**ticket, "title": title}])


def test_a_snapshot_too_large_for_a_hold_is_followed_by_changes(join: Join, channel: str) -> None:
    ada = join("ada")
    slug = f"p-{channel}"
    ada.http.post(PROJECTS, json={"name": "big", "slug": slug}).raise_for_status()
    with ada.events(f"{PROJECTS}{slug}/") as events:
        assert (events.snapshot["name"], len(events.snapshot["padding"])) == ("big", 150_000)
        # It is told by an event or, where it comes before the proxy has subscribed, by another snapshot.
        ada.site.http.post(f"/rename/{slug}/", data={"name": "small"}).raise_for_status()
        events.wait_until(lambda event: event.get("data", {}).get("name") == "small")


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
            stream = Stream(events)
            assert stream.snapshot == [one]
            ada.wait_subscribed("stream")
            two = ada.create("two")
            assert stream.change()["data"] == two
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
            streams[name] = stack.enter_context(member.events(RECHECKED))
        stays = members["stays"]
        stays.wait_subscribed("stream", 4)
        group = f"red-{members['token'].name.removeprefix('token-')}"
        site.http.post(f"/revoke/{members['token'].name}/").raise_for_status()
        members["permission"].become([group], ())
        members["group"].become([])
        for name in ("token", "permission"):
            assert streams[name].read_to_end() == []
        # Who has left the group still has a list, which is empty but for what comes.
        stays.wait_subscribed("stream", 1)
        ticket = stays.create("one")
        assert streams["stays"].change()["pk"] == ticket["id"]


@pytest.mark.parametrize("by", ["user", "channel", "both"])
def test_connections_are_ended_at_once(join: Join, site: Site, by: str) -> None:
    ada, bob = join("ada", "red"), join("bob", "blue")
    known = {"user": str(ada.pk), "channel": f"group:{ada.groups[0]}"}
    with ada.ws() as ws, ada.events() as events, ada.wait(TICKETS) as waiting, bob.ws() as other:
        for mode in ("ws", "stream", "response"):
            ada.wait_subscribed(mode)
        site.http.post("/end/", data=known if by == "both" else {by: known[by]}).raise_for_status()
        assert closing(ws) == ((4401, "log in again") if by == "user" else (4403, "not permitted"))
        assert events.read_to_end() == []
        assert ask(other, "list")["status"] == 200
        # The long-poll was asked again, and is let wait on.
        ada.create("one")
        assert waiting.result(60).status_code == 200
        with ada.ws() as again:
            assert len(ask(again, "list")["data"]) == 1
