"""Clients that flood, stall or send too much, and applications that fail in the midst of a session."""

from __future__ import annotations

import pytest

from django_grip.protocol.websocket_events import WebSocketEvent
from django_grip.proxy.effects import Close, Deny, Text
from django_grip.proxy.messages import AppFailure, AppResponse
from django_grip.proxy.options import ProxyOptions

from .socket_driver import EVENTS, GRIP, OPEN, Driver, answer, control, item, opening, subscribe, text

WHERE = "The application failed the WebSocket at /chat/%C3%A9/"


def events(body: bytes) -> AppResponse:
    return AppResponse(200, [EVENTS], body)


# Applications

FAILURES = [
    (AppFailure("it raised ValueError"), "it raised ValueError"),
    (AppFailure("it did not answer in 120 seconds", 504), "it did not answer in 120 seconds"),
    (AppResponse(500, [EVENTS]), "it answered 500"),
    (AppResponse(302, [(b"location", b"/login/")]), "it answered 302"),
    (AppResponse(401), "it answered 401"),
    (AppResponse(204, [EVENTS]), "it answered 204"),
    (AppResponse(200), "the Content-Type of its answer is not, byte for byte, 'application/websocket-events'"),
    (events(b"garbage"), "the body is cut off: it does not end with CRLF"),
    (events(b"TEXT 1\r\naPING\r\n"), "event 1: no CRLF after the 1 bytes of content"),
    (events(b"NEWS\r\n"), "event 1: unknown type 'NEWS'"),
    (events(b"TEXT 0\r\n\r\n" * 100_001), "its answer has 1,000,010 bytes; 1,000,000 are taken"),
    (answer(OPEN), "it sent OPEN a second time"),
    (answer(WebSocketEvent("DISCONNECT")), "it sent DISCONNECT, which only clients can"),
    (answer(text(b"m:\xff")), "it sent a text message that is not UTF-8 at byte 0"),
    (events(b"CLOSE 1\r\nx\r\n"), "event 1: CLOSE has one byte of content; a code takes two"),
    (events(b"CLOSE 2\r\n\0\0\r\n"), "it closed with 0, which no client may be sent"),
    (events(b"CLOSE 2\r\n\x03\xed\r\n"), "it closed with 1005, which no client may be sent"),
    (events(b"CLOSE 2\r\n\x03\xee\r\n"), "it closed with 1006, which no client may be sent"),
    (events(b"CLOSE 2\r\n\x13\x88\r\n"), "it closed with 5000, which no client may be sent"),
    (answer(headers=[(b"content-bytes-accepted", b"3")]), "Content-Bytes-Accepted says 3, of 2"),
    (answer(headers=[(b"content-bytes-accepted", b"x")]), "Content-Bytes-Accepted is not a number of bytes"),
    (answer(headers=[(b"set-meta-a b", b"x")]), "a Set-Meta header that could not come back"),
    (answer(headers=[(b"set-meta-a", b"x\0")]), "a Set-Meta header that could not come back"),
]


@pytest.mark.parametrize(("response", "problem"), FAILURES, ids=[problem for _, problem in FAILURES])
def test_an_application_that_fails_closes_its_client_with_1011(response, problem, caplog):
    driver = Driver().accept(subscribe("room"), headers=[GRIP, (b"keep-alive-interval", b"20")])
    driver.send("hi")
    driver.send("waits")
    driver.respond(response)
    assert driver.effects == [Close(1011, "server error")]
    assert caplog.messages == [f"{WHERE}: {problem}. It is closed with 1011."]
    driver.publish(item("late"))
    driver.sleep(100)
    assert not driver.is_asked
    # What it left of its client's messages does not come again, but it is told of the end.
    driver.close(1011)
    assert driver.events == [WebSocketEvent("CLOSE", b"\x03\xf3")]
    driver.respond()
    assert driver.exchange.done


@pytest.mark.parametrize("response", [AppFailure("it raised ValueError"), AppResponse(500), events(b"x")])
def test_what_it_sent_before_it_failed_reaches_the_client(response):
    driver = Driver().accept(text("m:one"))
    driver.send("hi")
    driver.respond(answer(text("m:two"), text(b"m:\xff"), text("m:three")))
    assert driver.effects == [Text("one"), Text("two"), Close(1011, "server error")]
    driver.lose()
    driver.respond(response)
    assert driver.exchange.done


