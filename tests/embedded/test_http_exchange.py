"""A client's HTTP request: what the application is asked, what is refused, and what is nobody's but the client's."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_grip.protocol.channels import Channel
from django_grip.protocol.instruct import Instruct, build_instruct_headers
from django_grip.protocol.instruct_json import Response, build_instruct_json
from django_grip.proxy.effects import Begin, Chunk, Respond
from django_grip.proxy.engine import Engine
from django_grip.proxy.http.exchange import HttpExchange
from django_grip.proxy.http.instructions import has_instruct
from django_grip.proxy.messages import AppFailure, AppResponse, Headers
from django_grip.proxy.published import PublishedItem, ResponseMessage, StreamMessage

from .core import make_engine, response_item, stream_item
from .http_driver import Client, answer, check_course, long_poll, stream

REFUSAL = Respond(
    502,
    [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"64"),
    ],
    b"The application's answer is not one that the proxy understands.\n",
)


@pytest.fixture
def engine() -> Engine:
    return make_engine()


@pytest.fixture
def client(engine: Engine) -> Client:
    return Client(engine)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], False),
        ([(b"content-type", b"text/html"), (b"x-grip-hold", b"stream")], False),
        ([(b"grip-status", b"404")], True),
        ([(b"Grip-Anything", b"")], True),
        ([(b"content-type", b"application/grip-instruct")], True),
        ([(b"Content-Type", b"Application/GRIP-instruct ; charset=utf-8")], True),
        ([(b"content-type", b"application/grip-instructions")], False),
    ],
)
def test_an_instruction_is_known_by_the_headers(headers: Headers, expected: bool) -> None:
    assert has_instruct(headers) is expected


def test_the_application_is_asked_for_what_the_client_asked(engine: Engine) -> None:
    client = Client(engine, method="PUT", path=b"/a%20b", query=b"q=%C3%A9", body=b"content")
    ask = client.ask
    assert (ask.purpose, ask.method, ask.path, ask.query, ask.body) == (
        "open",
        "PUT",
        b"/a%20b",
        b"q=%C3%A9",
        b"content",
    )
    assert (client.exchange.mode, client.exchange.deadline) == ("", None)


def test_a_client_that_plays_the_proxy_is_refused_before_the_application_is_asked(engine: Engine) -> None:
    client = Client(engine, method="POST", headers=[(b"content-type", b"application/websocket-events")])
    assert (client.asks, client.response.status, engine.exchanges) == ([], 403, set())


def test_an_answer_that_passes_through_ends_the_exchange(engine: Engine, client: Client) -> None:
    client.exchange.pass_through()
    assert (client.exchange.done, engine.exchanges, client.effects) == (True, set(), [])


def test_an_answer_without_an_instruction_is_the_clients(client: Client) -> None:
    client.answer(answer(None, b"page", status=404, headers=[("X-One", "1"), ("Content-Length", "4")]))
    assert client.response == Respond(404, [(b"x-one", b"1"), (b"content-length", b"4")], b"page")


def test_a_failure_of_the_application_is_said_plainly(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.answer(AppFailure("it raised an exception", 500))
    assert (client.response.status, client.response.body) == (500, b"The application has failed.\n")
    assert caplog.messages == ["The application failed at /feed/: it raised an exception"]


@pytest.mark.parametrize("hold", [stream("c"), long_poll("c"), Instruct(next_link="/n")])
def test_a_head_request_gets_the_head_at_once(engine: Engine, hold: Instruct) -> None:
    client = Client(engine, method="HEAD")
    client.answer(answer(hold, b"", headers=[("ETag", '"1"')]))
    assert client.response == Respond(200, [(b"etag", b'"1"'), (b"content-length", b"0")], b"")
    assert (client.exchange.done, engine.hub._subscriptions, client.asks) == (True, {}, [])


@pytest.mark.parametrize(
    ("headers", "body", "problem"),
    [
        ([("grip-hold", "forever")], b"", "Grip-Hold must be either 'response' or 'stream'"),
        ([("grip-hold", "response")], b"", "Grip-Hold has no Grip-Channel beside it, so nothing could ever come"),
        ([("grip-hold", "stream")], b"", "Grip-Hold has no Grip-Channel beside it, so nothing could ever come"),
        (
            [("grip-hold", "response"), ("grip-channel", "c"), ("grip-timeout", "soon")],
            b"",
            "Grip-Timeout 'soon' is not a number of seconds from 0 to 2,147,483",
        ),
        (
            [("grip-hold", "stream"), ("grip-channel", 'c; filter="')],
            b"",
            "grip-channel: the header value 'c; filter=\"' has a quote that does not end, at 10",
        ),
        (
            [("grip-hold", "stream"), ("grip-channel", "c; prev-id=5")],
            b"",
            "Grip-Channel says a prev-id for 'c', but Grip-Link says no next link",
        ),
        (
            [("grip-hold", "stream"), ("grip-channel", "c"), ("grip-status", "304")],
            b"",
            "Grip-Hold says a stream, but a response with the status 304 has no body",
        ),
        ([("grip-status", "101")], b"", "Grip-Status says 101, but a client can be answered with 200 to 599 only"),
        ([("grip-status", "fine")], b"", "Grip-Status does not begin with a status code of three digits"),
        ([("grip-link", "next")], b"", "Grip-Link has a link that is not <url>"),
        (
            [("content-type", "application/grip-instruct")],
            b"[]",
            "the instruction is not a JSON object",
        ),
        (
            [("content-type", "application/grip-instruct")],
            b'{"hold": {"mode": "stream", "channels": []}}',
            "Grip-Hold has no Grip-Channel beside it, so nothing could ever come",
        ),
        (
            [("content-type", "application/grip-instruct")],
            b'{"response": {"body": "\\ud800"}}',
            "the response of the instruction has a body with a lone surrogate",
        ),
    ],
)
def test_an_instruction_that_cannot_be_followed_is_a_502_and_the_log_says_why(
    client: Client, headers: list[tuple[str, str]], body: bytes, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.answer(answer(None, body, headers=headers))
    assert client.effects == [REFUSAL]
    assert caplog.messages == [f"The application's answer at /feed/ cannot be followed: {problem}"]
    assert client.exchange.engine.exchanges == set()


def test_channels_over_the_limit_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    engine = make_engine(max_channels=2)
    client = Client(engine)
    client.answer(stream("a", "b", "c"))
    assert engine.hub.subscribers()["stream"] == {"a": 1, "b": 1}
    assert caplog.messages == ["A hold has 3 channels; those after the first 2 are left out."]


def test_the_clients_path_is_logged_without_what_is_secret(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(engine, path=b"/a\n/.grip/token/", query=b"secret")
    client.answer(answer(None, headers=[("grip-hold", "x")]))
    assert caplog.messages[0].startswith("The application's answer at /a\\n cannot be followed")
    assert "secret" not in caplog.text
    assert "token" not in caplog.text


# The JSON form


def json_answer(instruct: Instruct, response: Response, headers: Headers | None = None) -> AppResponse:
    body = build_instruct_json(instruct, response)
    return AppResponse(200, [(b"content-type", b"application/grip-instruct"), *(headers or [])], body)


def test_the_json_form_holds_and_its_response_is_what_the_client_sees(engine: Engine, client: Client) -> None:
    instruct = stream(Channel("c", filters=["skip-self"]), meta={"user": "ada"})
    response = Response(201, "Fine", {"X-Kept": "é", "Content-Length": "9"}, b"open\xff")
    client.answer(json_answer(instruct, response, [(b"x-lost", b"1")]))
    engine.publish([stream_item("c", b"hers", meta={"sender": "ada"}), stream_item("c", b"his")], 0.0)
    assert client.effects == [Begin(201, [(b"x-kept", "é".encode())]), Chunk(b"open\xff"), Chunk(b"his")]


def test_the_json_form_keeps_alive_by_the_interval(client: Client) -> None:
    client.answer(json_answer(stream("c", keep_alive="x", keep_alive_timeout=20), Response(body="open")))
    client.wake(40.0)
    assert client.data == b"openxx"


def test_links_stand_beside_the_json_form(engine: Engine, client: Client) -> None:
    link = [(b"grip-link", b"</n>; rel=next; timeout=30, </gone>; rel=gone")]
    client.answer(json_answer(stream("c"), Response(), link))
    client.wake(30.0)
    assert client.ask.path == b"/n"
    client.leave()
    assert [ask.path for ask in client.gone] == [b"/gone"]


def test_the_json_form_without_a_hold_is_a_response(client: Client) -> None:
    body = json.dumps({"response": {"code": 404, "headers": [["X-A", "1"], ["X-A", "2"]], "body": "é"}}).encode()
    client.answer(AppResponse(200, [(b"content-type", b"application/grip-instruct")], body))
    headers = [(b"x-a", b"1"), (b"x-a", b"2"), (b"content-length", b"2")]
    assert client.response == Respond(404, headers, "é".encode())


def test_the_json_form_must_be_a_200(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.answer(AppResponse(201, [(b"content-type", b"application/grip-instruct")], b"{}"))
    assert client.response.status == 502
    assert "must have the status 200" in caplog.text


def test_the_json_form_is_small(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(make_engine(max_held_body=20))
    client.answer(json_answer(stream("c"), Response(body="x" * 20)))
    assert client.response.status == 502
    assert "the limit is 20" in caplog.text


# Whatever happens, in whatever order

CHANNELS = st.sampled_from(["a", "b"])
IDS = st.sampled_from([None, "1", "2", "3", "4"])


@st.composite
def instructs(draw: st.DrawFn) -> Instruct:
    names = draw(st.lists(CHANNELS, min_size=1, max_size=2, unique=True))
    link = draw(st.sampled_from(["", "/next", "?x", "http://elsewhere/"]))
    channels = [Channel(name, draw(IDS) if link else None) for name in names]
    hold = draw(st.sampled_from(["stream", "stream", "response", ""]))
    instruct = Instruct(hold=hold, channels=channels if hold else [], next_link=link)
    if hold or link:
        instruct.gone_link = draw(st.sampled_from(["", "/gone"]))
    if hold == "stream" and draw(st.booleans()):
        instruct.set_keep_alive("k", draw(st.integers(1, 30)), mode=draw(st.sampled_from(["idle", "interval"])))
    instruct.timeout = draw(st.sampled_from([0, 5, 30]))
    return instruct


@st.composite
def answers(draw: st.DrawFn) -> AppResponse | AppFailure:
    kind = draw(st.sampled_from(["instruct"] * 6 + ["plain", "failure", "garbage", "302"]))
    body = draw(st.sampled_from([b"", b"body", b'{"a": 1}']))
    if kind == "failure":
        return AppFailure("it raised", 500)
    if kind == "garbage":
        return AppResponse(200, [(b"grip-hold", b"?")], body)
    if kind != "instruct":
        return AppResponse(302 if kind == "302" else 200, [(b"x-one", b"1")], body)
    headers = build_instruct_headers(draw(instructs()))
    return AppResponse(200, [(name.lower().encode(), value.encode("latin-1")) for name, value in headers], body)


@st.composite
def items(draw: st.DrawFn) -> PublishedItem:
    item = PublishedItem(draw(CHANNELS), id=draw(IDS), prev_id=draw(IDS), no_seq=draw(st.booleans()))
    if draw(st.booleans()):
        item.stream = StreamMessage(
            draw(st.sampled_from(["send", "send", "hint", "close"])), b"x" * draw(st.integers(0, 9))
        )
    if draw(st.booleans()):
        patch = draw(st.sampled_from([None, None, [{"op": "remove", "path": "/a"}]]))
        item.response = ResponseMessage(draw(st.sampled_from(["send", "hint"])), body=b"published", patch=patch)
    return item


INPUTS = st.one_of(
    st.tuples(st.just("answer"), answers()),
    st.tuples(st.just("publish"), st.lists(items(), min_size=1, max_size=4)),
    st.tuples(st.just("wait"), st.floats(0, 200)),
    st.tuples(st.just("read"), st.booleans()),
)


class Course:
    """One client through any number of inputs, the rules looked at after each."""

    def __init__(self, method: str) -> None:
        self.engine = make_engine(max_outbox=60)
        self.now = 0.0
        self.client = Client(self.engine, method=method)
        self.wakes = 0

    def take(self, kind: str, value: object) -> None:
        if kind == "answer" and self.client.asks:
            self.client.answer(value, now=self.now)
        elif kind == "publish":
            self.engine.publish(value, self.now)
        elif kind == "wait":
            self._wait(self.now + value)
        elif kind == "read":
            self.client.reads = value
        elif kind == "leave":
            self.client.leave(self.now)
        elif kind == "shut down":
            self.engine.shut_down(self.now)
        self.client.pump()
        self.check()

    def _wait(self, until: float) -> None:
        exchange = self.client.exchange
        while True:
            deadlines = [at for at in (exchange.deadline, self.engine.deadline) if at is not None and at <= until]
            if not deadlines:
                break
            self.now = max(self.now, min(deadlines))
            self.wakes += 1
            assert self.wakes < 5_000, "a deadline does not go by"
            self.engine.wake(self.now)
            exchange.wake(self.now)
            self.client.pump()
        self.now = until

    def check(self) -> None:
        client, exchange = self.client, self.client.exchange
        everything = client.effects + list(exchange.outbox)
        check_course(everything)
        assert exchange.outbox_size == sum(effect.size for effect in exchange.outbox)
        assert len(client.asks) <= 1
        assert len(client.gone) <= 1
        if exchange.done:
            assert exchange.deadline is None
            assert exchange not in self.engine.exchanges
            assert exchange not in self.engine.hub._subscriptions
        else:
            assert exchange in self.engine.exchanges
            is_held = exchange in self.engine.hub._subscriptions
            is_paging = bool(exchange.outbox) or exchange.deadline is not None
            assert client.asks or is_held or is_paging, "nothing will ever come of it"
        if exchange.mode == "response" and not client.asks:
            assert exchange.deadline is not None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "HEAD"]),
    answers(),
    st.lists(INPUTS, max_size=15),
    st.sampled_from(["leave", "shut down"]),
)
def test_whatever_happens_an_exchange_ends_once_and_leaves_nothing(
    method: str, first: AppResponse | AppFailure, inputs: list[tuple[str, object]], end: str
) -> None:
    logging.getLogger("django_grip").setLevel(logging.CRITICAL)
    try:
        course = Course(method)
        for kind, value in [("answer", first), *inputs, (end, None)]:
            course.take(kind, value)
        if course.client.asks and not course.client.exchange.done:
            course.take("answer", first)
        assert course.client.exchange.done
        assert course.engine.exchanges == set()
        assert not any(state.subscribers for state in course.engine.hub._channels.values())
    finally:
        logging.getLogger("django_grip").setLevel(logging.NOTSET)


def test_an_exchange_without_a_hold_takes_any_input(engine: Engine) -> None:
    exchange = Client(engine).exchange
    assert isinstance(exchange, HttpExchange)
    exchange.wake(1.0)
    exchange.receive_item(response_item("c"), "c", 1.0)
    exchange.replay(1.0)
    assert not exchange.done
