"""What the development server's log says of requests."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from django_grip.devserver import access_log
from django_grip.devserver.access_log import AccessLog


class Server:
    """What stands behind ``send``."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.transport = object()

    async def send(self, message: Any) -> None:
        self.sent.append(message)


def scope_of(kind: str = "http", **fields: Any) -> dict[str, Any]:
    usual = {"type": kind, "method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"", "http_version": "1.1"}
    return {**usual, **fields}


async def lines(caplog: pytest.LogCaptureFixture, scope: Any, *messages: Any, error: Exception | None = None) -> Any:
    """What is logged when an application sends these messages."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    server = Server()
    with caplog.at_level(logging.INFO, logger="django.server"):
        try:
            await AccessLog(application)(scope, None, server.send)
        except RuntimeError as raised:
            assert raised is error  # noqa: PT017 - it is the server's to see
    assert server.sent == list(messages)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"12345"}


@pytest.fixture(autouse=True)
def django_s_logger_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("django.server"), "propagate", True)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([START, BODY], ("INFO", '"GET /x HTTP/1.1" 200 5')),
        ([START, {**BODY, "more_body": True}, BODY], ("INFO", '"GET /x HTTP/1.1" 200 10')),
        ([{**START, "status": 404}, BODY], ("WARNING", '"GET /x HTTP/1.1" 404 5')),
        ([{**START, "status": 500}, BODY], ("ERROR", '"GET /x HTTP/1.1" 500 5')),
        ([START, {**BODY, "more_body": True}], ("INFO", '"GET /x HTTP/1.1" 200 5')),
        ([], ("INFO", '"GET /x HTTP/1.1" - - (the client left)')),
    ],
)
async def test_a_request_is_one_line(caplog: pytest.LogCaptureFixture, messages: Any, expected: Any) -> None:
    assert await lines(caplog, scope_of(), *messages) == [expected]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"type": "websocket.accept"}, {"type": "websocket.send"}], ("INFO", '"WEBSOCKET /x HTTP/1.1" 101 -')),
        ([{"type": "websocket.close"}], ("WARNING", '"WEBSOCKET /x HTTP/1.1" 403 0')),
        (
            [
                {"type": "websocket.http.response.start", "status": 401},
                {"type": "websocket.http.response.body", "body": b"12"},
            ],
            ("WARNING", '"WEBSOCKET /x HTTP/1.1" 401 2'),
        ),
    ],
)
async def test_a_websocket_is_one_line(caplog: pytest.LogCaptureFixture, messages: Any, expected: Any) -> None:
    assert await lines(caplog, scope_of("websocket"), *messages) == [expected]


async def test_an_exception_is_the_server_s_500(caplog: pytest.LogCaptureFixture) -> None:
    found = await lines(caplog, scope_of(), error=RuntimeError("x"))
    assert found == [("ERROR", '"GET /x HTTP/1.1" 500 -')]


async def test_a_request_line_stays_one_line(caplog: pytest.LogCaptureFixture) -> None:
    scope = scope_of(raw_path=b"/a\x1b\nb", query_string=b"q=1\r")
    assert await lines(caplog, scope, START, BODY) == [("INFO", '"GET /a\\x1b\\x0ab?q=1\\x0d HTTP/1.1" 200 5')]


async def test_a_ticket_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    scope = scope_of(query_string=b"a=1&ticket=grip-ticket.AbC-_9&b=2")
    line = '"GET /x?a=1&ticket=grip-ticket....&b=2 HTTP/1.1" 200 5'
    assert await lines(caplog, scope, START, BODY) == [("INFO", line)]


async def test_the_lifespan_is_no_request(caplog: pytest.LogCaptureFixture) -> None:
    assert await lines(caplog, {"type": "lifespan"}, {"type": "lifespan.startup.complete"}) == []


async def test_a_response_that_stays_open_is_logged_when_that_is_clear(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "_HELD_AFTER", 0)
    logged, left = asyncio.Event(), asyncio.Event()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await left.wait()

    handler = Heard()
    logging.getLogger("django.server").addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, logger="django.server"):
            task = asyncio.create_task(AccessLog(application)(scope_of(), None, Server().send))
            await asyncio.wait_for(logged.wait(), 60)
            left.set()
            await task
    finally:
        logging.getLogger("django.server").removeHandler(handler)
    assert [record.getMessage() for record in caplog.records] == ['"GET /x HTTP/1.1" 200 -']


async def test_the_server_s_transport_stays_within_reach() -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(send.__self__.transport)

    server = Server()
    await AccessLog(application)(scope_of(), None, server.send)
    assert seen == [server.transport]
