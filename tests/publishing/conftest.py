"""What the tests of publishing share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from django_grip.protocol.formats import HttpStreamFormat
from django_grip.protocol.items import Item
from django_grip.publishing import HttpTransport, Parcel, Policy, Publisher
from tests.e2e.ports import PortLease

from .servers import PATIENCE, Behaviour, ControlServer, accept

# Items have time enough, whatever else the machine does; pauses are short.
PATIENT = Policy(timeout=120, attempt_timeout=PATIENCE, backoff=0.01, backoff_limit=0.05, report_interval=0)
# Items fail soon, for tests in which they have to. One request has time enough.
HASTY = Policy(timeout=0.3, backoff=0.01, backoff_limit=0.05, report_interval=0)
# For proxies that do not answer at all.
IMPATIENT = replace(HASTY, timeout=1.5, attempt_timeout=1)

MakeServer = Callable[..., ControlServer]
MakePublisher = Callable[..., Publisher]


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    """Start control ports: ``make_server(behaviour)``."""
    servers: list[ControlServer] = []

    def make(behave: Behaviour = accept, **options: Any) -> ControlServer:
        servers.append(ControlServer(behave, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def server(make_server: MakeServer) -> ControlServer:
    """A control port that takes everything."""
    return make_server()


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port where nobody listens, until the test does."""
    lease = PortLease()
    yield lease.port
    lease.close()


@pytest.fixture
def make_publisher() -> Iterator[MakePublisher]:
    """Make publishers: ``make_publisher(server, "http://…", policy=HASTY)``."""
    with ExitStack() as stack:

        def make(*targets: Any, policy: Policy = PATIENT, background: bool = True) -> Publisher:
            transports = [transport_for(target, policy) for target in targets]
            publisher = Publisher(transports, policy=policy, background=background)
            stack.callback(publisher.close)
            return publisher

        yield make


def transport_for(target: Any, policy: Policy) -> Any:
    if isinstance(target, ControlServer):
        target = target.url
    return HttpTransport(target, connect_timeout=policy.connect_timeout) if isinstance(target, str) else target


def parcel(publisher: Publisher, content: str | bytes = "hello", *, channel: str = "test", **options: Any) -> Parcel:
    return publisher.pack(channel, Item(HttpStreamFormat(content), **options))


def wait_failing(publisher: Publisher) -> None:
    """Wait until the first proxy is known to be in trouble."""
    while not publisher.lanes[0].failing:
        time.sleep(0.005)


def wait_accepted(publisher: Publisher, count: int) -> None:
    """Wait until so many items were taken in for the first proxy."""
    while publisher.lanes[0].accepted < count:
        time.sleep(0.005)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the one logger of publishing says."""
    caplog.set_level(logging.DEBUG, "django_grip.publish")
    return caplog


def events(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """(event, level) of each line."""
    return [(getattr(record, "grip_event", ""), record.levelname) for record in log.records]


def lost(log: pytest.LogCaptureFixture) -> int:
    """How many items the log tells to be lost."""
    return sum(vars(record)["grip_items"] for record in log.records if vars(record).get("grip_event") == "lost")
