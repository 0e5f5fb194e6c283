"""An application in the style of django-grip 3.x behind a proxy: what it does with instructions on the request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from .clients import http_client, receive
from .sites import Site
from .waiting import wait_until

# Milliseconds that an item out of order waits for the one before it: not the five seconds it does as shipped.
IMPATIENT = {"config": {"handler": {"message_wait": "100"}}}
PREFIX = "app-"

pytestmark = pytest.mark.site(settings={"GRIP_PREFIX": PREFIX}, pushpin=IMPATIENT)

FEEDS = ["feed", "async-feed"]


def write(site: Site, channel: str, data: str, *, silent: bool = False) -> None:
    """Put an entry into a feed's journal, with or without publishing it."""
    params = {"silent": "1"} if silent else {}
    answer = site.http.post(f"/three/feed/{channel}/", data={"data": data}, params=params, headers=site.csrf())
    assert answer.status_code == 200, answer.text


def fetches(site: Site, channel: str) -> list[Any]:
    """What the proxy sent each time that it fetched a feed's next link."""
    noted: list[Any] = site.http.get(f"/three/fetches/{channel}/").json()
    return noted


def wait_settled(site: Site, channel: str) -> list[Any]:
    """Wait until the proxy will fetch a feed's next link only when it has to; return the fetches before that.

    Pushpin does it once by itself, a second after a channel's first subscription.
    """
    site.wait_subscribed(PREFIX + channel, mode="stream")
    if site.stack.is_embedded:
        return []
    return wait_until(lambda: fetches(site, channel), f"the link of {channel} was fetched for the first time")


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_in_order_needs_no_link(site: Site, channel: str, feed: str) -> None:
    with site.stream(f"/three/{feed}/{channel}/") as stream:
        stream.read_until("[feed]\n")
        before = wait_settled(site, channel)
        for number in range(1, 6):
            write(site, channel, f"entry {number}")
        assert stream.read_until("entry 5\n") == b"".join(b"entry %d\n" % number for number in range(1, 6))
    assert fetches(site, channel) == before


def test_a_gap_is_filled_from_the_next_link_by_grip_last(site: Site, channel: str) -> None:
    # Both views at once, as the embedded proxy waits for five seconds before it believes in a gap.
    paths = {f"{feed}-{channel}": f"/three/{feed}/{feed}-{channel}/" for feed in FEEDS}
    with ExitStack() as stack:
        streams = {name: stack.enter_context(site.stream(path)) for name, path in paths.items()}
        before = {}
        for name, stream in streams.items():
            stream.read_until("[feed]\n")
            before[name] = len(wait_settled(site, name))
            write(site, name, "entry 1")
            assert stream.read_until("entry 1\n") == b"entry 1\n"
            write(site, name, "entry 2", silent=True)
            write(site, name, "entry 3", silent=True)
            write(site, name, "entry 4")
        for name, stream in streams.items():
            assert stream.read_until("entry 4\n") == b"entry 2\nentry 3\nentry 4\n"
            write(site, name, "entry 5")
            assert stream.read_until("entry 5\n") == b"entry 5\n"
    for name, path in paths.items():
        # The fetch carries none of the client's cookies, and the id of the last item the proxy has seen.
        assert fetches(site, name)[before[name]] == {"last": "1", "cookies": 0, "path": path}


def test_a_hint_makes_the_proxy_fetch_the_next_link(site: Site, channel: str) -> None:
    with site.stream(f"/three/feed/{channel}/") as stream:
        stream.read_until("[feed]\n")
        wait_settled(site, channel)
        write(site, channel, "entry 1", silent=True)
        site.publish(PREFIX + channel, {"http-stream": {"action": "hint"}})
        assert stream.read_until("entry 1\n") == b"entry 1\n"


def test_keep_alive_data_arrives_as_it_was_given(site: Site, channel: str) -> None:
    # They are silent together: it takes seconds.
    texts = ["\n", ":\n\n", 'a;b\\c"d,e\r\n', "\x01\x7f\t", "naïve ☃\n"]
    path = f"/three/keep-alive/{channel}/"
    with ExitStack() as stack:
        streams = [(text, stack.enter_context(site.stream(path, params={"data": text}))) for text in texts]
        for text, stream in streams:
            assert stream.read_until("[open]\n") == b"[open]\n"
            assert stream.read_until(text) == text.encode()
            assert stream.read_until(text) == text.encode()


def test_a_long_poll_is_answered_by_what_is_published(site: Site, channel: str) -> None:
    with site.in_background(site.http.get, f"/three/poll/{channel}/") as waiting:
        site.wait_subscribed(PREFIX + channel, mode="response")
        site.http.post(f"/three/poll/{channel}/", data={"data": "news"}, headers=site.csrf()).raise_for_status()
        answer = waiting.result(timeout=60)
    assert (answer.status_code, answer.headers["X-From"], answer.text) == (201, "publish", "news")


