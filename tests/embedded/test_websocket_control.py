"""Control messages: subscriptions and their filters, meta, detaching, and what the proxy sends by itself."""

from __future__ import annotations

import json

import pytest

from django_grip.protocol.control import build_keep_alive, build_send_delayed
from django_grip.protocol.websocket_events import WebSocketEvent
from django_grip.proxy.effects import Binary, Close, Text
from django_grip.proxy.options import ProxyOptions

from .socket_driver import GRIP, Driver, answer, control, item, opening, subscribe, text


def extension(value: str) -> tuple[bytes, bytes]:
    return (b"sec-websocket-extensions", value.encode())


# The prefix

PREFIXES = [
    # the extension, what is sent, what arrives
    ("grip", ["m:a", "b", ":c", "mm:"], ["a"]),
    ('grip; message-prefix="> "', ["> a", "m:b", ">c"], ["a"]),
    ("grip; message-prefix=x", ["xa", "m:b"], ["a"]),
    ('grip; message-prefix=""', ["a", "m:b", "c"], ["a", "m:b", "c"]),
    ("grip; message-prefix=", ["a"], ["a"]),
    ('grip; other="a, grip; b"', ["m:a", "b"], ["a"]),
    ("permessage-deflate, grip", ["m:a", "b"], ["a"]),
    ("permessage-deflate", ["m:a", "b", 'c:{"type":"detach"}'], ["m:a", "b", 'c:{"type":"detach"}']),
    ("gripper", ["m:a"], ["m:a"]),
]


@pytest.mark.parametrize(("value", "sent", "arrived"), PREFIXES)
def test_a_message_has_the_prefix_or_is_dropped(value, sent, arrived):
    driver = Driver().accept(*map(text, sent), headers=[extension(value)])
    assert driver.said == arrived


def test_without_the_extension_messages_are_as_they_are():
    driver = Driver().accept(text("a"), WebSocketEvent("BINARY", b"m:b"), text("c:{}"), headers=[])
    assert driver.said == ["a", b"m:b", "c:{}"]


def test_binary_messages_have_the_prefix_too_and_are_never_control_messages():
    detach = WebSocketEvent("BINARY", b'c:{"type":"detach"}')
    driver = Driver().accept(WebSocketEvent("BINARY", b"m:\xff"), WebSocketEvent("BINARY", b"\xff"), detach)
    assert driver.said == [b"\xff"]
    driver.send("still there")
    assert driver.is_asked


def test_pings_and_pongs_are_the_servers_affair():
    driver = Driver().accept(WebSocketEvent("PING", b"a"), WebSocketEvent("PONG"), text("m:b"))
    assert driver.effects == [Text("b")]


# Subscriptions


def test_a_subscribed_client_gets_what_is_published_and_no_other():
    driver = Driver().accept()
    driver.publish(item("early"))
    driver.send("hi")
    driver.respond(answer(subscribe("room")))
    assert driver.engine.hub.subscribers()["ws"] == {"room": 1}
    driver.publish(item("one"), item("of another", channel="other"), item(b"\xff", type="binary"), item(""))
    assert driver.effects == [Text("one"), Binary(b"\xff"), Text("")]
    driver.respond() if driver.is_asked else None
    driver.send("hi")
    driver.respond(answer(control('{"type": "unsubscribe", "channel": "room"}')))
    driver.publish(item("late"))
    assert len(driver.effects) == 3


def test_two_subscriptions_to_one_channel_are_one():
    driver = Driver().accept(subscribe("room"), subscribe("room"))
    driver.publish(item("one"))
    assert driver.said == ["one"]


def test_all_clients_share_the_effect_of_an_item():
    one = Driver().accept(subscribe("room"))
    two = Driver(engine=one.engine).accept(subscribe("room"))
    one.publish(item("news"))
    assert one.effects[0] is two.effects[0]


@pytest.mark.parametrize("kind", ["ping", "pong"])
def test_a_published_ping_is_the_servers_affair(kind):
    driver = Driver().accept(subscribe("room"))
    driver.publish(item("x", type=kind))
    assert driver.effects == []


