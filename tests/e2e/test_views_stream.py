"""`StreamView` and `EventStreamView`: what comes first, what is published, and asking again."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event, Semaphore
from typing import Any

import httpx
import httpx_sse
import pytest

from .backstage import Backstage
from .clients import HeldStream, open_events, open_stream
from .engines import ENDS_TOGETHER
from .puppets import LIVE_SITE, PREFIX, browser, change, logged_in
from .pushpin_site import PushpinSite
from .sites import Site
from .waiting import PATIENCE, wait_until

pytestmark = LIVE_SITE


@pytest.fixture(params=["feed", "async-feed"])
def feed(request: pytest.FixtureRequest, channel: str) -> str:
    """The path of a stream; with sync hooks, with async hooks."""
    return f"/views/{request.param}/{channel}/"


@pytest.fixture(params=["ticker", "async-ticker"])
def ticker(request: pytest.FixtureRequest, channel: str) -> str:
    """The path of a stream of events; with sync hooks, with async hooks."""
    return f"/views/{request.param}/{channel}/"


@pytest.fixture
def backstage(site: Site, channel: str) -> Backstage:
    return Backstage(site, channel)


# -- what comes first ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "content"),
    [
        ("text", b"[open]\n"),
        ("bytes", b"\x00\xff[open]\n"),
        ("list", b"line 0\nline 1\n[open]\n"),
        ("iterator", b"line 0\nline 1\nline 2\n[open]\n"),
        ("async-iterator", b"line 0\nline 1\nline 2\n[open]\n"),
    ],
)
def test_what_on_open_returns_comes_before_what_is_published(
    site: Site, feed: str, channel: str, first: str, content: bytes
) -> None:
    with site.stream(feed, params={"first": first}) as stream:
        assert stream.status_code == 200
        assert stream.read_until("[open]\n") == content
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        site.publish_stream(f"{PREFIX}feed:{channel}", "one\n")
        site.publish_stream(f"{PREFIX}feed:{channel}", "two\n")
        assert stream.read_until("two\n") == b"one\ntwo\n"
    site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream", count=0)


def test_a_stream_may_begin_with_nothing(site: Site, feed: str, channel: str) -> None:
    with site.stream(feed, params={"first": "nothing"}) as stream:
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        site.publish_stream(f"{PREFIX}feed:{channel}", "one\n")
        assert stream.read_until("\n") == b"one\n"


def test_headers_say_what_a_stream_is_and_nothing_of_grip(site: Site, feed: str) -> None:
    with site.stream(feed) as stream:
        assert stream.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert "no-store" in stream.headers["Cache-Control"]
        assert "Content-Length" not in stream.headers
        assert not [name for name in stream.headers if name.startswith("grip-")]


def test_a_response_of_the_view_s_own_is_held(site: Site, feed: str, channel: str) -> None:
    with site.stream(feed, params={"first": "response"}) as stream:
        assert (stream.headers["Content-Type"], stream.headers["X-Own"]) == ("text/x-own", "yes")
        stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        site.publish_stream(f"{PREFIX}feed:{channel}", "one\n")
        assert stream.read_until("one\n") == b"one\n"


def test_a_response_that_is_no_200_is_not_held(site: Site, feed: str) -> None:
    answer = site.http.get(feed, params={"first": "refusal"})
    assert (answer.status_code, answer.text) == (503, "full\n")


def test_a_head_request_is_answered_and_not_held(site: Site, feed: str) -> None:
    answer = site.http.head(feed)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")


def test_a_client_past_the_proxy_is_told_501(site: Site, feed: str, ticker: str) -> None:
    for path in (feed, ticker):
        answer = site.direct.get(path)
        assert (answer.status_code, "behind a GRIP proxy" in answer.text) == (501, True)
        assert not [name for name in answer.headers if name.startswith("grip-")]


def test_a_silent_stream_is_kept_alive(site: Site, channel: str) -> None:
    with site.stream(f"/views/kept/{channel}/") as stream:
        assert stream.read_until("[open]\n") == b"[open]\n"
        assert stream.read_until("still here\n") == b"still here\n"
        assert stream.read_until("still here\n") == b"still here\n"


# -- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [{"content": "naïve ☃".encode()}, {"data": {"message": "naïve ☃"}}], ids=["raw", "form"]
)
def test_a_post_reaches_every_stream(site: Site, feed: str, channel: str, body: dict[str, Any]) -> None:
    with site.stream(feed) as one, site.stream(feed) as two:
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream", count=2)
        answer = site.http.post(feed, headers=site.csrf(), **body)
        assert (answer.status_code, answer.text) == (200, "published\n")
        for stream in (one, two):
            assert stream.read_until("☃\n".encode()) == "[open]\nnaïve ☃\n".encode()


@pytest.mark.site(wsgi="gunicorn-threads")  # of two processes each publishes in an order of its own
def test_posts_arrive_in_order(site: Site, feed: str, channel: str) -> None:
    headers = site.csrf()
    with site.stream(feed) as stream:
        stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        for number in range(20):
            site.http.post(feed, headers=headers, content=f"n{number}").raise_for_status()
        assert stream.read_until("n19\n") == b"".join(b"n%d\n" % number for number in range(20))


def test_a_post_without_a_response_is_204_and_without_a_token_403(site: Site, feed: str) -> None:
    assert site.http.post(feed, content="quiet", headers=site.csrf()).status_code == 204
    with browser(site) as stranger:
        assert stranger.post(feed, content="quiet").status_code == 403


def test_a_post_to_a_stream_that_takes_none_is_405(site: Site, channel: str) -> None:
    assert site.http.post(f"/views/kept/{channel}/", content="x", headers=site.csrf()).status_code == 405


def test_exclude_self_leaves_out_the_user_who_posts(site: Site, feed: str, channel: str) -> None:
    with (
        logged_in(site, "ada") as ada,
        logged_in(site, "bob") as bob,
        open_stream(ada, feed) as to_ada,
        open_stream(bob, feed) as to_bob,
    ):
        for stream in (to_ada, to_bob):
            stream.read_until("[open]\n")
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream", count=2)
        for client, text in ((ada, "from ada"), (bob, "from bob")):
            headers = {"X-CSRFToken": client.get("/csrf/").text}
            client.post(feed, content=text, params={"exclude": "1"}, headers=headers).raise_for_status()
        assert to_ada.read_until("\n") == b"from bob\n"
        assert to_bob.read_until("\n") == b"from ada\n"


def test_a_stream_is_closed_from_outside(site: Site, feed: str, channel: str) -> None:
    with site.stream(feed) as stream:
        site.wait_subscribed(f"{PREFIX}feed:{channel}", mode="stream")
        site.publish_stream(f"{PREFIX}feed:{channel}", "last\n")
        site.publish(f"{PREFIX}feed:{channel}", {"http-stream": {"action": "close"}})
        assert stream.read_to_end() == b"[open]\nlast\n"


# -- asking again --------------------------------------------------------------------------------------------------


class Writer:
    """Publishes numbered lines without pause, never more than ``ahead`` of what the readers have read.

    Pushpin keeps a hundred items for a stream that is just being asked for again, and drops the rest.
    """

    def __init__(self, site: Site, channel: str, *, readers: int, ahead: int = 50) -> None:
        self.written = 0
        self._site = site
        self._channel = channel
        self._free = [Semaphore(ahead) for _ in range(readers)]
        self._enough = Event()

    def write(self) -> None:
        while not self._enough.is_set():
            for free in self._free:
                assert free.acquire(timeout=PATIENCE), "a reader has missed a line"
            self._site.publish_stream(self._channel, f"{self.written}\n")
            self.written += 1
        self._site.publish_stream(self._channel, "end\n")

    def read(self, reader: int, stream: HeldStream) -> list[bytes]:
        lines = []
        while (line := stream.read_until("\n")) != b"end\n":
            lines.append(line)
            self._free[reader].release()
        return lines

    def stop(self) -> None:
        self._enough.set()


def test_nothing_is_lost_nor_repeated_while_a_busy_stream_is_asked_for_again(
    site: Site, channel: str, backstage: Backstage
) -> None:
    name = f"{PREFIX}rechecked:{channel}"
    with ExitStack() as stack:
        streams = [stack.enter_context(site.stream(f"/views/rechecked/{channel}/")) for _ in range(3)]
        for stream in streams:
            stream.read_until("[open]\n")
        site.wait_subscribed(name, mode="stream", count=3)
        writer = Writer(site, name, readers=3)
        threads = stack.enter_context(ThreadPoolExecutor(4))
        reading = [threads.submit(writer.read, number, stream) for number, stream in enumerate(streams)]
        writing = threads.submit(writer.write)
        try:
            # The channel is never silent, and yet the streams are asked for again, every second.
            backstage.wait_count(["next"], 4)
        finally:
            writer.stop()
        writing.result(PATIENCE)
        expected = [b"%d\n" % number for number in range(writer.written)]
        for lines in reading:
            assert lines.result(PATIENCE) == expected


def test_what_is_published_during_a_slow_recheck_arrives_after_it(
    site: Site, channel: str, backstage: Backstage
) -> None:
    name = f"{PREFIX}rechecked:{channel}"
    with site.stream(f"/views/rechecked/{channel}/", params={"gate": "1"}) as stream:
        stream.read_until("[open]\n")
        backstage.wait_notes(["at the gate"])
        for number in range(90):
            site.publish_stream(name, f"{number}\n")
        backstage.open_gate()
        backstage.wait_count(["next"], 2)
        site.publish_stream(name, "end\n")
        assert stream.read_until("end\n") == b"".join(b"%d\n" % number for number in range(90)) + b"end\n"


def test_a_recheck_sends_nothing_to_the_client_and_calls_no_hook_again(site: Site, ticker: str, channel: str) -> None:
    with site.events(ticker) as events:
        assert [next(events).event, next(events).event] == ["hello", "message"]
        Backstage(site, f"fetches-{channel}").wait_count(["next"], 2)
        tick(site, channel, "price 1")
        assert next(events).data == "price 1"


def test_a_deactivated_user_s_stream_ends(site: Site, channel: str, backstage: Backstage) -> None:
    name = f"leaves-{channel}"
    path = f"/views/member-feed/{channel}/"
    with logged_in(site, name) as leaver, logged_in(site, "ada") as ada:
        with open_stream(leaver, path) as goes, open_stream(ada, path) as stays:
            site.wait_subscribed(f"{PREFIX}rechecked:{channel}", mode="stream", count=2)
            change(site, name, "deactivate")
            assert goes.read_to_end() == b"[open]\n"
            site.wait_subscribed(f"{PREFIX}rechecked:{channel}", mode="stream", count=1)
            site.publish_stream(f"{PREFIX}rechecked:{channel}", "still here\n")
            assert stays.read_until("still here\n") == b"[open]\nstill here\n"
        assert leaver.get(path).status_code == 302


def test_a_changed_password_ends_its_user_s_stream(site: Site, channel: str) -> None:
    """A log-out does not: the proxy's own fetch has no cookies, so it knows the user and not the session."""
    name = f"revoked-{channel}"
    with logged_in(site, name) as user, open_stream(user, f"/views/member-feed/{channel}/") as stream:
        site.wait_subscribed(f"{PREFIX}rechecked:{channel}", mode="stream")
        change(site, name, "password")
        assert stream.read_to_end() == b"[open]\n"


