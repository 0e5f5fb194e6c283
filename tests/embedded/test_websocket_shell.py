"""WebSockets through the shell: what the server says goes to the exchange, what the exchange wants to the server."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from django_grip.protocol.websocket_events import WebSocketEvent, build_close
from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.messages import AppResponse
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.published import PublishedItem, SocketMessage
from django_grip.proxy.shell import pump

from .asgi import EVENTS, Origin, WebSocket, events, opening, read_body, response, until


def text(content: str) -> WebSocketEvent:
    return WebSocketEvent("TEXT", content.encode())


CLOSE = WebSocketEvent("CLOSE", build_close(1000))


def socket_item(content: str = "x", channel: str = "c", **message: Any) -> PublishedItem:
    return PublishedItem(channel, socket=SocketMessage(content=content.encode(), **message))


def proxy_of(*answers: Any, **options: Any) -> EmbeddedProxy:
    return EmbeddedProxy(Origin(*answers), options=ProxyOptions(**options))


def origin_of(proxy: EmbeddedProxy) -> Origin:
    origin = proxy._application
    assert isinstance(origin, Origin)
    return origin


async def open_socket(proxy: EmbeddedProxy, **options: Any) -> WebSocket:
    socket = WebSocket(proxy, **options)
    accept = await socket.get_one()
    assert accept["type"] == "websocket.accept"
    return socket


async def close(socket: WebSocket, proxy: EmbeddedProxy) -> None:
    socket.leave()
    await socket.end()
    await until(lambda: not proxy.engine.exchanges)


class Gate:
    """An application's answer that waits until it is let through."""

    def __init__(self, answer: AppResponse) -> None:
        self.answer = answer
        self.event = asyncio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append(await read_body(receive))
        await self.event.wait()
        await send({"type": "http.response.start", "status": self.answer.status, "headers": self.answer.headers})
        await send({"type": "http.response.body", "body": self.answer.body})


# Opening


async def test_a_websocket_is_opened_by_the_application_with_headers_and_subprotocol() -> None:
    proxy = proxy_of(opening(set_cookie="a=b", sec_websocket_protocol="two"))
    headers = [(b"host", b"h"), (b"sec-websocket-protocol", b"one, two"), (b"grip-sig", b"forged")]
    socket = WebSocket(proxy, "/room/?a=b", headers, scheme="wss", state={"x": 1})
    accept = await socket.get_one()
    assert accept == {"type": "websocket.accept", "subprotocol": "two", "headers": [(b"set-cookie", b"a=b")]}
    (scope,) = origin_of(proxy).scopes
    assert (scope["type"], scope["method"], scope["scheme"], scope["path"]) == ("http", "POST", "https", "/room/")
    assert (scope["query_string"], scope["state"], scope["http_version"]) == (b"a=b", {"x": 1}, "1.1")
    assert "subprotocols" not in scope
    assert scope["extensions"] == {}
    assert EVENTS in scope["headers"]
    assert (b"grip-sig", b"forged") not in scope["headers"]
    assert origin_of(proxy).events() == [WebSocketEvent("OPEN")]
    await close(socket, proxy)


async def test_a_refusal_reaches_the_client_with_status_headers_and_body() -> None:
    socket = WebSocket(proxy_of(response(b"no\n", 403, content_type="text/plain")))
    await socket.end()
    start, body = socket.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert dict(start["headers"]) == {b"content-type": b"text/plain", b"content-length": b"3"}
    assert body == {"type": "websocket.http.response.body", "body": b"no\n", "more_body": False}


@pytest.mark.parametrize("extensions", [None, {}])
async def test_a_server_that_cannot_say_more_refuses_plainly(extensions: Any) -> None:
    socket = WebSocket(proxy_of(response(b"no\n", 404)), extensions=extensions)
    await socket.end()
    assert socket.sent == [{"type": "websocket.close"}]


async def test_a_refusal_without_a_body_has_none() -> None:
    socket = WebSocket(proxy_of(response(b"", 204)))
    await socket.end()
    assert socket.sent[0]["status"] == 204
    assert b"content-length" not in dict(socket.sent[0]["headers"])


