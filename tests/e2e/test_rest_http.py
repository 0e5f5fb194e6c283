"""Live viewsets over plain HTTP: ETags, negotiation, and long-polls."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from .clients import open_events
from .rest_members import HASTY, OWN, PROJECTS, REST_SITE, TICKETS, Member, ask, hear, join
from .sites import Site

__all__ = ["join"]

pytestmark = REST_SITE

Join = Callable[..., Member]

# What a browser sends.
LISTS_EVERYTHING = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


def test_a_list_and_an_object_have_etags_by_which_nothing_is_sent_twice(join: Join) -> None:
    ada = join("ada", "red")
    ticket = ada.create("one")
    for path, body in ((TICKETS, [ticket]), (f"{TICKETS}{ticket['id']}/", ticket)):
        answer = ada.get(path, Accept="application/json")
        assert (answer.status_code, answer.json()) == (200, body)
        etag = answer.headers["ETag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = ada.get(path, If_None_Match=known)
            assert (again.status_code, again.headers["ETag"], again.content) == (304, etag, b"")
        for unknown in ('"other"', "garbage", ", ,", etag.strip('"'), '"'):
            assert ada.get(path, If_None_Match=unknown).status_code == 200
    ada.change(ticket["id"], done=True)
    assert ada.get(path, If_None_Match=etag).json()["done"] is True


def test_who_accepts_everything_gets_an_answer_that_ends(join: Join) -> None:
    ada = join("ada", "red")
    ada.create("one")
    for accept, kind in [
        ("*/*", "application/json"),
        ("application/json, text/event-stream;q=0.5, */*;q=0.1", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        (LISTS_EVERYTHING, "text/html; charset=utf-8"),
    ]:
        answer = ada.get(TICKETS, Accept=accept)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)


def test_a_suffix_asks_for_a_format_as_well(join: Join) -> None:
    ada = join("ada", "red")
    ticket = ada.create("one")
    of_list, of_object = TICKETS.removesuffix("/"), f"{TICKETS}{ticket['id']}"
    assert ada.get(f"{of_list}.json", Accept="*/*").json() == [ticket]
    assert ada.get(f"{of_object}.json").json() == ticket
    for path, shown in ((f"{of_list}.sse", [ticket]), (f"{of_object}.sse", ticket)):
        with open_events(ada.http, path) as events:
            assert next(events).json() == {"action": "snapshot", "data": shown}
    assert ada.get(f"{of_list}.pdf").status_code == 404


def test_options_name_the_transports(join: Join) -> None:
    ada = join("ada", "red")
    told = ada.http.options(TICKETS).json()
    assert {"long-poll", "event-stream", "websocket"} <= {name.replace("_", "-") for name in told["live"]["transports"]}


# -- waiting -------------------------------------------------------------------------------------------------------


def test_who_waits_gets_the_next_representation(join: Join) -> None:
    ada, bob = join("ada", "red"), join("bob", "red")
    ticket = ada.create("one")
    with ada.wait(TICKETS) as listed, bob.wait(f"{TICKETS}{ticket['id']}/") as shown:
        ada.wait_subscribed("response")
        bob.wait_shown(ticket["id"], "response")
        bob.change(ticket["id"], title="two")
        for waiting in (listed, shown):
            answer = waiting.result(60)
            assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=50")
        assert listed.result().json() == [shown.result().json()] == [{**ticket, "title": "two"}]
        assert listed.result().headers["ETag"] == ada.get(TICKETS).headers["ETag"]


def test_a_representation_too_large_for_a_hold_can_be_waited_for(join: Join, channel: str) -> None:
    ada = join("ada")
    slug = f"p-{channel}"
    ada.http.post(PROJECTS, json={"name": "small", "slug": slug}).raise_for_status()
    path = f"{PROJECTS}{slug}/"
    for name in ("big", "big and bigger"):
        with ada.wait(path) as waiting:
            ada.wait_held("response")
            ada.site.http.post(f"/rename/{slug}/", data={"name": name}).raise_for_status()
            answer = waiting.result(60)
        assert (answer.status_code, answer.json()["name"], len(answer.json()["padding"])) == (200, name, 150_000)


def test_who_would_wait_for_nonsense_is_answered_at_once(join: Join) -> None:
    ada = join("ada")
    etag = ada.get(OWN).headers["ETag"]
    for prefer in ("wait=-1", "wait=abc", "wait=0", "wait=", "wait=1.5", 'wait="5', "wait", "wait=\u0665", ",;="):
        answer = ada.http.get(OWN, headers={"If-None-Match": etag, "Prefer": prefer.encode()})
        assert (answer.status_code, "Preference-Applied" in answer.headers) == (304, False), prefer


def test_past_the_proxy_nobody_waits_and_a_stream_is_refused(join: Join) -> None:
    ada = join("ada", "red")
    etag = ada.get(TICKETS).headers["ETag"]
    answer = ada.site.direct.get(TICKETS, headers={**ada.headers, "If-None-Match": etag, "Prefer": "wait=50"})
    assert (answer.status_code, "Preference-Applied" in answer.headers) == (304, False)
    refused = ada.site.direct.get(TICKETS, headers={**ada.headers, "Accept": "text/event-stream"})
    assert refused.status_code == 501


def test_after_the_time_it_is_304_and_nobody_waits_longer_than_the_view_allows(sites: list[Site], channel: str) -> None:
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(8))
        answers = []
        for site in sites:
            for name, wait in (("ada", "5"), ("bob", "1"), ("eve", "99999"), ("dan", "9" * 40)):
                one = Member(site, f"{name}-{channel}", [], ())
                stack.callback(one.http.close)
                etag = one.get(HASTY).headers["ETag"]
                answers.append(
                    (etag, threads.submit(one.get, HASTY, If_None_Match=f'"a", W/{etag}', Prefer=f"wait={wait}"))
                )
        for etag, waiting in answers:
            answer = waiting.result(60)
            # Five seconds are the least that a proxy holds, and the most that this view does.
            assert (answer.status_code, answer.headers["Preference-Applied"]) == (304, "wait=5")
            assert (answer.headers["ETag"], answer.content) == (etag, b"")


def test_all_four_transports_are_at_one_address(join: Join) -> None:
    ada = join("ada", "red")
    known = ada.get(TICKETS)
    with ada.ws() as ws, ada.events() as events, ada.wait(TICKETS) as waiting:
        assert events.snapshot == known.json()
        for mode in ("ws", "stream", "response"):
            ada.wait_subscribed(mode)
        ticket = ada.create("one")
        event = {"action": "created", "pk": ticket["id"], "data": ticket}
        assert (hear(ws), events.change(), waiting.result(60).json()) == (event, event, [ticket])
        assert ask(ws, "list")["data"] == [ticket]
