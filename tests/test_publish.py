"""publish() and apublish() of a Django project: settings, prefix, transactions, modes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from django_grip import (
    Channel,
    Event,
    HttpStreamFormat,
    Item,
    PublishError,
    WebSocketMessageFormat,
    apublish,
    embedded_transport,
    publish,
)
from django_grip import publisher as publishing
from django_grip.exceptions import ChannelNameError, ItemError, NoProxy, NotCommitted, PublisherClosed
from django_grip.publishing import Parcel
from django_grip.publishing.outcome import Turned
from tests.publishing.conftest import MakeServer, make_server
from tests.publishing.servers import PATIENCE, ControlServer, answer, gated

__all__ = ["make_server"]


class Recorder:
    """A transport that keeps what it gets. `refuse`: the text with which it turns away everything."""

    max_bytes = 10_000

    def __init__(self, url: str = "recorder", refuse: str | None = None) -> None:
        self.url = url
        self.refuse = refuse
        self.items: list[dict[str, Any]] = []
        self.threads: set[str] = set()

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        self.threads.add(threading.current_thread().name)
        if self.refuse:
            raise Turned(self.refuse)
        self.items += [json.loads(parcel.body) for parcel in parcels]

    def close(self) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    transport = Recorder()
    with publishing.publish_to(transport):
        yield transport


@pytest.fixture
def server(make_server: MakeServer) -> Iterator[ControlServer]:
    """A control port that the settings name."""
    server = make_server()
    with override_settings(GRIP_PROXIES=[{"control_uri": server.url}]):
        yield server
    publishing.flush(PATIENCE)


# ---- what can be published


@pytest.mark.parametrize(
    ("formats", "exported"),
    [
        (HttpStreamFormat("x"), {"http-stream": {"content": "x"}}),
        (
            [HttpStreamFormat("x"), WebSocketMessageFormat("y")],
            {"http-stream": {"content": "x"}, "ws-message": {"content": "y"}},
        ),
        (Item(HttpStreamFormat("x")), {"http-stream": {"content": "x"}}),
        (
            Event(1),
            {
                "http-stream": {"content": "data: 1\n\n"},
                "ws-message": {"content": "1"},
                "http-response": {"action": "hint"},
            },
        ),
    ],
)
def test_a_format_a_list_an_item_or_an_event_can_be_published(
    recorder: Recorder, formats: Any, exported: dict[str, Any]
) -> None:
    publish("room", formats).result()
    assert [(item["channel"], item["formats"]) for item in recorder.items] == [("room", exported)]


def test_formats_of_gripcontrol_can_be_published(recorder: Recorder) -> None:
    import gripcontrol
    import pubcontrol

    publish("room", gripcontrol.HttpStreamFormat("x")).result()
    publish("room", pubcontrol.Item(gripcontrol.WebSocketMessageFormat("y"), id="1")).result()
    assert [item["formats"] for item in recorder.items] == [
        {"http-stream": {"content": "x"}},
        {"ws-message": {"content": "y"}},
    ]


def test_id_prev_id_and_meta_travel(recorder: Recorder) -> None:
    publish("room", HttpStreamFormat("x"), "2", "1", meta={"sender": "me"}).result()
    [item] = recorder.items
    assert (item["id"], item["prev-id"], item["meta"]) == ("2", "1", {"sender": "me"})
    assert "no-seq" not in item


@pytest.mark.parametrize("options", [{"id": "1"}, {"prev_id": "1"}, {"meta": {}}])
def test_an_item_has_an_id_of_its_own(recorder: Recorder, options: dict[str, Any]) -> None:
    with pytest.raises(
        TypeError, match=r"^publish\(\): an Item has its own id, prev_id and meta; set them on the Item\.$"
    ):
        publish("room", Item(HttpStreamFormat("x")), **options)


def test_an_item_may_be_published_to_several_channels(recorder: Recorder) -> None:
    item = Item(HttpStreamFormat("x"))
    publish("a", item).result()
    publish("b", item).result()
    assert item.id is None
    first, second = recorder.items
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    "formats",
    ["text", b"bytes", [], None, object(), Event(object()), Event(float("nan"))],
    ids=["str", "bytes", "nothing", "None", "object", "Event of an object", "Event of NaN"],
)
def test_what_is_no_format_is_refused_at_once(recorder: Recorder, formats: Any) -> None:
    with pytest.raises(ItemError):
        publish("room", formats)
    assert recorder.items == []


def test_an_item_over_the_limit_of_a_proxy_is_refused_at_once(recorder: Recorder) -> None:
    with pytest.raises(ItemError, match=r"a proxy takes 10,000 at most"):
        publish("room", HttpStreamFormat("x" * 10_000))


@pytest.mark.parametrize("channel", ["a,b", "", None, Channel("room")])
def test_a_bad_channel_is_refused_at_once(recorder: Recorder, channel: Any) -> None:
    with pytest.raises(ChannelNameError):
        publish(channel, HttpStreamFormat("x"))


# ---- settings


@override_settings(GRIP_PREFIX="app-")
def test_the_prefix_goes_on_at_the_edge(recorder: Recorder) -> None:
    publish("room", HttpStreamFormat("x")).result()
    assert recorder.items[0]["channel"] == "app-room"


@pytest.fixture
def outside_of_tests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process that is no test: under Django's test runner publishing without a proxy is no error."""
    monkeypatch.setattr(embedded_transport, "_is_test_run", lambda: False)
    publishing.forget_publisher()
    yield
    publishing.forget_publisher()