def test_a_permission_that_is_taken_away_ends_its_stream(site: Site, channel: str) -> None:
    name = f"demoted-{channel}"
    with logged_in(site, name, "change_group") as user, open_stream(user, f"/views/editor-feed/{channel}/") as stream:
        site.wait_subscribed(f"{PREFIX}rechecked:{channel}", mode="stream")
        change(site, name, "permissions")
        assert stream.read_to_end() == b"[open]\n"


# -- Server-Sent Events --------------------------------------------------------------------------------------------


def tick(site: Site, channel: str, data: str, *, silent: bool = False) -> None:
    params = {"silent": "1"} if silent else {}
    site.http.post(f"/views/tick/{channel}/", data={"data": data}, params=params).raise_for_status()


@contextmanager
def reading(
    client: httpx.Client, path: str, last_id: str | None = None
) -> Iterator[Iterator[httpx_sse.ServerSentEvent]]:
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    with open_events(client, path, headers=headers) as events:
        yield events


def test_the_first_events_come_then_what_is_published(site: Site, ticker: str, channel: str) -> None:
    with site.events(ticker) as events:
        first, second = next(events), next(events)
        assert (first.event, first.json(), first.retry) == ("hello", {"open": True}, 3000)
        assert (second.event, second.data) == ("message", "two\nlines")
        site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream")
        for number in range(1, 6):
            tick(site, channel, f"price {number}")
        published = [next(events) for _ in range(5)]
        assert [(event.id, event.data) for event in published] == [(f"{n}", f"price {n}") for n in range(1, 6)]


