"""What the log says: every loss, in few lines, without secrets."""

from __future__ import annotations

import logging
import re
import threading

import pytest

from django_grip.publishing import HttpTransport, Policy
from django_grip.publishing.authority import bearer_authority
from django_grip.publishing.report import Line, Reporter

from .conftest import HASTY, MakePublisher, MakeServer, lost, parcel, wait_failing
from .servers import PATIENCE, accept, answer, gated, in_turn


def text(line: Line | None) -> str | None:
    return None if line is None else line[1]


def test_the_first_failure_is_told_at_once_and_the_next_are_not() -> None:
    reporter = Reporter("http://a", 10)
    line = reporter.failed("no connection", 7, 0.0)
    assert line == (
        logging.WARNING,
        "Publishing to http://a fails: no connection. It is tried again; 7 items wait.",
        {"grip_event": "failing", "grip_proxy": "http://a", "grip_reason": "no connection", "grip_items": 7},
    )
    assert [reporter.failed("no connection", 8, now) for now in (0.1, 100.0)] == [None, None]


def test_recovery_is_told_with_what_was_lost_meanwhile() -> None:
    reporter = Reporter("http://a", 10)
    assert reporter.recovered() is None
    reporter.failed("no connection", 1, 0.0)
    reporter.failed("no connection", 1, 1.0)
    assert (
        text(reporter.recovered()) == "Publishing to http://a works again, after 2 failed attempts; nothing was lost."
    )
    reporter.failed("no connection", 1, 20.0)
    reporter.lost(3, "too late", 20.0)
    line = reporter.recovered()
    assert line == (
        logging.INFO,
        "Publishing to http://a works again, after 1 failed attempts; 3 items were lost meanwhile.",
        {"grip_event": "recovered", "grip_proxy": "http://a", "grip_items": 3},
    )


def test_a_proxy_that_fails_every_now_and_then_is_told_about_now_and_then() -> None:
    reporter = Reporter("http://a", 10)
    lines = []
    for now in range(100):
        lines += [reporter.failed("503", 1, float(now)), reporter.recovered()]
    assert len([line for line in lines if line]) == 20


def test_losses_are_summed_and_none_is_left_out() -> None:
    reporter = Reporter("http://a", 10)
    lines = [reporter.lost(1, "too late", now / 100) for now in range(2000)]
    lines.append(reporter.summary())
    told = [line for line in lines if line]
    assert [line[2]["grip_items"] for line in told] == [1, 1000, 999]
    assert [line[1] for line in told[:2]] == [
        "1 item was not published to http://a: too late.",
        "1000 items were not published to http://a: too late.",
    ]
    assert reporter.summary() is None


def test_when_the_next_sum_is_due_is_known() -> None:
    reporter = Reporter("http://a", 10)
    assert reporter.due_at() is None
    reporter.lost(1, "too late", 5.0)
    assert reporter.due_at() is None
    reporter.lost(1, "too late", 6.0)
    assert reporter.due_at() == 15.0
    assert text(reporter.due(15.0)) == "1 item was not published to http://a: too late."


def test_reasons_are_counted_apart_up_to_a_bound() -> None:
    reporter = Reporter("http://a", 10)
    for number in range(20):
        reporter.count_lost(1, f"reason {number}")
    line = reporter.summary()
    assert text(line) == (
        "20 items were not published to http://a: 1 x reason 0; 1 x reason 1; 1 x reason 2; 1 x reason 3; "
        "1 x reason 4; 15 x other reasons."
    )


def test_a_sum_that_is_due_is_told_though_nothing_more_happens(
    make_server: MakeServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture
) -> None:
    gate = threading.Event()
    server = make_server(in_turn(gated(gate, answer(401)), answer(401)))
    publisher = make_publisher(server, policy=Policy(report_interval=0.2))
    publisher.submit(parcel(publisher))
    server.wait(lambda: server.requests, "the first request")
    for _ in range(4):
        publisher.submit(parcel(publisher))
    gate.set()
    while lost(log) < 5:
        publisher.lanes[0].wait_settled(6, 0.01)
    assert [vars(record)["grip_items"] for record in log.records] == [1, 4]


def test_a_dead_proxy_writes_few_lines(
    make_publisher: MakePublisher, dead_port: int, log: pytest.LogCaptureFixture
) -> None:
    policy = Policy(timeout=60, queue_items=10, backoff=0.001, backoff_limit=0.001, report_interval=60)
    publisher = make_publisher(f"http://127.0.0.1:{dead_port}", policy=policy)
    publisher.submit(parcel(publisher))
    wait_failing(publisher)
    for _ in range(2000):
        publisher.submit(parcel(publisher))
    publisher.close()
    assert lost(log) == 2001
    assert len(log.records) <= 4


def test_a_log_handler_may_publish(make_server: MakeServer, make_publisher: MakePublisher) -> None:
    server = make_server(in_turn(answer(401), accept))
    publisher = make_publisher(server)

    class Publishing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            publisher.submit(parcel(publisher, record.levelname))

    logger, handler = logging.getLogger("django_grip.publish"), Publishing()
    logger.addHandler(handler)
    try:
        publisher.submit(parcel(publisher)).exception(PATIENCE)
        server.wait(lambda: server.taken, "what the handler published")
    finally:
        logger.removeHandler(handler)
    assert server.contents() == ["ERROR"]


def test_secrets_are_in_no_line_and_no_error(
    make_server: MakeServer, make_publisher: MakePublisher, log: pytest.LogCaptureFixture, dead_port: int
) -> None:
    echo = make_server(answer(401, "Authorization: Bearer s3cret-token"))
    broken = make_server(answer(500, "Basic dXNlcjpzM2NyZXQ="))
    transports = [
        HttpTransport(echo.url + "?key=s3cret", bearer_authority("s3cret-token")),
        HttpTransport(broken.url.replace("http://", "http://user:s3cret@")),
        HttpTransport(f"http://user:s3cret@127.0.0.1:{dead_port}/?key=s3cret"),
    ]
    publisher = make_publisher(*transports, policy=HASTY)
    error = publisher.submit(parcel(publisher)).exception(PATIENCE)
    publisher.flush(PATIENCE)
    publisher.close()
    told = [str(error), repr(error), repr(publisher), str(publisher.counters()), log.text]
    told += [str(vars(record)) for record in log.records]
    assert lost(log) == 3
    assert not re.findall("s3cret|dXNlcjpzM2NyZXQ", "".join(told))
