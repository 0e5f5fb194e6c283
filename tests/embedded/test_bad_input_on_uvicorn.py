"""Hostile clients, a hostile application and hostile publishers, on a real server: each gets a clear answer and a line
in the log, and a witness, who chats and listens all the time, notices nothing.
"""

from __future__ import annotations

import asyncio
import base64
import select
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import psutil
import pytest

pytest.importorskip("uvicorn")
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .test_on_uvicorn import PATIENCE, Server, ask_for_socket, start_uvicorn

pytestmark = pytest.mark.timeout(2 * PATIENCE)

MB = 2**20
KEY = base64.b64encode(bytes(16)).decode()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = start_uvicorn(site="tests.embedded.hostile_site:application")
    try:
        yield server.wait_ready()
    finally:
        server.kill()


class Witness:
    """Somebody else: a WebSocket and a stream, both of which go on."""

    def __init__(self, server: Server, websocket: ClientConnection, parts: AsyncIterator[str]) -> None:
        self._server, self._websocket, self._parts = server, websocket, parts

    async def is_served(self) -> None:
        for number in range(20):
            await self._websocket.send(f"{number}")
            assert await self._websocket.recv() == f"{number}"
        await asyncio.to_thread(self._server.publish, "news\n")
        assert await self._websocket.recv() == "news\n"
        assert await anext(self._parts) == "news\n"


@pytest.fixture
async def witness(server: Server) -> AsyncIterator[Witness]:
    async with (
        httpx.AsyncClient(base_url=server.url(""), timeout=PATIENCE) as client,
        client.stream("GET", "/stream") as stream,
        ask_for_socket(server, "/echo") as websocket,
    ):
        parts = stream.aiter_text()
        assert await anext(parts) == "[open]\n"
        await server.has_subscribers(2)
        yield Witness(server, websocket, parts)
    await server.has_subscribers(0)


# A hostile application


@pytest.mark.parametrize(
    ("what", "status", "body", "logged"),
    [
        ("garbage", 502, "The application did not answer as for a WebSocket.\n", "as it should: "),
        ("another-type", 502, "The application did not answer as for a WebSocket.\n", "byte for byte"),
        ("too-big", 502, "The application failed to answer.\n", "a body of more than 1,000,000 bytes"),
        ("raises", 500, "The application failed to answer.\n", "it raised an exception"),
        ("hangs", 504, "The application failed to answer.\n", "it did not answer within 2 s"),
        ("302", 302, "", None),
        ("401", 401, "log in\n", None),
        ("500", 500, "the application's own page\n", None),
    ],
)
async def test_an_application_that_does_not_open_refuses(
    server: Server, witness: Witness, what: str, status: int, body: str, logged: str | None
) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}
    answer = await asyncio.to_thread(server.http.get, server.url(f"/open/{what}"), headers=headers)
    assert (answer.status_code, answer.text) == (status, body)
    if logged is not None:
        server.wait_for(f"/open/{what}.*{logged}")
    await witness.is_served()


@pytest.mark.parametrize("what", ["garbage", "another-type", "too-big", "raises", "hangs", "302", "401", "500"])
async def test_an_application_that_fails_later_closes_its_client(server: Server, witness: Witness, what: str) -> None:
    websocket = await ask_for_socket(server, f"/later/{what}")
    await websocket.send("hi")
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(websocket.recv(), PATIENCE)
    assert (websocket.close_code, websocket.close_reason) == (1011, "server error")
    server.wait_for(f"failed the WebSocket at /later/{what}: .*closed with 1011")
    await witness.is_served()


@pytest.mark.parametrize(
    ("path", "status", "body", "logged"),
    [
        ("/no-channel", 502, "The application's answer is not", "Grip-Hold has no Grip-Channel beside it"),
        ("/bad-mode", 502, "The application's answer is not", "Grip-Hold must be either"),
        ("/bad-json", 502, "The application's answer is not", "the instruction is not JSON"),
        ("/big-hold", 502, "The application's answer is not", "a body of 100,001 bytes"),
        ("/bad-header", 200, "whole\n", "response header b'x-a' is not well formed"),
        ("/link-elsewhere", 200, "[open]\n", "not to 'evil.example'"),
        ("/link-userinfo", 200, "[open]\n", "not to '127.0.0.1@evil.example'"),
        ("/link-file", 200, "[open]\n", "must be a path or begin with http"),
    ],
)
async def test_what_cannot_be_followed_is_answered_and_told_of(
    server: Server, witness: Witness, path: str, status: int, body: str, logged: str
) -> None:
    answer = await asyncio.to_thread(server.http.get, server.url(path))
    assert answer.status_code == status
    assert answer.text.startswith(body)
    assert "stolen" not in str(answer.headers)
    server.wait_for(logged)
    await witness.is_served()


async def test_a_gone_link_elsewhere_leaves_the_stream_as_it_is(server: Server, witness: Witness) -> None:
    with server.http.stream("GET", server.url("/gone-elsewhere")) as stream:
        parts = stream.iter_text()
        assert next(parts) == "[open]\n"
        await server.has_subscribers(3)
    server.wait_for("The gone link of /gone-elsewhere will not be followed")
    await server.has_subscribers(2)
    await witness.is_served()


# Hostile clients


