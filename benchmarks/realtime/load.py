"""The clients: ``python load.py SCENARIO URL COUNT ROUNDS`` opens WebSockets and prints what it measured, as JSON.

Scenarios: ``burst`` (ROUNDS broadcasts at once), ``broadcast`` (one after the other), ``echo`` (each client sends
ROUNDS messages, one after the other), ``idle`` (holds COUNT connections until its input ends).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from statistics import median
from typing import Any

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

# Seconds without a single delivery, after which what is missing counts as lost.
_SILENCE = 10.0
_AT_ONCE = 50
_PAYLOAD = "x" * 100


class Tally:
    """What all clients of a run have received together."""

    def __init__(self) -> None:
        self.received = 0
        self.expected = 0
        self.last = 0.0
        self.complete = asyncio.Event()

    def expect(self, more: int) -> None:
        self.expected += more
        self.complete.clear()

    def count(self) -> None:
        self.received += 1
        self.last = time.perf_counter()
        if self.received >= self.expected:
            self.complete.set()

    async def wait(self) -> bool:
        """Whether everything came; False when nothing at all came for a while."""
        while not self.complete.is_set():
            before = self.received
            try:
                await asyncio.wait_for(self.complete.wait(), _SILENCE)
            except asyncio.TimeoutError:
                if self.received == before:
                    return False
        return True


class Client(WSListener):  # type: ignore[misc]
    def __init__(self, tally: Tally, echoes: int = 0) -> None:
        self.tally = tally
        self.echoes = echoes

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        self.tally.count()
        if self.echoes:
            self.echoes -= 1
            transport.send(WSMsgType.TEXT, _PAYLOAD.encode())


async def connect(url: str, count: int, tally: Tally) -> list[Client]:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one() -> Client:
        async with gate:
            _, client = await ws_connect(lambda: Client(tally), url, websocket_handshake_timeout=60)
            return client

    return await asyncio.gather(*[one() for _ in range(count)])


async def burst(url: str, count: int, rounds: int) -> dict[str, Any]:
    tally = Tally()
    clients = await connect(url, count, tally)
    await settle(clients, tally)
    tally.expect(count * rounds)
    begun, before = time.perf_counter(), tally.received
    for _ in range(rounds):
        clients[0].transport.send(WSMsgType.TEXT, _PAYLOAD.encode())
    await tally.wait()
    delivered = tally.received - before
    return {"rate": delivered / (tally.last - begun), "lost": count * rounds - delivered}


async def broadcast(url: str, count: int, rounds: int) -> dict[str, Any]:
    tally = Tally()
    clients = await connect(url, count, tally)
    await settle(clients, tally)
    times, lost = [], 0
    for _ in range(rounds):
        tally.expect(count)
        begun = time.perf_counter()
        clients[0].transport.send(WSMsgType.TEXT, _PAYLOAD.encode())
        if not await tally.wait():
            lost += tally.expected - tally.received
            tally.received = tally.expected
        times.append(tally.last - begun)
    return {"time": median(times), "lost": lost}


async def settle(clients: list[Client], tally: Tally) -> None:
    """Broadcast until one broadcast reaches everybody, or three times: groups may be joined some time after opening."""
    for _ in range(3):
        tally.expect(tally.received - tally.expected + len(clients))
        clients[0].transport.send(WSMsgType.TEXT, _PAYLOAD.encode())
        if await tally.wait():
            return
        tally.received = tally.expected


async def echo(url: str, count: int, rounds: int) -> dict[str, Any]:
    tally = Tally()
    clients = await connect(url, count, tally)
    tally.expect(count * rounds)
    begun = time.perf_counter()
    for client in clients:
        client.echoes = rounds - 1
        client.transport.send(WSMsgType.TEXT, _PAYLOAD.encode())
    await tally.wait()
    return {"rate": tally.received / (tally.last - begun), "lost": count * rounds - tally.received}


async def idle(url: str, count: int, rounds: int) -> dict[str, Any]:
    clients = await connect(url, count, Tally())
    print("open", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    return {"open": len(clients)}


def main() -> None:
    scenario, url, count, rounds = sys.argv[1:]
    figures = asyncio.run(globals()[scenario](url, int(count), int(rounds)))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
