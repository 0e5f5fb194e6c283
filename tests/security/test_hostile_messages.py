"""A client sends what it should not."""

from __future__ import annotations

import pytest

from django_grip.protocol.websocket_events import WebSocketEvent
from django_grip.views import EventStreamView, StreamView, WebSocketView

from ..fake_proxy import EVENTS_TYPE, binary, close, events_of, proxied, sent, text
from ..views.test_websocket_messages import closing


class Json(WebSocketView):
    """Sends back what it gets, and passes it on."""

    encoding = "json"
    channels = ["all"]

    def on_message(self, message):
        self.send(message)
        self.publish(message)


class Text(WebSocketView):
    channels = ["all"]

    def on_message(self, message):
        self.send(message)
        self.publish(message)


@pytest.fixture
def ws(routes, connect, published):
    def opened(view=Json):
        routes.add("ws/", view)
        ws = connect("/ws/")
        ws.open()
        return ws

    return opened


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (text("x" * 200_000), 1009),
        (text('"' + "é" * 70_000 + '"'), 1009),
        (binary(b"1"), 1003),
        (WebSocketEvent("TEXT", b"\xff\xfe"), 1007),
        (WebSocketEvent("TEXT", b"\xed\xa0\x80"), 1007),
        (WebSocketEvent("TEXT", b"\xc0\x80"), 1007),
        (text(""), 1007),
        (text("{"), 1007),
        (text("{'a': 1}"), 1007),
        (text('{"a":1}garbage'), 1007),
        (text("NaN"), 1007),
        (text('{"a": Infinity}'), 1007),
        (text("-Infinity"), 1007),
        (text("[1e400]"), 1007),
        (text("9" * 10_000), 1007),
        (text("-" + "9" * 10_000), 1007),
        (text("[" * 100_000), 1007),
        (text("[" * 60_000 + "]" * 60_000), 1007),
        (text('{"a":' * 20_000), 1007),
        (text('"\\ud800"'), 1007),
        (text('{"\\udfff": 1}'), 1007),
        (text('["\\ud83d"]'), 1007),
    ],
)
def test_it_closes_its_own_connection_and_nothing_else(ws, published, caplog, event, code):
    response = ws().send(text("1"), event, text("2"))
    assert sent(events_of(response)) == [b"1"]
    assert closing(response)[0] == code
    assert [entry.websocket for entry in published] == ["1"]  # nothing of it went on to others
    assert not caplog.records  # and no log is filled with it


@pytest.mark.parametrize(
    "message", ['{"a":1,"a":2}', '"\\u0000"', '"\\u2028"', '{"__proto__":{}}', "-0", '"</script>"', "1E5"]
)
def test_what_is_odd_but_json_is_a_message(ws, message):
    assert len(sent(events_of(ws().send(text(message))))) == 1


def test_a_text_that_looks_like_a_control_message_is_text(ws):
    for message in ('c:{"type":"subscribe","channel":"admin"}', 'm:c:{"type":"detach"}', "c:", "m:"):
        assert events_of(ws(Text).send(text(message))) == [("TEXT", b"m:" + message.encode())]


def test_a_text_that_looks_like_events_is_text(ws):
    message = "\r\nTEXT 5\r\nc:{}x\r\nCLOSE\r\n"
    assert events_of(ws(Text).send(text(message))) == [("TEXT", b"m:" + message.encode())]


def test_a_million_pings_are_answered_with_the_last_hundred(ws, http, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
    opened = ws(Text)
    headers = {**opened.request(text("x"))["headers"]}
    body = b"PING 1\r\na\r\n" * 1_000_000
    response = http.post("/ws/", body, content_type=EVENTS_TYPE, headers=headers)
    assert events_of(response) == [("PONG", b"a")] * 100


def test_more_than_django_takes_in_one_request_closes(ws):
    response = ws(Text).send(*[text("x" * 1000)] * 3000)
    assert closing(response)[0] == 1009


def test_ten_thousand_messages_are_ten_thousand_calls(ws, published):
    response = ws(Text).send(*[text("x")] * 10_000)
    assert len(sent(events_of(response))) == 10_000
    assert len(published) == 10_000


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_a_close_code_that_no_client_may_send(ws, code):
    assert events_of(ws(Text).send(close(code))) == [("CLOSE", b"\x03\xea")]  # 1002, a protocol error


def test_a_close_and_nothing_behind_it(ws):
    response = ws(Text).send(text("a"), close(1000))
    assert events_of(response) == [("TEXT", b"m:a"), ("CLOSE", b"\x03\xe8")]


# -- streams -----------------------------------------------------------------------------------------------------------


class Log(StreamView):
    channels = ["log"]

    def on_message(self, message):
        self.publish(message)


class Events(EventStreamView):
    channels = ["log"]

    def on_message(self, message):
        self.publish(message)


@pytest.mark.parametrize("text", ["data: forged\n\n", "x\n\nevent: admin\ndata: forged\n\n", "\r\rid: 9\r\r", ":\n"])
def test_a_message_makes_no_events_of_its_own(routes, http, published, text):
    routes.add("x/", Events)
    assert http.post("/x/", text, content_type="text/plain").status_code == 204
    (entry,) = published
    lines = entry.stream.split("\n")
    assert all(line.startswith("data:") for line in lines[:-2])
    assert lines[-2:] == ["", ""]


def test_the_csrf_token_of_a_form_goes_to_nobody(routes, http, published):
    routes.add("x/", Log)
    form = "application/x-www-form-urlencoded"
    for body in (
        "csrfmiddlewaretoken=secret",
        "a=1&csrfmiddlewaretoken=secret",
        "csrfmiddlewaretoken=secret&message=x",
    ):
        http.post("/x/", body, content_type=form)
    assert [entry.stream for entry in published] == ["x"]


@pytest.mark.parametrize("header", ["\xff", "é"])
def test_an_event_id_that_is_no_text_is_a_400(routes, http, header):
    routes.add("x/", Events)
    response = http.get("/x/", headers=proxied(last_event_id=header))
    assert response.status_code == 400
    assert response.content.count(b"\n") == 1


def test_grip_headers_of_a_clients_own_are_not_believed(routes, http):
    """Pushpin takes them off; without a proxy they must not count either."""
    routes.add("x/", Log)
    headers = {"grip-sig": "forged", "grip-feature": "link:next", "grip-last": "log; last-id=1"}
    response = http.get("/x/", headers=headers)
    assert response.status_code == 501
    assert not [name for name, _ in response.items() if name.lower().startswith("grip-")]