def handshake(server: Server, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    fields = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13"
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{fields}\r\n\r\n".encode())
    return client


def vanish(client: socket.socket) -> None:
    """Without a word of TCP's, even."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def test_messages_of_200_kb_are_taken_and_bigger_ones_close(server: Server, witness: Witness) -> None:
    async with ask_for_socket(server, "/echo", compression=None) as websocket:
        await websocket.send(b"x" * 200_000)
        assert await websocket.recv() == b"x" * 200_000
        await websocket.send(b"x" * 200_001)
        with pytest.raises(ConnectionClosed):
            await websocket.recv()
        assert (websocket.close_code, websocket.close_reason) == (1009, "message too big")
    server.wait_for("closed with 1009: it sent a message of 200001 bytes")
    await witness.is_served()


@pytest.mark.parametrize(
    ("path", "jams", "logged"),
    [
        # The application has no time for it.
        ("/later/hangs", True, "closed with 1011"),
        # It does not read its echoes; once it is closed for that, what it still sends is thrown away.
        ("/echo", False, "closed with 1013: [0-9]+ bytes wait for it"),
    ],
)
async def test_a_client_that_floods_fills_no_memory(
    server: Server, witness: Witness, path: str, jams: bool, logged: str
) -> None:
    size = psutil.Process(server.process.pid).memory_info().rss
    client = handshake(server, path)
    assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
    message = b"\x82\xff" + struct.pack(">Q", 100_000) + bytes(4) + bytes(100_000)
    # In this time the application is not given up yet.
    sent = await asyncio.to_thread(send_what_is_taken, client, message, within=1.5 if jams else PATIENCE)
    await witness.is_served()
    # The kernel has buffers of its own.
    assert sent < 64 * MB or not jams
    assert psutil.Process(server.process.pid).memory_info().rss < size + 32 * MB
    server.wait_for(f"The (?:client of the|application failed the) WebSocket at {path}.*{logged}")
    client.close()


def send_what_is_taken(client: socket.socket, message: bytes, *, within: float) -> int:
    """Send as much as is taken within so many seconds. Returns how much."""
    client.setblocking(False)
    end = time.monotonic() + within
    sent = 0
    try:
        while sent < 64 * MB and (left := end - time.monotonic()) > 0:
            if not select.select([], [client], [], left)[1]:
                break
            position = sent % len(message)
            sent += client.send(message[position:])
    except ConnectionError:
        pass
    return sent


async def test_clients_that_vanish_are_forgotten(server: Server, witness: Witness) -> None:
    for number in range(60):
        for path in ("/echo", "/open/hangs", "/later/hangs"):
            client = handshake(server, path)
            if number % 2:
                vanish(client)
            else:
                client.close()
    await witness.is_served()
    await server.has_subscribers(2)


async def test_clients_that_stall_in_their_requests_keep_nobody_waiting(server: Server, witness: Witness) -> None:
    stalled = []
    for beginning in (
        b"",
        b"GET",
        b"GET /echo HTTP/1.1\r\nUpgrade: websocket\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 9",
    ):
        for _ in range(50):
            stalled.append(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
            stalled[-1].sendall(beginning)
    await witness.is_served()
    for client in stalled:
        client.close()


# Hostile publishers


BODY = b'{"items":[{"channel":"c","formats":{"ws-message":{"content":"forged"},"http-stream":{"content":"forged"}}}]}'


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (BODY, {"Authorization": "Bearer wrong"}, 403),
        # {"alg":"none"}, {"exp":9999999999}, nothing
        (BODY, {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9."}, 403),
        (BODY, {"Origin": "https://evil.example", "Content-Type": "text/plain"}, 403),
        (BODY, {"Sec-Fetch-Site": "cross-site"}, 403),
        (BODY, {"Host": "evil.example"}, 401),
        (BODY, {"X-Forwarded-For": "203.0.113.7"}, 401),
        (BODY, {"X-Forwarded-For": "127.0.0.1", "Host": "localhost"}, 403),
        (BODY + b" " * 2_000_000, {}, 413),
        (BODY[:-1], {}, 400),
        (BODY.replace(b"forged", b"\xff"), {}, 400),
        (BODY.replace(b"forged", b"\\ud800"), {}, 400),
        (BODY[:-2] + b",NaN]}", {}, 400),
        (BODY[:-2] + b"," + b"9" * 100_000 + b"]}", {}, 400),
        (BODY[:-2] + b"," + b"[" * 100_000 + b"]}", {}, 400),
        (BODY[:-2] + b",{}]}", {}, 400),
        (BODY[:-1] + b',"items":0}', {}, 400),
        (b'{"items":[{"channel":"c","formats":{"carrier-pigeon":{}}}]}', {}, 200),
    ],
)
async def test_what_is_published_badly_reaches_nobody(
    server: Server, witness: Witness, body: bytes, headers: dict[str, str], status: int
) -> None:
    lines = len(server.lines)
    url = server.url("/.grip/publish/")
    try:
        answer = await asyncio.to_thread(server.http.post, url, content=body, headers=headers)
        assert answer.status_code == status
    except (httpx.WriteError, httpx.ReadError):
        # The answer came before the body was sent, and the connection was closed.
        assert status == 413
    if status != 200:
        server.wait_for(f"Refused with {status}: POST /.grip/publish/: ")
    await witness.is_served()
    assert "forged" not in "\n".join(server.lines[lines:])
