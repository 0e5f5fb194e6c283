"""A WebSocket through the proxy's core: the opening, batches, ticks, meta, partial acceptance, and every end."""

from __future__ import annotations

import logging
import struct
import tracemalloc

import pytest

from django_grip.protocol.keys import load_key
from django_grip.protocol.websocket_events import WebSocketEvent
from django_grip.proxy import client_headers
from django_grip.proxy.client_headers import clean_handshake_headers
from django_grip.proxy.effects import Accept, Close, Deny, Text
from django_grip.proxy.engine import Engine
from django_grip.proxy.messages import AppFailure, AppResponse, ClientRequest
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.websocket.exchange import WebSocketExchange

from .socket_driver import CLIENT_HEADERS, EVENTS, GRIP, Driver, answer, item, opening, subscribe, text

DISCONNECT = WebSocketEvent("DISCONNECT")


def close(code: int | None = None, reason: str = "") -> WebSocketEvent:
    content = None if code is None else struct.pack(">H", code) + reason.encode()
    return WebSocketEvent("CLOSE", content)


# What the application is asked


def test_the_opening_goes_to_the_clients_own_path_and_query():
    driver = Driver()
    [ask] = driver.asked
    assert (ask.method, ask.path, ask.query, ask.body, ask.purpose) == (
        "POST",
        b"/chat/%C3%A9/",
        b"a=%20b",
        b"OPEN\r\n",
        "open",
    )


EXPECTED = {
    "host": b"localhost",
    "origin": b"http://localhost",
    "cookie": b"sessionid=abc",
    "accept": b"application/websocket-events",
    "content-type": b"application/websocket-events",
    "sec-websocket-extensions": b"grip",
    "connection-id": b"c1",
    "upgrade": None,
    "connection": None,
}


@pytest.mark.parametrize(("name", "value"), EXPECTED.items())
def test_every_request_carries(name, value):
    driver = Driver()
    assert driver.header(name) == value
    driver.accept().send("hi")
    assert driver.header(name) == value


def test_every_request_is_signed_and_says_what_the_proxy_can_do():
    driver = Driver(engine=Engine(ProxyOptions(key=load_key("secret"), issuer="embedded")))
    for _ in range(2):
        assert driver.header("grip-sig").count(b".") == 2
        assert b"link:next" in driver.header("grip-feature")
        driver.accept() if len(driver.asked) == 1 else driver.respond()
        driver.send("hi")


def test_the_content_length_is_that_of_the_body():
    driver = Driver()
    assert driver.header("content-length") == b"6"
    driver.accept().send("x" * 100)
    assert driver.header("content-length") == b"%d" % len(driver.asked[-1].body)


FORGED = [
    (b"grip-sig", b"forged"),
    (b"GRIP_SIG", b"forged"),
    (b"meta-user", b"admin"),
    (b"connection-id", b"of-another"),
    (b"content-bytes-replayed", b"5"),
    (b"content-type", b"text/plain"),
    (b"content_type", b"text/plain"),
    (b"accept", b"*/*"),
    (b"sec-websocket-extensions", b"permessage-deflate"),
    (b"content-length", b"99"),
]


@pytest.mark.parametrize("forged", FORGED)
def test_a_client_says_nothing_that_only_the_proxy_says(forged):
    driver = Driver(headers=[*CLIENT_HEADERS, forged])
    assert forged not in driver.asked[-1].headers
    driver.accept().send("hi")
    assert forged not in driver.asked[-1].headers


def test_connections_without_a_name_get_one_each():
    engine = Engine()
    names = {WebSocketExchange(engine, ClientRequest("GET", b"/")).connection_id for _ in range(3)}
    assert len(names) == 3
    assert all(len(name) == 36 for name in names)


def test_clients_that_send_the_same_headers_share_them():
    def make(cookie: bytes):
        headers = [(bytes(bytearray(b"user-agent")), bytes(bytearray(b"A Browser"))), (b"cookie", cookie)]
        return dict(zip([b"user-agent", b"cookie"], Driver(headers=headers).asked[0].headers, strict=False))

    one, two = make(b"a=1"), make(b"a=" + b"1"[:1])
    assert one[b"user-agent"] is two[b"user-agent"]
    assert one[b"cookie"] is not two[b"cookie"]


