"""Streams of the test kit, on the sync stack."""

from __future__ import annotations

import re
import threading

import pytest
from django.http import Http404, HttpResponse, StreamingHttpResponse

from django_grip import Channel, Event, HttpStreamFormat, publish, set_hold_longpoll, set_hold_stream
from django_grip.testing import GripClient, NothingReceived, NotOpened, SomethingReceived
from django_grip.views import EventStreamView, StreamView


class Log(StreamView):
    channels = ["log"]

    def on_open(self):
        return "[open]\n"

    def on_message(self, message):
        self.publish(message + "\n")


class Ticker(EventStreamView):
    channels = ["ticker"]
    keep_alive = 20

    def on_open(self):
        return [Event({"price": 100}, event="price", id="1")]


# -- what comes --------------------------------------------------------------------------------------------------------


def test_the_beginning_and_what_is_published_are_read(route, grip_client):
    route("log/", Log)
    with grip_client.stream("/log/") as stream:
        assert (stream.held, stream.status_code, stream.channels) == (True, 200, {"log"})
        assert stream.read() == "[open]\n"
        assert stream.read() == ""
        Log.broadcast("a\n")
        Log.broadcast("b\n")
        assert stream.read() == "a\nb\n"
        Log.broadcast(b"\xff")
        assert stream.read_bytes() == b"\xff"


def test_a_post_to_the_stream_is_published(route, grip_client):
    route("log/", Log)
    with grip_client.stream("/log/") as one, grip_client.stream("/log/") as two:
        response = grip_client.post("/log/", "hello", content_type="text/plain")
        assert response.status_code == 204
        assert one.read() == two.read() == "[open]\nhello\n"


def test_events_are_received_one_by_one(route, grip_client):
    route("ticker/", Ticker)
    with grip_client.stream("/ticker/") as stream:
        first = stream.receive_event()
        assert (first.json(), first.event, first.id, first.retry) == ({"price": 100}, "price", "1", None)
        Ticker.broadcast(Event("a\nb"))
        Ticker.broadcast(Event({"price": 101}, retry=500))
        assert stream.receive_event().data == "a\nb"
        last = stream.receive_event()
        assert (last.json(), last.event, last.retry) == ({"price": 101}, "message", 500)


def test_the_headers_are_those_that_a_client_gets(route, grip_client):
    route("ticker/", Ticker)
    with grip_client.stream("/ticker/") as stream:
        assert stream.response["Content-Type"] == "text/event-stream; charset=utf-8"
        assert not [name for name in stream.response.headers if name.startswith("Grip-")]
        assert stream.response.wsgi_request.path == "/ticker/"


def test_a_character_that_is_not_whole_waits_for_its_rest(route, grip_client):
    route("log/", Log)
    snowman = "☃".encode()
    with grip_client.stream("/log/") as stream:
        Log.broadcast(snowman[:2])
        assert stream.read() == "[open]\n"
        Log.broadcast(snowman[2:] + b"!")
        assert stream.read() == "☃!"


def test_an_event_that_is_missing_fails_at_once_and_says_what_happened(route, grip_client):
    route("ticker/", Ticker)
    with grip_client.stream("/ticker/") as stream:
        stream.read()
        publish("ticker", HttpStreamFormat("data: half"))
        with pytest.raises(NothingReceived) as caught:
            stream.receive_event()
    assert str(caught.value).splitlines() == [
        "The stream /ticker/ is open, but no event is there; of text there is 'data: half'.",
        "  - the view was asked (GET, open) and answered 200",
        "  - it is subscribed to 'ticker'",
        "  - published since it began: 'ticker'",
        "  - due next: in 20 s of the proxy's clock",
    ]


def test_receiving_nothing_is_sure_of_it(route, grip_client):
    route("log/", Log)
    with grip_client.stream("/log/") as stream:
        with pytest.raises(SomethingReceived, match=re.escape(r"The stream /log/ has received 7 bytes: b'[open]\n'")):
            stream.receive_nothing()
        stream.read()
        stream.receive_nothing()


