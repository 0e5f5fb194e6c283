"""Publishing to a real Pushpin, with a subscribed client at its other end."""

from __future__ import annotations

import json
import re
import socket
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from django_grip.exceptions import ItemRejected, PublishError
from django_grip.protocol.formats import HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat
from django_grip.protocol.items import Item
from django_grip.publishing import Policy, Publication, Publisher
from tests.e2e.pushpin import PROBE_HOST, Pushpin

from .conftest import PATIENT, MakePublisher, MakeServer, parcel
from .servers import PATIENCE, Behaviour, ControlServer, Request, in_turn

pytestmark = pytest.mark.needs("pushpin", "zmq")


@pytest.fixture(scope="module")
def shared_pushpin() -> Iterator[Pushpin]:
    yield from run_pushpin()


@pytest.fixture
def own_pushpin() -> Iterator[Pushpin]:
    """A Pushpin for a test that kills it."""
    yield from run_pushpin()


def run_pushpin() -> Iterator[Pushpin]:
    # No application: streams are held by Pushpin's own test responder. A rate that is never reached; with a greater one
    # Pushpin 1.36 is so busy with what comes in that it sends nothing out for seconds.
    pushpin = Pushpin(target_port=9, config={"handler": {"message_rate": "20000"}})
    try:
        pushpin.start()
        yield pushpin
    finally:
        pushpin.close()


@pytest.fixture
def channel() -> str:
    return f"test-{uuid.uuid4().hex}"


class Subscriber:
    """A client that holds a stream on a channel and keeps the lines it gets."""

    def __init__(self, pushpin: Pushpin, channel: str) -> None:
        self.lines: list[str] = []
        self.ended = threading.Event()
        self._changed = threading.Condition()
        self._pushpin = pushpin
        self._channel = channel
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.wait(lambda: self._is_open, "the stream to be opened")
        pushpin.wait_subscribed(channel, mode="stream")

    _is_open = False

    def _read(self) -> None:
        options: dict[str, Any] = {"params": {"channel": self._channel}, "headers": {"Host": PROBE_HOST}}
        timeout = httpx.Timeout(PATIENCE, read=None)
        try:
            with (
                httpx.Client(trust_env=False, timeout=timeout) as client,
                client.stream("GET", f"{self._pushpin.url}/stream", **options) as response,
            ):
                for line in response.iter_lines():
                    with self._changed:
                        if self._is_open:
                            self.lines.append(line)
                        self._is_open = True
                        self._changed.notify_all()
        except httpx.TransportError:
            pass
        finally:
            with self._changed:
                self.ended.set()
                self._changed.notify_all()

    def wait(self, condition: Callable[[], object], what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"waited in vain for {what}; got {self.lines[-5:]}"


def relay(pushpin: Pushpin, *, cut: bool = False, withheld: threading.Event | None = None) -> Behaviour:
    """Pass requests on to Pushpin. cut: take its answer, and die instead of passing it back.

    withheld: set when its answer is there; then the server's `released` decides when to die.
    """

    def behave(server: ControlServer, sock: socket.socket, request: Request) -> bool:
        head = f"{request.line}\r\nHost: pushpin\r\nContent-Length: {len(request.body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", pushpin.port("control"))) as upstream:
            upstream.sendall(head.encode() + request.body)
            answer = b"".join(iter(lambda: upstream.recv(65_536), b""))
        if withheld is not None:
            withheld.set()
            server.released.wait(PATIENCE)
        if not cut:
            sock.sendall(answer)
        return False

    return behave


ACCEPTED = [
    HttpStreamFormat("text"),
    HttpStreamFormat("häl ☃ 😀"),
    HttpStreamFormat(b"\xff\x00 binary"),
    HttpStreamFormat("x", content_filters=["skip-self"]),
    HttpStreamFormat(close=True),
    HttpStreamFormat(action="hint"),
    HttpResponseFormat(body="x"),
    HttpResponseFormat(code=404, reason="Gone", headers={"X-A": "b"}, body=b"\xff"),
    HttpResponseFormat(headers=[("A", "1"), ("A", "2")], body=""),
    HttpResponseFormat(body_patch=[{"op": "add", "path": "/a", "value": 1}]),
    HttpResponseFormat(action="hint"),
    WebSocketMessageFormat("text"),
    WebSocketMessageFormat(b"\xff", binary=True),
    WebSocketMessageFormat("x", content_filters=["skip-self", "skip-users"]),
    WebSocketMessageFormat(type="ping"),
    WebSocketMessageFormat(b"x", type="pong"),
    WebSocketMessageFormat(action="close", code=4001, reason="because"),
    WebSocketMessageFormat(action="close"),
]