def test_an_idle_connection_takes_less_than_4_kb():
    engine = Engine()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(200):
            cookie = (b"cookie", b"sessionid=%032d" % number)
            driver = Driver(engine=engine, headers=[(bytes(bytearray(n)), v) for n, v in [*CLIENT_HEADERS, cookie]])
            driver.accept(subscribe(f"user:{number}"), headers=[GRIP, (b"set-meta-state", b"%064d" % number)])
            driver.exchange.notify = engine.grip_headers  # so that the driver is not counted
        del driver
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(engine.exchanges) == 200
    assert (after - before) / 200 < 4096


def test_what_clients_have_in_common_is_remembered_up_to_a_bound():
    for number in range(3000):
        clean_handshake_headers([(b"x-%d" % number, b"1"), (b"x-long", b"%01000d" % number)])
    assert len(client_headers._shared) <= 1024
    assert max(len(name) + len(value) for name, value in client_headers._shared) <= 256


# The opening's answer


def test_an_accepted_client_gets_the_headers_that_are_for_it():
    driver = Driver()
    headers = [
        GRIP,
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"x-frame-options", b"DENY"),
        (b"content-length", b"6"),
        (b"keep-alive-interval", b"30"),
        (b"set-meta-nick", b"ann"),
        (b"grip-hold", b"stream"),
        (b"connection", b"close"),
        (b"sec-websocket-accept", b"x"),
    ]
    driver.respond(opening(headers=headers))
    assert driver.effects == [Accept([(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-frame-options", b"DENY")])]


def test_messages_may_come_with_the_acceptance():
    driver = Driver()
    driver.respond(opening(text("m:hello"), WebSocketEvent("BINARY", b"m:\xff")))
    assert driver.said == ["hello", b"\xff"]


@pytest.mark.parametrize("offered", [[b"chat.v1, chat.v2"], [b"chat.v1", b"chat.v2"], [b"chat.v2"], [b"a ,chat.v2\t"]])
def test_a_subprotocol_that_the_client_offered_is_chosen(offered):
    driver = Driver(headers=[*CLIENT_HEADERS, *((b"sec-websocket-protocol", value) for value in offered)])
    driver.respond(opening(headers=[GRIP, (b"sec-websocket-protocol", b"chat.v2")]))
    assert driver.effects == [Accept([], "chat.v2")]


@pytest.mark.parametrize("offered", [[], [b"chat.v1"], [b"chat.v22"], [b"Chat.v2"]])
def test_a_subprotocol_that_the_client_did_not_offer_is_a_502(offered, caplog):
    driver = Driver(headers=[*CLIENT_HEADERS, *((b"sec-websocket-protocol", value) for value in offered)])
    driver.respond(opening(headers=[GRIP, (b"sec-websocket-protocol", b"chat.v2")]))
    assert_denied(driver, 502)
    assert caplog.messages == [
        "The application did not answer the WebSocket at /chat/%C3%A9/ as it should: "
        "it chose a subprotocol that the client did not offer."
    ]


def assert_denied(driver: Driver, status: int) -> None:
    assert isinstance(driver.end, Deny)
    assert driver.end.status == status
    assert driver.exchange.done


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 401, 403, 404, 500, 503])
def test_a_refusal_reaches_the_client_as_it_is(status):
    driver = Driver()
    headers = [
        (b"content-type", b"text/html"),
        (b"content-length", b"999"),
        (b"set-cookie", b"a=1"),
        (b"location", b"/login/"),
        (b"grip-hold", b"stream"),
        (b"connection", b"close"),
        (b"set-meta-a", b"1"),
        (b"keep-alive-interval", b"30"),
    ]
    driver.respond(AppResponse(status, headers, b"No."))
    assert_denied(driver, status)
    assert driver.end.body == b"No."
    assert driver.end.headers == [(b"content-type", b"text/html"), (b"set-cookie", b"a=1"), (b"location", b"/login/")]


def test_a_long_refusal_is_cut():
    driver = Driver()
    driver.respond(AppResponse(403, [], b"x" * 100_001))
    assert len(driver.end.body) == 100_000


NOT_AN_ANSWER = [
    (AppResponse(200, [EVENTS], b""), "the first event of its answer is not OPEN"),
    (AppResponse(200, [EVENTS, (b"keep-alive-interval", b"30")], b""), "the first event of its answer is not OPEN"),
    (answer(text("m:hi")), "the first event of its answer is not OPEN"),
    (
        AppResponse(200, [(b"content-type", b"application/websocket-events; charset=utf-8")], b"OPEN\r\n"),
        "the Content-Type of its answer is not, byte for byte, 'application/websocket-events'",
    ),
    (
        AppResponse(200, [(b"content-type", b"text/html")], b"<p>"),
        "the Content-Type of its answer is not, byte for byte, 'application/websocket-events'",
    ),
    (
        AppResponse(200, [], b"OPEN\r\n"),
        "the Content-Type of its answer is not, byte for byte, 'application/websocket-events'",
    ),
    (AppResponse(200, [EVENTS], b"OPEN"), "the body is cut off: it does not end with CRLF"),
    (AppResponse(200, [EVENTS], b"OPEN\r\nOPEN\r\n"), "event 2: OPEN is not the first event"),
    (
        AppResponse(200, [EVENTS], b"OPEN\r\nTEXT 5\r\nhe\r\n"),
        "event 2: the content is cut off",
    ),
    (AppResponse(200, [EVENTS], b"x" * 1_000_001), "its answer has 1,000,001 bytes; 1,000,000 are taken"),
    (AppResponse(101, [EVENTS], b"OPEN\r\n"), "it answered 101"),
    (AppResponse(0, [EVENTS], b"OPEN\r\n"), "it answered 0"),
    (AppResponse(999, [], b""), "it answered 999"),
    (
        opening(headers=[(b"content-bytes-accepted", b"1")]),
        "Content-Bytes-Accepted says 1, of 0",
    ),
    (opening(headers=[(b"content-bytes-accepted", b"-1")]), "Content-Bytes-Accepted is not a number of bytes"),
    (opening(headers=[(b"set-meta-a", b"1\r\n2")]), "a Set-Meta header that could not come back"),
    (opening(headers=[(b"set-meta-", b"1")]), "a Set-Meta header that could not come back"),
    (
        opening(headers=[(b"set-meta-a", b"x" * 40_000)]),
        "the connection's meta would have 40,006 bytes; 40,000 are taken",
    ),
    (
        opening(headers=[(b"sec-websocket-extensions", b'grip; message-prefix="a')]),
        "has a quote that does not end, at 21",
    ),
]


@pytest.mark.parametrize(("response", "problem"), NOT_AN_ANSWER, ids=[problem for _, problem in NOT_AN_ANSWER])
def test_what_does_not_answer_an_opening_is_a_502(response, problem, caplog):
    driver = Driver()
    driver.respond(response)
    assert_denied(driver, 502)
    assert driver.end.body == b"The application did not answer as for a WebSocket.\n"
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("The application did not answer the WebSocket at /chat/%C3%A9/ as it should: ")
    assert problem in caplog.messages[0]


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_application_that_fails_to_answer_the_opening_is_an_error_that_tells_nothing(status, caplog):
    driver = Driver()
    driver.respond(AppFailure("it raised ValueError: secret", status))
    assert_denied(driver, status)
    assert driver.end.body == b"The application failed to answer.\n"
    assert caplog.messages == [
        "The application failed to answer the WebSocket at /chat/%C3%A9/: it raised ValueError: secret."
    ]


# Batches


def test_one_request_is_in_flight_and_what_comes_meanwhile_goes_into_the_next():
    driver = Driver().accept()
    for message in ("one", "two", b"three"):
        driver.send(message)
    assert driver.events == [text("one")]
    driver.respond()
    assert driver.events == [text("two"), WebSocketEvent("BINARY", b"three")]
    driver.respond()
    assert not driver.is_asked


def test_what_comes_before_the_opening_is_answered_goes_into_the_request_after_it():
    driver = Driver()
    driver.send("early")
    driver.accept()
    assert driver.events == [text("early")]


def test_what_comes_before_a_refusal_is_gone():
    driver = Driver()
    driver.send("early")
    driver.respond(AppResponse(403))
    assert len(driver.asked) == 1


def test_an_answer_sends_messages_in_their_order():
    driver = Driver().accept()
    driver.send("hi")
    driver.respond(answer(text("m:a"), WebSocketEvent("BINARY", b"m:b"), text("m:"), text("m:é")))
    assert driver.said == ["a", b"b", "", "é"]


def test_what_is_published_stands_between_the_answers_in_its_time():
    driver = Driver().accept(subscribe("room"))
    driver.send("1")
    driver.publish(item("before"))
    driver.respond(answer(text("m:answer")))
    driver.publish(item("behind"))
    assert driver.said == ["before", "answer", "behind"]


# Meta


def test_meta_comes_back_until_it_is_changed_or_removed():
    driver = Driver().accept(headers=[GRIP, (b"set-meta-nick", b"ann"), (b"set-meta-age", b"\xc3\xa9")])
    driver.send("1")
    assert (driver.header("meta-nick"), driver.header("meta-age")) == (b"ann", b"\xc3\xa9")
    driver.respond(answer(headers=[(b"set-meta-nick", b"bob"), (b"set-meta-age", b"")]))
    driver.send("2")
    assert (driver.header("meta-nick"), driver.header("meta-age")) == (b"bob", None)


# Ticks and refreshes


@pytest.mark.parametrize(("interval", "seconds"), [(b"30", 30), (b"20", 20), (b"1", 20)])
def test_an_idle_connection_is_asked_by_an_empty_body(interval, seconds):
    driver = Driver().accept(headers=[GRIP, (b"keep-alive-interval", interval)])
    driver.sleep(seconds - 1)
    assert not driver.is_asked
    driver.sleep(1)
    assert (driver.events, driver.asked[-1].purpose) == ([], "events")
    driver.sleep(seconds * 3)  # while it is not answered there is no other
    driver.respond()
    driver.sleep(seconds - 1)
    assert not driver.is_asked
    driver.sleep(1)
    assert driver.is_asked


def test_a_message_puts_off_the_tick():
    driver = Driver().accept(headers=[GRIP, (b"keep-alive-interval", b"30")])
    driver.sleep(29)
    driver.send("hi")
    driver.respond()
    driver.sleep(29)
    assert not driver.is_asked


@pytest.mark.parametrize("interval", [b"0", b"", b"soon", b"-5"])
def test_ticks_end_when_the_application_says_so(interval):
    driver = Driver().accept(headers=[GRIP, (b"keep-alive-interval", b"30")])
    driver.sleep(30)
    driver.respond(answer(headers=[(b"keep-alive-interval", interval)]))
    assert driver.exchange.deadline is None


def test_an_answer_that_says_nothing_of_ticks_leaves_them_as_they_are():
    driver = Driver().accept(headers=[GRIP, (b"keep-alive-interval", b"30")])
    driver.sleep(30)
    driver.respond()
    driver.sleep(30)
    assert driver.is_asked


def test_a_refresh_asks_at_once():
    driver = Driver().accept(subscribe("room"))
    driver.publish(item(action="refresh"))
    assert driver.events == []
    driver.respond(answer(text("m:fresh")))
    assert driver.said == ["fresh"]
    assert not driver.is_asked


def test_a_refresh_while_a_request_is_in_flight_is_one_more_request_behind_it():
    driver = Driver().accept(subscribe("room"))
    driver.send("hi")
    driver.publish(item(action="refresh"), item(action="refresh"))
    driver.respond()
    assert driver.events == []
    driver.respond()
    assert not driver.is_asked


def test_a_refresh_is_of_no_use_once_the_application_closed():
    driver = Driver().accept(subscribe("room"))
    driver.send("hi")
    driver.publish(item(action="refresh"))
    driver.respond(answer(close(1000)))
    assert not driver.is_asked


# Partial acceptance


def accepted(count: int):
    return answer(headers=[(b"content-bytes-accepted", b"%d" % count)])


def test_what_was_not_taken_comes_again_with_the_next_message():
    driver = Driver().accept()
    driver.send("one")
    assert driver.header("content-bytes-replayed") == b"0"
    driver.respond(accepted(0))
    assert not driver.is_asked  # it would spin
    driver.send("two")
    assert driver.events == [text("one"), text("two")]
    assert driver.header("content-bytes-replayed") == b"3"
    driver.respond(accepted(4))
    assert not driver.is_asked
    driver.send("three")
    assert driver.events == [text("wo"), text("three")]
    assert driver.header("content-bytes-replayed") == b"2"
    driver.respond()
    driver.send("four")
    assert driver.events == [text("four")]
    assert driver.header("content-bytes-replayed") == b"0"


def test_the_opening_says_nothing_of_replays():
    assert Driver().header("content-bytes-replayed") is None


def test_what_was_not_taken_comes_again_with_a_tick_and_with_a_refresh():
    driver = Driver().accept(subscribe("room"), headers=[GRIP, (b"keep-alive-interval", b"20")])
    driver.send("one")
    driver.respond(accepted(0))
    driver.sleep(20)
    assert driver.events == [text("one")]
    driver.respond(accepted(0))
    driver.publish(item(action="refresh"))
    assert driver.events == [text("one")]


def test_a_message_that_came_meanwhile_is_never_taken_with_the_batch_before_it():
    driver = Driver().accept()
    driver.send("one")
    driver.send("")
    driver.respond(accepted(3))
    assert driver.events == [text("")]


def test_an_application_that_takes_part_of_a_full_queue_is_asked_again_at_once():
    driver = Driver(options=ProxyOptions(max_client_queue=100)).accept()
    driver.send("x" * 200)
    assert not driver.exchange.wants_more
    driver.respond(accepted(10))
    assert driver.events == [text("x" * 190)]
    driver.respond()
    assert driver.exchange.wants_more


def test_an_application_that_takes_nothing_of_a_full_queue_fails(caplog):
    driver = Driver(options=ProxyOptions(max_client_queue=100)).accept()
    driver.send("x" * 68)
    driver.respond(accepted(0))
    assert driver.end == Close(1011, "server error")
    assert caplog.messages == [
        "The application failed the WebSocket at /chat/%C3%A9/: "
        "it takes none of the 100 bytes that wait for it. It is closed with 1011."
    ]


# Ends


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (1000, "", close(1000)),
        (1001, "going away", close(1001, "going away")),
        (4000, "é", close(4000, "é")),
        (None, "", close()),
        (1005, "", close()),
        (1006, "", DISCONNECT),
        (4000, "é" * 100, close(4000, "é" * 61)),
        (70_000, "", close()),
    ],
)
def test_the_application_is_told_how_the_client_closed(code, reason, expected):
    driver = Driver().accept()
    driver.close(code, reason)
    assert driver.events == [expected]
    assert not driver.exchange.done
    driver.respond()
    assert driver.exchange.done
    assert driver.effects == []


