"""Items to proxies: batches, order, and several proxies at once."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from django_grip.exceptions import (
    ChannelNameError,
    ItemError,
    ItemRejected,
    NoProxy,
    NotSent,
    ProxyRefused,
    PublisherClosed,
    PublishError,
    PublishTimeout,
)
from django_grip.protocol.formats import HttpStreamFormat
from django_grip.protocol.items import Item
from django_grip.publishing import HttpTransport, Policy, Publication, Publisher

from .conftest import (
    HASTY,
    IMPATIENT,
    PATIENT,
    MakePublisher,
    MakeServer,
    events,
    lost,
    parcel,
    wait_accepted,
    wait_failing,
)
from .servers import (
    PATIENCE,
    Behaviour,
    ControlServer,
    accept,
    accept_and_keep,
    answer,
    gated,
    hang,
    in_turn,
    raw,
    refuse_items,
    take_and_reset,
)

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


def submit(publisher: Publisher, content: str = "hello", **options: Any) -> Publication:
    return publisher.submit(parcel(publisher, content, **options))


def submit_behind(
    server: ControlServer, publisher: Publisher, gate: threading.Event, *contents: str
) -> list[Publication]:
    """Submit while a first request is under way, so that all of it goes in the next."""
    server.behave = in_turn(gated(gate, server.behave), server.behave)
    first = submit(publisher, "first")
    server.wait(lambda: server.requests, "the first request")
    others = [submit(publisher, content) for content in contents]
    gate.set()
    return [first, *others]


# ---- one proxy that works


def test_an_item_arrives_as_it_was_made(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(server)
    publication = publisher.submit(publisher.pack("room", Item(HttpStreamFormat("häl\n"), meta={"sender": "x"})))
    [result] = publication.result(PATIENCE)
    assert result == (server.url, None, 1)
    [item] = server.taken
    assert item.pop("id")
    assert item == {
        "channel": "room",
        "formats": {"http-stream": {"content": "häl\n"}},
        "meta": {"sender": "x"},
        "no-seq": True,
    }


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {"no-seq": True}),
        ({"no_seq": True}, {"no-seq": True}),
        ({"id": "7"}, {"id": "7"}),
        ({"id": "7", "prev_id": "6"}, {"id": "7", "prev-id": "6"}),
        ({"id": "7", "no_seq": True}, {"id": "7", "no-seq": True}),
        ({"prev_id": "6"}, {"prev-id": "6"}),
    ],
)
def test_what_is_no_part_of_a_chain_gets_an_id_of_its_own(
    server: ControlServer, make_publisher: MakePublisher, options: dict[str, Any], sent: dict[str, Any]
) -> None:
    publisher = make_publisher(server)
    publisher.submit_and_wait(parcel(publisher, **options)).result()
    [item] = server.taken
    generated = "id" not in sent and "prev-id" not in sent
    assert bool(item.get("id")) == ("id" in sent or generated)
    if generated:
        del item["id"]
    assert {name: value for name, value in item.items() if name not in ("channel", "formats")} == sent


def test_no_two_items_get_the_same_id(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(server)
    for _ in range(100):
        submit(publisher)
    assert publisher.flush(PATIENCE)
    assert len({item["id"] for item in server.taken}) == 100


def test_what_waits_goes_in_one_request(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server, gate = make_server(), threading.Event()
    publisher = make_publisher(server)
    submit_behind(server, publisher, gate, *map(str, range(200)))
    assert publisher.flush(PATIENCE)
    assert [len(request.items) for request in server.requests] == [1, 200]
    assert server.contents() == ["first", *map(str, range(200))]


@pytest.mark.parametrize(
    ("policy", "sizes"),
    [
        (Policy(batch_items=3), [1, 3, 3, 2]),
        (Policy(), [1, 8]),
    ],
)
def test_a_batch_has_a_bound_in_items(
    make_server: MakeServer, make_publisher: MakePublisher, policy: Policy, sizes: list[int]
) -> None:
    server, gate = make_server(), threading.Event()
    publisher = make_publisher(server, policy=policy)
    submit_behind(server, publisher, gate, *map(str, range(8)))
    assert publisher.flush(PATIENCE)
    assert [len(request.items) for request in server.requests] == sizes


def test_a_batch_fills_the_body_to_its_limit_and_no_further(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    server, gate = make_server(), threading.Event()
    publisher = make_publisher(server)
    submit_behind(server, publisher, gate, *["x" * 199_000] * 12)
    assert publisher.flush(PATIENCE)
    sizes = [len(request.body) for request in server.requests]
    assert [len(request.items) for request in server.requests] == [1, 5, 5, 2]
    assert 990_000 < max(sizes) <= 1_000_000


def test_an_item_may_fill_the_body_alone(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(server)
    frame = len(parcel(publisher, "").body) + len('{"items":[]}')
    publisher.submit_and_wait(parcel(publisher, "x" * (1_000_000 - frame - 10))).result()
    assert 999_980 < len(server.requests[0].body) <= 1_000_000


def test_connections_are_kept_where_the_proxy_keeps_them(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    server = make_server(accept_and_keep)
    publisher = make_publisher(server)
    for _ in range(5):
        publisher.submit_and_wait(parcel(publisher)).result()
    assert server.connections == 1


def test_threads_that_block_share_requests(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server, gate = make_server(), threading.Event()
    server.behave = in_turn(gated(gate), accept)
    publisher = make_publisher(server)
    threads = [
        threading.Thread(target=lambda: publisher.submit_and_wait(parcel(publisher)).result()) for _ in range(20)
    ]
    threads[0].start()
    server.wait(lambda: server.requests, "the first request")
    for thread in threads[1:]:
        thread.start()
    wait_accepted(publisher, 20)
    gate.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [len(request.items) for request in server.requests] == [1, 19]


def test_a_blocking_publish_needs_no_thread(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(server)
    before = threading.active_count()
    for _ in range(3):
        publisher.submit_and_wait(parcel(publisher)).result()
    # Other tests of this process may have left theirs running, so only this server's are looked for.
    assert f"grip-publish {server.url}" not in [thread.name for thread in threading.enumerate()]
    assert threading.active_count() <= before + 3  # those of the test's server


# ---- what is refused at once


@pytest.mark.parametrize("channel", ["", "a,b", "a;b", 'a"b', "a\nb", " a", "x" * 1025])
def test_a_bad_channel_is_refused_at_once(server: ControlServer, make_publisher: MakePublisher, channel: str) -> None:
    with pytest.raises(ChannelNameError):
        make_publisher(server).pack(channel, Item(HttpStreamFormat("x")))


class Bad(HttpStreamFormat):
    def __init__(self, content: Any) -> None:
        self.given = content

    def name(self) -> str:
        return "http-stream"

    def export(self) -> dict[str, Any]:
        return {"content": self.given}


@pytest.mark.parametrize("content", [object(), float("nan"), {"a": {1, 2}}, "\ud800"])
def test_an_item_that_is_not_json_is_refused_at_once(
    server: ControlServer, make_publisher: MakePublisher, content: Any
) -> None:
    with pytest.raises(ItemError, match=r"channel 'test'"):
        make_publisher(server).pack("test", Item(Bad(content)))


def test_an_item_over_the_body_limit_is_refused_at_once_with_both_sizes(
    server: ControlServer, make_publisher: MakePublisher
) -> None:
    with pytest.raises(
        ItemError, match=r"^The item for channel 'test' comes to 1,000,\d{3} bytes; a proxy takes 999,988 at most\.$"
    ):
        parcel(make_publisher(server), "x" * 1_000_000)


def test_without_a_proxy_publishing_is_an_error(make_publisher: MakePublisher) -> None:
    publisher = make_publisher()
    for method in (publisher.submit, publisher.submit_and_wait):
        with pytest.raises(NoProxy, match=r"^There is no proxy to publish to\.$"):
            method(parcel(publisher))


def test_after_close_publishing_is_an_error(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(server)
    ready = parcel(publisher)
    assert publisher.close() == 0
    with pytest.raises(PublisherClosed, match=r"^The publisher is closed; nothing can be published any more\.$"):
        publisher.submit(ready)
    assert publisher.close() == 0


# ---- a proxy in trouble that passes


@pytest.mark.parametrize(
    "trouble",
    [answer(500), answer(503), answer(429), answer(408), raw(b"garbage\r\n\r\n"), raw(HALF), raw(b""), take_and_reset],
    ids=["500", "503", "429", "408", "garbage", "half a body", "no answer", "dies with the batch"],
)
@pytest.mark.parametrize("background", [True, False], ids=["background", "inline"])
def test_trouble_that_passes_loses_and_repeats_nothing(
    make_server: MakeServer, make_publisher: MakePublisher, trouble: Behaviour, background: bool
) -> None:
    server = make_server(in_turn(trouble, trouble, accept))
    publisher = make_publisher(server, background=background)
    publications = [submit(publisher, str(number)) for number in range(10)]
    for publication in publications:
        [result] = publication.result(PATIENCE)
        assert result.error is None
    assert publications[0].results[0].attempts == 3
    assert server.contents() == list(map(str, range(10)))


@pytest.mark.parametrize("body", [b"", HALF])
def test_what_arrived_before_the_answer_was_lost_is_known_by_its_id(
    make_server: MakeServer, make_publisher: MakePublisher, body: bytes
) -> None:
    server = make_server(in_turn(raw(body, take=True), accept))
    publisher = make_publisher(server)
    submit(publisher, "once").result(PATIENCE)
    assert (server.contents(), server.repeats) == (["once"], 1)
    assert server.requests[0].items == server.requests[1].items


def test_a_previous_id_without_an_id_is_not_repeated_when_it_may_have_arrived(
    make_server: MakeServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture
) -> None:
    server, gate = make_server(), threading.Event()
    publisher = make_publisher(server)
    server.behave = in_turn(gated(gate), take_and_reset, accept)
    first = submit(publisher, "first")
    server.wait(lambda: server.requests, "the first request")
    chained = submit(publisher, "chained", prev_id="6")
    plain = submit(publisher, "plain")
    gate.set()
    error = chained.exception(PATIENCE)
    assert error is not None
    assert isinstance(error.results[0].error, PublishTimeout)
    assert error.results[0].error.uncertain
    assert "it may have arrived, and has no id by which a repeat would be known" in str(error)
    first.result(PATIENCE)
    plain.result(PATIENCE)
    assert server.contents() == ["first", "chained", "plain"]
    assert lost(log) == 1


def test_a_previous_id_without_an_id_is_tried_again_when_it_cannot_have_arrived(
    make_publisher: MakePublisher, make_server: MakeServer, dead_port: int
) -> None:
    publisher = make_publisher(f"http://127.0.0.1:{dead_port}")
    publication = submit(publisher, "chained", prev_id="6")
    wait_failing(publisher)
    server = make_server(port=dead_port)
    publication.result(PATIENCE)
    assert server.contents() == ["chained"]


def test_a_batch_in_trouble_stays_before_what_came_after_it(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    server = make_server(in_turn(answer(503), take_and_reset, raw(HALF, take=True), answer(500), accept))
    publisher = make_publisher(server, policy=Policy(timeout=60, batch_items=7, backoff=0.001, backoff_limit=0.01))
    for number in range(500):
        submit(publisher, str(number), channel=f"c{number % 3}")
    assert publisher.flush(PATIENCE)
    for channel in range(3):
        assert server.contents(f"c{channel}") == [str(number) for number in range(channel, 500, 3)]


def test_a_proxy_that_comes_back_gets_what_waited_in_order(
    make_server: MakeServer, make_publisher: MakePublisher, dead_port: int, log: pytest.LogCaptureFixture
) -> None:
    publisher = make_publisher(f"http://127.0.0.1:{dead_port}")
    publications = [submit(publisher, str(number)) for number in range(100)]
    wait_failing(publisher)
    server = make_server(port=dead_port)
    for publication in publications:
        publication.result(PATIENCE)
    assert server.contents() == list(map(str, range(100)))
    publisher.flush(PATIENCE)
    told = events(log)
    assert (told[0], told[-1]) == (("failing", "WARNING"), ("recovered", "INFO"))
    assert "connection refused" in log.messages[0]
    assert log.messages[-1].endswith("; nothing was lost.")


def test_a_proxy_that_goes_and_comes_back_under_load_loses_and_repeats_nothing(
    make_server: MakeServer, make_publisher: MakePublisher, dead_port: int
) -> None:
    # A port that nobody else takes while it is away.
    server = make_server(accept_and_keep, port=dead_port)
    publisher = make_publisher(server)
    sent: dict[str, list[str]] = {f"c{number}": [] for number in range(3)}

    def load(channel: str) -> None:
        while not enough.is_set():
            sent[channel].append(str(len(sent[channel])))
            publisher.submit_and_wait(parcel(publisher, sent[channel][-1], channel=channel)).result()

    enough = threading.Event()
    threads = [threading.Thread(target=load, args=(channel,)) for channel in sent]
    for thread in threads:
        thread.start()
    for goal in (100, 200, 300):
        server.wait(lambda goal=goal: len(server.taken) >= goal, "items")  # type: ignore[misc]
        server.stop()
        wait_failing(publisher)
        server.start_again()
    enough.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert {channel: server.contents(channel) for channel in sent} == sent


# ---- a proxy in trouble that stays


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (answer(500, "ouch"), "not taken in time (it may have arrived all the same): it answered 500: ouch"),
        (answer(503), "not taken in time (it may have arrived all the same): it answered 503"),
        (hang, "not taken in time (it may have arrived all the same): no answer in time"),
        (raw(b"nonsense\r\n\r\n"), "not taken in time (it may have arrived all the same): the answer is not HTTP"),
        (raw(HALF), "not taken in time (it may have arrived all the same): the connection was closed in mid-answer"),
        (
            take_and_reset,
            "not taken in time (it may have arrived all the same): the connection was closed without an answer",
        ),
    ],
)
@pytest.mark.parametrize("background", [True, False], ids=["background", "inline"])
def test_trouble_that_stays_is_a_failure_that_is_told(
    make_server: MakeServer,
    make_publisher: MakePublisher,
    log: pytest.LogCaptureFixture,
    trouble: Behaviour,
    text: str,
    background: bool,
) -> None:
    server = make_server(trouble)
    publisher = make_publisher(server, policy=IMPATIENT if trouble is hang else HASTY, background=background)
    error = submit(publisher).exception(PATIENCE)
    assert error is not None
    [result] = error.results
    assert isinstance(result.error, PublishTimeout)
    assert result.error.uncertain
    assert str(error) == f"Not published to the proxy: {server.url}: {text}"
    publisher.flush(PATIENCE)
    assert lost(log) == 1
    assert ("failing", "WARNING") in events(log)
    assert publisher.counters()[server.url].failed == 1


def test_a_transport_that_raises_what_it_should_not_ends_no_sender(
    server: ControlServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture
) -> None:
    class Odd(HttpTransport):
        def send(self, parcels: Any, *, deadline: float) -> None:
            if b"odd" in parcels[0].body:
                raise RuntimeError("this should not be")
            super().send(parcels, deadline=deadline)

    publisher = make_publisher(Odd(server.url))
    assert str(submit(publisher, "odd").exception(PATIENCE)).endswith("RuntimeError in the transport")
    submit(publisher, "even").result(PATIENCE)
    publisher.flush(PATIENCE)
    assert server.contents() == ["even"]
    assert ("transport_error", "ERROR") in events(log)
    assert lost(log) == 1


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://127.0.0.1:{port}", "not taken in time: no connection: connection refused"),
        ("http://no-such-host.invalid", "not taken in time: no connection: "),
    ],
)
def test_a_proxy_that_cannot_be_reached_is_a_failure_that_is_told(
    make_publisher: MakePublisher, log: pytest.LogCaptureFixture, dead_port: int, url: str, text: str
) -> None:
    publisher = make_publisher(url.format(port=dead_port), policy=HASTY)
    error = submit(publisher).exception(PATIENCE)
    assert error is not None
    [result] = error.results
    assert isinstance(result.error, PublishTimeout)
    assert not result.error.uncertain
    assert text in str(error)
    publisher.flush(PATIENCE)
    assert lost(log) == 1


@pytest.mark.parametrize(
    ("behave", "text"),
    [
        (answer(401, "no"), "it answered 401: no"),
        (answer(403), "it answered 403"),
        (answer(404), "it answered 404"),
        (
            answer(302, headers="Location: /elsewhere\r\n"),
            "it answered 302, a redirect to (unreadable URL), which is not followed",
        ),
    ],
)
def test_a_proxy_that_turns_us_away_is_not_asked_again(
    make_server: MakeServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture, behave: Behaviour, text: str
) -> None:
    server = make_server(behave)
    publisher = make_publisher(server)
    error = submit(publisher).exception(PATIENCE)
    assert error is not None
    [result] = error.results
    assert isinstance(result.error, ProxyRefused)
    assert (str(result.error), result.attempts, len(server.requests)) == (text, 1, 1)
    publisher.flush(PATIENCE)
    assert lost(log) == 1


# ---- bad items


def is_bad(item: dict[str, Any]) -> bool:
    return bool(item["formats"]["http-stream"]["content"].startswith("bad"))


@pytest.mark.parametrize("status", [400, 413])
def test_of_a_batch_that_is_refused_only_the_bad_items_fail(
    make_server: MakeServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture, status: int
) -> None:
    server, gate = make_server(), threading.Event()
    publisher = make_publisher(server)
    server.behave = refuse_items(is_bad, status=status)
    contents = [f"bad {number}" if number in (0, 17, 18, 99) else f"good {number}" for number in range(100)]
    publications = submit_behind(server, publisher, gate, *contents)[1:]
    failed = []
    for content, publication in zip(contents, publications, strict=True):
        error = publication.exception(PATIENCE)
        if error is not None:
            failed.append(content)
            [result] = error.results
            assert isinstance(result.error, ItemRejected)
            assert result.error.status == status
            assert str(result.error) == f"it answered {status}: Invalid format: an item is bad"
    assert failed == ["bad 0", "bad 17", "bad 18", "bad 99"]
    assert server.contents() == ["first", *[content for content in contents if content.startswith("good")]]
    publisher.flush(PATIENCE)
    assert lost(log) == 4


def test_a_proxy_with_a_smaller_limit_gets_smaller_batches(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    server, gate = make_server(), threading.Event()
    publisher = make_publisher(server)

    def small(server: ControlServer, sock: Any, request: Any) -> bool:
        return (accept if len(request.body) < 10_000 else answer(413))(server, sock, request)

    server.behave = small
    contents = ["x" * 1000] * 200
    submit_behind(server, publisher, gate, *contents)
    assert publisher.flush(PATIENCE)
    assert len(server.taken) == 201
    # Once found out, the limit is kept to.
    refused = [request for request in server.requests if len(request.body) >= 10_000]
    assert len(refused) < 8


# ---- several proxies


@pytest.mark.parametrize("background", [True, False], ids=["background", "inline"])
def test_two_proxies_of_three_down_do_not_keep_the_third_from_its_items(
    make_server: MakeServer, make_publisher: MakePublisher, dead_port: int, background: bool
) -> None:
    hanging, working = make_server(hang), make_server()
    policy = Policy(timeout=60, attempt_timeout=1, backoff=0.01, backoff_limit=0.05)
    publisher = make_publisher(hanging, f"http://127.0.0.1:{dead_port}", working, policy=policy, background=background)
    publications: list[Publication] = []
    thread = threading.Thread(target=lambda: publications.extend(submit(publisher, str(n)) for n in range(3)))
    thread.start()
    working.wait(lambda: working.taken, "an item at the proxy that works")
    # Inline, the other two hold up who publishes, but not the third.
    assert bool(publications) <= background
    hanging.behave = accept
    hanging.released.set()
    third = make_server(port=dead_port)
    thread.join(PATIENCE)
    for publication in publications:
        assert len(publication.result(PATIENCE)) == 3
    for server in (hanging, third, working):
        assert server.contents() == ["0", "1", "2"]


def test_of_three_proxies_the_two_that_are_down_fail_and_are_named(
    make_server: MakeServer, make_publisher: MakePublisher, dead_port: int
) -> None:
    hanging, working = make_server(hang), make_server()
    refusing = f"http://127.0.0.1:{dead_port}"
    publisher = make_publisher(hanging, refusing, working)
    publications = [submit(publisher, str(number)) for number in range(3)]
    assert publisher.lanes[2].wait_settled(3, PATIENCE)
    assert not any(publication.done() for publication in publications)
    publisher.close()
    hanging.stop()
    for publication in publications:
        error = publication.exception(PATIENCE)
        assert error is not None
        assert str(error).startswith("Not published to 2 of 3 proxies: ")
        assert {result.url: type(result.error) for result in error.results} == {
            hanging.url: NotSent,
            refusing: NotSent,
            working.url: type(None),
        }
    assert working.contents() == ["0", "1", "2"]


def test_a_hanging_proxy_keeps_nobody_waiting_who_waits_for_another(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    hanging, working = make_server(hang), make_server()
    publisher = make_publisher(hanging, working, policy=PATIENT)
    publications = [submit(publisher, str(number)) for number in range(10)]
    working.wait(lambda: len(working.taken) == 10, "all items at the proxy that works")
    while not all(len(publication.results) == 1 for publication in publications):
        publisher.lanes[1].wait_settled(10, 0.01)
    assert not any(publication.done() for publication in publications)
    hanging.released.set()


def test_blocking_raises_an_error_that_names_each_failing_proxy(
    make_server: MakeServer, make_publisher: MakePublisher
) -> None:
    first, second, third = make_server(answer(401)), make_server(), make_server(answer(404))
    publisher = make_publisher(first, second, third)
    publication = publisher.submit_and_wait(parcel(publisher))
    with pytest.raises(PublishError) as caught:
        publication.result()
    text = str(caught.value)
    assert text.startswith("Not published to 2 of 3 proxies: ")
    assert f"{first.url}: it answered 401" in text
    assert f"{third.url}: it answered 404" in text
    assert second.url not in text
    assert isinstance(caught.value, ValueError)  # what pubcontrol raises


def test_the_error_of_one_proxy_is_the_cause(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(make_server(answer(401)))
    with pytest.raises(PublishError) as caught:
        publisher.submit_and_wait(parcel(publisher)).result()
    assert isinstance(caught.value.__cause__, ProxyRefused)


def test_one_item_may_go_to_some_of_the_proxies(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    first, second = make_server(), make_server()
    publisher = make_publisher(first, second)
    publisher.submit_and_wait(parcel(publisher), lanes=publisher.lanes[1:]).result()
    assert (len(first.taken), len(second.taken)) == (0, 1)


def test_proxies_come_and_go(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    first, second = make_server(), make_server()
    publisher = make_publisher(first, second)
    submit(publisher, "both").result(PATIENCE)
    assert publisher.remove(publisher.lanes[0], timeout=PATIENCE) == 0
    submit(publisher, "second").result(PATIENCE)
    assert (first.contents(), second.contents()) == (["both"], ["both", "second"])


# ---- numbers


def test_counters_tell_what_was_done(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server, gate = make_server(in_turn(answer(503), accept)), threading.Event()
    publisher = make_publisher(server)
    submit(publisher).result(PATIENCE)
    server.behave = in_turn(gated(gate), answer(401))
    submit(publisher)
    server.wait(lambda: len(server.requests) == 3, "the third request")
    submit(publisher)
    counters = publisher.counters()[server.url]
    assert (counters.sent, counters.queued, counters.retried) == (1, 2, 1)
    gate.set()
    publisher.flush(PATIENCE)
    counters = publisher.counters()[server.url]
    assert json.loads(json.dumps(counters.__dict__)) == {
        "sent": 2,
        "failed": 1,
        "retried": 1,
        "queued": 0,
        "batches": 2,
        "requests": 4,
    }


def test_two_keys_for_one_proxy_are_counted_apart(server: ControlServer, make_publisher: MakePublisher) -> None:
    publisher = make_publisher(server, server)
    submit(publisher).result(PATIENCE)
    assert set(publisher.counters()) == {server.url, f"{server.url} (2)"}


# ---- the end


def test_close_sends_what_is_queued(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server, gate = make_server(), threading.Event()
    publisher = make_publisher(server)
    publications = submit_behind(server, publisher, gate, "1", "2")
    assert publisher.close(PATIENCE) == 0
    assert all(publication.done() for publication in publications)
    assert server.contents() == ["first", "1", "2"]


def test_close_gives_up_what_is_not_sent_in_time_and_says_how_many(
    make_publisher: MakePublisher, dead_port: int, log: pytest.LogCaptureFixture
) -> None:
    publisher = make_publisher(f"http://127.0.0.1:{dead_port}")
    publications = [submit(publisher) for _ in range(25)]
    wait_failing(publisher)
    assert publisher.close(why="the process ended first") == 25
    for publication in publications:
        error = publication.exception(PATIENCE)
        assert error is not None
        assert isinstance(error.results[0].error, NotSent)
    assert lost(log) == 25
    assert "the process ended first" in log.messages[-1]


def test_close_does_not_wait_for_a_request_that_hangs(
    make_server: MakeServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture
) -> None:
    server = make_server(hang)
    publisher = make_publisher(server)
    submit(publisher)
    server.wait(lambda: server.requests, "the request")
    submit(publisher)
    assert publisher.close() == 2
    assert lost(log) == 2
    server.released.set()
    assert publisher.lanes[0].wait_settled(2, PATIENCE)
    # What was told once is not told again.
    assert lost(log) == 2


def test_threads_and_connections_end_with_the_publisher(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server = make_server(accept_and_keep)
    publisher = make_publisher(server)
    submit(publisher).result(PATIENCE)
    [thread] = [thread for thread in threading.enumerate() if thread.name == f"grip-publish {server.url}"]
    publisher.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
