"""HTTP through the shell: ordinary responses as they come, held ones by way of the exchange."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.messages import AppResponse
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.published import PublishedItem, ResponseMessage, StreamMessage
from django_grip.proxy.shell import pump

from .asgi import Http, Origin, read_body, response, until
from .core import stream_item

HELD = {"grip_hold": "stream", "grip_channel": "c"}
POLLED = {"grip_hold": "response", "grip_channel": "c"}


def proxy_of(*answers: Any, **options: Any) -> EmbeddedProxy:
    return EmbeddedProxy(Origin(*answers), options=ProxyOptions(**options))


def origin_of(proxy: EmbeddedProxy) -> Origin:
    origin = proxy._application
    assert isinstance(origin, Origin)
    return origin


def hint(channel: str = "c") -> PublishedItem:
    return PublishedItem(channel, response=ResponseMessage("hint"))


async def is_held(proxy: EmbeddedProxy, count: int = 1) -> None:
    kinds = proxy.engine.hub.subscribers
    await until(lambda: sum(sum(channels.values()) for channels in kinds().values()) == count, f"{count} holds")


# Ordinary requests


async def test_an_ordinary_response_passes_by_message_by_message() -> None:
    gate = asyncio.Event()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-A", b"b")], "trailers": False})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": False})

    call = Http(proxy_of(answer))
    assert await call.get(2) == [
        {"type": "http.response.start", "status": 201, "headers": [(b"X-A", b"b")], "trailers": False},
        {"type": "http.response.body", "body": b"one", "more_body": True},
    ]
    gate.set()
    assert await call.get_one() == {"type": "http.response.body", "body": b"two", "more_body": False}
    await call.end()


async def test_a_request_body_passes_by_as_it_comes() -> None:
    seen = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        while len(seen) < 3:
            seen.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    call = Http(proxy_of(answer), method="PUT", body=None)
    for number, part in enumerate([b"a" * 70_000, b"b" * 70_000, b"c"], 1):
        call.put("http.request", body=part, more_body=number < 3)
        await until(lambda number=number: len(seen) == number)
    assert (await call.answer()).status == 204
    assert [part[:1] for part in seen] == [b"a", b"b", b"c"]


async def test_an_ordinary_request_costs_no_task() -> None:
    running: list[int] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        running.append(len(asyncio.all_tasks()))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    await Http(proxy_of(answer)).answer()
    assert running == [2]  # this one, and the server's


async def test_the_application_gets_the_clients_scope_but_for_what_only_the_proxy_may_say() -> None:
    proxy = proxy_of(response(b"ok"))
    headers = [(b"host", b"x.example"), (b"grip-sig", b"forged"), (b"META_USER", b"root"), (b"cookie", b"a=b")]
    state = {"pool": object()}
    extensions = {"http.response.pathsend": {}}
    await Http(proxy, "/app/a%20b?c=d", headers=headers, root_path="/app", state=state, extensions=extensions).answer()
    (scope,) = origin_of(proxy).scopes
    assert [name for name, _ in scope["headers"]] == [b"host", b"cookie", b"grip-feature"]
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/app", "/app/a b", b"/app/a%20b")
    assert (scope["query_string"], scope["client"], scope["server"]) == (
        b"c=d",
        ("127.0.0.1", 50000),
        ("127.0.0.1", 8000),
    )
    assert scope["state"] is state
    assert "extensions" not in scope


async def test_the_application_hears_that_its_client_left() -> None:
    heard = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        heard.append(await receive())

    call = Http(proxy_of(answer))
    call.leave()
    await call.end()
    assert heard == [{"type": "http.disconnect"}]
    assert call.sent == []


async def test_an_exception_before_a_hold_is_the_servers_affair() -> None:
    proxy = proxy_of(ValueError("mine"))
    with pytest.raises(ValueError, match="mine"):
        await Http(proxy).end()
    assert proxy.engine.exchanges == set()


async def test_a_thousand_ordinary_requests_leave_nothing_behind() -> None:
    proxy = proxy_of(response(b"ok"))
    for _ in range(1000):
        await Http(proxy).answer()
    assert proxy.engine.exchanges == set()
    assert proxy._clients == set()
    assert len(asyncio.all_tasks()) == 1


# What is refused


@pytest.mark.parametrize("path", ["http://evil.example/", "*", "evil.example:443", ""])
async def test_a_target_that_is_no_path_is_refused(path: str, caplog: pytest.LogCaptureFixture) -> None:
    proxy = proxy_of(response(b"ok"))
    answer = await Http(proxy, path, path=path).answer()
    assert (answer.status, answer.body) == (400, b"The request target is not a path.\n")
    assert origin_of(proxy).scopes == []
    assert [record.getMessage() for record in caplog.records] == [
        f"Refused with 400: {path}: The request target is not a path."
    ]


async def test_a_path_with_a_lone_surrogate_is_refused() -> None:
    for raw_path in (None, b"/%ED%A0%80"):
        answer = await Http(proxy_of(response(b"ok")), "/", path="/\ud800", raw_path=raw_path).answer()
        assert answer.status == 400


async def test_a_server_without_raw_paths_will_do() -> None:
    proxy = proxy_of(response(b"ok", **POLLED), response(b"again"))
    call = Http(proxy, path="/é b/", raw_path=None)
    await is_held(proxy)
    proxy.publish([hint()])
    assert (await call.answer()).body == b"again"
    assert origin_of(proxy).scopes[1]["path"] == "/é b/"
    assert origin_of(proxy).scopes[1]["raw_path"] == b"/%C3%A9%20b/"


async def test_a_client_cannot_say_events() -> None:
    proxy = proxy_of(response(b"ok"))
    headers = [(b"content-type", b"application/websocket-events")]
    assert (await Http(proxy, method="POST", headers=headers).answer()).status == 403
    assert origin_of(proxy).scopes == []


# Holds


async def test_a_stream_gets_what_is_published_until_the_client_leaves() -> None:
    proxy = proxy_of(response(b"[open]\n", content_type="text/plain", content_length="7", **HELD))
    call = Http(proxy)
    start, chunk = await call.get(2)
    assert start == {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    assert chunk == {"type": "http.response.body", "body": b"[open]\n", "more_body": True}
    proxy.publish([stream_item("c", b"1"), stream_item("other", b"2"), stream_item("c", b"3")])
    assert [message["body"] for message in await call.get(2)] == [b"1", b"3"]
    call.leave()
    await call.end()
    assert proxy.engine.hub.subscribers()["stream"] == {}
    assert call.sent == []


async def test_a_stream_ends_when_it_is_told_to() -> None:
    proxy = proxy_of(response(b"[open]\n", **HELD))
    call = Http(proxy)
    await call.get(2)
    proxy.publish([PublishedItem("c", stream=StreamMessage("close"))])
    assert await call.get_one() == {"type": "http.response.body", "body": b"", "more_body": False}
    await call.end()


async def test_an_idle_stream_costs_no_task_beside_the_servers() -> None:
    proxy = proxy_of(response(b"[open]\n", **HELD))
    call = Http(proxy)
    await call.get(2)
    await until(lambda: len(asyncio.all_tasks()) == 2)
    call.leave()
    await call.end()


async def test_a_long_poll_is_answered_by_a_publish() -> None:
    proxy = proxy_of(response(b"nothing", content_length="7", **POLLED))
    call = Http(proxy)
    await is_held(proxy)
    message = ResponseMessage(code=201, headers=[(b"x-a", b"b"), (b"transfer-encoding", b"chunked")], body=b"something")
    proxy.publish([PublishedItem("c", response=message)])
    answer = await call.answer()
    assert (answer.status, answer.body) == (201, b"something")
    assert answer.headers == [(b"x-a", b"b"), (b"content-length", b"9")]


async def test_a_hint_makes_the_same_request_again_with_its_body() -> None:
    proxy = proxy_of(response(b"old", **POLLED), response(b"new"))
    call = Http(proxy, "/p?q=1", method="POST", headers=[(b"host", b"h"), (b"content-length", b"4")], body=b"body")
    await is_held(proxy)
    proxy.publish([hint()])
    assert (await call.answer()).body == b"new"
    first, second = origin_of(proxy).scopes
    assert origin_of(proxy).bodies == [b"body", b"body"]
    for name in ("method", "path", "raw_path", "query_string", "scheme", "client", "server", "http_version"):
        assert second[name] == first[name]


@pytest.mark.parametrize("reads_all", [True, False])
async def test_a_request_too_big_to_be_kept_is_not_made_again(
    reads_all: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def hold(scope: Any, receive: Any, send: Any) -> None:
        if reads_all:
            await read_body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": response(**POLLED).headers})
        await send({"type": "http.response.body", "body": b"old"})

    proxy = proxy_of(hold)
    headers = [(b"host", b"h"), (b"content-length", b"100001")]
    call = Http(proxy, method="POST", headers=headers, body=b"x" * 100_001)
    await is_held(proxy)
    proxy.publish([hint()])
    assert (await call.answer()).body == b"old"
    assert len(origin_of(proxy).scopes) == 1
    assert "too big to be made again" in caplog.text


async def test_a_client_that_leaves_while_the_application_is_asked_again_is_forgotten() -> None:
    gate = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"late"})

    proxy = proxy_of(response(b"old", **POLLED), slow)
    call = Http(proxy)
    await is_held(proxy)
    proxy.publish([hint()])
    await until(lambda: len(origin_of(proxy).scopes) == 2)
    call.leave()
    await call.end()
    gate.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert call.sent == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_response_without_a_body_has_none(method: str) -> None:
    answer = await Http(proxy_of(response(b"", grip_status="304", etag='"1"')), method=method).answer()
    assert (answer.status, answer.body) == (304, b"")
    assert b"content-length" not in dict(answer.headers)
    answer = await Http(proxy_of(response(b"xyz", grip_status="404")), method=method).answer()
    assert (answer.status, answer.body) == (404, b"xyz" if method == "GET" else b"")
    assert dict(answer.headers)[b"content-length"] == b"3"


async def test_a_gone_link_is_told_to_the_application_in_the_background() -> None:
    proxy = proxy_of(response(b"[open]\n", grip_link="</bye/?a=b>; rel=gone", **HELD), response(b""))
    call = Http(proxy)
    await call.get(2)
    call.leave()
    await call.end()
    gone = await until(lambda: origin_of(proxy).scopes[1:])
    assert (gone[0]["method"], gone[0]["path"], gone[0]["query_string"]) == ("POST", "/bye/", b"a=b")


async def test_a_gone_link_that_fails_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    proxy = proxy_of(response(b"[open]\n", grip_link="</bye/>; rel=gone", **HELD), response(b"", status=404))
    call = Http(proxy)
    await call.get(2)
    call.leave()
    await call.end()
    await until(lambda: caplog.records)
    (record,) = caplog.records
    assert record.getMessage() == "The application did not take the gone link /bye/: it answered 404."


# An application that fails


async def bad_messages(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": response(**HELD).headers})
    await send({"type": "http.response.body", "body": "a str"})


async def half_a_response(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": response(**HELD).headers})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def two_starts(scope: Any, receive: Any, send: Any) -> None:
    for _ in range(2):
        await send({"type": "http.response.start", "status": 200, "headers": response(**HELD).headers})


async def endless(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": response(**HELD).headers})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


async def raises(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": response(**HELD).headers})
    raise ValueError("mine")


@pytest.mark.parametrize(
    ("behaviour", "status", "text"),
    [
        (bad_messages, 502, "it sent a body that is no bytes"),
        (half_a_response, 502, "it ended without a whole response"),
        (two_starts, 502, "it sent 'http.response.start' where that has no place"),
        (endless, 502, "it sent a body of more than 1,000,000 bytes"),
        (raises, 500, "it raised an exception"),
    ],
)
async def test_an_application_that_fails_with_an_instruction_is_an_error_to_the_client(
    behaviour: Any, status: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = proxy_of(behaviour)
    answer = await Http(proxy).answer()
    assert (answer.status, answer.body) == (status, b"The application has failed.\n")
    assert f"The application failed at /: {text}" in [record.getMessage() for record in caplog.records]
    assert sum(record.exc_info is not None for record in caplog.records) == (status == 500)
    assert proxy.engine.exchanges == set()


async def test_an_application_that_hangs_when_it_is_asked_again_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    ended = []

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    proxy = proxy_of(response(b"old", **POLLED), hang, answer_timeout=0.02)
    call = Http(proxy)
    await is_held(proxy)
    proxy.publish([hint()])
    answer = await call.answer()
    assert answer.status == 504
    await until(lambda: ended)
    assert "it did not answer within 0.02 s" in caplog.text


async def test_an_application_that_will_not_be_cancelled_keeps_nobody_waiting() -> None:
    gate = asyncio.Event()

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    proxy = proxy_of(response(b"old", **POLLED), stubborn, answer_timeout=0.02)
    call = Http(proxy)
    await is_held(proxy)
    proxy.publish([hint()])
    assert (await call.answer()).status == 504
    gate.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)


async def test_an_answer_counts_when_it_is_whole_though_the_application_goes_on() -> None:
    gate = asyncio.Event()
    heard: list[Any] = []

    async def dawdle(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"new"})
        heard.append(await receive())
        await gate.wait()

    proxy = proxy_of(response(b"old", **POLLED), dawdle)
    call = Http(proxy)
    await is_held(proxy)
    proxy.publish([hint()])
    assert (await call.answer()).body == b"new"
    assert heard == [{"type": "http.disconnect"}]
    gate.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)


# Clients that do not read


async def test_a_client_that_reads_too_slowly_is_dropped_and_nobody_else(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "LINGER", 0.02)
    proxy = proxy_of(response(b"[open]\n", **HELD), max_outbox_items=10)
    slow, quick = Http(proxy), Http(proxy)
    for call in (slow, quick):
        await call.get(2)
    slow.writable.clear()
    for number in range(20):
        proxy.publish([stream_item("c", b"%d" % number)])
        assert (await quick.get_one())["body"] == b"%d" % number
    await slow.end()
    assert slow.transport.is_aborted
    assert slow.sent == []
    assert not quick.transport.is_aborted
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["The stream at / is dropped: too slow."]
    quick.leave()
    await quick.end()


async def test_a_client_that_is_only_late_loses_nothing() -> None:
    proxy = proxy_of(response(b"[open]\n", **HELD))
    call = Http(proxy)
    await call.get(2)
    call.writable.clear()
    proxy.publish(stream_item("c", b"%d" % number) for number in range(100))
    proxy.publish([PublishedItem("c", stream=StreamMessage("close"))])
    await asyncio.sleep(0)
    call.writable.set()
    assert [message["body"] for message in await call.get(101)] == [b"%d" % number for number in range(100)] + [b""]
    await call.end()


async def test_a_client_that_cannot_be_written_to_is_gone() -> None:
    proxy = proxy_of(response(b"[open]\n", **HELD))
    call = Http(proxy)
    await call.get(2)

    async def lost(message: Any) -> None:
        raise OSError("gone")

    (client,) = proxy._clients
    client.send = lost
    proxy.publish([stream_item("c")])
    await until(lambda: proxy.engine.exchanges == set())
    await call.end()


# The end of the server


async def test_holds_end_properly_when_the_server_ends() -> None:
    proxy = proxy_of(
        response(b"[open]\n", **HELD), response(b"nothing", **POLLED), response(b"late", **POLLED), response(b"plain")
    )
    stream = Http(proxy)
    await stream.get(2)
    poll = Http(proxy)
    await is_held(proxy, 2)
    proxy.part_with_clients()
    assert await stream.get_one() == {"type": "http.response.body", "body": b"", "more_body": False}
    assert (await poll.answer()).body == b"nothing"
    await stream.end()
    assert (await Http(proxy).answer()).body == b"late"
    assert (await Http(proxy).answer()).body == b"plain"


async def test_a_client_that_does_not_read_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "HURRY", 0.02)
    proxy = proxy_of(response(b"[open]\n", **HELD))
    call = Http(proxy)
    await call.get(2)
    call.writable.clear()
    proxy.publish([stream_item("c")])
    await asyncio.sleep(0)
    proxy.part_with_clients()
    await call.end()
    assert call.transport.is_aborted


async def test_a_request_that_is_under_way_when_the_server_ends_is_answered() -> None:
    gate = asyncio.Event()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    proxy = proxy_of(answer)
    call = Http(proxy)
    await until(lambda: origin_of(proxy).scopes)
    proxy.part_with_clients()
    gate.set()
    assert await call.answer() == AppResponse(200, [], b"done")
