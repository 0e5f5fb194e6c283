"""The async client of the test kit, on the async stack."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.http import HttpResponse

from django_grip import Event, WebSocketMessageFormat, apublish, asend_to, publish, set_hold_stream
from django_grip.testing import AsyncGripClient, NothingReceived, NotOpened, SomethingReceived
from django_grip.views import EventStreamView, LongPollView, WebSocketView


class Echo(WebSocketView):
    channels = ["all"]
    subprotocols = ["v1"]

    async def on_open(self):
        self.response.set_cookie("seen", "1")

    async def on_message(self, message):
        if message == "fail":
            raise RuntimeError("broken")
        if message == "close":
            self.close(4000, "enough")
        self.state["count"] = self.state.get("count", 0) + 1
        await self.apublish(message)

    async def on_close(self, code, reason):
        closed.append((code, reason))

    async def on_refresh(self):
        self.send("refreshed")


class SyncEcho(WebSocketView):
    channels = ["all"]

    def on_message(self, message):
        self.publish(message)


class Ticker(EventStreamView):
    channels = ["ticker"]
    keep_alive = 20

    async def on_open(self):
        yield Event(1)
        yield Event(2)


class Doc(LongPollView):
    channels = ["doc"]
    version = 1

    async def get_payload(self):
        return str(Doc.version)


closed: list = []


@pytest.fixture(autouse=True)
def views(route):
    closed.clear()
    Doc.version = 1
    route("ws/", Echo)
    route("sync/", SyncEcho)
    route("ticker/", Ticker)
    route("doc/", Doc)


async def test_a_websocket_is_opened_used_and_closed(async_grip_client):
    async with async_grip_client.websocket("/ws/", subprotocols=["v1"], headers={"X-A": "1"}) as ws:
        assert (ws.accepted, ws.status_code, ws.subprotocol, ws.channels) == (True, 101, "v1", {"all"})
        assert async_grip_client.cookies["seen"].value == "1"
        await ws.send("a", "b")
        assert await ws.receive_all() == ["a", "b"]
        await ws.send_json({"a": 1})
        assert await ws.receive_json() == {"a": 1}
        assert ws.state == {"count": 3}
        await ws.receive_nothing()
    assert closed == [(1000, "")]
    assert (ws.closed, ws.close_code) == (True, 1000)


async def test_a_websocket_may_be_awaited(async_grip_client):
    ws = await async_grip_client.websocket("/ws/")
    await ws.close(4001, "so long")
    other = await async_grip_client.websocket("/ws/")
    await other.lose()
    assert closed == [(4001, "so long"), (1006, "")]


async def test_a_view_with_sync_hooks_runs_too(async_grip_client):
    async with async_grip_client.websocket("/sync/") as one, async_grip_client.websocket("/ws/") as two:
        await one.send("hello")
        assert await one.receive() == await two.receive() == "hello"


async def test_what_is_published_arrives(async_grip_client):
    async with async_grip_client.websocket("/ws/") as ws:
        publish("all", WebSocketMessageFormat("now"))
        await apublish("all", WebSocketMessageFormat("then"))
        await asend_to(ws.connection, "for you")
        assert await ws.receive_all() == ["now", "then", "for you"]


async def test_receive_fails_at_once_and_says_what_happened(async_grip_client):
    async with async_grip_client.websocket("/ws/") as ws:
        with pytest.raises(NothingReceived, match="The WebSocket /ws/ is open, but no message is there"):
            await ws.receive()
        await ws.send("close")
        assert (await ws.receive(), ws.close_code, ws.close_reason) == ("close", 4000, "enough")
        with pytest.raises(NotOpened, match="is closed; nothing can be sent"):
            await ws.send("late")


async def test_receiving_nothing_is_sure_of_it(async_grip_client):
    async with async_grip_client.websocket("/ws/") as ws, async_grip_client.stream("/ticker/") as stream:
        await ws.send("a")
        with pytest.raises(SomethingReceived):
            await ws.receive_nothing()
        with pytest.raises(SomethingReceived):
            await stream.receive_nothing()


async def test_a_refusal_is_a_response(async_grip_client):
    ws = await async_grip_client.websocket("/nowhere/")
    assert (ws.accepted, ws.status_code, ws.response.asgi_request.path) == (False, 404, "/nowhere/")
    with pytest.raises(NotOpened, match="was refused with 404 Not Found"):
        async with async_grip_client.websocket("/nowhere/"):
            raise AssertionError


async def test_an_exception_in_a_hook_is_raised_in_the_test(async_grip_client):
    async with async_grip_client.websocket("/ws/") as ws:
        with pytest.raises(RuntimeError, match="broken"):
            await ws.send("fail")
        assert ws.close_code == 1011
    async with AsyncGripClient(raise_request_exception=False).websocket("/ws/") as ws:
        await ws.send("fail")
        assert ws.close_code == 1011


async def test_a_test_that_fails_in_the_block_fails_for_its_own_reason(async_grip_client):
    for opening in (
        async_grip_client.websocket("/ws/"),
        async_grip_client.stream("/ticker/"),
        async_grip_client.longpoll("/doc/"),
    ):
        with pytest.raises(ZeroDivisionError):
            async with opening:
                _ = 1 / 0
    assert closed == []


async def test_the_view_sees_the_request_of_the_client(route):
    seen = {}

    async def view(request):
        seen.update(
            path=request.path,
            query=request.GET.dict(),
            agent=request.headers["User-Agent"],
            extra=request.headers["X-Extra"],
            cookie=request.COOKIES,
            secure=request.is_secure(),
            host=request.get_host(),
            signed=request.grip_signed,
        )
        response = HttpResponse()
        set_hold_stream(response, "x")
        return response

    route("ünï/", view)
    client = AsyncGripClient(headers={"User-Agent": "kit"}, x_extra="2")
    client.cookies["c"] = "1"
    async with client.stream("/ünï/?a=1&b=ü", secure=True) as stream:
        assert stream.held
    assert seen == {
        "path": "/ünï/",
        "query": {"a": "1", "b": "ü"},
        "agent": "kit",
        "extra": "2",
        "cookie": {"c": "1"},
        "secure": True,
        "host": "testserver",
        "signed": True,
    }


async def test_a_stream_is_read(async_grip_client):
    async with async_grip_client.stream("/ticker/") as stream:
        assert (stream.held, stream.status_code, stream.channels, stream.ended) == (True, 200, {"ticker"}, False)
        assert (await stream.receive_event()).json() == 1
        await Ticker.abroadcast(Event(3))
        assert await stream.read() == "data: 2\n\ndata: 3\n\n"
        await async_grip_client.advance(20)
        assert await stream.read_bytes() == b":\n\n"
        with pytest.raises(NothingReceived, match="The stream /ticker/ is open, but no event is there"):
            await stream.receive_event()


async def test_a_long_poll_is_held_and_answered(async_grip_client):
    first = await async_grip_client.longpoll("/doc/")
    known = {"If-None-Match": first.response["ETag"]}
    async with async_grip_client.longpoll("/doc/", headers=known) as poll:
        assert (poll.held, poll.channels) == (True, {"doc"})
        with pytest.raises(NothingReceived, match="The long-poll /doc/ is still held"):
            await poll.receive()
        Doc.version = 2
        await Doc.achanged()
        assert (await poll.receive()).content == b"2"
    late = await async_grip_client.longpoll("/doc/", headers={"If-None-Match": poll.response["ETag"]})
    await async_grip_client.advance(25)
    assert late.status_code == 304


async def test_a_request_that_publishes_lets_other_views_run(async_grip_client, route):
    async def view(request):
        Doc.version = 2
        await Doc.achanged()
        return HttpResponse("done")

    route("change/", view)
    first = await async_grip_client.longpoll("/doc/")
    poll = await async_grip_client.longpoll("/doc/", headers={"If-None-Match": first.response["ETag"]})
    await async_grip_client.post("/change/")
    assert poll.response.content == b"2"


async def test_the_clock_is_moved_for_all_connections(async_grip_client, grip_client, grip_clock):
    async with async_grip_client.websocket("/ws/") as ws:
        with pytest.raises(AssertionError, match=r"An AsyncGripClient has connections open: await its own advance\(\)"):
            grip_client.advance(60)
        await grip_clock.aadvance(60)
        assert await ws.receive() == "refreshed"


async def test_what_a_thread_or_a_task_sends_is_waited_for(async_grip_client):
    async with async_grip_client.websocket("/ws/") as ws, async_grip_client.stream("/ticker/") as stream:
        with pytest.raises(NothingReceived):
            await ws.receive(timeout=0.01)
        threading.Thread(target=publish, args=["all", WebSocketMessageFormat("from a thread")]).start()
        assert await ws.receive(timeout=60) == "from a thread"
        task = asyncio.create_task(apublish("all", WebSocketMessageFormat("from a task")))
        assert await ws.receive(timeout=60) == "from a task"
        await task
        threading.Thread(target=publish, args=["all", WebSocketMessageFormat(action="refresh")]).start()
        assert await ws.receive(timeout=60) == "refreshed"
        await stream.read()
        threading.Thread(target=publish, args=["ticker", Event(5)]).start()
        assert (await stream.receive_event(timeout=60)).json() == 5


async def test_several_tasks_may_use_several_connections(async_grip_client):
    async with async_grip_client.websocket("/ws/") as one, async_grip_client.websocket("/ws/") as two:
        await asyncio.gather(*[ws.send(f"{n}") for n in range(20) for ws in (one, two)])
        assert len(await one.receive_all()) == len(await two.receive_all()) == 40