def show(message: Any) -> str:
    return f"{message.name()} {json.dumps(message.export())}"


@pytest.mark.parametrize("message", ACCEPTED, ids=show)
def test_pushpin_takes_every_format(shared_pushpin: Pushpin, make_publisher: MakePublisher, message: Any) -> None:
    publisher = make_publisher(shared_pushpin.control_url)
    item = Item(message, id="1", prev_id="0", meta={"sender": "me"}, size=3)
    publisher.submit_and_wait(publisher.pack("formats", item)).result()


def test_pushpin_takes_all_formats_in_one_item(shared_pushpin: Pushpin, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(shared_pushpin.control_url)
    item = Item([HttpStreamFormat("x"), HttpResponseFormat(body="x"), WebSocketMessageFormat("x")])
    publisher.submit_and_wait(publisher.pack("formats", item)).result()


def test_an_action_that_this_pushpin_does_not_know_fails_alone(
    shared_pushpin: Pushpin, make_publisher: MakePublisher
) -> None:
    publisher = make_publisher(shared_pushpin.control_url)
    refresh = publisher.submit(publisher.pack("formats", Item(WebSocketMessageFormat(action="refresh"))))
    plain = publisher.submit(publisher.pack("formats", Item(WebSocketMessageFormat("x"))))
    plain.result(PATIENCE)
    try:
        refresh.result(PATIENCE)  # Pushpin 1.38 and later
    except PublishError as error:
        assert isinstance(error.results[0].error, ItemRejected)  # noqa: PT017
        assert "Invalid format" in str(error)  # noqa: PT017


@pytest.mark.parametrize("content", ["text\n", "häl ☃ 😀\n", "a" * 900_000 + "\n"], ids=["text", "unicode", "900 kB"])
def test_what_a_client_gets_is_what_was_published(
    shared_pushpin: Pushpin, make_publisher: MakePublisher, channel: str, content: str
) -> None:
    subscriber = Subscriber(shared_pushpin, channel)
    publisher = make_publisher(shared_pushpin.control_url)
    publisher.submit_and_wait(parcel(publisher, content, channel=channel)).result()
    subscriber.wait(lambda: subscriber.lines, "the item")
    assert subscriber.lines == [content.rstrip("\n")]


def test_answers_that_are_lost_repeat_nothing_at_a_client(
    shared_pushpin: Pushpin, make_publisher: MakePublisher, make_server: MakeServer, channel: str
) -> None:
    subscriber = Subscriber(shared_pushpin, channel)
    lossy = in_turn(*[relay(shared_pushpin, cut=number % 3 != 2) for number in range(30)], relay(shared_pushpin))
    server = make_server(lossy)
    publisher = make_publisher(server, policy=Policy(timeout=60, batch_items=20, backoff=0.001, backoff_limit=0.01))
    contents = [str(number) for number in range(500)]
    publications = [publisher.submit(parcel(publisher, f"{content}\n", channel=channel)) for content in contents]
    publisher.submit_and_wait(parcel(publisher, "last\n", channel=channel)).result()
    subscriber.wait(lambda: "last" in subscriber.lines, "the last item")
    assert subscriber.lines == [*contents, "last"]
    assert all(publication.exception(PATIENCE) is None for publication in publications)
    assert publisher.counters()[server.url].retried > 0


class Load:
    """Threads that publish numbered lines until they are told to stop: some blocking, some not."""

    def __init__(self, publisher: Publisher, channel: str) -> None:
        self.publications: list[tuple[str, Publication]] = []
        self._enough = threading.Event()
        self._lock = threading.Lock()
        self._arguments = (publisher, channel)
        self._threads = [
            threading.Thread(target=self._publish, args=(name, name == "b"), daemon=True) for name in ("a", "b", "c")
        ]
        for thread in self._threads:
            thread.start()

    def _publish(self, name: str, blocking: bool) -> None:
        publisher, channel = self._arguments
        number = 0
        # While Pushpin is away no more than this gathers: what then comes all at once must fit its clients' buffers.
        under_way: deque[Publication] = deque(maxlen=1000)
        while not self._enough.is_set():
            if len(under_way) == under_way.maxlen:
                under_way[0].exception()
            content = f"{name} {number}"
            number += 1
            ready = parcel(publisher, content + "\n", channel=channel)
            with self._lock:
                self.publications.append((content, ready.publication))
            if blocking:
                publisher.submit_and_wait(ready)
            else:
                under_way.append(publisher.submit(ready))
            # Not all that this process can do: the thread that reads would hardly ever get its turn.
            self._enough.wait(0.003)

    def acknowledged(self) -> set[str]:
        with self._lock:
            return {content for content, publication in self.publications if publication.done()}

    def stop(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(PATIENCE)


def runs(lines: list[str]) -> dict[str, list[int]]:
    """The numbers that arrived, by publishing thread."""
    found: dict[str, list[int]] = {}
    for line in lines:
        match = re.fullmatch(r"([abc]) (\d+)", line)
        assert match, line
        found.setdefault(match[1], []).append(int(match[2]))
    return found


def assert_no_gap_and_no_repeat(lines: list[str]) -> None:
    for name, numbers in runs(lines).items():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), name


def test_pushpin_killed_under_load_loses_nothing_that_was_acknowledged(
    own_pushpin: Pushpin, make_publisher: MakePublisher, make_server: MakeServer, channel: str
) -> None:
    server = make_server(relay(own_pushpin))
    publisher = make_publisher(server, policy=PATIENT)
    before = Subscriber(own_pushpin, channel)
    load = Load(publisher, channel)
    before.wait(lambda: len(before.lines) > 300, "items")
    # One request has reached Pushpin, and its answer is on the way, when Pushpin dies. Everything that was
    # acknowledged up to then is with the client.
    withheld = threading.Event()
    server.behave = relay(own_pushpin, cut=True, withheld=withheld)
    assert withheld.wait(PATIENCE)
    uncertain = {item["formats"]["http-stream"]["content"].rstrip() for item in server.requests[-1].items}
    acknowledged = load.acknowledged()
    before.wait(lambda: acknowledged <= set(before.lines), "all that was acknowledged")
    own_pushpin.kill()
    assert before.ended.wait(PATIENCE)
    own_pushpin.start()
    after = Subscriber(own_pushpin, channel)
    server.behave = relay(own_pushpin)
    server.released.set()
    after.wait(lambda: len(after.lines) > 300, "items")
    load.stop()
    assert publisher.flush(PATIENCE)
    everything = {content for content, _ in load.publications}
    after.wait(lambda: everything <= {*before.lines, *after.lines}, "all items")

    assert all(publication.exception() is None for _, publication in load.publications)
    for lines in (before.lines, after.lines):
        assert_no_gap_and_no_repeat(lines)
    # A Pushpin that was killed has forgotten the ids it knew: only what it had not acknowledged comes again.
    assert set(before.lines) & set(after.lines) <= uncertain


def test_pushpin_killed_at_any_moment_and_restarted_leaves_no_gap_for_who_is_subscribed(
    own_pushpin: Pushpin, make_publisher: MakePublisher, channel: str
) -> None:
    publisher = make_publisher(own_pushpin.control_url, policy=PATIENT)
    before = Subscriber(own_pushpin, channel)
    load = Load(publisher, channel)
    before.wait(lambda: len(before.lines) > 300, "items")
    own_pushpin.kill()
    assert before.ended.wait(PATIENCE)
    own_pushpin.start()
    after = Subscriber(own_pushpin, channel)
    after.wait(lambda: len(after.lines) > 300, "items")
    load.stop()
    assert publisher.flush(PATIENCE)
    last = {content.split()[0]: content for content, _ in load.publications}
    after.wait(lambda: set(last.values()) <= set(after.lines), "the last items")

    assert all(publication.exception() is None for _, publication in load.publications)
    for lines in (before.lines, after.lines):
        assert_no_gap_and_no_repeat(lines)
    assert {name: numbers[0] for name, numbers in runs(before.lines).items()} == dict.fromkeys("abc", 0)