@pytest.mark.parametrize(
    ("answer", "status"), [(ValueError("mine"), 500), (response(b"<html>"), 502), (response(b"x" * 2_000_000), 502)]
)
async def test_an_application_that_fails_to_open_refuses(
    answer: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    socket = WebSocket(proxy_of(answer))
    await socket.end()
    assert socket.sent[0]["status"] == status
    assert sum(record.exc_info is not None for record in caplog.records) == isinstance(answer, Exception)


async def test_an_application_that_hangs_at_the_opening_is_given_up() -> None:
    socket = WebSocket(proxy_of(Gate(opening()), answer_timeout=0.02))
    await socket.end()
    assert socket.sent[0]["status"] == 504


async def test_a_client_that_leaves_before_it_is_answered_is_forgotten() -> None:
    gate = Gate(opening())
    proxy = proxy_of(gate, events())
    socket = WebSocket(proxy)
    await until(lambda: gate.bodies)
    socket.leave()
    await socket.end()
    gate.event.set()
    await until(lambda: not proxy.engine.exchanges)
    assert socket.sent == []


@pytest.mark.parametrize(
    ("headers", "target", "status"),
    [
        ([(b"content-type", b"application/websocket-events")], "/", 403),
        ([(b"a b", b"c")], "/", 400),
        ([], "http://evil.example/", 400),
    ],
)
async def test_what_no_client_may_say_is_refused(headers: Any, target: str, status: int) -> None:
    proxy = proxy_of(opening())
    socket = WebSocket(proxy, target, headers)
    await socket.end()
    assert socket.sent[0]["status"] == status
    assert origin_of(proxy).scopes == []


# Messages


async def test_messages_go_to_the_application_and_answers_to_the_client() -> None:
    proxy = proxy_of(opening(text("hi")), events(text("é"), WebSocketEvent("BINARY", b"\xff")), events())
    socket = await open_socket(proxy)
    assert await socket.hear() == ["hi"]
    socket.say("ü")
    assert await socket.hear(2) == ["é", b"\xff"]
    assert origin_of(proxy).events() == [text("ü")]
    socket.put("websocket.receive", bytes=b"\x00", text=None)
    await until(lambda: len(origin_of(proxy).bodies) == 3)
    assert origin_of(proxy).events() == [WebSocketEvent("BINARY", b"\x00")]
    await close(socket, proxy)
    assert origin_of(proxy).events() == [WebSocketEvent("DISCONNECT")]


async def test_what_comes_while_the_application_works_goes_with_the_next_request() -> None:
    gate = Gate(events())
    proxy = proxy_of(opening(), gate, events())
    socket = await open_socket(proxy)
    socket.say("1")
    await until(lambda: gate.bodies)
    for content in "234":
        socket.say(content)
    await until(socket.waiting.empty)
    gate.event.set()
    await until(lambda: len(origin_of(proxy).bodies) == 2)
    assert origin_of(proxy).events() == [text("2"), text("3"), text("4")]
    await close(socket, proxy)


async def test_what_is_published_reaches_everybody_in_order() -> None:
    proxy = proxy_of(opening())
    sockets = [await open_socket(proxy) for _ in range(20)]
    proxy.publish(socket_item(str(number)) for number in range(10))
    proxy.publish([socket_item("10")])
    for socket in sockets:
        assert await socket.hear(11) == [str(number) for number in range(11)]
    for socket in sockets:
        socket.leave()
        await socket.end()


async def test_an_idle_websocket_costs_no_task_beside_the_servers() -> None:
    proxy = proxy_of(opening())
    socket = await open_socket(proxy)
    await until(lambda: len(asyncio.all_tasks()) == 2)
    socket.leave()
    await socket.end()


async def test_nothing_is_left_of_a_websocket_that_is_gone() -> None:
    proxy = proxy_of(opening())
    for _ in range(50):
        socket = await open_socket(proxy)
        socket.say("x")
        socket.leave()
        await socket.end()
    await until(lambda: not proxy.engine.exchanges and len(asyncio.all_tasks()) == 1)
    assert proxy._clients == set()
    assert proxy.engine.hub.subscribers()["ws"] == {}


async def test_a_client_that_floods_is_read_from_no_longer_until_the_application_has_time() -> None:
    gate = Gate(events())
    proxy = proxy_of(opening(), gate, events(), max_client_queue=1000)
    socket = await open_socket(proxy)
    socket.say("1")
    await until(lambda: gate.bodies)
    for _ in range(100):
        socket.say("x" * 100)
    await asyncio.sleep(0)
    waiting = await until(lambda: not socket.is_reading and socket.waiting.qsize())
    assert waiting > 80
    gate.event.set()
    await until(socket.waiting.empty)
    await until(lambda: sum(len(body) for body in origin_of(proxy).bodies) > 10_000)
    await close(socket, proxy)


# Ends


async def test_a_close_of_the_clients_reaches_the_application_with_code_and_reason() -> None:
    proxy = proxy_of(opening(), events(CLOSE))
    socket = await open_socket(proxy)
    socket.leave(4001, "bye")
    await socket.end()
    await until(lambda: len(origin_of(proxy).bodies) == 2)
    assert origin_of(proxy).events() == [WebSocketEvent("CLOSE", build_close(4001, "bye"))]
    await until(lambda: not proxy.engine.exchanges)


@pytest.mark.parametrize(
    ("said", "event"),
    [
        ({"code": 1005, "reason": ""}, WebSocketEvent("CLOSE")),
        ({"code": 1005}, WebSocketEvent("DISCONNECT")),
        ({"code": 1005, "reason": None}, WebSocketEvent("DISCONNECT")),
        ({"code": 1006, "reason": ""}, WebSocketEvent("DISCONNECT")),
        ({"code": 1000}, WebSocketEvent("CLOSE", build_close(1000))),
        ({}, WebSocketEvent("DISCONNECT")),
    ],
)
async def test_a_client_that_is_lost_is_told_from_one_that_closes_without_a_code(
    said: dict[str, Any], event: WebSocketEvent
) -> None:
    proxy = proxy_of(opening(), events(CLOSE))
    socket = await open_socket(proxy)
    socket.put("websocket.disconnect", **said)
    await socket.end()
    await until(lambda: len(origin_of(proxy).bodies) == 2)
    assert origin_of(proxy).events() == [event]


async def test_a_close_of_the_applications_reaches_the_client() -> None:
    proxy = proxy_of(opening(), events(WebSocketEvent("CLOSE", build_close(4000, "enough"))), events())
    socket = await open_socket(proxy)
    socket.say("x")
    assert await socket.get_one() == {"type": "websocket.close", "code": 4000, "reason": "enough"}
    socket.leave(4000, "enough")
    await socket.end()
    await until(lambda: not proxy.engine.exchanges)


async def test_a_published_close_reaches_the_client() -> None:
    proxy = proxy_of(opening())
    socket = await open_socket(proxy)
    proxy.publish([PublishedItem("c", socket=SocketMessage("close", code=4002, reason="r"))])
    assert await socket.get_one() == {"type": "websocket.close", "code": 4002, "reason": "r"}
    await close(socket, proxy)


@pytest.mark.parametrize(
    "answer",
    [ValueError("mine"), response(b"oops", 500), response(b"", 302, location="/login/"), response(b"garbage")],
    ids=["raises", "500", "302", "garbage"],
)
async def test_an_application_that_fails_later_closes_the_client(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    proxy = proxy_of(opening(), answer, events())
    socket = await open_socket(proxy)
    socket.say("x")
    assert (await socket.get_one())["code"] == 1011
    await close(socket, proxy)
    assert sum(record.exc_info is not None for record in caplog.records) == isinstance(answer, Exception)
    assert any("It is closed with 1011." in record.getMessage() for record in caplog.records)


async def test_an_application_that_hangs_later_closes_its_client_and_no_other() -> None:
    async def behave(scope: Any, receive: Any, send: Any) -> None:
        body = await read_body(receive)
        if body.startswith(b"OPEN"):
            answer = opening()
        elif b"hang" in body:
            await asyncio.Event().wait()
        else:
            answer = events(text("echo"))
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    proxy = proxy_of(behave, answer_timeout=0.05)
    stuck, other = await open_socket(proxy), await open_socket(proxy)
    stuck.say("hang")
    other.say("x")
    assert await other.hear() == ["echo"]
    assert (await stuck.get_one())["code"] == 1011
    for socket in (stuck, other):
        socket.leave()
        await socket.end()


async def test_a_client_that_reads_too_slowly_is_closed_and_then_dropped(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "LINGER", 0.02)
    proxy = proxy_of(opening(), opening(), events(), max_outbox_items=10)
    slow, quick = await open_socket(proxy), await open_socket(proxy)
    slow.writable.clear()
    for number in range(30):
        proxy.publish([socket_item(str(number))])
        assert await quick.hear() == [str(number)]
    await slow.end()
    assert slow.transport.is_aborted
    assert slow.sent == []
    assert not quick.transport.is_aborted
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "closed with 1013" in warnings[0]
    quick.leave()
    await quick.end()


async def test_a_slow_client_that_reads_on_is_closed_properly() -> None:
    proxy = proxy_of(opening(), max_outbox_items=10)
    slow = await open_socket(proxy)
    slow.writable.clear()
    for number in range(30):
        proxy.publish([socket_item(str(number))])
        await asyncio.sleep(0)
    slow.writable.set()
    assert await slow.hear() == ["0"]
    assert (await slow.get_one())["code"] == 1013
    await close(slow, proxy)
    assert not slow.transport.is_aborted


@pytest.mark.parametrize("is_late", [False, True], ids=["with the rest", "later"])
async def test_a_client_that_does_not_read_its_close_is_dropped(is_late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "LINGER", 0.02)
    proxy = proxy_of(opening(), events())
    socket = await open_socket(proxy)
    socket.writable.clear()
    close_item = PublishedItem("c", socket=SocketMessage("close"))
    proxy.publish([socket_item()] if is_late else [socket_item(), close_item])
    await asyncio.sleep(0)
    if is_late:
        proxy.publish([close_item])
    await socket.end()
    assert socket.transport.is_aborted


async def test_a_client_that_takes_long_to_confirm_its_close_is_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "LINGER", 0.01)
    proxy = proxy_of(opening(), events())
    socket = await open_socket(proxy)
    (client,) = proxy._clients
    proxy.publish([PublishedItem("c", socket=SocketMessage("close"))])
    assert (await socket.get_one())["type"] == "websocket.close"
    await until(lambda: client._linger is None, "the time for the close to be sent")
    assert not socket.transport.is_aborted
    await close(socket, proxy)


async def test_a_client_whose_server_has_no_transport_is_left_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "LINGER", 0.02)
    proxy = proxy_of(opening(), max_outbox_items=10)
    slow = await open_socket(proxy)
    del slow.transport
    slow.writable.clear()
    for number in range(30):
        proxy.publish([socket_item(str(number))])
        await asyncio.sleep(0)
    await slow.end()


