"""Long-polls: what answers them, when the application is asked again, and what they get when their time has come."""

from __future__ import annotations

from typing import Any

import pytest

from django_grip.protocol.channels import Channel
from django_grip.proxy.effects import Respond
from django_grip.proxy.engine import Engine
from django_grip.proxy.messages import AppFailure, AppResponse
from django_grip.proxy.published import PublishedItem, ResponseMessage

from .core import make_engine, response_item, stream_item
from .http_driver import Client, answer, long_poll, stream


@pytest.fixture
def engine() -> Engine:
    return make_engine()


@pytest.fixture
def client(engine: Engine) -> Client:
    return Client(engine)


def publish(engine: Engine, *items: PublishedItem, now: float = 0.0) -> None:
    engine.publish(items, now)


def hint(channel: str = "c", **facts: Any) -> PublishedItem:
    return response_item(channel, action="hint", **facts)


def message(channel: str = "c", **fields: Any) -> PublishedItem:
    return PublishedItem(channel, response=ResponseMessage(**fields))


# The time-out


@pytest.mark.parametrize(("timeout", "seconds"), [(0, 55.0), (1, 5.0), (5, 5.0), (30, 30.0)])
def test_the_held_answer_comes_when_its_time_has_come(client: Client, timeout: int, seconds: float) -> None:
    headers = [("ETag", '"1"'), ("Content-Length", "999"), ("Connection", "close")]
    client.answer(answer(long_poll("c", timeout=timeout), b"nothing new\n", headers=headers))
    assert (client.is_waiting, client.exchange.deadline) == (True, seconds)
    client.wake(seconds - 0.1)
    assert client.is_waiting
    client.wake(seconds)
    assert client.response == Respond(200, [(b"etag", b'"1"'), (b"content-length", b"12")], b"nothing new\n")
    assert (client.exchange.done, client.exchange.deadline, client.exchange.engine.exchanges) == (True, None, set())


@pytest.mark.parametrize("status", [204, 304])
def test_the_status_is_the_one_that_was_meant_and_some_have_no_body(client: Client, status: int) -> None:
    client.answer(answer(long_poll("c", status=status), b"ignored", headers=[("ETag", '"1"')]))
    client.wake(55.0)
    assert client.response == Respond(status, [(b"etag", b'"1"')], b"")


def test_only_exposed_headers_are_seen(client: Client) -> None:
    instruct = long_poll("c", expose_headers=["etag", "X-Two"])
    client.answer(answer(instruct, headers=[("ETag", '"1"'), ("X-One", "1"), ("x-two", "2")]))
    client.wake(55.0)
    assert client.response.headers == [(b"etag", b'"1"'), (b"x-two", b"2"), (b"content-length", b"0")]


# What is published


def test_a_published_response_is_the_answer_with_headers_of_the_held_one(engine: Engine, client: Client) -> None:
    client.answer(answer(long_poll("c"), b"old", headers=[("ETag", '"1"'), ("X-Kept", "é")]))
    headers = [(b"ETag", b'"2"'), (b"Content-Length", b"9"), (b"Grip-Hold", b"stream"), (b"X-New", b"n")]
    publish(engine, message(code=201, reason="Fine", headers=headers, body=b"new"), response_item("c", b"late"))
    assert client.response == Respond(
        201,
        [(b"x-kept", "é".encode("latin-1")), (b"etag", b'"2"'), (b"x-new", b"n"), (b"content-length", b"3")],
        b"new",
    )
    assert engine.hub.subscribers()["response"] == {}


def test_a_published_response_may_say_which_headers_are_seen(engine: Engine, client: Client) -> None:
    client.answer(answer(long_poll("c"), headers=[("X-One", "1"), ("X-Two", "2")]))
    publish(engine, message(headers=[(b"Grip-Expose-Headers", b"x-two, X-Three"), (b"X-Three", b"3"), (b"x-4", b"4")]))
    assert client.response.headers == [(b"x-two", b"2"), (b"x-three", b"3"), (b"content-length", b"0")]


