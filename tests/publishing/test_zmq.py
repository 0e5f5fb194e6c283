"""Publishing over ZeroMQ, to a real Pushpin."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from django_grip.exceptions import GripUrlError, PublishTimeout
from django_grip.protocol.formats import HttpStreamFormat
from django_grip.protocol.items import Item
from django_grip.publishing import Parcel, zmq_transport
from django_grip.publishing.outcome import Unreached
from django_grip.publishing.tnetstring import encode_tnetstring
from django_grip.publishing.zmq_transport import ZmqTransport
from tests.e2e.pushpin import Pushpin

from .conftest import IMPATIENT, MakePublisher, parcel
from .servers import PATIENCE
from .test_pushpin import Subscriber, channel, run_pushpin

__all__ = ["channel"]

pytestmark = pytest.mark.needs("pushpin", "zmq")


@pytest.fixture(scope="module")
def pushpin() -> Iterator[Pushpin]:
    yield from run_pushpin()


@pytest.mark.parametrize("require_subscribers", [False, True])
def test_items_arrive_in_order(
    pushpin: Pushpin,
    make_publisher: MakePublisher,
    channel: str,
    require_subscribers: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On a busy machine the proxy tells of its subscriptions later than its clients would wait for.
    monkeypatch.setattr(zmq_transport, "_FIRST_SUBSCRIPTIONS", PATIENCE)
    subscriber = Subscriber(pushpin, channel)
    publisher = make_publisher(ZmqTransport(pushpin.control_zmq_url, require_subscribers=require_subscribers))
    publications = [publisher.submit(parcel(publisher, f"{number}\n", channel=channel)) for number in range(50)]
    subscriber.wait(lambda: len(subscriber.lines) >= 50, "all items")
    assert subscriber.lines == list(map(str, range(50)))
    assert all(publication.exception(PATIENCE) is None for publication in publications)
    assert publications[0].results[0].url == pushpin.control_zmq_url


def test_binary_arrives_as_it_is(pushpin: Pushpin, make_publisher: MakePublisher, channel: str) -> None:
    subscriber = Subscriber(pushpin, channel)
    publisher = make_publisher(ZmqTransport(pushpin.control_zmq_url))
    publisher.submit(publisher.pack(channel, Item(HttpStreamFormat("ä".encode() + b"bc\n"))))
    publisher.submit(publisher.pack(channel, Item(HttpStreamFormat(b"\xe4\n"))))
    subscriber.wait(lambda: len(subscriber.lines) >= 2, "both items")
    assert subscriber.lines == ["äbc", "\ufffd"]


def test_a_repeat_is_dropped_as_it_is_over_http(pushpin: Pushpin, make_publisher: MakePublisher, channel: str) -> None:
    subscriber = Subscriber(pushpin, channel)
    publisher = make_publisher(ZmqTransport(pushpin.control_zmq_url), pushpin.control_url)
    publisher.submit_and_wait(parcel(publisher, "once\n", channel=channel)).result()
    publisher.submit_and_wait(parcel(publisher, "last\n", channel=channel)).result()
    subscriber.wait(lambda: "last" in subscriber.lines, "the last item")
    assert subscriber.lines == ["once", "last"]


def test_where_to_publish_may_be_known(pushpin: Pushpin, make_publisher: MakePublisher, channel: str) -> None:
    subscriber = Subscriber(pushpin, channel)
    publisher = make_publisher(ZmqTransport(None, push_url=f"tcp://127.0.0.1:{pushpin.port('push')}"))
    publisher.submit_and_wait(parcel(publisher, "known\n", channel=channel)).result()
    subscriber.wait(lambda: subscriber.lines, "the item")


@pytest.mark.parametrize("known", [True, False], ids=["push port", "command port"])
def test_a_proxy_that_is_not_there_is_a_failure(make_publisher: MakePublisher, dead_port: int, known: bool) -> None:
    url = f"tcp://127.0.0.1:{dead_port}"
    publisher = make_publisher(ZmqTransport(None if known else url, push_url=url if known else None), policy=IMPATIENT)
    error = publisher.submit(parcel(publisher)).exception(PATIENCE)
    assert error is not None
    assert isinstance(error.results[0].error, PublishTimeout)
    expected = "no connected proxy takes it" if known else "its command port does not answer"
    assert str(error) == f"Not published to the proxy: {url}: not taken in time: {expected}"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"nonsense", "its command port answers nonsense: The length is not a number."),
        (encode_tnetstring({"success": False}), "its command port names no address to publish to"),
        (encode_tnetstring({"success": True, "value": {}}), "its command port names no address to publish to"),
        (encode_tnetstring([1]), "its command port names no address to publish to"),
    ],
)
def test_a_command_port_that_answers_nonsense_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, text: str
) -> None:
    import zmq

    monkeypatch.setattr(zmq_transport, "_DISCOVERY_TIMEOUT", PATIENCE)
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        socket.linger = 0
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        transport = ZmqTransport(f"tcp://127.0.0.1:{port}")
        import threading

        thread = threading.Thread(target=lambda: (socket.recv(), socket.send(answer)))
        thread.start()
        with closing(transport), pytest.raises(Unreached) as caught:
            transport.send([Parcel("test", b"{}")], deadline=time.monotonic() + PATIENCE)
        thread.join(PATIENCE)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("said", "command", "url"),
    [
        ("tcp://*:5560", "tcp://10.0.0.1:5563", "tcp://10.0.0.1:5560"),
        ("tcp://*:5560", "tcp://[::1]:5563", "tcp://[::1]:5560"),
        ("tcp://127.0.0.1:5560", "tcp://10.0.0.1:5563", "tcp://127.0.0.1:5560"),
        ("ipc:///run/pushpin", "tcp://10.0.0.1:5563", "ipc:///run/pushpin"),
    ],
)
def test_every_address_means_the_address_of_the_command_port(said: str, command: str, url: str) -> None:
    assert ZmqTransport(command)._resolve(said) == url


def test_without_zeromq_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(GripUrlError, match=r'^control_zmq_uri needs ZeroMQ: pip install "django-grip\[zmq\]"\.$'):
        ZmqTransport("tcp://127.0.0.1:5563")


def test_a_proxy_without_an_address_is_refused() -> None:
    with pytest.raises(GripUrlError, match=r"^A ZeroMQ proxy needs the URL of its command port\.$"):
        ZmqTransport(None, pub_url="tcp://127.0.0.1:5562")