def test_a_lost_client_is_a_disconnect():
    driver = Driver().accept(subscribe("room"))
    driver.lose()
    assert driver.events == [DISCONNECT]
    driver.respond()
    assert driver.exchange.done


@pytest.mark.parametrize(("end", "event"), [(Driver.close, close(1000)), (Driver.lose, DISCONNECT)])
def test_what_the_client_said_last_comes_before_its_end(end, event):
    driver = Driver().accept()
    driver.send("one")
    driver.send("two")
    end(driver)
    end(driver)
    assert driver.events == [text("one")]
    driver.respond(answer(text("m:too late")))
    assert driver.events == [text("two"), event]
    driver.respond(answer(text("m:too late"), event if event.type == "CLOSE" else close()))
    assert driver.exchange.done
    assert driver.effects == []


@pytest.mark.parametrize("end", [Driver.close, Driver.lose])
def test_a_client_that_goes_before_it_is_accepted_is_a_disconnect_if_it_is(end):
    driver = Driver()
    end(driver)
    driver.respond(opening(subscribe("room"), text("m:hi"), headers=[GRIP, (b"set-meta-a", b"1")]))
    assert driver.effects == []
    assert driver.events == [DISCONNECT]
    assert driver.header("meta-a") == b"1"
    driver.respond()
    assert driver.exchange.done


