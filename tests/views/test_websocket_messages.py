"""WebSocketView: messages in and out, in each encoding."""

from __future__ import annotations

import json
import math
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from django.utils.translation import gettext_lazy

from django_grip import Event
from django_grip.protocol.websocket_events import WebSocketEvent
from django_grip.views import WebSocketView

from ..fake_proxy import binary, close, events_of, sent, text


def closing(response):
    """Code and reason of the CLOSE in a response."""
    kind, content = events_of(response)[-1]
    assert kind == "CLOSE", events_of(response)
    return int.from_bytes(content[:2], "big"), content[2:].decode()


class Echo(WebSocketView):
    def on_message(self, message):
        self.send(message)


class JsonEcho(Echo):
    encoding = "json"


class BytesEcho(Echo):
    encoding = "bytes"


@pytest.fixture
def echo(routes, http):
    """Open a WebSocket to a view."""

    def opened(view=Echo):
        routes.add("ws/", view)
        return http.websocket("/ws/").__enter__()

    return opened


@pytest.fixture
def wire(routes, connect):
    """Open a WebSocket, and see what goes over the wire."""

    def opened(view=Echo):
        routes.add("ws/", view)
        ws = connect("/ws/")
        assert ws.open().status_code == 200
        return ws

    return opened


# -- in and out --------------------------------------------------------------------------------------------------------


def test_several_messages_of_one_request_are_answered_in_order(echo):
    ws = echo()
    numbers = [str(n) for n in range(200)]
    ws.send(*numbers)
    assert ws.receive_all() == numbers
    ws.send("one more")
    assert ws.receive() == "one more"


@pytest.mark.parametrize("message", ["", "hello", "ünï ☃ 😀", "m:", "c:{}", "\r\n", "\0"])
def test_a_text_comes_back_as_it_is(echo, message):
    ws = echo()
    ws.send(message)
    assert ws.receive() == message


@pytest.mark.parametrize(
    ("view", "event", "answer"),
    [(Echo, text("c:{}"), ("TEXT", b"m:c:{}")), (BytesEcho, binary(b"\xff"), ("BINARY", b"m:\xff"))],
)
def test_what_is_sent_has_the_prefix_that_tells_it_from_control_messages(wire, view, event, answer):
    assert events_of(wire(view).send(event)) == [answer]


@pytest.mark.parametrize("message", [b"", b"hello", b"\xff\x00", b"m:"])
def test_bytes_come_back_as_they_are(echo, message):
    ws = echo(BytesEcho)
    ws.send(message)
    assert ws.receive() == message


@pytest.mark.parametrize(
    "message", ["null", "true", "0", "-1.5", '"text"', "[]", '{"a":{"b":[1,2,{"c":null}]}}', '"ünï ☃"', '{"":""}']
)
def test_json_comes_back_as_it_is(echo, message):
    ws = echo(JsonEcho)
    ws.send(message)
    assert ws.receive() == message


def test_json_is_decoded_and_may_have_blanks_around_it(echo):
    class View(WebSocketView):
        encoding = "json"

        def on_message(self, message):
            self.send([type(message).__name__, message])

    ws = echo(View)
    ws.send(' \t\r\n{"a": 1.0} \n')
    assert ws.receive() == '["dict",{"a":1.0}]'


def test_what_django_users_have_can_be_sent_as_json(echo):
    class View(WebSocketView):
        encoding = "json"

        def on_message(self, message):
            self.send(
                {
                    "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
                    "on": date(2026, 1, 2),
                    "price": Decimal("1.10"),
                    "id": uuid.UUID(int=5),
                    "text": gettext_lazy("yes"),
                    "ünï": "☃",
                }
            )

    ws = echo(View)
    ws.send("1")
    message = ws.receive()
    assert json.loads(message) == {
        "at": "2026-01-02T03:04:05Z",
        "on": "2026-01-02",
        "price": "1.10",
        "id": "00000000-0000-0000-0000-000000000005",
        "text": "yes",
        "ünï": "☃",
    }
    assert "☃" in message