def test_what_is_not_for_long_polls_is_passed_over(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c", "d"))
    publish(engine, stream_item("c"), response_item("other"))
    assert client.is_waiting
    publish(engine, response_item("d", b"new"))
    assert client.response.body == b"new"


def test_filters_let_a_client_wait_on(engine: Engine, client: Client) -> None:
    client.answer(long_poll(Channel("c", filters=["skip-self"]), meta={"user": "ada"}))
    publish(engine, response_item("c", b"hers", meta={"sender": "ada"}), hint(meta={"sender": "ada"}))
    assert client.is_waiting
    publish(engine, response_item("c", b"his", meta={"sender": "bob"}))
    assert client.response.body == b"his"


@pytest.mark.parametrize(("end", "expected"), [(b"", b""), (b"\n", b"\n"), (b"\r\n", b"\r\n")])
def test_a_body_patch_is_applied_to_the_held_body(engine: Engine, client: Client, end: bytes, expected: bytes) -> None:
    client.answer(long_poll("c"), b'{"a": [1], "b": "\xc3\xa9"}' + end)
    publish(engine, message(patch=[{"op": "add", "path": "/a/-", "value": 2}]))
    assert client.response.body == '{"a":[1,2],"b":"é"}'.encode() + expected


def test_a_body_patch_that_does_not_fit_lets_the_application_answer(
    engine: Engine, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.answer(long_poll("c"), b'{"a": 1}')
    publish(engine, message(patch=[{"op": "remove", "path": "/secret"}]))
    assert client.ask.purpose == "replay"
    assert caplog.messages == [
        "A body-patch does not fit the response that is held: operation 1: the path leads to nothing"
    ]


def test_one_patch_serves_all_who_wait(engine: Engine) -> None:
    clients = [Client(engine) for _ in range(3)]
    for number, client in enumerate(clients):
        client.answer(long_poll("c"), b'{"n": %d}' % number)
    patch = [{"op": "add", "path": "/l", "value": []}, {"op": "add", "path": "/l/-", "value": 1}]
    publish(engine, message(patch=patch))
    assert [client.response.body for client in clients] == [b'{"n":%d,"l":[1]}' % number for number in range(3)]


# Asking again


def test_a_hint_lets_the_application_answer_the_clients_own_request_again(engine: Engine) -> None:
    headers = [
        (b"host", b"example.com"),
        (b"cookie", b"mine"),
        (b"if-none-match", b'"1"'),
        (b"grip-sig", b"forged"),
        (b"grip_last", b"forged"),
        (b"connection", b"x"),
    ]
    client = Client(engine, method="POST", path=b"/doc/%C3%A9", query=b"a=1&b", headers=headers, body=b"question")
    assert [name for name, _ in client.ask.headers] == [b"host", b"cookie", b"if-none-match", b"grip-feature"]
    client.answer(long_poll(Channel("c", "5"), "d"))
    publish(engine, hint("d"))
    ask = client.ask
    assert (ask.purpose, ask.method, ask.path, ask.query) == ("replay", "POST", b"/doc/%C3%A9", b"a=1&b")
    assert ask.body == b"question"
    assert (b"cookie", b"mine") in ask.headers
    assert client.last == {"c": "5"}
    assert client.exchange.deadline is None
    client.answer(answer(None, b"new", headers=[("ETag", '"2"')]))
    assert client.response == Respond(200, [(b"etag", b'"2"'), (b"content-length", b"3")], b"new")


def test_an_answer_that_holds_again_waits_for_its_own_time(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c", timeout=30))
    publish(engine, hint(), now=20.0)
    client.answer(long_poll("d", timeout=10), b"second", now=21.0)
    assert (client.is_waiting, client.exchange.deadline) == (True, 31.0)
    publish(engine, response_item("c", b"not it"), now=22.0)
    assert client.is_waiting
    client.wake(31.0)
    assert client.response.body == b"second"


def test_an_answer_may_go_on_as_a_stream(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c"))
    publish(engine, hint())
    client.answer(stream("c"), b"open ")
    publish(engine, stream_item("c", b"more"))
    assert (client.data, client.exchange.mode) == (b"open more", "stream")


def test_a_failure_of_the_application_is_the_answer(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c"))
    publish(engine, hint())
    client.answer(AppFailure("it raised an exception", 500))
    assert (client.response.status, client.response.body) == (500, b"The application has failed.\n")


def test_a_refusal_is_the_answer(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c"))
    publish(engine, hint())
    client.answer(answer(None, status=302, headers=[("Location", "/log-in/")]))
    assert client.response.headers == [(b"location", b"/log-in/"), (b"content-length", b"0")]


def test_a_request_too_big_to_be_made_again_gets_the_held_answer(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(engine, method="POST", body=None)
    assert client.ask.body == b""
    client.answer(long_poll("c"), b"held")
    publish(engine, hint())
    assert client.response.body == b"held"
    assert caplog.messages == [
        "The long-poll at /feed/ is answered as if its time had come: its request was too big to be made again."
    ]


def test_what_was_published_while_the_application_answered_is_asked_about_at_once(engine: Engine) -> None:
    waiting, other = Client(engine), Client(engine, path=b"/other/")
    publish(engine, hint())
    waiting.answer(long_poll("c"))
    other.answer(long_poll("d"))
    assert (waiting.ask.purpose, other.is_waiting) == ("replay", True)
    waiting.answer(long_poll("c"))
    assert waiting.is_waiting


def test_what_was_published_for_others_while_it_answered_is_no_reason_to_ask(engine: Engine, client: Client) -> None:
    publish(engine, stream_item("c"))
    client.answer(long_poll("c"))
    assert client.is_waiting


def test_a_prev_id_that_is_not_the_last_one_is_asked_about_once_for_each_client(engine: Engine) -> None:
    publish(engine, response_item("c", id="6"))
    clients = [Client(engine, now=1.0) for _ in range(3)]
    for client in clients:
        client.answer(long_poll(Channel("c", "5")), now=1.0)
        assert client.last == {"c": "5"}
        # Its ids are its own affair.
        client.answer(long_poll(Channel("c", "5")), now=1.0)
        assert client.is_waiting


def test_a_prev_id_that_is_the_last_one_is_held(engine: Engine, client: Client) -> None:
    publish(engine, response_item("c", id="6"))
    late = Client(engine)
    late.answer(long_poll(Channel("c", "6"), Channel("unheard-of", "1")))
    assert late.is_waiting


def test_an_item_that_does_not_follow_lets_the_application_answer(engine: Engine, client: Client) -> None:
    client.answer(long_poll(Channel("c", "5")))
    publish(engine, response_item("c", b"seven", id="7", prev_id="6"))
    assert client.last == {"c": "5"}


def test_items_that_follow_are_counted_even_when_filtered_out(engine: Engine, client: Client) -> None:
    client.answer(long_poll(Channel("c", "5", ["skip-self"]), meta={"user": "ada"}))
    publish(engine, response_item("c", b"five", id="5", prev_id="4"))
    publish(engine, response_item("c", b"six", id="6", prev_id="5", meta={"sender": "ada"}))
    publish(engine, response_item("c", b"seven", id="7", prev_id="6"))
    assert client.response.body == b"seven"


def test_a_hint_with_an_id_leaves_the_one_that_the_client_has(engine: Engine, client: Client) -> None:
    client.answer(long_poll(Channel("c", "5")))
    publish(engine, hint(id="6", prev_id="5"))
    assert client.last == {"c": "5"}


def test_a_client_whom_no_answer_suits_is_looked_at_once_a_second(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c"), now=10.0)
    for _ in range(3):
        publish(engine, hint(), now=10.0)
        client.answer(long_poll("c"), now=10.1)
    publish(engine, hint(), hint(), now=10.2)
    assert (client.is_waiting, client.exchange.deadline) == (True, 11.0)
    client.wake(11.0)
    client.answer(long_poll("c"), now=11.1)
    publish(engine, hint(), now=11.2)
    assert client.exchange.deadline == 12.0
    client.wake(12.0)
    client.answer(long_poll("c"), now=12.1)
    publish(engine, hint(), now=20.0)
    assert client.ask.purpose == "replay"


def test_what_is_published_in_that_second_is_the_answer_at_once(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c"))
    for _ in range(3):
        publish(engine, hint())
        client.answer(long_poll("c"))
    publish(engine, hint(), response_item("c", b"new"))
    assert client.response.body == b"new"


def test_the_driver_hears_that_the_deadline_has_become_sooner(engine: Engine, client: Client) -> None:
    heard: list[float | None] = []
    client.answer(long_poll("c"))
    for _ in range(3):
        publish(engine, hint())
        client.answer(long_poll("c"))
    client.exchange.notify = lambda: heard.append(client.exchange.deadline)
    publish(engine, hint(), now=0.5)
    assert heard == [1.0]


# The end


def test_a_client_that_has_gone_is_forgotten(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c", gone_link="/gone"))
    client.leave()
    assert [ask.path for ask in client.gone] == [b"/gone"]
    assert (client.effects, engine.exchanges, engine.hub._subscriptions) == ([], set(), {})


def test_a_client_that_goes_while_it_is_asked_again_is_forgotten(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c"))
    publish(engine, hint())
    client.leave()
    client.exchange.receive_response(answer(long_poll("c")), 1.0)
    client.pump()
    assert (client.effects, engine.exchanges, engine.hub._subscriptions) == ([], set(), {})


def test_the_gone_link_is_asked_once_at_the_end_of_all(engine: Engine, client: Client) -> None:
    client.answer(long_poll("c", gone_link="/gone/1"))
    publish(engine, hint())
    assert client.gone == []
    client.answer(long_poll("c", gone_link="/gone/2"))
    publish(engine, response_item("c", b"new"))
    assert [ask.path for ask in client.gone] == [b"/gone/2"]


def test_at_the_end_of_the_server_all_who_wait_get_the_held_answer(engine: Engine) -> None:
    waiting, asked_again = Client(engine), Client(engine)
    for client in (waiting, asked_again):
        client.answer(long_poll("c" if client is waiting else "d", gone_link="/gone"), b"held")
    publish(engine, hint("d"))
    engine.shut_down(3.0)
    assert [client.response.body for client in (waiting, asked_again)] == [b"held", b"held"]
    assert [client.gone for client in (waiting, asked_again)] == [[], []]
    assert engine.exchanges == set()


def test_after_the_end_of_the_server_nothing_is_held(engine: Engine, client: Client) -> None:
    engine.shut_down(0.0)
    client.answer(long_poll("c"), b"held")
    assert client.response.body == b"held"


def test_a_big_body_is_not_held(caplog: pytest.LogCaptureFixture) -> None:
    engine = make_engine(max_held_body=10)
    client, other = Client(engine), Client(engine)
    client.answer(long_poll("c"), b"x" * 11)
    assert client.response.status == 502
    assert caplog.messages == [
        "The application's answer at /feed/ cannot be followed: it is held with a body of 11 bytes; the limit is 10"
    ]
    other.answer(stream("c"), b"x" * 11)
    assert other.data == b"x" * 11


def test_an_answer_that_comes_whole_again_is_not_held(engine: Engine, client: Client) -> None:
    client.answer(AppResponse(200, [(b"Grip-Status", b"404 Not here"), (b"Content-Length", b"1")], b"x"))
    assert client.response == Respond(404, [(b"content-length", b"1")], b"x")
