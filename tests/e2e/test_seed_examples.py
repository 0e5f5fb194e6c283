"""The seed's two sample views, not a line changed, with CsrfViewMiddleware on, on every engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from .clients import receive
from .engines import ENDS_TOGETHER
from .sites import Site

STREAM, ECHO, BROADCAST = "/seed/stream/", "/seed/echo/", "/seed/broadcast/"


@pytest.fixture(autouse=True)
def no_subscribers(request: pytest.FixtureRequest) -> None:
    """The samples' channel has a fixed name: wait until the subscribers of the test before are gone."""
    if "site" in request.fixturenames:
        site: Site = request.getfixturevalue("site")
        for mode in ("stream", "ws"):
            site.wait_subscribed("test", mode=mode, count=0)


def test_the_stream_opens_and_what_is_posted_comes_out_of_it(site: Site) -> None:
    with site.stream(STREAM) as stream:
        assert stream.status_code == 200
        assert stream.read_until("\n") == b"[stream open]\n"
        assert not [name for name in stream.headers if name.startswith("grip-")]
        site.wait_subscribed("test", mode="stream")
        answer = site.http.post(STREAM, data={"data": "hello"}, headers=site.csrf())
        assert (answer.status_code, answer.text) == (200, "Ok\n")
        assert stream.read_until("hello\n") == b"hello\n"


def test_every_stream_hears_every_post(site: Site) -> None:
    headers = site.csrf()
    with ExitStack() as stack:
        streams = [stack.enter_context(site.stream(STREAM)) for _ in range(3)]
        for stream in streams:
            stream.read_until("[stream open]\n")
        site.wait_subscribed("test", mode="stream", count=3)
        for number in range(10):
            site.http.post(STREAM, data={"data": f"n{number}"}, headers=headers).raise_for_status()
        for stream in streams:
            # Two worker processes take the posts and send in the background: each in order, not one after the other.
            heard = [stream.read_until("\n") for _ in range(10)]
            assert sorted(heard) == [b"n%d\n" % number for number in range(10)]


def test_what_one_process_publishes_comes_in_order(make_site: Callable[..., Site]) -> None:
    site = make_site(wsgi="gunicorn-threads")
    headers = site.csrf()
    with site.stream(STREAM) as stream:
        stream.read_until("[stream open]\n")
        site.wait_subscribed("test", mode="stream")
        for number in range(20):
            site.http.post(STREAM, data={"data": f"n{number}"}, headers=headers).raise_for_status()
        assert stream.read_until("n19\n") == b"".join(b"n%d\n" % number for number in range(20))


def test_a_client_past_the_proxy_is_told_501_by_the_sample_itself(site: Site) -> None:
    answer = site.direct.get(STREAM)
    assert (answer.status_code, answer.text) == (501, "Not Implemented\n")
    assert not [name for name in answer.headers if name.startswith("grip-")]


@pytest.mark.parametrize("path", [STREAM, BROADCAST])
def test_a_plain_post_needs_a_csrf_token(site: Site, path: str) -> None:
    with site.stream(STREAM) as stream, site.ws(ECHO) as ws:
        stream.read_until("[stream open]\n")
        for mode in ("stream", "ws"):
            site.wait_subscribed("test", mode=mode)
        site.http.cookies.clear()
        assert site.http.post(path, data={"data": "forged"}).status_code == 403
        answer = site.http.post(path, data={"data": "meant"}, headers=site.csrf())
        assert (answer.status_code, answer.text) == (200, "Ok\n")
        # It is sent in the background, and must not be left to the next test's clients.
        heard = stream.read_until("\n").decode() if path == STREAM else f"{receive(ws)}\n"
        assert heard == "meant\n"


def test_a_method_the_samples_do_not_take_is_405(site: Site) -> None:
    headers = site.csrf()
    assert site.http.put(STREAM, headers=headers).status_code == 405
    assert site.http.get(BROADCAST).status_code == 405


@pytest.mark.parametrize(
    "message", ["hello", "", "naïve ☃ \U0001f600", "x" * 20_000], ids=["ascii", "empty", "utf-8", "20 kB"]
)
def test_the_echo_sends_a_text_back(site: Site, message: str) -> None:
    with site.ws(ECHO) as ws:
        ws.send(message)
        assert receive(ws) == message


def test_the_echo_s_send_makes_a_text_of_a_binary_message(site: Site) -> None:
    # As gripcontrol's send() always did; send_binary() is the other one.
    with site.ws(ECHO) as ws:
        ws.send("naïve".encode())
        assert receive(ws) == "naïve"


def test_a_hundred_messages_come_back_in_order(site: Site) -> None:
    messages = [f"message {number}" for number in range(100)]
    with site.ws(ECHO) as ws:
        for message in messages:
            ws.send(message)
        assert receive(ws, 100) == messages


