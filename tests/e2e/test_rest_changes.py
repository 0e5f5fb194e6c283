"""Who hears of what in a live viewset: nobody of what is not theirs, and nobody of what was not committed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from .puppets import closing
from .rest_members import OWN, PREFIX, PROJECTS, REST_SITE, TICKETS, Member, ask, hear, join
from .sites import Site

__all__ = ["join"]

pytestmark = REST_SITE

Join = Callable[..., Member]

OWN_CHANNEL = f"{PREFIX}live:tests.e2e.project.rest_views.OwnTicketViewSet"
INVALIDATE = {"action": "invalidate"}


class Listener:
    """Somebody who hears of a list by a WebSocket and a stream."""

    def __init__(self, member: Member, path: str, stack: ExitStack) -> None:
        self.member = member
        self._ws = stack.enter_context(member.ws(path))
        self.stream = stack.enter_context(member.events(path))
        self._messages: list[Any] = []

    @property
    def heard(self) -> str:
        """All that came by both, as text."""
        return json.dumps([self._messages, self.stream.heard])

    def both(self) -> Any:
        """The change that comes next, which is the same on both."""
        self._messages.append(hear(self._ws))
        assert self._messages[-1] == self.stream.change()
        return self._messages[-1]

    def list(self) -> Any:
        self._messages.append(ask(self._ws, "list"))
        return self._messages[-1]["data"]


def mentions(listener: Listener, ticket: Any) -> bool:
    """Tell whether anything was heard of a ticket, be it its key."""
    return re.search(rf'"(id|pk)": {ticket["id"]}\b', listener.heard) is not None


def wait_for_own(site: Site, count: int) -> None:
    for mode in ("ws", "stream"):
        site.wait_subscribed(OWN_CHANNEL, mode=mode, count=count)


# -- what is not theirs --------------------------------------------------------------------------------------------


def test_where_nothing_is_said_of_who_hears_all_are_told_to_ask_again(join: Join, site: Site) -> None:
    ada, bob = join("ada"), join("bob")
    old = ada.create("secret of ada", OWN)
    with ExitStack() as stack:
        adas, bobs = Listener(ada, OWN, stack), Listener(bob, OWN, stack)
        assert (adas.stream.snapshot, bobs.stream.snapshot) == ([old], [])
        wait_for_own(site, 2)
        new = ada.create("another secret of ada", OWN)
        for one in (adas, bobs):
            assert one.both() == INVALIDATE
        ada.change(new["id"], OWN, done=True)
        ada.delete(old["id"], OWN)
        for one in (adas, bobs):
            assert [one.both(), one.both()] == [INVALIDATE, INVALIDATE]
        assert adas.list() == [{**new, "done": True}]
        assert bobs.list() == []
        mine = bob.create("mine", OWN)
        for one in (adas, bobs):
            assert one.both() == INVALIDATE
        assert bobs.list() == [mine]
        # Nor when the proxy asks for the streams again by itself.
        for ticket, title in ((new, "a third secret"), (mine, "mine, too")):
            site.http.post(f"/silently/{ticket['id']}/", data={"title": title}).raise_for_status()
        site.publish(OWN_CHANNEL, {"http-stream": {"action": "hint"}})
        adas.stream.wait_for([{**new, "title": "a third secret", "done": True}])
        bobs.stream.wait_for([{**mine, "title": "mine, too"}])
        assert "secret" in adas.heard
        assert "secret" not in bobs.heard
        for one in (old, new):
            assert not mentions(bobs, one)
            assert mentions(adas, one)
        assert '"pk"' not in bobs.heard


def test_who_waits_for_a_list_is_not_told_of_others(sites: list[Site], channel: str) -> None:
    # Five seconds are the shortest wait; nobody waits them out for one interface after the other.
    with ExitStack() as stack:
        waiting = []
        for site in sites:
            ada, bob = Member(site, f"ada-{channel}", [], ()), Member(site, f"bob-{channel}", [], ())
            for one in (ada, bob):
                stack.callback(one.http.close)
            bobs = stack.enter_context(bob.wait(OWN, seconds=5))
            bob.wait_held("response")
            adas = stack.enter_context(ada.wait(OWN))
            ada.wait_held("response")
            secret = ada.create("secret", OWN)
            assert adas.result(60).json() == [secret]
            waiting.append(bobs)
        for bobs in waiting:
            answer = bobs.result(60)
            assert (answer.status_code, answer.content) == (304, b"")


def test_an_object_with_another_url_is_gone_from_the_old_one_and_new_at_the_other(join: Join, channel: str) -> None:
    ada = join("ada")
    project, path = {"name": "x", "slug": f"old-{channel}"}, f"{PROJECTS}old-{channel}/"
    ada.http.post(PROJECTS, json=project).raise_for_status()
    with ada.ws(PROJECTS) as listed, ada.ws(path) as shown, ada.events(path) as events:
        ada.wait_held("ws", count=2)
        ada.wait_held("stream")
        ada.http.patch(path, json={"slug": f"new-{channel}"}).raise_for_status()
        gone = {"action": "deleted", "pk": f"old-{channel}"}
        new = {"action": "created", "pk": f"new-{channel}", "data": {**project, "slug": f"new-{channel}"}}
        assert [hear(listed), hear(listed), hear(shown)] == [gone, new, gone]
        assert closing(shown) == (4404, "deleted")
        assert events.read_to_end()[-1] == gone
    assert ada.get(f"{PROJECTS}{new['pk']}/").status_code == 200


def test_groups_hear_of_their_own_only_and_what_moves_leaves_one_for_the_other(join: Join, site: Site) -> None:
    ada, red, blue = join("ada", "red", "blue"), join("rita", "red"), join("bob", "blue")
    ticket = ada.create("moves")
    with ExitStack() as stack:
        reds, blues = Listener(red, TICKETS, stack), Listener(blue, TICKETS, stack)
        on_object = stack.enter_context(red.events(f"{TICKETS}{ticket['id']}/"))
        assert on_object.snapshot == ticket
        red.wait_shown(ticket["id"], "stream")
        waiting = {one: stack.enter_context(one.wait(TICKETS)) for one in (red, blue)}
        assert (reds.stream.snapshot, blues.stream.snapshot) == ([ticket], [])
        for one in (red, blue):
            for mode in ("ws", "stream", "response"):
                one.wait_subscribed(mode)
        secret = ada.create("a secret of the reds")
        assert reds.both() == {"action": "created", "pk": secret["id"], "data": secret}
        assert waiting[red].result(60).json() == [ticket, secret]
        ada.change(ticket["id"], group=blue.groups[0])
        assert reds.both() == {"action": "deleted", "pk": ticket["id"]}
        # What it is now, who has come to it asks by their own right.
        assert blues.both() == {"action": "created", "pk": ticket["id"]}
        moved = {**ticket, "group": blue.groups[0]}
        assert waiting[blue].result(60).json() == [moved]
        # Who had opened the object itself may see it no longer: for them it is gone.
        told = on_object.read_to_end()
        assert told[-1] == {"action": "deleted", "pk": ticket["id"]}
        # Unless the proxy has asked by itself in this very moment.
        assert told[:-1] in ([], [{"action": "invalidate"}])
        assert (reds.list(), blues.list()) == ([secret], [moved])
        ada.change(ticket["id"], title="a secret of the blues")
        assert blues.both()["data"]["title"] == "a secret of the blues"
        last = ada.create("another secret of the reds")
        assert reds.both()["pk"] == last["id"]
        # A stream that the proxy asks for again tells of no more.
        for number, shown in ((0, [secret, {**last, "title": "renamed"}]), (1, [{**moved, "title": "renamed"}])):
            site.http.post(f"/silently/{shown[-1]['id']}/", data={"title": "renamed"}).raise_for_status()
            site.publish(f"{PREFIX}group:{ada.groups[number]}", {"http-stream": {"action": "hint"}})
            (reds, blues)[number].stream.wait_for(shown)
        assert "of the blues" not in reds.heard
        assert "of the reds" not in blues.heard
        for one in (secret, last):
            assert not mentions(blues, one)
            assert mentions(reds, one)


# -- transactions --------------------------------------------------------------------------------------------------


def test_what_is_rolled_back_is_told_to_nobody_and_what_is_done_twice_once(join: Join) -> None:
    ada = join("ada", "red")
    with ExitStack() as stack:
        listener = Listener(ada, TICKETS, stack)
        for mode in ("ws", "stream"):
            ada.wait_subscribed(mode)
        ada.many("never", "never at all", undo="all")
        # Of these one is in a savepoint that is rolled back; each of the others is created and changed.
        ada.many("one", "two", "three", undo="two")
        told = [listener.both() for _ in range(2)]
        assert [(event["action"], event["data"]["title"]) for event in told] == [
            ("created", "one"),
            ("created", "three"),
        ]
        last = ada.create("last")
        assert listener.both() == {"action": "created", "pk": last["id"], "data": last}


def test_what_cannot_be_said_is_written_and_logged_and_the_others_go_out(join: Join, site: Site) -> None:
    ada = join("ada", "red")
    with ExitStack() as stack:
        listener = Listener(ada, TICKETS, stack)
        for mode in ("ws", "stream"):
            ada.wait_subscribed(mode)
        ada.many("one", "unspeakable", "two")
        told = [listener.both() for _ in range(3)]
        # Of that one they are told all the same that it is there.
        assert [event.get("data", {}).get("title") for event in told] == ["one", None, "two"]
        assert [ticket["title"] for ticket in listener.list()] == ["one", "unspeakable", "two"]
    assert "this one cannot be said" in site.app.log_text()


def test_what_is_changed_in_bulk_is_told_when_that_is_said(join: Join) -> None:
    ada = join("ada", "red")
    with ExitStack() as stack:
        listener = Listener(ada, TICKETS, stack)
        for mode in ("ws", "stream"):
            ada.wait_subscribed(mode)
        tickets = [ada.create(title) for title in ("one", "two")]
        # What was published before one subscribed may come late, and be heard all the same.
        assert [listener.both()["action"] for _ in tickets] == ["created", "created"]
        answer = ada.http.post(f"{TICKETS}finish/", json={"group": ada.groups[0]})
        assert answer.status_code == 204, answer.text
        for ticket in tickets:
            # Without data: where each was before, and who heard of it there, is not known.
            assert listener.both() == {"action": "updated", "pk": ticket["id"]}
        assert [ticket["done"] for ticket in listener.list()] == [True, True]


def test_two_who_write_at_once_leave_everybody_with_what_is_there(join: Join) -> None:
    ada, bob = join("ada", "red"), join("bob", "red")
    ticket = ada.create("0")
    pk = ticket["id"]

    def write(member: Member) -> None:
        for number in range(8):
            member.change(pk, title=f"{member.name[:3]} {number}")

    with ada.ws() as ws:
        ada.wait_subscribed("ws")
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(write, (ada, bob)))
        told = [hear(ws) for _ in range(16)]
    assert {(event["action"], event["pk"]) for event in told} == {("updated", pk)}
    # Two that are published at once may pass each other; but each is what was there, and the last of them is there now.
    assert ada.get(f"{TICKETS}{pk}/").json() in [event["data"] for event in told[-2:]]


def test_a_proxy_that_is_down_costs_no_write(join: Join, own_site: Site) -> None:
    ada = join("ada", "red", on=own_site)
    past = own_site.direct
    assert past.get(TICKETS, headers=ada.headers).json() == []
    own_site.proxy.stop()
    answer = past.post(TICKETS, json={"title": "written", "group": ada.groups[0]}, headers=ada.headers)
    assert (answer.status_code, answer.json()["title"]) == (201, "written")
    assert [ticket["title"] for ticket in past.get(TICKETS, headers=ada.headers).json()] == ["written"]
    own_site.restart_proxy()
    assert ada.pks() == [answer.json()["id"]]
    with ada.ws() as ws:
        ada.wait_subscribed("ws")
        again = ada.create("again")
        # What was said meanwhile may come late, but not in the place of this.
        while (event := hear(ws))["pk"] != again["id"]:
            assert event["pk"] == answer.json()["id"]
        assert event["data"] == again