def test_a_client_that_comes_back_gets_what_it_missed(site: Site, ticker: str, channel: str) -> None:
    with site.events(ticker) as events:
        assert [next(events).event, next(events).event] == ["hello", "message"]
        site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream")
        tick(site, channel, "price 1")
        last = next(events)
    site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream", count=0)
    tick(site, channel, "price 2")
    tick(site, channel, "price 3")
    with reading(site.http, ticker, last.id) as events:
        assert [next(events).data, next(events).data] == ["price 2", "price 3"]
        site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream")
        tick(site, channel, "price 4")
        assert next(events).data == "price 4"


def test_a_client_whose_past_nobody_knows_is_reset(site: Site, ticker: str, channel: str) -> None:
    with reading(site.http, ticker, "none of ours") as events:
        reset, hello = next(events), next(events)
        # The empty id makes the client forget its last one.
        assert (reset.event, reset.id, hello.event) == ("reset", "", "hello")


def test_a_client_that_missed_nothing_gets_nothing(site: Site, ticker: str, channel: str) -> None:
    tick(site, channel, "price 1")
    with reading(site.http, ticker, "1") as events:
        site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream")
        tick(site, channel, "price 2")
        assert next(events).data == "price 2"


# -- a part of the whole goes away ---------------------------------------------------------------------------------