@pytest.mark.usefixtures("outside_of_tests")
def test_without_a_proxy_publishing_is_an_error() -> None:
    with pytest.raises(NoProxy, match=r"^There is no proxy to publish to: set GRIP_URL or GRIP_PROXIES"):
        publish("room", HttpStreamFormat("x"))


@override_settings(GRIP_PROXIES=[{"verify_key": "a-key-that-only-verifies-signatures-0123456789"}])
def test_a_proxy_that_only_signs_is_not_published_to() -> None:
    with pytest.raises(NoProxy):
        publish("room", HttpStreamFormat("x"))


def test_items_go_to_every_proxy_and_every_publish_server(make_server: MakeServer) -> None:
    first, second, third = make_server(), make_server(), make_server()
    with override_settings(
        GRIP_PROXIES=[{"control_uri": first.url}],
        GRIP_URL=f"{second.url}?iss=realm&key=a-key-that-is-long-enough-for-hs256-0123456789",
        PUBLISH_SERVERS=[{"uri": third.url, "key": "token"}, {"uri": third.url, "key": "token"}],
    ):
        publication = publish("room", HttpStreamFormat("x"), blocking=True)
        publishing.flush(PATIENCE)
    assert {result.url for result in publication.results} == {first.url, second.url, third.url}
    assert [len(server.requests) for server in (first, second, third)] == [1, 1, 1]
    assert "authorization" not in first.requests[0].headers
    assert second.requests[0].headers["authorization"].startswith("Bearer ey")
    assert third.requests[0].headers["authorization"] == "Bearer token"


def test_settings_that_are_overridden_take_effect(server: ControlServer, make_server: MakeServer) -> None:
    other = make_server()
    publish("room", HttpStreamFormat("1"), blocking=True)
    with override_settings(GRIP_PROXIES=[{"control_uri": other.url}]):
        publish("room", HttpStreamFormat("2"), blocking=True)
    publish("room", HttpStreamFormat("3"), blocking=True)
    assert (server.contents(), other.contents()) == (["1", "3"], ["2"])


def test_timeout_and_queue_size_are_settings(server: ControlServer) -> None:
    with override_settings(GRIP_PUBLISH_TIMEOUT=7, GRIP_PUBLISH_QUEUE_SIZE=11):
        policy = publishing.get_publisher().policy
    assert (policy.timeout, policy.queue_items) == (7.0, 11)


def test_in_the_inline_mode_all_is_known_when_publish_returns(server: ControlServer) -> None:
    with override_settings(GRIP_PUBLISH_MODE="inline"):
        publication = publish("room", HttpStreamFormat("x"))
        assert publication.done()
    assert server.contents() == ["x"]


def test_in_the_background_publish_returns_before(make_server: MakeServer) -> None:
    gate = threading.Event()
    server = make_server(gated(gate))
    with override_settings(GRIP_PROXIES=[{"control_uri": server.url}]):
        publication = publish("room", HttpStreamFormat("x"))
        assert not publication.done()
        gate.set()
        publication.result(PATIENCE)


@pytest.mark.usefixtures("outside_of_tests")
def test_an_engine_in_the_same_process_is_published_to_when_the_settings_name_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Recorder("engine")
    monkeypatch.setattr(publishing, "open_default_transport", lambda: engine)
    publish("room", HttpStreamFormat("x"), blocking=True)
    assert len(engine.items) == 1