def test_a_hundred_messages_one_by_one(site: Site) -> None:
    with site.ws(ECHO) as ws:
        for number in range(100):
            ws.send(f"message {number}")
            assert receive(ws) == f"message {number}"


def test_a_broadcast_reaches_every_websocket(site: Site) -> None:
    headers = site.csrf()
    with site.ws(ECHO) as one, site.ws(ECHO) as two:
        site.wait_subscribed("test", mode="ws", count=2)
        answer = site.http.post(BROADCAST, data={"data": "to all"}, headers=headers)
        assert (answer.status_code, answer.text) == (200, "Ok\n")
        assert receive(one) == receive(two) == "to all"


def test_the_client_s_ping_is_answered(site: Site) -> None:
    with site.ws(ECHO) as ws:
        assert ws.ping(b"payload").wait(timeout=60)
        ws.send("still here")
        assert receive(ws) == "still here"


@pytest.mark.parametrize(
    ("close", "code"),
    [(lambda ws: ws.close(), 1000), (lambda ws: ws.close(1001, "leaving"), 1001), (lambda ws: ws.close(4123), 4123)],
    ids=["1000", "1001 with a reason", "4123"],
)
def test_the_client_s_own_close_code_comes_back(
    site: Site, close: Callable[[ClientConnection], None], code: int
) -> None:
    with site.ws(ECHO) as ws:
        ws.send("hello")
        assert receive(ws) == "hello"
        close(ws)
    received = ws.protocol.close_rcvd
    assert received is not None, "the connection was dropped without a close frame"
    assert received.code == code


def test_what_the_echo_cannot_send_as_text_ends_the_connection_with_1011(site: Site) -> None:
    with site.ws(ECHO) as ws:
        ws.send("before")
        assert receive(ws) == "before"
        ws.send(b"\xff\xfe")
        with pytest.raises(ConnectionClosed) as closed:
            receive(ws)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


def test_messages_sent_right_before_the_close_are_echoed(site: Site) -> None:
    with site.ws(ECHO) as ws:
        for number in range(20):
            ws.send(str(number))
        assert receive(ws, 20) == [str(number) for number in range(20)]
        ws.close(1000)
    site.wait_subscribed("test", mode="ws", count=0)


@pytest.mark.parametrize(
    "origin",
    ["https://attacker.example", "null", "http://127.0.0.1.attacker.example", "http://127.0.0.1:1", "not an origin"],
)
def test_a_page_of_another_site_may_not_open_the_websocket(site: Site, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        site.ws(ECHO, origin=origin)
    assert refused.value.response.status_code == 403
    assert b"origin" in (refused.value.response.body or b"").lower()


def test_a_page_of_the_same_site_may_open_it(site: Site) -> None:
    with site.ws(ECHO, origin=site.url) as ws:
        ws.send("hello")
        assert receive(ws) == "hello"


def test_a_plain_request_to_the_websocket_view_is_400(site: Site) -> None:
    for client in (site.http, site.direct):
        answer = client.get(ECHO)
        assert (answer.status_code, answer.text) == (400, "Request must contain WebSocket events.\n")


def test_unsigned_websocket_events_are_refused(site: Site) -> None:
    headers = {"Content-Type": "application/websocket-events", "Connection-Id": "forged", "Meta-User": "admin"}
    answer = site.direct.post(ECHO, content=b"OPEN\r\n", headers=headers)
    assert answer.status_code == 403
    assert "not signed" in answer.text


def test_the_client_may_not_speak_websocket_events_through_the_proxy(site: Site) -> None:
    for content_type in (
        "application/websocket-events",
        "Application/websocket-events",
        "application/websocket-events ; a",
    ):
        headers = {"Content-Type": content_type, "Connection-Id": "forged", "Meta-User": "admin"}
        answer: httpx.Response = site.http.post(ECHO, content=b"OPEN\r\n", headers=headers)
        assert answer.status_code in (400, 403), content_type


@pytest.mark.pushpin_only(ENDS_TOGETHER)
def test_open_websockets_outlive_a_restart_of_the_application(own_site: Site) -> None:
    with own_site.ws(ECHO) as ws:
        ws.send("before")
        assert receive(ws) == "before"
        own_site.app.restart()
        ws.send("after")
        assert receive(ws) == "after"
        own_site.wait_subscribed("test", mode="ws")
        own_site.http.post(BROADCAST, data={"data": "news"}, headers=own_site.csrf()).raise_for_status()
        assert receive(ws) == "news"


def test_websockets_see_the_proxy_s_end(own_site: Site) -> None:
    with own_site.ws(ECHO) as ws:
        own_site.proxy.kill()
        with pytest.raises(ConnectionClosed):
            receive(ws)
    own_site.start_proxy()
    with own_site.ws(ECHO) as ws:
        own_site.wait_subscribed("test", mode="ws")
        own_site.http.post(BROADCAST, data={"data": "back"}, headers=own_site.csrf()).raise_for_status()
        assert receive(ws) == "back"