def test_an_opening_that_goes_wrong_behind_its_acceptance_is_a_close():
    driver = Driver()
    driver.respond(opening(text(b"m:\xff")))
    assert driver.effects[1:] == [Close(1011, "server error")]


@pytest.mark.parametrize("end", [Driver.close, Driver.lose])
def test_an_application_that_fails_at_the_end_is_logged_once_and_asked_no_more(end, caplog):
    driver = Driver().accept()
    end(driver)
    driver.respond(AppFailure("it raised ValueError"))
    assert driver.exchange.done
    assert caplog.messages == [f"{WHERE}, which is closed: it raised ValueError."]


@pytest.mark.parametrize("end", [Driver.close, Driver.lose])
def test_an_application_that_fails_while_its_client_goes_is_told_of_the_end(end):
    driver = Driver().accept()
    driver.send("hi")
    driver.send("waits")
    end(driver)
    driver.respond(AppFailure("it raised ValueError"))
    assert [event.type for event in driver.events] in (["CLOSE"], ["DISCONNECT"])
    assert driver.effects == []


def test_a_meta_that_grows_without_end_is_a_failure(caplog):
    driver = Driver().accept()
    for number in range(50):
        driver.send("hi")
        driver.respond(answer(headers=[(b"set-meta-%d" % number, b"x" * 1000)]))
        if driver.end:
            break
    assert number == 39
    assert caplog.messages == [
        f"{WHERE}: the connection's meta would have 40,270 bytes; 40,000 are taken. It is closed with 1011."
    ]


def test_nothing_is_said_to_come_again_once_it_was_forgotten():
    driver = Driver().accept()
    driver.send("one")
    driver.respond(answer(headers=[(b"content-bytes-accepted", b"0")]))
    driver.send("two")
    driver.respond(AppFailure("it raised ValueError"))
    driver.lose()
    assert (driver.events, driver.header("content-bytes-replayed")) == ([WebSocketEvent("DISCONNECT")], b"0")


# Clients that send too much


def test_a_message_that_is_too_big_closes_with_1009(caplog):
    driver = Driver(options=ProxyOptions(max_client_message=10)).accept(text("m:hello"))
    driver.send("x" * 10)
    driver.send("é" * 6)
    driver.send("behind it")
    assert driver.effects == [Text("hello"), Close(1009, "message too big")]
    assert caplog.messages == [
        "The client of the WebSocket at /chat/%C3%A9/ is closed with 1009: it sent a message of 12 bytes."
    ]
    driver.respond()
    driver.close(1009)
    assert driver.events == [WebSocketEvent("CLOSE", b"\x03\xf1")]


def test_a_message_that_is_too_big_before_the_acceptance_is_a_413():
    driver = Driver(options=ProxyOptions(max_client_message=10))
    driver.send("x" * 11)
    driver.send("behind it")
    assert isinstance(driver.end, Deny)
    assert (driver.end.status, driver.end.body) == (413, b"The message is too big.\n")
    driver.respond(opening(text("m:hi")))
    assert driver.events == [WebSocketEvent("DISCONNECT")]
    driver.respond()
    assert driver.exchange.done
    assert len(driver.effects) == 1


def test_a_client_that_floods_is_not_read_from_until_the_application_is_through():
    driver = Driver(options=ProxyOptions(max_client_queue=1000)).accept()
    sent = 0
    while driver.exchange.wants_more:
        driver.send("x")
        sent += 1
    assert sent == 31  # each counts for more than its bytes
    driver.respond()
    assert driver.exchange.wants_more
    assert len(driver.events) == 30


def test_empty_messages_are_a_flood_too():
    driver = Driver(options=ProxyOptions(max_client_queue=1000)).accept()
    for _ in range(40):
        driver.send("")
    assert not driver.exchange.wants_more


def test_a_client_that_floods_before_it_is_accepted_is_not_read_from():
    driver = Driver(options=ProxyOptions(max_client_queue=1000))
    driver.send("x" * 1000)
    assert not driver.exchange.wants_more


@pytest.mark.parametrize("end", [Driver.close, Driver.lose, Driver.shut_down])
def test_whoever_is_gone_keeps_nobody_from_reading_on(end):
    driver = Driver(options=ProxyOptions(max_client_queue=1000)).accept()
    driver.send("x" * 1000)
    end(driver)
    assert driver.exchange.wants_more


# Clients that do not read