@pytest.mark.pushpin_only(ENDS_TOGETHER)
def test_streams_outlive_a_restart_of_the_application_and_miss_nothing(own_site: PushpinSite, channel: str) -> None:
    name = f"{PREFIX}rechecked:{channel}"
    with (
        own_site.stream(f"/views/rechecked/{channel}/") as stream,
        own_site.events(f"/views/ticker/{channel}/") as events,
    ):
        stream.read_until("[open]\n")
        assert [next(events).event, next(events).event] == ["hello", "message"]
        own_site.wait_subscribed(name, mode="stream")
        own_site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream")
        own_site.app.stop()
        # Both are asked for again every second, and now in vain.
        before = own_site.pushpin.requests_begun("/.grip/")
        wait_until(
            lambda: own_site.pushpin.requests_begun("/.grip/") >= before + 2, "the proxy has asked for both in vain"
        )
        for number in range(20):
            own_site.publish_stream(name, f"{number}\n")
            own_site.publish_stream(f"{PREFIX}ticker:{channel}", f"data: {number}\n\n")
        own_site.app.start()
        tick(own_site, channel, "from the new one")
        own_site.publish_stream(name, "end\n")
        assert stream.read_until("end\n") == b"".join(b"%d\n" % number for number in range(20)) + b"end\n"
        expected = [*(f"{number}" for number in range(20)), "from the new one"]
        assert [next(events).data for _ in expected] == expected


def test_streams_are_opened_again_after_a_restart_of_the_proxy(own_site: Site, channel: str) -> None:
    path = f"/views/ticker/{channel}/"
    with own_site.stream(path) as stream:
        stream.read_until("two\ndata: lines\n\n")
        own_site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream")
        tick(own_site, channel, "price 1")
        stream.read_until("price 1\n\n")
        own_site.restart_proxy()
        assert stream.read_to_end() == b""
    tick(own_site, channel, "price 2")
    with reading(own_site.http, path, "1") as events:
        assert next(events).data == "price 2"
        own_site.wait_subscribed(f"{PREFIX}ticker:{channel}", mode="stream")
        tick(own_site, channel, "price 3")
        assert next(events).data == "price 3"