def test_a_published_text_that_is_not_utf_8_reaches_nobody_and_is_logged_once(caplog):
    one = Driver().accept(subscribe("room"))
    two = Driver(engine=one.engine).accept(subscribe("room"))
    one.publish(item(b"a\xff"), item("next"))
    assert (one.said, two.said) == (["next"], ["next"])
    assert caplog.messages == ["A published text message is not UTF-8 at byte 1; no WebSocket gets it."]


def test_a_connection_has_so_many_channels_and_no_more(caplog):
    driver = Driver(options=ProxyOptions(max_channels=2))
    driver.accept(subscribe("a"), subscribe("b"), subscribe("c"), subscribe("a"))
    assert driver.engine.hub.subscribers()["ws"] == {"a": 1, "b": 1}
    assert caplog.messages == ["A WebSocket has 2 channels already; it is not subscribed to 'c'."]
    driver.send("hi")
    driver.respond(answer(control('{"type": "unsubscribe", "channel": "a"}'), subscribe("c")))
    assert driver.engine.hub.subscribers()["ws"] == {"b": 1, "c": 1}


def set_meta(name: str, value: str | None = None) -> WebSocketEvent:
    message = {"type": "set-meta", "name": name}
    return control(json.dumps(message if value is None else {**message, "value": value}))


def test_what_filters_know_does_not_grow_without_end(caplog):
    driver = Driver().accept(subscribe("room", "skip-self"))
    for number in range(20):
        driver.send("hi")
        driver.respond(answer(set_meta("user", f"{number}"), set_meta(f"made up {number:02}", "x" * 9990)))
    assert driver.exchange._control._meta == {
        "user": "19",
        **{f"made up {number:02}": "x" * 9990 for number in range(3)},
    }
    assert "A WebSocket's meta would have 40005 characters; 'made up 03' is not set." in caplog.messages
    driver.send("hi")
    driver.respond(answer(set_meta("made up 00"), set_meta("other", "x" * 9990)))
    assert set(driver.exchange._control._meta) == {"user", "made up 01", "made up 02", "other"}
    driver.publish(item("mine", meta={"sender": "19"}), item("another's", meta={"sender": "1"}))
    assert driver.said == ["another's"]


FILTERED = [
    # filters, the connection's meta, the item's meta, whether it arrives
    (["skip-self"], {"user": "ann"}, {"sender": "ann"}, False),
    (["skip-self"], {"user": "ann"}, {"sender": "bob"}, True),
    (["skip-self"], {}, {"sender": "ann"}, True),
    ([], {"user": "ann"}, {"sender": "ann"}, True),
    (["skip-users"], {"user": "ann"}, {"skip_users": "bob,ann"}, False),
    (["require-sub"], {}, {"require_sub": "other"}, True),
    (["require-sub"], {}, {"require_sub": "nobodys"}, False),
    (["no-such-filter"], {}, {}, True),
]


@pytest.mark.parametrize(("filters", "meta", "item_meta", "arrives"), FILTERED)
def test_filters_keep_items_from_a_client(filters, meta, item_meta, arrives):
    events = [set_meta(*pair) for pair in meta.items()]
    driver = Driver().accept(*events, subscribe("room", *filters), subscribe("other"))
    driver.publish(item("x", meta=item_meta))
    assert driver.said == (["x"] if arrives else [])


def test_what_filters_know_can_be_changed_and_removed():
    driver = Driver().accept(set_meta("user", "ann"), subscribe("room", "skip-self"))
    driver.publish(item("1", meta={"sender": "ann"}))
    driver.send("hi")
    driver.respond(answer(set_meta("user", "bob")))
    driver.publish(item("2", meta={"sender": "ann"}), item("3", meta={"sender": "bob"}))
    driver.send("hi")
    driver.respond(answer(set_meta("user")))
    driver.publish(item("4", meta={"sender": "bob"}))
    assert driver.said == ["2", "4"]
    assert not [name for name, _ in driver.asked[-1].headers if name.startswith(b"meta-")]