def test_a_project_can_have_its_own_json_encoder(echo):
    class Encoder(json.JSONEncoder):
        def default(self, o):
            return {"set": sorted(o)} if isinstance(o, set) else super().default(o)

    class View(WebSocketView):
        channels = ["all"]
        encoding = "json"
        encoder = Encoder

        def on_message(self, message):
            self.send({3, 1})
            self.publish({2})

    ws = echo(View)
    ws.send("1")
    assert ws.receive_json() == {"set": [2]}  # published, before the answer is sent
    assert ws.receive_json() == {"set": [1, 3]}


def test_a_lazy_string_is_text(echo):
    class View(WebSocketView):
        channels = ["all"]

        def on_message(self, message):
            self.send(gettext_lazy("yes"))
            self.publish(gettext_lazy("yes"))

    ws = echo(View)
    ws.send("x")
    assert ws.receive_all() == ["yes", "yes"]


def test_an_event_is_sent_as_it_is_published(echo):
    class View(WebSocketView):
        def on_message(self, message):
            self.send(Event({"price": 1}))
            self.send(Event({"price": 2}, event="tick", id="7"))
            self.send(Event("text"))

    ws = echo(View)
    ws.send("x")
    assert ws.receive_all() == ['{"price":1}', '{"event":"tick","data":{"price":2},"id":"7"}', '"text"']


@pytest.mark.parametrize(
    ("view", "message", "complaint"),
    [
        (Echo, {"a": 1}, 'With encoding = "text" a message is a str, not dict; see "json".'),
        (Echo, b"bytes", 'With encoding = "text" a message is a str, not bytes; see "json".'),
        (BytesEcho, "text", 'With encoding = "bytes" a message is bytes, not str.'),
        (JsonEcho, {1, 2}, "Object of type set is not JSON serializable"),
        (JsonEcho, math.nan, "Out of range float values are not JSON compliant"),
        (JsonEcho, [math.inf], "Out of range float values are not JSON compliant"),
        (JsonEcho, "\ud800", "a message that UTF-8 cannot hold: surrogates not allowed at character 1"),
        (Echo, "\ud800", "a message that UTF-8 cannot hold: surrogates not allowed at character 0"),
    ],
)
def test_what_the_encoding_cannot_carry_is_an_error_in_the_hook(echo, view, message, complaint):
    class View(view):
        def on_message(self, _):
            try:
                self.send(message)
            except (TypeError, ValueError) as error:
                complaints.append(str(error))

    complaints = []
    echo(View).send(b"x" if view is BytesEcho else "1")
    assert len(complaints) == 1
    assert complaints[0].startswith(complaint)


def test_more_than_the_proxy_takes_at_once_is_an_error_in_the_hook(echo):
    class View(WebSocketView):
        def on_message(self, message):
            self.send("a" * 900_000)
            try:
                self.send("b" * 200_000)
            except ValueError as error:
                self.send(str(error))

    ws = echo(View)
    ws.send("x")
    assert ws.receive() == "a" * 900_000
    message = ws.receive()
    assert "with this message the response would have 1,100," in message
    assert "the proxy takes 1,000,000" in message


