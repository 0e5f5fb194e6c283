"""EventStreamView: Server-Sent Events as browsers read them, and clients that come back."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.http import HttpResponse
from django.utils.translation import gettext_lazy

from django_grip import Event
from django_grip.views import EventStreamView

from ..fake_proxy import proxied
from .conftest import body_of, instructions
from .test_stream import AsyncRow, Row

RESET = b"event: reset\nid\ndata: {}\n\n"


class Ticker(EventStreamView):
    channels = ["ticker"]


@pytest.fixture
def get(routes, http):
    def open_stream(view=Ticker, **headers):
        routes.add("x/", view)
        return http.get("/x/", headers=proxied(**headers))

    return open_stream


def read(stream):
    """Read a stream as a browser does (HTML standard, 9.2.6): type, data and last id of each event."""
    events, data, kind, last_id = [], [], "", ""
    for line in stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append((kind or "message", "\n".join(data), last_id))
            data, kind = [], ""
        elif name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (None, b""),
        ([], b""),
        ("hello", b"data: hello\n\n"),
        ("", b"data:\n\n"),
        ("two\nlines\r\nthree\rfour", b"data: two\ndata: lines\ndata: three\ndata: four\n\n"),
        (" blank", b"data:  blank\n\n"),
        ("a\u2028b", "data: a\u2028b\n\n".encode()),
        ({"price": 1}, b'data: {"price":1}\n\n'),
        ({}, b"data: {}\n\n"),
        (5, b"data: 5\n\n"),
        (False, b"data: false\n\n"),
        (Decimal("1.10"), b'data: "1.10"\n\n'),
        (date(2026, 1, 2), b'data: "2026-01-02"\n\n'),
        (uuid.UUID(int=5), b'data: "00000000-0000-0000-0000-000000000005"\n\n'),
        (gettext_lazy("yes"), b"data: yes\n\n"),
        (Event({"price": 1}), b'data: {"price":1}\n\n'),
        (Event("x", event="tick", id="7", retry=500), b"event: tick\nid: 7\nretry: 500\ndata: x\n\n"),
        ([Event(1), {"a": 2}, "three"], b'data: 1\n\ndata: {"a":2}\n\ndata: three\n\n'),
        ([[1, 2], [3]], b"data: [1,2]\n\ndata: [3]\n\n"),
        (Row({"a": 1}, Event(2)), b'data: {"a":1}\n\ndata: 2\n\n'),
        (AsyncRow({"a": 1}, Event(2)), b'data: {"a":1}\n\ndata: 2\n\n'),
    ],
)
def test_what_on_open_returns_is_sent_as_events(get, content, body):
    class View(Ticker):
        def on_open(self):
            return content

    response = get(View)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response["Grip-Hold"] == "stream"
    assert response["X-Accel-Buffering"] == "no"
    assert "no-store" in response["Cache-Control"]
    assert body_of(response) == body


def test_on_open_may_be_a_generator_of_events(get):
    class View(Ticker):
        def on_open(self):
            yield Event({"n": 1}, id="1")
            yield {"n": 2}

    assert read(body_of(get(View))) == [("message", '{"n":1}', "1"), ("message", '{"n":2}', "1")]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event("x", event="a\nb"), "event of an event has U+000A at position 1"),
        (Event("x", id="a\0"), "id of an event has U+0000 at position 1"),
        (Event("x", id="1\rdata: forged"), "id of an event has U+000D"),
        (Event("x", retry=-1), "retry of an event must be a number of milliseconds, not -1"),
        (b"bytes", "Object of type bytes is not JSON serializable"),
        (float("nan"), "Out of range float values are not JSON compliant"),
    ],
)
def test_an_event_that_would_be_read_as_something_else_is_refused(get, caplog, event, text):
    class View(Ticker):
        def on_open(self):
            return [event]

    assert get(View).status_code == 500
    assert text in caplog.text


def test_silence_is_filled_with_comments(get):
    class View(Ticker):
        keep_alive = 20

    value = get(View)["Grip-Keep-Alive"]
    assert value.startswith(":\\n\\n; format=cstring; timeout=20")


def test_a_response_of_ones_own_tells_the_browser_to_stop(get):
    class View(Ticker):
        def on_open(self):
            return HttpResponse(status=204)

    response = get(View)
    assert response.status_code == 204
    assert instructions(response) == {}


def test_a_direct_client_does_not_spin(routes, http):
    routes.add("x/", Ticker)
    response = http.get("/x/", headers={"accept": "text/event-stream"})
    assert response.status_code == 501  # EventSource gives up at any status but 200


# -- coming back -------------------------------------------------------------------------------------------------------


class Remembers(Ticker):
    """Knows the events since the id "5"."""

    def on_open(self):
        return [Event({"all": "from here"})]

    def get_events_since(self, last_id):
        return [Event(n, id=str(n)) for n in range(int(last_id) + 1, 8)] if last_id.isdigit() else None


def test_a_new_client_gets_the_first_events(get):
    assert read(body_of(get(Remembers))) == [("message", '{"all":"from here"}', "")]


def test_a_client_that_comes_back_gets_what_it_missed(get):
    assert read(body_of(get(Remembers, last_event_id="5"))) == [("message", "6", "6"), ("message", "7", "7")]


def test_a_client_that_missed_nothing_gets_nothing(get):
    response = get(Remembers, last_event_id="7")
    assert (body_of(response), response["Grip-Hold"]) == (b"", "stream")


def test_what_nobody_can_tell_begins_with_a_reset(get):
    events = read(body_of(get(Remembers, last_event_id="unknown")))
    assert events == [("reset", "{}", ""), ("message", '{"all":"from here"}', "")]


@pytest.mark.parametrize(
    ("content", "rest"),
    [
        (None, b""),
        ({"a": 1}, b'data: {"a":1}\n\n'),
        ([1, 2], b"data: 1\n\ndata: 2\n\n"),
        (lambda: iter([1, 2]), b"data: 1\n\ndata: 2\n\n"),
        (AsyncRow(1, 2), b"data: 1\n\ndata: 2\n\n"),
        (Row(1, 2), b"data: 1\n\ndata: 2\n\n"),
    ],
)
def test_a_reset_comes_before_first_events_of_any_kind(get, content, rest):
    class View(Ticker):
        def on_open(self):
            return content() if callable(content) else content

    assert body_of(get(View, last_event_id="1")) == RESET + rest


def test_a_reset_comes_before_no_response_of_ones_own(get):
    class View(Ticker):
        def on_open(self):
            return HttpResponse("gone", status=410)

    response = get(View, last_event_id="1")
    assert (response.status_code, response.content) == (410, b"gone")


@pytest.mark.parametrize("missed", [[Event(6)], lambda: iter([Event(6)]), AsyncRow(Event(6)), Event(6), 6])
@pytest.mark.parametrize("is_async", [True, False])
def test_missed_events_may_be_of_any_kind_and_asked_for_in_either_way(get, missed, is_async):
    def since(self, last_id):
        return missed() if callable(missed) else missed

    async def asince(self, last_id):
        return since(self, last_id)

    view = type("View", (Ticker,), {"get_events_since": asince if is_async else since, "__module__": __name__})
    assert body_of(get(view, last_event_id="5")) == b"data: 6\n\n"


@pytest.mark.parametrize(
    ("header", "seen"), [(None, None), ("", None), ("5", "5"), ("ü☃".encode().decode("latin-1"), "ü☃"), ("a b", "a b")]
)
def test_every_hook_knows_the_last_id(get, header, seen):
    class View(Ticker):
        def on_open(self):
            return [repr(self.last_event_id)]

        def get_events_since(self, last_id):
            assert last_id == self.last_event_id
            return None

    response = get(View, **({} if header is None else {"last_event_id": header}))
    assert read(body_of(response))[-1][1] == repr(seen)


def test_an_id_that_is_no_text_is_a_400(get):
    response = get(Remembers, last_event_id="\xff")
    assert response.status_code == 400
    assert b"is not UTF-8" in response.content


def test_a_link_in_mid_stream_resets_nothing(get, http):
    first = get(Remembers, last_event_id="unknown")
    link = first["Grip-Link"].partition("<")[2].partition(">")[0]
    again = http.get(link, headers=proxied())
    assert (body_of(again), again["Grip-Hold"]) == (b"", "stream")
    assert again["Content-Type"] == "text/event-stream; charset=utf-8"


def test_a_post_is_a_message_here_too(routes, http, published):
    class View(Ticker):
        def on_message(self, message):
            self.publish({"text": message})

    routes.add("x/", View)
    assert http.post("/x/", "two\nlines", content_type="text/plain").status_code == 204
    assert published[0].stream == 'data: {"text":"two\\nlines"}\n\n'