def test_a_new_subscription_to_a_channel_has_new_filters():
    driver = Driver().accept(set_meta("user", "ann"), subscribe("room", "skip-self"), subscribe("room"))
    driver.publish(item("x", meta={"sender": "ann"}))
    assert driver.said == ["x"]


NO_CONTROL = [
    ("", "a control message that is not JSON"),
    ("[]", "a control message that is not a JSON object"),
    ('{"type": "no such"}', "unknown type of control message: 'no such'"),
    ('{"type": "subscribe"}', "channel is missing or empty"),
    ('{"type": "keep-alive", "timeout": "x"}', "the timeout in keep-alive is not a number of seconds"),
    ('{"type": "' + "x" * 16_384 + '"}', "16,398 bytes; a control message has at most 16,384"),
]


@pytest.mark.parametrize(("message", "problem"), NO_CONTROL, ids=[problem for _, problem in NO_CONTROL])
def test_a_control_message_that_is_none_does_nothing_but_is_logged(message, problem, caplog):
    driver = Driver().accept(control(message), text("m:next"))
    assert driver.effects == [Text("next")]
    assert caplog.messages == [f"The application sent a control message that is none, which does nothing: {problem}."]


def test_a_session_does_nothing():
    driver = Driver().accept(control('{"type": "session", "id": "x"}'))
    assert (driver.effects, driver.exchange.deadline) == ([], None)


# Detaching


def test_a_detached_client_still_gets_what_is_published_and_asks_nothing():
    driver = Driver()
    driver.send("waits")
    driver.respond(
        opening(
            subscribe("room"),
            control('{"type": "detach"}'),
            text("m:last"),
            headers=[GRIP, (b"keep-alive-interval", b"20")],
        )
    )
    driver.effects.pop(0)
    driver.send("to nobody")
    driver.publish(item("news"), item(action="refresh"))
    driver.sleep(100)
    assert driver.said == ["last", "news"]
    assert len(driver.asked) == 1
    assert driver.exchange.wants_more
    assert driver.exchange._queue.size == 0


@pytest.mark.parametrize("end", [Driver.close, Driver.lose])
def test_the_end_of_a_detached_client_is_told_to_nobody(end):
    driver = Driver().accept(subscribe("room"), control('{"type": "detach"}'))
    end(driver)
    assert driver.exchange.done
    assert len(driver.asked) == 1


def test_a_detached_client_can_be_closed_by_publishing():
    driver = Driver().accept(subscribe("room"), control('{"type": "detach"}'))
    driver.publish(item(action="close", code=4000))
    assert driver.end == Close(4000)
    assert driver.exchange.done


def test_the_application_may_detach_and_close_at_once():
    driver = Driver().accept(control('{"type": "detach"}'), WebSocketEvent("CLOSE", b"\x0f\xa0"))
    assert driver.end == Close(4000)
    assert driver.exchange.done


# What the proxy sends by itself


def keep_alive(content: str | bytes | None, **options) -> WebSocketEvent:
    return control(build_keep_alive(content, **options))


def delayed(content: str | bytes, **options) -> WebSocketEvent:
    return control(build_send_delayed(content, **options))


FLUSH = control('{"type": "flush-delayed"}')


def test_an_idle_keep_alive_counts_from_what_was_sent_last():
    driver = Driver().accept(keep_alive("ping", timeout=30), subscribe("room"))
    driver.sleep(29)
    driver.publish(item("news"))
    driver.sleep(29)
    assert driver.said == ["news"]
    driver.sleep(1)
    assert driver.said == ["news", "ping"]
    driver.sleep(15)
    driver.send("hi")
    driver.respond(answer(text("m:answer")))
    driver.sleep(29)
    assert driver.said == ["news", "ping", "answer"]
    driver.sleep(1 + 30)
    assert driver.said == ["news", "ping", "answer", "ping", "ping"]