def test_what_a_thread_publishes_is_waited_for(route, grip_client):
    route("ticker/", Ticker)
    with grip_client.stream("/ticker/") as stream:
        stream.read()
        assert stream.read(timeout=0.01) == ""
        threading.Thread(target=Ticker.broadcast, args=[Event(1)]).start()
        assert stream.receive_event(timeout=60).json() == 1
        threading.Thread(target=Ticker.broadcast, args=[Event(2)]).start()
        assert stream.read(timeout=60) == "data: 2\n\n"
        threading.Thread(target=Ticker.broadcast, args=[Event(3)]).start()
        assert stream.read_bytes(timeout=60) == b"data: 3\n\n"


# -- what is no stream -------------------------------------------------------------------------------------------------


def test_an_answer_that_is_not_held_is_djangos_response(route, grip_client):
    page = HttpResponse("a page", status=203)
    route("page/", lambda request: page)
    stream = grip_client.stream("/page/")
    assert (stream.held, stream.status_code, stream.response) == (False, 203, page)
    said = r"The stream /page/ is not held; it was answered with 203 Non-Authoritative Information\."
    for use in (stream.read, stream.read_bytes, stream.receive_event, stream.receive_nothing, stream.__enter__):
        with pytest.raises(NotOpened, match=said):
            use()
    stream.close()


def test_a_response_without_end_that_is_not_held_is_not_read(route, grip_client):
    def endless():
        while True:
            yield b"more"

    route("endless/", lambda request: StreamingHttpResponse(endless()))
    stream = grip_client.stream("/endless/")
    assert next(iter(stream.response)) == b"more"


def test_cookies_of_an_answer_are_kept(route, grip_client):
    def plain(request):
        response = HttpResponse()
        response.set_cookie("plain", "1")
        return response

    def held(request):
        response = plain(request)
        response.set_cookie("held", "2")
        set_hold_stream(response, "x")
        return response

    route("plain/", plain)
    route("held/", held)
    grip_client.stream("/plain/")
    assert grip_client.cookies["plain"].value == "1"
    with grip_client.stream("/held/") as stream:
        assert stream.response.cookies["held"].value == grip_client.cookies["held"].value == "2"


def test_a_long_poll_is_no_stream(route, grip_client):
    def view(request):
        response = HttpResponse()
        set_hold_longpoll(response, "x")
        return response

    route("poll/", view)
    stream = grip_client.stream("/poll/")
    assert not stream.held
    with pytest.raises(NotOpened, match=r"The stream /poll/ is held as a long-poll: open it with longpoll\(\)"):
        stream.read()
    with pytest.raises(NotOpened, match="The stream /poll/ has not been answered"):
        _ = stream.response


def test_a_missing_page_is_a_404(grip_client, project):
    assert grip_client.stream("/nowhere/").status_code == 404


def test_an_exception_in_the_view_is_raised_in_the_test(route, grip_client):
    class Broken(StreamView):
        channels = ["x"]

        def on_open(self):
            yield "a"
            raise RuntimeError("broken")

    route("broken/", Broken)
    with pytest.raises(RuntimeError, match="broken"):
        grip_client.stream("/broken/")


def test_an_instruction_that_is_none_is_a_502(route, grip_client, caplog):
    route("bad/", lambda request: HttpResponse(headers={"Grip-Hold": "tight"}))
    assert grip_client.stream("/bad/").status_code == 502
    assert "The application's answer at /bad/ cannot be followed" in caplog.text


def test_a_view_that_raises_as_it_streams_is_a_failure_for_a_quiet_client(route, caplog):
    class Broken(StreamView):
        channels = ["x"]

        def on_open(self):
            yield "a"
            raise RuntimeError("broken")

    route("broken/", Broken)
    assert GripClient(raise_request_exception=False).stream("/broken/").status_code == 500


