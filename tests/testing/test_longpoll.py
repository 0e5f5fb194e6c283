"""Long-polls of the test kit, on the sync stack."""

from __future__ import annotations

import threading

import pytest
from django.http import HttpResponse

from django_grip import HttpResponseFormat, publish, set_hold_longpoll, set_hold_stream
from django_grip.testing import NothingReceived, NotOpened
from django_grip.views import LongPollView


class Doc(LongPollView):
    channels = ["doc"]
    text = "first"

    def get_payload(self):
        return {"text": Doc.text}


@pytest.fixture
def etag(route, grip_client):
    Doc.text = "first"
    route("doc/", Doc)
    return grip_client.longpoll("/doc/").response["ETag"]


def test_what_is_new_is_answered_at_once(route, grip_client, etag):
    poll = grip_client.longpoll("/doc/")
    assert (poll.held, poll.status_code, poll.channels) == (False, 200, set())
    assert poll.response.json() == poll.receive().json() == {"text": "first"}


def test_what_is_known_is_held_until_it_changes(route, grip_client, etag):
    with grip_client.longpoll("/doc/", headers={"If-None-Match": etag}) as poll:
        assert (poll.held, poll.channels) == (True, {"doc"})
        Doc.text = "second"
        Doc.changed()
        assert (poll.held, poll.status_code) == (False, 200)
        assert poll.response.json() == {"text": "second"}
        assert poll.response.wsgi_request.path == "/doc/"


def test_a_hint_without_a_change_leaves_it_held(route, grip_client, etag):
    poll = grip_client.longpoll("/doc/", headers={"If-None-Match": etag})
    Doc.changed()
    assert poll.held


def test_of_many_hints_at_one_moment_the_last_are_heeded_when_time_goes_on(route, grip_client, etag):
    poll = grip_client.longpoll("/doc/", headers={"If-None-Match": etag})
    for _ in range(5):
        Doc.changed()
    Doc.text = "second"
    assert poll.held
    with pytest.raises(NothingReceived, match="due next: in 1 s of the proxy's clock"):
        poll.receive()
    grip_client.advance(1)
    assert poll.response.json() == {"text": "second"}


def test_time_runs_out(route, grip_client, etag):
    poll = grip_client.longpoll("/doc/", headers={"If-None-Match": etag})
    grip_client.advance(24)
    assert poll.held
    grip_client.advance(1)
    assert (poll.status_code, poll.response["ETag"], poll.response.content) == (304, etag, b"")


def test_an_answer_that_is_not_there_fails_at_once_and_says_what_happened(route, grip_client, etag):
    poll = grip_client.longpoll("/doc/", headers={"If-None-Match": etag})
    Doc.changed()
    for look in (poll.receive, lambda: poll.response, lambda: poll.status_code):
        with pytest.raises(NothingReceived) as caught:
            look()
    assert str(caught.value).splitlines() == [
        "The long-poll /doc/ is still held, so there is no answer.",
        "  - the view was asked (GET, open) and answered 200",
        "  - the view was asked (GET, replay) and answered 200",
        "  - it is subscribed to 'doc'",
        "  - published since it began: 'doc'",
        "  - due next: in 25 s of the proxy's clock",
    ]


def test_a_client_that_leaves_gets_no_answer(route, grip_client, etag):
    with grip_client.longpoll("/doc/", headers={"If-None-Match": etag}) as poll:
        pass
    assert not poll.held
    Doc.text = "second"
    Doc.changed()
    with pytest.raises(NothingReceived, match="the client has left"):
        _ = poll.response


def test_what_is_published_is_the_answer(route, grip_client):
    def view(request):
        response = HttpResponse("nothing new", headers={"X-Kept": "1"})
        set_hold_longpoll(response, "news", timeout=10)
        return response

    route("poll/", view)
    poll = grip_client.longpoll("/poll/")
    publish("news", HttpResponseFormat(body="news!", headers={"X-New": "2"}, code=201))
    assert (poll.status_code, poll.response.content) == (201, b"news!")
    assert (poll.response["X-Kept"], poll.response["X-New"]) == ("1", "2")


def test_a_body_is_sent_again_with_the_request(route, grip_client):
    def view(request):
        bodies.append((request.method, request.body, request.content_type))
        response = HttpResponse()
        if len(bodies) == 1:
            set_hold_longpoll(response, "x")
        return response

    bodies = []
    route("poll/", view)
    poll = grip_client.longpoll("/poll/", method="PUT", body=b"{}", headers={"Content-Type": "application/json"})
    publish("x", HttpResponseFormat(action="hint"))
    assert poll.status_code == 200
    assert bodies == [("PUT", b"{}", "application/json")] * 2


def test_a_stream_is_no_long_poll(route, grip_client):
    def view(request):
        response = HttpResponse()
        set_hold_stream(response, "x")
        return response

    route("stream/", view)
    poll = grip_client.longpoll("/stream/")
    assert not poll.held
    with pytest.raises(NotOpened, match=r"The long-poll /stream/ is held as a stream: open it with stream\(\)"):
        poll.receive()


def test_a_view_that_raises_when_it_is_asked_again_raises_where_it_was_published(route, grip_client, etag):
    poll = grip_client.longpoll("/doc/", headers={"If-None-Match": etag})
    Doc.text = object()
    with pytest.raises(TypeError, match="is not JSON serializable"):
        Doc.changed()
    assert poll.status_code == 500


def test_what_a_thread_publishes_is_waited_for(route, grip_client, etag):
    poll = grip_client.longpoll("/doc/", headers={"If-None-Match": etag})
    Doc.text = "second"
    thread = threading.Thread(target=Doc.changed)
    thread.start()
    assert poll.receive(timeout=60).json() == {"text": "second"}
    thread.join()


def test_a_test_that_fails_in_the_block_fails_for_its_own_reason(route, grip_client, etag):
    with pytest.raises(ZeroDivisionError), grip_client.longpoll("/doc/", headers={"If-None-Match": etag}):
        _ = 1 / 0