def test_an_interval_keep_alive_counts_from_the_last_one():
    driver = Driver().accept(keep_alive("ping", timeout=30, mode="interval"), subscribe("room"))
    driver.sleep(29)
    driver.publish(item("news"))
    driver.sleep(1)
    assert driver.said == ["news", "ping"]
    driver.sleep(90)
    assert driver.said == ["news", *["ping"] * 4]


def test_a_keep_alive_may_be_binary():
    driver = Driver().accept(keep_alive(b"\xff", timeout=30, message_type="binary"))
    driver.sleep(30)
    assert driver.effects == [Binary(b"\xff")]


@pytest.mark.parametrize(
    "end",
    [
        keep_alive(None),
        control('{"type": "keep-alive", "content": ""}'),
        keep_alive("x", message_type="ping"),
        keep_alive(b"\xff", message_type="text"),
    ],
    ids=["none", "empty", "a ping", "no text"],
)
def test_a_keep_alive_ends(end):
    driver = Driver().accept(keep_alive("ping", timeout=30), end)
    assert driver.exchange.deadline is None


def test_a_keep_alive_of_text_that_is_not_utf_8_is_logged(caplog):
    Driver().accept(keep_alive(b"a\xff", message_type="text"))
    assert caplog.messages == ["The text in the control message 'keep-alive' is not UTF-8 at byte 1."]


def test_a_delayed_message_is_sent_after_its_time():
    driver = Driver().accept(delayed("later", timeout=5), text("m:now"))
    driver.sleep(4)
    assert driver.said == ["now"]
    driver.sleep(1)
    assert driver.said == ["now", "later"]
    assert driver.exchange.deadline is None


def test_a_new_delayed_message_sends_the_one_before_it():
    driver = Driver().accept(delayed("one", timeout=5), text("m:between"), delayed(b"two", message_type="binary"))
    assert driver.said == ["between", "one"]
    driver.sleep(1)
    assert driver.said == ["between", "one", b"two"]


def test_a_delayed_message_can_be_sent_before_its_time_once():
    driver = Driver().accept(delayed("one", timeout=5), FLUSH, FLUSH)
    assert driver.said == ["one"]
    driver.sleep(10)
    assert driver.said == ["one"]


@pytest.mark.parametrize("message_type", ["ping", "pong"])
def test_a_delayed_ping_is_the_servers_affair(message_type):
    driver = Driver().accept(delayed("one", message_type=message_type))
    assert driver.exchange.deadline is None


def test_a_delayed_message_puts_off_an_idle_keep_alive():
    driver = Driver().accept(keep_alive("ping", timeout=10), delayed("later", timeout=5))
    driver.sleep(14)
    assert driver.said == ["later"]
    driver.sleep(1)
    assert driver.said == ["later", "ping"]


def test_a_server_that_slept_sends_each_keep_alive_once():
    driver = Driver().accept(keep_alive("ping", timeout=10, mode="interval"), delayed("later"))
    driver.now += 1000
    driver.exchange.wake(driver.now)
    driver.take()
    assert driver.said == ["later", "ping"]
    assert driver.exchange.deadline == driver.now + 10


@pytest.mark.parametrize(
    "end",
    [Driver.close, Driver.lose, lambda driver: driver.publish(item(action="close"))],
    ids=["closed", "lost", "published close"],
)
def test_a_closed_client_is_sent_nothing_more(end):
    driver = Driver().accept(keep_alive("ping", timeout=10), delayed("later"), subscribe("room"))
    end(driver)
    driver.sleep(100)
    assert driver.said == []


def test_ticks_and_keep_alives_each_have_their_time():
    driver = Driver().accept(keep_alive("ping", timeout=15), headers=[GRIP, (b"keep-alive-interval", b"20")])
    driver.sleep(15)
    assert (driver.said, driver.is_asked) == (["ping"], False)
    driver.sleep(5)
    assert driver.is_asked
    driver.sleep(10)
    assert driver.said == ["ping", "ping"]