def test_a_long_poll_ends_with_its_own_response_at_the_time_out(site: Site, channel: str) -> None:
    expected = {200: "nothing\n", 404: "nothing\n", 304: ""}

    def poll(status: int) -> httpx.Response:
        # Five seconds is the least the proxy takes.
        with http_client(site.url) as client:
            return client.get(f"/three/poll/{channel}/", params={"timeout": "5", "status": str(status)})

    with ThreadPoolExecutor(len(expected)) as threads:
        answers = list(threads.map(poll, expected))
    assert {answer.status_code: answer.text for answer in answers} == expected
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("grip-")]


def test_meta_and_a_filter_keep_one_s_own_words_away(site: Site, channel: str) -> None:
    path = f"/three/chat/{channel}/"
    with (
        site.stream(path, params={"user": 'al"ice\\'}) as alice,
        site.stream(path, params={"user": "bob"}) as bob,
    ):
        for stream in (alice, bob):
            stream.read_until("[open]\n")
        site.wait_subscribed(PREFIX + channel, mode="stream", count=2)
        for user, words in (('al"ice\\', "I am Alice"), ("bob", "I am Bob"), ("carol", "I am Carol")):
            site.http.post(path, params={"user": user}, data={"data": words}, headers=site.csrf()).raise_for_status()
        assert alice.read_until("Carol\n") == b"I am Bob\nI am Carol\n"
        assert bob.read_until("Carol\n") == b"I am Alice\nI am Carol\n"


def test_links_without_a_hold_make_one_response_of_many_pages(site: Site) -> None:
    with site.stream("/three/pages/1/") as stream:
        assert stream.read_to_end() == b"page 1\npage 2\npage 3\n"


def test_the_proxy_and_its_features_are_known(site: Site) -> None:
    known = site.http.get("/three/features/").json()
    assert (known["proxied"], known["signed"]) == (True, True)
    assert {"status", "link:next", "filter:skip-self"} <= set(known["features"])
    forged = {"Grip-Feature": "status", "Grip-Sig": "eyJhbGciOiJub25lIn0.e30."}
    for headers in ({}, forged):
        known = site.direct.get("/three/features/", headers=headers).json()
        assert known == {"features": [], "proxied": False, "signed": False}


def test_a_websocket_s_meta_lives_from_request_to_request(site: Site, channel: str) -> None:
    with site.ws(f"/three/counter/{channel}/") as ws:
        for number in range(1, 4):
            ws.send("message")
            assert receive(ws) == f"{number} message"
        ws.send("forget")
        ws.send("message")
        assert receive(ws) == "1 message"
        site.wait_subscribed(PREFIX + channel, mode="ws")
        site.publish_ws(PREFIX + channel, "news")
        assert receive(ws) == "news"


def test_a_view_that_reads_nothing_is_not_drowned_by_its_clients(site: Site, channel: str) -> None:
    with site.ws(f"/newer/deaf/{channel}/") as ws:
        site.wait_subscribed(f"{PREFIX}newer:{channel}", mode="ws")
        # More than the proxy keeps for an application: it must not wait for it to be read one day.
        for _ in range(10):
            for _ in range(10):
                ws.send("x" * 4_000)
            assert site.http.get("/ready/").status_code == 200
        site.publish_ws(f"{PREFIX}newer:{channel}", "still there")
        assert receive(ws) == "still there"


def test_the_view_s_close_code_reaches_the_client(site: Site, channel: str) -> None:
    with site.ws(f"/three/counter/{channel}/") as ws:
        ws.send("hello")
        ws.send("bye")
        assert receive(ws, 2) == ["1 hello", "2 bye"]
        with pytest.raises(ConnectionClosed) as closed:
            receive(ws)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4002


@pytest.mark.site(settings={"GRIP_PREFIX": PREFIX, "GRIP_PROXY_REQUIRED": True})
@pytest.mark.parametrize("path", ["feed/{}/", "poll/{}/", "pages/1/", "chat/{}/?user=a"])
def test_where_a_proxy_is_required_a_direct_client_gets_501(site: Site, channel: str, path: str) -> None:
    answer = site.direct.get("/three/" + path.format(channel))
    assert answer.status_code == 501
    assert not [name for name in answer.headers if name.startswith("grip-")]


@pytest.mark.parametrize("path", ["feed/{}/", "poll/{}/?status=304", "pages/1/", "chat/{}/?user=a"])
def test_elsewhere_a_direct_client_gets_the_plain_response(site: Site, channel: str, path: str) -> None:
    answer = site.direct.get("/three/" + path.format(channel))
    assert answer.status_code in (200, 304)
    assert not [name for name in answer.headers if name.startswith("grip-")]