@pytest.mark.parametrize("response", [AppResponse(403), AppResponse(200), AppFailure("it hung", 504)])
def test_a_client_that_goes_before_it_is_refused_is_nobodys_affair(response):
    driver = Driver()
    driver.lose()
    driver.respond(response)
    assert driver.exchange.done
    assert (driver.effects, len(driver.asked)) == ([], 1)


def test_the_application_closes_and_is_told_that_the_client_did_too():
    driver = Driver().accept(subscribe("room"))
    driver.send("one")
    driver.respond(answer(text("m:bye"), close(4001, "enough")))
    assert driver.effects == [Text("bye"), Close(4001, "enough")]
    driver.publish(item("late"))
    driver.send("late")
    assert not driver.is_asked
    driver.close(4001, "enough")
    assert driver.events == [close(4001, "enough")]
    driver.respond(answer(close(4001)))
    assert driver.exchange.done


def test_messages_that_came_before_a_close_of_the_application_still_reach_it():
    driver = Driver().accept()
    driver.send("one")
    driver.send("two")
    driver.respond(answer(close(1000)))
    assert driver.events == [text("two")]
    driver.respond(answer(text("m:too late")))
    assert driver.end == Close(1000)
    driver.lose()
    assert driver.events == [DISCONNECT]


def test_an_empty_close_is_1000():
    driver = Driver().accept(close())
    assert driver.effects == [Close(1000)]