# -- the end -----------------------------------------------------------------------------------------------------------


def test_a_stream_that_the_server_ends(route, grip_client):
    route("log/", Log)
    with grip_client.stream("/log/") as stream:
        assert not stream.ended
        Log.broadcast("last\n")
        publish("log", HttpStreamFormat(close=True))
        assert (stream.ended, stream.held) == (True, False)
        assert stream.read() == "[open]\nlast\n"
        assert stream.read() == ""
        with pytest.raises(NothingReceived, match="The stream /log/ has ended"):
            stream.receive_event()


def test_the_view_is_told_when_the_client_leaves(route, grip_client):
    class View(Log):
        def on_close(self):
            closed.append(self.request.path)

    closed = []
    route("log/", View)
    with grip_client.stream("/log/"):
        assert closed == []
    assert closed == ["/log/"]
    stream = grip_client.stream("/log/")
    stream.close()
    stream.close()
    assert closed == ["/log/"] * 2


def test_a_test_that_fails_in_the_block_fails_for_its_own_reason(route, grip_client):
    class View(Log):
        def on_close(self):
            raise RuntimeError("not this")

    route("log/", View)
    with pytest.raises(ZeroDivisionError), grip_client.stream("/log/"):
        _ = 1 / 0
    with pytest.raises(RuntimeError, match="not this"), grip_client.stream("/log/"):
        pass


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_silent_stream_is_kept_alive(route, grip_client):
    route("ticker/", Ticker)
    with grip_client.stream("/ticker/") as stream:
        stream.read()
        grip_client.advance(15)
        Ticker.broadcast(Event(1))
        grip_client.advance(15)
        assert stream.read() == "data: 1\n\n"
        grip_client.advance(44)
        assert stream.read() == ":\n\n" * 2


def test_a_stream_is_asked_for_again_and_ends_when_it_is_no_longer_allowed(route, grip_client):
    class View(Log):
        def dispatch(self, request, *args, **kwargs):
            asked.append(request.grip.link and request.grip.link.kind)
            if is_closed:
                raise Http404
            return super().dispatch(request, *args, **kwargs)

    asked, is_closed = [], []
    route("log/", View)
    with grip_client.stream("/log/") as stream:
        grip_client.advance(60)
        Log.broadcast("a\n")
        assert stream.read() == "[open]\na\n"
        is_closed.append(True)
        grip_client.advance(60)
        assert stream.ended
    assert asked == [None, "next", "next"]


# -- chains ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def chained(route):
    """A stream of numbers, which can be asked for those that were missed."""
    numbers = ["1"]

    def view(request):
        after = request.grip.last.get("numbers", "0")
        missed = [number for number in numbers if int(number) > int(after)]
        instruct = request.grip.start_instruct()
        instruct.set_hold_stream()
        instruct.add_channel(Channel("numbers", prev_id=numbers[-1]))
        instruct.set_next_link("/numbers/")
        return HttpResponse("".join(f"{number}\n" for number in missed))

    def add(*, told=True):
        number = str(int(numbers[-1]) + 1)
        if told:
            publish("numbers", HttpStreamFormat(f"{number}\n"), id=number, prev_id=numbers[-1])
        numbers.append(number)

    route("numbers/", view)
    return add


def test_a_gap_in_a_chain_is_filled_from_the_view(chained, grip_client):
    with grip_client.stream("/numbers/") as stream:
        chained()
        assert stream.read() == "1\n2\n"
        chained(told=False)
        chained()
        stream.receive_nothing()  # the item waits for the one before it
        grip_client.advance(5)
        assert stream.read() == "3\n4\n"
        chained()
        assert stream.read() == "5\n"


def test_a_repeated_item_is_dropped(chained, grip_client):
    with grip_client.stream("/numbers/") as stream:
        chained()
        publish("numbers", HttpStreamFormat("2\n"), id="2", prev_id="1")
        assert stream.read() == "1\n2\n"