# -- what a client may not send ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "event", "code", "reason"),
    [
        (Echo, binary(b"x"), 1003, "only text messages are taken"),
        (JsonEcho, binary(b"1"), 1003, "only text messages are taken"),
        (BytesEcho, text("x"), 1003, "only binary messages are taken"),
        (Echo, WebSocketEvent("TEXT", b"\xff"), 1007, "not UTF-8"),
        (JsonEcho, WebSocketEvent("TEXT", b'"\xff"'), 1007, "not UTF-8"),
        (JsonEcho, text("{"), 1007, "not JSON"),
        (JsonEcho, text(""), 1007, "not JSON"),
        (JsonEcho, text("{} {}"), 1007, "not JSON"),
        (JsonEcho, text("NaN"), 1007, "not JSON"),
        (JsonEcho, text("[-Infinity]"), 1007, "not JSON"),
        (JsonEcho, text("1e999"), 1007, "not JSON"),
        (JsonEcho, text('"\\ud800"'), 1007, "not JSON"),
        (JsonEcho, text("9" * 5000), 1007, "not JSON"),
        (JsonEcho, text("[" * 100_000), 1007, "not JSON"),
        (JsonEcho, text("\ufeff{}"), 1007, "not JSON"),
        (Echo, text("x" * 131_073), 1009, "a message may have 131072 bytes"),
        (Echo, text("☃" * 43_691), 1009, "a message may have 131072 bytes"),
        (BytesEcho, binary(b"x" * 131_073), 1009, "a message may have 131072 bytes"),
    ],
)
def test_a_message_the_view_does_not_take_closes_the_connection(wire, caplog, view, event, code, reason):
    ws = wire(view)
    good = binary(b"1") if view is BytesEcho else text("1")
    response = ws.send(good, event, good)
    assert sent(events_of(response)) == [b"1"]  # what came before it is answered, what comes behind is not
    assert closing(response) == (code, reason)
    assert not caplog.records  # it is the client's doing, and not worth a line


def test_pairs_of_surrogates_are_a_character(echo):
    ws = echo(JsonEcho)
    ws.send('"\\ud83d\\ude00"')
    assert ws.receive() == '"😀"'


@pytest.mark.parametrize("view", [Echo, BytesEcho])
def test_the_largest_message_is_taken(echo, view):
    message = b"x" * 131_072 if view is BytesEcho else "x" * 131_072
    ws = echo(view)
    ws.send(message)
    assert ws.receive() == message


def test_a_view_sets_its_own_limit(echo):
    class View(Echo):
        max_message_size = 4

    ws = echo(View)
    ws.send("☃x", "☃xy")
    assert ws.receive_all() == ["☃x"]
    assert (ws.close_code, ws.close_reason) == (1009, "a message may have 4 bytes")


# -- closing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [((), 1000, ""), ((1000, "done"), 1000, "done"), ((4999, "ü"), 4999, "ü"), ((3000, "x" * 123), 3000, "x" * 123)],
)
def test_a_hook_closes_behind_what_it_sent(echo, arguments, code, reason):
    class View(WebSocketView):
        def on_message(self, message):
            self.send("bye")
            self.close(*arguments)

    ws = echo(View)
    ws.send("x")
    assert ws.receive_all() == ["bye"]
    assert (ws.close_code, ws.close_reason) == (code, reason)


@pytest.mark.parametrize("arguments", [(1005,), (0,), (999,), (5000,), (True,), ("4000",), (4000, "x" * 124)])
def test_a_close_that_may_not_be_sent_is_an_error_in_the_hook(echo, arguments):
    class View(WebSocketView):
        def on_message(self, message):
            with pytest.raises(ValueError, match="close"):
                self.close(*arguments)
            self.send("still open")

    ws = echo(View)
    ws.send("x")
    assert (ws.receive(), ws.closed) == ("still open", False)


def test_closing_twice_closes_once_with_the_first_code(echo):
    class View(WebSocketView):
        def on_message(self, message):
            self.close(4001, "first")
            self.close(4002, "second")

    ws = echo(View)
    ws.send("x")
    assert (ws.close_code, ws.close_reason) == (4001, "first")


def test_sending_after_closing_is_an_error_in_the_hook(echo):
    class View(WebSocketView):
        def on_message(self, message):
            self.close()
            with pytest.raises(ValueError, match="The WebSocket is closed; nothing can be sent to it"):
                self.send("late")

    ws = echo(View)
    ws.send("x")
    assert (ws.receive_all(), ws.close_code) == ([], 1000)