def test_a_client_that_reads_too_little_of_what_is_published_is_closed_with_1013(caplog):
    driver = Driver(options=ProxyOptions(max_outbox=100), reads=False).accept(subscribe("room"))
    driver.publish(*[item("x" * 40)] * 3, item("late"))
    driver.reads = True
    driver.take()
    assert driver.effects == [Close(1013, "too slow")]
    assert caplog.messages == [
        "The client of the WebSocket at /chat/%C3%A9/ is closed with 1013: 120 bytes wait for it."
    ]
    driver.lose()
    assert driver.events == [WebSocketEvent("DISCONNECT")]


def test_many_small_messages_are_too_much_too():
    driver = Driver(options=ProxyOptions(max_outbox_items=10), reads=False).accept(subscribe("room"))
    driver.publish(*[item("")] * 11)
    assert driver.exchange.next_effect() == Close(1013, "too slow")


def test_a_slow_client_is_nobody_elses_affair():
    slow = Driver(options=ProxyOptions(max_outbox=100), reads=False).accept(subscribe("room"))
    fast = Driver(engine=slow.engine).accept(subscribe("room"))
    for _ in range(10):
        fast.publish(item("x" * 40))
    assert len(fast.said) == 10
    assert fast.end is None


def test_one_long_answer_is_not_too_much_but_a_second_is():
    driver = Driver(options=ProxyOptions(max_outbox=100), reads=False).accept()
    driver.take()
    driver.reads = True
    driver.take()
    driver.reads = False
    driver.send("hi")
    driver.respond(answer(*[text("m:" + "x" * 40)] * 5))
    assert driver.exchange.outbox_size == 200
    driver.send("hi")
    driver.respond(answer(text("m:one more")))
    assert driver.exchange.next_effect() == Close(1013, "too slow")


def test_a_close_of_the_application_is_not_taken_back_because_the_client_is_slow():
    driver = Driver(options=ProxyOptions(max_outbox=100), reads=False).accept(text("m:waits"))
    driver.send("hi")
    driver.respond(answer(text("m:" + "x" * 100), WebSocketEvent("CLOSE", b"\x0f\xa0")))
    driver.reads = True
    driver.take()
    assert driver.effects[1:] == [Text("waits"), Text("x" * 100), Close(4000)]


def test_keep_alives_for_a_client_that_does_not_read_are_bounded():
    driver = Driver(options=ProxyOptions(max_outbox_items=10), reads=False)
    driver.accept(control('{"type": "keep-alive", "content": "ping", "timeout": 10}'))
    driver.sleep(1000)
    assert driver.exchange.next_effect() == Close(1013, "too slow")
    assert driver.exchange.deadline is None


def test_what_waits_for_a_client_that_is_lost_is_forgotten():
    driver = Driver(reads=False).accept(subscribe("room"))
    driver.publish(item("x"))
    driver.lose()
    assert (driver.exchange.next_effect(), driver.exchange.outbox_size) == (None, 0)


# Drivers


def test_an_item_that_is_late_does_nothing():
    driver = Driver().accept(subscribe("room"))
    for content in ("in time", "late"):
        driver.exchange.receive_item(item(content), "room", driver.now)
        driver.shut_down()
    assert driver.effects == [Text("in time"), Close(1001, "going away")]


def test_a_server_that_ends_takes_back_what_it_did_not_ask_yet():
    driver = Driver().accept()
    driver.exchange.receive_text("hi", driver.now)
    driver.exchange.shut_down(driver.now)
    assert driver.exchange.take_asks() == []


def test_an_answer_that_nobody_asked_for_does_nothing():
    driver = Driver().accept()
    driver.exchange.receive_response(answer(text("m:hi")), driver.now)
    driver.take()
    assert driver.effects == []


@pytest.mark.parametrize("act", [lambda driver: driver.exchange.wake(driver.now + 100), Driver.shut_down])
def test_nothing_comes_of_what_is_done(act):
    driver = Driver().accept(headers=[GRIP, (b"keep-alive-interval", b"20")])
    driver.lose()
    driver.respond()
    act(driver)
    driver.exchange.shut_down(driver.now)
    driver.take()
    assert (driver.effects, driver.is_asked) == ([], False)


def test_a_second_start_and_an_early_waking_do_nothing():
    driver = Driver().accept(headers=[GRIP, (b"keep-alive-interval", b"20")])
    driver.exchange.start(driver.now)
    driver.exchange.wake(driver.now)
    driver.take()
    assert not driver.is_asked
