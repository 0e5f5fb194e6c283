"""Both ends of WebSocket-over-HTTP: our own session answers what our own proxy asks, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_grip.protocol.session import WebSocketSession
from django_grip.protocol.websocket_events import CONTENT_TYPE, decode_websocket_events
from django_grip.proxy.effects import Accept, Close
from django_grip.proxy.messages import AppFailure, AppRequest, AppResponse

from .socket_driver import CLIENT_HEADERS, Driver, item


class Origin:
    """An application that counts its requests in the connection's meta, and echoes what it reads.

    read: all messages, of whatever request. ends: how its client ended.
    """

    def __init__(self) -> None:
        self.read: list[str | bytes] = []
        self.ends: list[tuple[int | None, str]] = []
        self.requests = 0

    def session(self, ask: AppRequest) -> WebSocketSession:
        headers = {name.decode(): value.decode("latin-1") for name, value in ask.headers}
        meta = {name[5:]: value for name, value in headers.items() if name.startswith("meta-")}
        assert meta.get("count", "0") == str(self.requests)
        replayed = headers.get("content-bytes-replayed")
        return WebSocketSession(
            headers["connection-id"],
            meta,
            decode_websocket_events(ask.body),
            content_bytes_replayed=None if replayed is None else int(replayed),
        )

    def answer(self, ask: AppRequest, *, unread: int = 0, close: int | None = None) -> tuple[AppResponse, list[Any]]:
        """The answer, and the messages in it."""
        session = self.session(ask)
        ended = bool(session.in_events) and session.in_events[-1].type in ("CLOSE", "DISCONNECT")
        echoed: list[str | bytes] = []
        if session.is_opening():
            session.accept()
            session.subscribe("room")
        while session.can_recv() and (ended or close is not None or session.unread > unread):
            message = session.recv()
            if message is None:
                self.ends.append((session.close_code, session.close_reason))
            else:
                self.read.append(message)
                echoed.append(message)
                session.send(message) if isinstance(message, str) else session.send_binary(message)
        if close is not None:
            session.close(close, "enough")
        self.requests += 1
        if not session.is_disconnected():
            session.meta["count"] = str(self.requests)
        built = session.build_response()
        assert session.lost == 0
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in built.headers]
        return AppResponse(200, [(b"content-type", CONTENT_TYPE.encode()), *headers], built.body), echoed


def test_a_conversation():
    driver, origin = Driver(headers=[*CLIENT_HEADERS, (b"sec-websocket-protocol", b"chat.v1")]), Origin()
    driver.respond(origin.answer(driver.asked[-1])[0])
    assert driver.effects == [Accept([])]
    driver.send("one")
    driver.send("zwei: ä")
    driver.send(b"\xff\r\n")
    driver.respond(origin.answer(driver.asked[-1])[0])
    driver.publish(item("news"))
    driver.respond(origin.answer(driver.asked[-1])[0])
    assert driver.said == ["one", "news", "zwei: ä", b"\xff\r\n"]
    driver.close(4001, "bye")
    driver.respond(origin.answer(driver.asked[-1])[0])
    assert origin.ends == [(4001, "bye")]
    assert driver.exchange.done


@pytest.mark.parametrize(("code", "seen"), [(None, None), (1005, None), (1001, 1001), (4999, 4999), (1006, 1006)])
def test_the_application_reads_the_clients_close_code(code, seen):
    driver, origin = Driver(), Origin()
    driver.respond(origin.answer(driver.asked[-1])[0])
    driver.close(code)
    driver.respond(origin.answer(driver.asked[-1])[0])
    assert origin.ends == [(seen, "")]


def test_what_a_view_leaves_unread_comes_again_with_the_next_message():
    driver, origin = Driver(), Origin()
    driver.respond(origin.answer(driver.asked[-1])[0])
    driver.send("one")
    driver.respond(origin.answer(driver.asked[-1], unread=1)[0])
    assert (origin.read, driver.is_asked) == ([], False)
    driver.send("two")
    driver.respond(origin.answer(driver.asked[-1])[0])
    assert origin.read == ["one", "two"]


def test_the_application_closes_with_code_and_reason():
    driver, origin = Driver(), Origin()
    driver.respond(origin.answer(driver.asked[-1])[0])
    driver.send("one")
    driver.respond(origin.answer(driver.asked[-1], close=4003)[0])
    assert driver.effects[1:] == [*driver.effects[1:-1], Close(4003, "enough")]
    assert driver.said == ["one"]
    driver.close(4003, "enough")
    driver.respond(origin.answer(driver.asked[-1])[0])
    assert origin.ends == [(4003, "enough")]


class Story:
    """A driver, an origin, and what must have come of them.

    sent: what the client sent while somebody listened. expected: what must have reached the client.
    """

    def __init__(self) -> None:
        self.driver, self.origin = Driver(), Origin()
        self.sent: list[str | bytes] = []
        self.expected: list[str | bytes] = []
        self.is_open = False  # the client is connected and was not told to close
        self.has_left = False
        self.has_failed = False  # or was shut down, or refused

    def listens(self) -> bool:
        return not (self.has_left or self.driver.end or self.driver.exchange.done)

    def step(self, action: str, value: Any) -> None:
        getattr(self, f"do_{action}")(value)
        self.is_open = self.is_open and self.listens()

    def do_send(self, message: str | bytes) -> None:
        if self.listens():
            self.sent.append(message)
        self.driver.send(message)

    def do_answer(self, options: dict[str, Any]) -> None:
        driver = self.driver
        if not driver.is_asked or driver.exchange.done:
            return
        is_first = driver.answered == 0
        response, echoed = self.origin.answer(driver.asked[-1], **options)
        if self.is_open or (is_first and self.listens()):
            self.expected += echoed
        driver.respond(response)
        self.is_open = self.is_open or (is_first and self.listens())

    def do_fail(self, response: AppResponse | AppFailure) -> None:
        if self.driver.is_asked and not self.driver.exchange.done:
            self.has_failed = True
            self.driver.respond(response)

    def do_publish(self, content: str) -> None:
        if self.is_open:
            self.expected.append(content)
        self.driver.publish(item(content))

    def do_hub(self, action: str) -> None:
        self.driver.publish(item(action=action))

    def do_sleep(self, seconds: float) -> None:
        self.driver.sleep(seconds)

    def do_leave(self, code: int) -> None:
        self.has_left = True
        self.driver.close(code, "bye")

    def do_shut_down(self, _: None) -> None:
        self.has_failed = True
        self.driver.shut_down()

    def finish(self) -> None:
        """The client goes, and the application answers whatever it is asked."""
        self.step("leave", 1006)
        for _ in range(10):
            self.step("answer", {})
        assert self.driver.exchange.done
        assert not self.driver.engine.exchanges


messages = st.one_of(st.text(min_size=1, max_size=5), st.binary(min_size=1, max_size=5))
actions = st.one_of(
    st.tuples(st.just("send"), messages),
    st.tuples(st.just("send"), messages),
    st.tuples(st.just("answer"), st.fixed_dictionaries({"unread": st.integers(0, 2)})),
    st.tuples(st.just("answer"), st.just({})),
    st.tuples(st.just("publish"), st.text(max_size=5)),
    st.tuples(st.just("hub"), st.just("refresh")),
    st.tuples(st.just("sleep"), st.sampled_from([1, 30])),
)
endings = st.one_of(
    st.tuples(st.just("answer"), st.just({"close": 4000})),
    st.tuples(st.just("hub"), st.just("close")),
    st.tuples(st.just("leave"), st.sampled_from([1000, 1001, 1005, 1006, 4000])),
)
breakdowns = st.one_of(
    st.tuples(st.just("shut_down"), st.none()),
    st.tuples(
        st.just("fail"),
        st.sampled_from(
            [AppFailure("it raised ValueError"), AppResponse(403), AppResponse(200, [], b"x"), AppResponse(500)]
        ),
    ),
)


@given(st.lists(st.one_of(actions, actions, actions, endings), max_size=30))
@settings(max_examples=200, deadline=None)
def test_no_message_is_lost_or_doubled_whatever_happens_when(story_of_actions):
    story = Story()
    for action in story_of_actions:
        story.step(*action)
    story.finish()
    assert story.origin.read == story.sent
    assert story.driver.said == story.expected
    assert len(story.origin.ends) == (1 if story.driver.answered else 0)


@given(st.lists(st.one_of(actions, endings, breakdowns), max_size=30))
@settings(max_examples=200, deadline=None)
def test_when_something_breaks_what_was_read_is_the_beginning_of_what_was_sent(story_of_actions):
    story = Story()
    for action in story_of_actions:
        story.step(*action)
    story.finish()
    read = story.origin.read
    assert read == story.sent[: len(read)]
    assert story.has_failed or read == story.sent
    assert story.driver.said == story.expected
    assert len(story.origin.ends) <= 1