def test_messages_behind_a_close_are_not_delivered(wire):
    class View(WebSocketView):
        def on_message(self, message):
            assert message == "last"
            self.close(4000)

    ws = wire(View)
    assert closing(ws.send(text("last"), text("more"), text("and more"))) == (4000, "")
    # What was under way when the client was closed comes in the next request.
    assert events_of(ws.send(text("crossed the close"))) == []


def test_a_close_in_on_open_accepts_and_closes(routes, connect):
    class View(WebSocketView):
        def on_open(self):
            self.send("full")
            self.close(4013, "try later")

        def on_message(self, message):
            raise AssertionError

    routes.add("ws/", View)
    ws = connect("/ws/")
    events = events_of(ws.open(text("early")))
    assert events[0] == ("OPEN", None)
    assert sent(events) == [b"full"]
    assert events[-1] == ("CLOSE", b"\x0f\xadtry later")
    assert events_of(ws.send(text("late"))) == []


class Closes(WebSocketView):
    """Tells in the log of the test how it was closed."""

    log: list

    def on_close(self, code, reason):
        self.log.append((code, reason))

    def on_message(self, message):
        self.close(4000)


@pytest.fixture
def closes(wire):
    Closes.log = []
    return wire(Closes), Closes.log


@pytest.mark.parametrize(
    ("event", "seen", "echoed"),
    [
        (close(1000, "done"), (1000, "done"), b"\x03\xe8"),
        (close(1001), (1001, ""), b"\x03\xe9"),
        (close(4123, "ü"), (4123, "ü"), b"\x10\x1b"),
        (close(), (None, ""), None),
        (close(1005), (1005, ""), b"\x03\xea"),  # may not be sent, neither by the client nor by us
    ],
)
def test_on_close_gets_the_clients_code_which_is_echoed(closes, event, seen, echoed):
    ws, log = closes
    assert events_of(ws.send(event)) == [("CLOSE", echoed)]
    assert log == [seen]


def test_a_lost_client_is_1006(closes):
    ws, log = closes
    response = ws.send(WebSocketEvent("DISCONNECT", None))
    assert (response.status_code, response.content) == (200, b"")
    assert log == [(1006, "")]


def test_on_close_is_called_after_a_close_of_ours_too(closes):
    ws, log = closes
    assert closing(ws.send(text("x"))) == (4000, "")
    assert log == []
    assert events_of(ws.send(close(4000))) == [("CLOSE", b"\x0f\xa0")]
    assert log == [(4000, "")]


def test_on_close_is_called_once(closes):
    ws, log = closes
    ws.send(close(1000))
    ws.send(close(1000))
    ws.send(WebSocketEvent("DISCONNECT", None))
    assert log == [(1000, "")]


def test_our_close_and_the_clients_may_come_in_one_request(closes):
    ws, log = closes
    response = ws.send(text("x"), close(1000, "me too"))
    assert events_of(response) == [("CLOSE", b"\x0f\xa0")]
    assert log == [(1000, "me too")]


def test_a_connection_that_was_refused_for_a_message_gets_its_on_close(closes):
    ws, log = closes
    assert closing(ws.send(binary(b"x"))) == (1003, "only text messages are taken")
    ws.send(close(1003))
    assert log == [(1003, "")]


def test_a_tick_of_a_closed_connection_is_no_refresh(routes, connect):
    class View(WebSocketView):
        def on_message(self, message):
            self.close()

        def on_refresh(self):
            raise AssertionError

    routes.add("ws/", View)
    ws = connect("/ws/")
    ws.open()
    ws.send(text("x"))
    assert events_of(ws.send()) == []


def test_on_close_cannot_send(routes, connect):
    class View(WebSocketView):
        def on_close(self, code, reason):
            with pytest.raises(ValueError, match="nothing can be sent"):
                self.send("late")
            self.close(4000)  # nothing to close any more

    routes.add("ws/", View)
    ws = connect("/ws/")
    ws.open()
    assert events_of(ws.send(close(1000))) == [("CLOSE", b"\x03\xe8")]