def test_a_published_close_ends_the_connection():
    driver = Driver().accept(subscribe("room"))
    driver.publish(item("last"), item(action="close", code=4009, reason="moved"), item("late"))
    assert driver.effects == [Text("last"), Close(4009, "moved")]
    driver.close(4009)
    assert driver.events == [close(4009)]


def test_a_server_that_restarts_closes_with_1012():
    driver = Driver().accept()
    driver.engine.shut_down(driver.now, is_restart=True)
    driver.take()
    assert driver.effects == [Close(1012, "service restart")]


@pytest.mark.parametrize("messages", [[], ["one"], ["one", "two"]])
def test_a_server_that_ends_closes_with_1001_and_asks_nothing_more(messages):
    driver = Driver().accept(subscribe("room"))
    for message in messages:
        driver.send(message)
    asked = len(driver.asked)
    driver.shut_down()
    assert driver.effects == [Close(1001, "going away")]
    assert driver.exchange.done
    assert len(driver.asked) == asked
    if driver.is_asked:
        driver.respond(answer(text("m:late")))
    driver.close(1001)
    assert len(driver.asked) == asked


def test_a_server_that_ends_refuses_those_that_are_not_accepted_yet():
    driver = Driver()
    driver.shut_down()
    assert_denied(driver, 503)
    assert driver.end.body == b"The server is shutting down.\n"
    driver.respond(opening())
    assert len(driver.effects) == 1


@pytest.mark.parametrize("end", [Driver.close, Driver.lose])
def test_a_server_that_ends_does_not_wait_for_the_application_to_hear_of_a_client(end):
    driver = Driver().accept()
    end(driver)
    driver.shut_down()
    assert driver.exchange.done
    assert driver.effects == []


def test_a_client_that_is_gone_before_the_start_asks_nothing():
    exchange = WebSocketExchange(Engine(), ClientRequest("GET", b"/"))
    exchange.client_gone(1.0)
    exchange.start(1.0)
    assert exchange.done
    assert exchange.take_asks() == []


def test_what_the_client_sends_is_in_no_log_and_no_repr(caplog):
    caplog.set_level(logging.DEBUG)
    driver = Driver().accept()
    driver.send("a secret")
    driver.respond(AppFailure("it raised ValueError"))
    assert "secret" not in caplog.text
    assert "secret" not in repr(driver.asked)