async def test_a_server_that_cancels_is_obeyed() -> None:
    proxy = proxy_of(opening(), events())
    socket = await open_socket(proxy)
    socket.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await socket.task
    await until(lambda: not proxy.engine.exchanges)
    assert origin_of(proxy).events() == [WebSocketEvent("DISCONNECT")]


# Timers


async def test_a_tick_comes_when_nothing_happens() -> None:
    proxy = proxy_of(opening(keep_alive_interval="1"), events(), min_keep_alive_interval=0.0)
    socket = await open_socket(proxy)
    await until(lambda: len(origin_of(proxy).bodies) == 2)
    assert origin_of(proxy).bodies[1] == b""
    await close(socket, proxy)


async def test_a_deadline_that_moves_later_sets_no_new_timer() -> None:
    proxy = proxy_of(opening())
    socket = await open_socket(proxy)
    (client,) = proxy._clients
    now = asyncio.get_running_loop().time()
    client.exchange.deadline = now + 10
    client.pump()
    timer = client._timer
    client.exchange.deadline = now + 20
    client.pump()
    assert client._timer is timer
    client.exchange.deadline = now + 5
    client.pump()
    assert client._timer is not timer
    client.exchange.deadline = None
    await close(socket, proxy)
    assert client._timer is None


# The end of the server


@pytest.mark.parametrize(
    ("restarting", "code", "reason"), [(False, 1001, "going away"), (True, 1012, "service restart")]
)
async def test_clients_are_told_why_the_server_ends(restarting: bool, code: int, reason: str) -> None:
    proxy = proxy_of(opening())
    sockets = [await open_socket(proxy) for _ in range(3)]
    proxy.restarting = restarting
    proxy.part_with_clients()
    for socket in sockets:
        assert await socket.get_one() == {"type": "websocket.close", "code": code, "reason": reason}
        await socket.end()
    assert len(origin_of(proxy).scopes) == 3
    late = WebSocket(proxy)
    await late.end()
    assert late.sent[0]["status"] == 503


async def test_a_client_in_its_opening_is_refused_when_the_server_ends() -> None:
    gate = Gate(opening())
    proxy = proxy_of(gate)
    socket = WebSocket(proxy)
    await until(lambda: gate.bodies)
    proxy.part_with_clients()
    await socket.end()
    assert socket.sent[0]["status"] == 503
    gate.event.set()