def test_an_engine_is_not_published_to_when_the_settings_name_a_proxy(
    server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Recorder("engine")
    monkeypatch.setattr(publishing, "open_default_transport", lambda: engine)
    publish("room", HttpStreamFormat("x"), blocking=True)
    assert (len(engine.items), len(server.taken)) == (0, 1)


# ---- blocking, callbacks, numbers


def test_blocking_raises_what_went_wrong() -> None:
    good, bad = Recorder("good"), Recorder("bad", refuse="no")
    with (
        publishing.publish_to(good, bad),
        pytest.raises(PublishError, match=r"^Not published to 1 of 2 proxies: bad: no$") as caught,
    ):
        publish("room", HttpStreamFormat("x"), blocking=True)
    assert [(result.url, str(result.error)) for result in caught.value.results] == [("good", "None"), ("bad", "no")]
    assert len(good.items) == 1


def test_not_blocking_raises_nothing_and_tells_the_callback() -> None:
    told: list[tuple[bool, str | None]] = []
    with publishing.publish_to(Recorder("bad", refuse="no")):
        publication = publish("room", HttpStreamFormat("x"), callback=lambda *result: told.append(result))
        assert publishing.flush(PATIENCE)
    assert told == [(False, "Not published to the proxy: bad: no")]
    assert publication.exception() is not None


def test_counters_are_readable_in_the_process(server: ControlServer) -> None:
    publish("room", HttpStreamFormat("x"), blocking=True)
    counters = publishing.counters()[server.url]
    assert (counters.sent, counters.failed) == (1, 0)


def test_after_close_publishing_is_an_error(recorder: Recorder) -> None:
    publishing.get_publisher().close()
    with pytest.raises(PublisherClosed):
        publish("room", HttpStreamFormat("x"))


# ---- transactions


@pytest.mark.django_db(transaction=True)
def test_on_commit_publishes_when_the_transaction_commits(recorder: Recorder) -> None:
    told: list[bool] = []
    with transaction.atomic():
        publication = publish(
            "room", HttpStreamFormat("x"), on_commit=True, callback=lambda success, message: told.append(success)
        )
        assert not publication.done()
        with pytest.raises(NotCommitted):
            publication.result()
        assert recorder.items == []
    publication.result()
    assert publishing.flush(PATIENCE)
    assert (len(recorder.items), told) == (1, [True])


@pytest.mark.django_db(transaction=True)
def test_on_commit_publishes_nothing_when_the_transaction_is_rolled_back(recorder: Recorder) -> None:
    with transaction.atomic():
        publish("room", HttpStreamFormat("x"), on_commit=True)
        transaction.set_rollback(True)
    assert recorder.items == []


@pytest.mark.django_db(transaction=True)
def test_on_commit_outside_of_a_transaction_publishes_at_once(recorder: Recorder) -> None:
    publish("room", HttpStreamFormat("x"), on_commit="default").result()
    assert len(recorder.items) == 1


@pytest.mark.django_db(transaction=True)
def test_on_commit_publishes_what_was_there_at_the_call(recorder: Recorder) -> None:
    data = {"a": 1}
    with transaction.atomic():
        publish("room", Event(data), on_commit=True)
        data["a"] = 2
        with pytest.raises(ItemError):
            publish("room", "no format", on_commit=True)  # type: ignore[arg-type]
    assert recorder.items[0]["formats"]["ws-message"]["content"] == '{"a":1}'


def test_blocking_does_not_go_with_on_commit(recorder: Recorder) -> None:
    with pytest.raises(TypeError, match=r"^publish\(\): blocking=True cannot wait for what on_commit=True sends later"):
        publish("room", HttpStreamFormat("x"), blocking=True, on_commit=True)


# ---- asyncio


async def test_apublish_awaits_every_proxy(server: ControlServer) -> None:
    publication = await apublish("room", Event(1), meta={"sender": "me"})
    assert publication.done()
    assert server.taken[0]["meta"] == {"sender": "me"}


async def test_apublish_raises_what_went_wrong(make_server: MakeServer) -> None:
    server = make_server(answer(401))
    with (
        override_settings(GRIP_PROXIES=[{"control_uri": server.url}]),
        pytest.raises(PublishError, match="it answered 401"),
    ):
        await apublish("room", HttpStreamFormat("x"))


async def test_apublish_takes_no_thread_for_a_call(make_server: MakeServer) -> None:
    gate = threading.Event()
    server = make_server(gated(gate))
    with override_settings(GRIP_PROXIES=[{"control_uri": server.url}]):
        before = threading.active_count()
        tasks = [asyncio.create_task(apublish("room", HttpStreamFormat("x"))) for _ in range(100)]
        await asyncio.to_thread(server.wait, lambda: server.requests, "the first request")
        # The sender, the two of the server, and the one of to_thread.
        assert threading.active_count() <= before + 4
        gate.set()
        await asyncio.gather(*tasks)
    assert len(server.taken) == 100


async def test_apublish_in_the_inline_mode_does_not_hold_up_the_loop(make_server: MakeServer) -> None:
    gate = threading.Event()
    server = make_server(gated(gate))
    with override_settings(GRIP_PROXIES=[{"control_uri": server.url}], GRIP_PUBLISH_MODE="inline"):
        task = asyncio.create_task(apublish("room", HttpStreamFormat("x")))
        await asyncio.to_thread(server.wait, lambda: server.requests, "the request")
        gate.set()
        await task
    assert server.contents() == ["x"]


async def test_apublish_that_is_cancelled_sends_all_the_same(make_server: MakeServer) -> None:
    gate = threading.Event()
    server = make_server(gated(gate))
    with override_settings(GRIP_PROXIES=[{"control_uri": server.url}]):
        task = asyncio.create_task(apublish("room", HttpStreamFormat("x")))
        await asyncio.to_thread(server.wait, lambda: server.requests, "the request")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.set()
        assert await asyncio.to_thread(publishing.flush, PATIENCE)
    assert server.contents() == ["x"]
