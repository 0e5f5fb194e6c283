"""The proxy's clock, and requests that do not come to an end."""

from __future__ import annotations

import time

import pytest
from django.http import HttpResponse

from django_grip import HttpStreamFormat, publish, set_hold_longpoll, set_hold_stream
from django_grip.exceptions import PublishError
from django_grip.hold_clock import hold_time
from django_grip.testing import AsyncGripClient, in_process


def held(hold, *arguments, **options):
    """A view that holds."""

    def view(request):
        response = HttpResponse()
        hold(response, *arguments, **options)
        return response

    return view


def test_everything_happens_in_its_order(route, grip_client):
    route("a/", held(set_hold_longpoll, "x", timeout=10))
    route("b/", held(set_hold_longpoll, "x", timeout=5))
    route("c/", held(set_hold_stream, "x", keep_alive_data="tick\n", keep_alive_timeout=4))
    a, b, c = grip_client.longpoll("/a/"), grip_client.longpoll("/b/"), grip_client.stream("/c/")
    seen = []
    for _ in range(6):
        grip_client.advance(2)
        seen.append((a.held, b.held, c.read()))
    assert seen == [
        (True, True, ""),
        (True, True, "tick\n"),
        (True, False, ""),
        (True, False, "tick\n"),
        (False, False, ""),
        (False, False, "tick\n"),
    ]


def test_the_time_of_the_process_is_not_touched(route, grip_client):
    route("a/", held(set_hold_longpoll, "x", timeout=10))
    before = time.time()
    with grip_client.longpoll("/a/"):
        grip_client.advance(86_400)
    assert time.time() - before < 3600


def test_holds_go_by_the_clock_of_the_proxy_until_the_test_ends(grip_client, grip_clock):
    before = hold_time()
    grip_clock.advance(86_400)
    assert hold_time() == before + 86_400
    in_process.proxy.end()
    assert abs(hold_time() - time.time()) < 3600


def test_a_signature_is_believed_however_late_it_is(route, grip_client):
    asked = []

    def view(request):
        asked.append(request.grip_signed)
        return held(set_hold_longpoll, "x")(request)

    route("a/", view)
    grip_client.longpoll("/a/")
    grip_client.advance(7 * 86_400)
    grip_client.longpoll("/a/")
    assert asked == [True, True]


def test_time_does_not_go_back(grip_clock):
    with pytest.raises(ValueError, match=r"Time does not go back: -1 seconds\."):
        grip_clock.advance(-1)


def test_an_item_waits_for_the_one_before_it(route, grip_client):
    route("c/", held(set_hold_stream, "x"))
    with grip_client.stream("/c/") as stream:
        publish("x", HttpStreamFormat("1\n"), id="1")
        publish("x", HttpStreamFormat("3\n"), id="3", prev_id="2")
        assert stream.read() == "1\n"
        publish("x", HttpStreamFormat("2\n"), id="2", prev_id="1")
        assert stream.read() == "2\n3\n"
        publish("x", HttpStreamFormat("5\n"), id="5", prev_id="4")
        grip_client.advance(4.9)
        stream.receive_nothing()
        grip_client.advance(0.1)
        assert stream.read() == "5\n"


async def test_an_async_client_moves_the_clock_for_sync_connections_too(route, grip_client):
    route("c/", held(set_hold_stream, "x", keep_alive_data="tick\n", keep_alive_timeout=4))
    client = AsyncGripClient()
    sync = grip_client.stream("/c/")
    async with client.stream("/c/") as stream:
        await client.advance(4)
        assert await stream.read() == sync.read() == "tick\n"


def test_pages_that_link_in_a_circle_fail_the_test(route, grip_client, monkeypatch):
    monkeypatch.setattr(in_process, "_MOST_REQUESTS", 50)
    route("p/", lambda request: HttpResponse("page\n", headers={"Grip-Link": "</p/>; rel=next"}))
    with pytest.raises(AssertionError, match="The proxy has made 50 requests without an end; do links lead in a"):
        grip_client.stream("/p/")


def test_a_deadline_that_does_not_pass_fails_the_test(route, grip_client, grip_clock, monkeypatch):
    route("a/", held(set_hold_longpoll, "x"))
    poll = grip_client.longpoll("/a/")
    monkeypatch.setattr(type(poll.exchange), "wake", lambda self, now: None)
    with pytest.raises(AssertionError, match="Something is due again and again at the same time"):
        grip_clock.advance(60)


def test_what_a_proxy_would_refuse_is_refused(grip_client, monkeypatch):
    monkeypatch.setattr("django_grip.publishing.parcel.export_item", lambda channel, item: {"channel": 5})
    with pytest.raises(PublishError, match="no formats specified"):
        publish("x", HttpStreamFormat("x"), blocking=True)
    assert in_process.proxy.published == []
