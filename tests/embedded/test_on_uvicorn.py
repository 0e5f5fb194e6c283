"""The embedded proxy on real uvicorn, with real clients: what no made-up server shows."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

pytest.importorskip("uvicorn")
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

ROOT = Path(__file__).parents[2]
SITE = "tests.embedded.uvicorn_site:application"
# Seconds; far more than anything here takes.
PATIENCE = 60

pytestmark = pytest.mark.timeout(2 * PATIENCE)


class Server:
    """A server in a process of its own; what it logs is read all the time."""

    def __init__(self, *command: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=cwd,
            env=environment,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0
        self.http = httpx.Client(trust_env=False, timeout=PATIENCE)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, count: int = 1) -> re.Match[str]:
        """Wait for a line of the log."""

        def found() -> list[re.Match[str]]:
            return [match for match in map(re.compile(pattern).search, self.lines) if match]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, PATIENCE), f"no {pattern!r} in:\n{self.log}"
            return found()[count - 1]

    def wait_ready(self) -> Server:
        self.port = int(self.wait_for(r"(?:running on|Listening at:) http://127\.0\.0\.1:(\d+)")[1])
        self.wait_for("Application startup complete")
        return self.wait_listening()

    def wait_listening(self) -> Server:
        """Wait for the port: with a supervisor it is known before it is listened on."""
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), PATIENCE).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                return self

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait_end()

    def wait_end(self) -> int:
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self._reader.join(PATIENCE)
        self.process.stdout.close()
        self.http.close()

    def url(self, path: str = "/", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def publish(self, content: str, channel: str = "c") -> None:
        formats = {"http-stream": {"content": content}, "http-response": {"body": content}}
        item = {"channel": channel, "formats": {**formats, "ws-message": {"content": content}}}
        answer = self.http.post(self.url("/.grip/publish/"), json={"items": [item]})
        assert (answer.status_code, answer.text) == (200, "Published\n")

    def subscribers(self) -> int:
        counts: dict[str, dict[str, int]] = self.http.get(self.url("/.grip/subscribers/")).json()
        return sum(sum(channels.values()) for channels in counts.values())

    def wait_dropped(self, client: socket.socket) -> None:
        """Wait until the server has closed its end of a connection, whatever the kernel still does with it."""
        process, address = psutil.Process(self.process.pid), client.getsockname()
        while any(tuple(connection.raddr) == address for connection in process.net_connections("tcp4")):
            time.sleep(0.02)

    async def has_subscribers(self, count: int) -> None:
        while await asyncio.to_thread(self.subscribers) != count:  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.02)


Start = Callable[..., Server]


def start_uvicorn(*arguments: str, site: str = SITE, **options: Any) -> Server:
    return Server("uvicorn", site, "--port", "0", "--http", "h11", "--no-access-log", *arguments, **options)


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    """A server for tests that leave it as it is."""
    server = start_uvicorn()
    try:
        yield server.wait_ready()
    finally:
        server.kill()


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Server] = []

    def start_one(*arguments: str, **options: Any) -> Server:
        servers.append(start_uvicorn(*arguments, **options))
        return servers[-1]

    yield start_one
    for server in servers:
        server.kill()


@pytest.fixture
def server(start: Start) -> Server:
    return start().wait_ready()


def ask_for_socket(server: Server, path: str = "/socket", **options: Any) -> connect:
    """A WebSocket, to be awaited or entered."""
    return connect(server.url(path, "ws"), open_timeout=PATIENCE, close_timeout=PATIENCE, **options)


async def open_socket(server: Server) -> ClientConnection:
    return await ask_for_socket(server)


async def end_of(websocket: ClientConnection) -> int:
    async for _ in websocket:
        pass
    return websocket.close_code or 0


def test_tickets_are_left_out_of_uvicorn_s_access_log(start: Start) -> None:
    server = start("--access-log").wait_ready()
    server.http.get(server.url("/?a=1&ticket=grip-ticket.AbC-_9&b=2"))
    assert server.wait_for(r'"GET (/\?.*) HTTP')[1] == "/?a=1&ticket=grip-ticket....&b=2"


async def test_every_kind_of_client_is_served(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url(""), timeout=PATIENCE) as client:
        assert (await client.get("/")).text == "hello\n"
        assert (await client.post("/x", content=b"x" * 300_000)).status_code == 404
        poll = asyncio.ensure_future(client.get("/poll"))
        async with client.stream("GET", "/stream") as stream, ask_for_socket(server) as websocket:
            parts = stream.aiter_text()
            assert await anext(parts) == "[open]\n"
            await websocket.send("é")
            assert await websocket.recv() == "é"
            await websocket.send(b"\xff")
            assert await websocket.recv() == b"\xff"
            await server.has_subscribers(3)
            await asyncio.to_thread(server.publish, "news\n")
            assert await anext(parts) == "news\n"
            assert (await poll).text == "news\n"
            assert await websocket.recv() == "news\n"
    await server.has_subscribers(0)
    assert await asyncio.to_thread(server.end) == -signal.SIGTERM
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_server_with_a_hundred_open_connections_ends_at_once_and_quietly(
    server: Server, number: signal.Signals
) -> None:
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=server.url(""), timeout=None, limits=limits) as client:
        sockets = await asyncio.gather(*(open_socket(server) for _ in range(40)))
        polls = [asyncio.ensure_future(client.get("/poll")) for _ in range(30)]
        streams = [asyncio.ensure_future(client.get("/stream")) for _ in range(30)]
        await server.has_subscribers(100)
        await asyncio.to_thread(server.end, number)
        assert {await end_of(websocket) for websocket in sockets} == {1001}
        assert {(await poll).text for poll in polls} == {"nothing\n"}
        assert {(await stream).text for stream in streams} == {"[open]\n"}
    assert "Finished server process" in server.log
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log
    assert "WARNING" not in server.log


def open_stalled(server: Server, path: str, upgrade: str = "") -> socket.socket:
    """A client that asks and never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{upgrade}\r\n".encode())
    return client


UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize(("path", "upgrade"), [("/stream", ""), ("/socket", UPGRADE)], ids=["stream", "websocket"])
async def test_a_client_that_never_reads_is_dropped_and_nobody_else(server: Server, path: str, upgrade: str) -> None:
    stalled = open_stalled(server, path, upgrade)
    try:
        async with ask_for_socket(server) as websocket:
            await server.has_subscribers(2)
            content = "x" * 200_000
            # The kernel takes some of it, the server's buffers some more.
            for _ in range(100):
                await asyncio.to_thread(server.publish, content)
                assert await websocket.recv() == content
                if server.subscribers() == 1:
                    break
            await server.has_subscribers(1)
            await asyncio.to_thread(server.wait_dropped, stalled)
            assert not read_all(stalled).endswith((b"0\r\n\r\n", b"too slow"))
            await websocket.send("still here")
            assert await websocket.recv() == "still here"
    finally:
        stalled.close()
    await asyncio.to_thread(server.end)
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log
    assert len([line for line in server.lines if "dropped" in line or "1013" in line]) == 1


def read_all(client: socket.socket) -> bytes:
    """What came before the server dropped the connection."""
    client.settimeout(PATIENCE)
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            received += part
    return received


async def test_a_client_that_never_reads_does_not_hold_up_the_end(server: Server) -> None:
    stalled = [open_stalled(server, "/stream"), open_stalled(server, "/socket", UPGRADE)]
    await server.has_subscribers(2)
    for _ in range(5):
        await asyncio.to_thread(server.publish, "x" * 200_000)
    await asyncio.to_thread(server.end)
    for client in stalled:
        client.close()
    assert "Finished server process" in server.log
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


async def test_a_refused_handshake_is_an_ordinary_response(server: Server) -> None:
    for path, status in (("/.grip/publish/", 404), ("/socket", 403), ("/denied", 418)):
        headers = {"Content-Type": "application/websocket-events"} if status == 403 else {}
        with pytest.raises(InvalidStatus) as caught:
            await ask_for_socket(server, path, additional_headers=headers)
        assert caught.value.response.status_code == status
    assert await asyncio.to_thread(server.end) == -signal.SIGTERM
    assert "ERROR" not in server.log


def ask_raw(server: Server, request: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
        client.sendall(request.encode())
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET http://evil.example/ HTTP/1.1", "Connection: close\r\n", 400),
        ("OPTIONS * HTTP/1.1", "Connection: close\r\n", 400),
        ("CONNECT evil.example:443 HTTP/1.1", "Connection: close\r\n", 400),
        ("GET / HTTP/1.1", "Connection: close, upgrade\r\nUpgrade: h2c\r\n", 200),
        ("GET /%ed%a0%80 HTTP/1.1", "Connection: close\r\n", 404),
        ("GET / HTTP/1.1", "Connection: close\r\n" + "X-A: b\r\n" * 2000, 200),
        (
            "POST / HTTP/1.1",
            "Connection: close\r\nContent-Length: 0\r\nContent-Type: application/websocket-events\r\n",
            403,
        ),
        ("POST /.grip/publish/ HTTP/1.1", "Connection: close\r\nContent-Length: 2000000\r\n", 413),
        ("POST /.grip/publish/?a HTTP/1.1", "Connection: close\r\nContent-Length: 0\r\n", 404),
    ],
)
def test_oddities_are_answered_cleanly(shared: Server, request_line: str, headers: str, status: int) -> None:
    answer = ask_raw(shared, f"{request_line}\r\nHost: 127.0.0.1\r\n{headers}\r\n")
    assert answer.split(b" ", 2)[1] == str(status).encode(), answer
    assert "Traceback" not in shared.log


# Worker processes


@pytest.mark.parametrize("how", ["option", "environment"])
def test_several_workers_of_uvicorn_do_not_start(start: Start, how: str) -> None:
    arguments = ["--workers", "2"] if how == "option" else []
    server = start(*arguments, env={"WEB_CONCURRENCY": "2"} if how == "environment" else None)
    server.wait_end()
    assert "this server has 2 workers" in server.log
    assert "Traceback" not in server.log


def test_several_workers_of_gunicorn_do_not_start() -> None:
    pytest.importorskip("gunicorn")
    worker = ["-k", "uvicorn.workers.UvicornWorker"]
    server = Server("gunicorn", SITE, "-b", "127.0.0.1:0", "-w", "2", *worker)
    try:
        assert server.wait_end() != 0
    finally:
        server.kill()
    assert "this server has 2 workers" in server.log


def test_one_worker_starts_whatever_starts_it(start: Start) -> None:
    server = start("--workers", "1").wait_ready()
    assert server.http.get(server.url()).text == "hello\n"


async def test_a_reload_ends_connections_and_goes_on(start: Start, tmp_path: Path) -> None:
    module = tmp_path / "watched.py"
    module.write_text("from tests.embedded.uvicorn_site import application\n")
    server = start("--reload", "--reload-dir", str(tmp_path), site="watched:application", cwd=tmp_path)
    await asyncio.to_thread(server.wait_ready)
    ended = asyncio.ensure_future(end_of(await open_socket(server)))
    # The reloader compares times of change with those of its first look, which may be still to come.
    for changed in itertools.count(2_000_000_000):
        os.utime(module, (changed, changed))
        if (await asyncio.wait([ended], timeout=5))[0]:
            break
    assert await ended == 1001
    await asyncio.to_thread(server.wait_for, "Application startup complete", 2)
    await asyncio.to_thread(server.wait_listening)
    async with ask_for_socket(server) as again:
        await again.send("x")
        assert await again.recv() == "x"
    await asyncio.to_thread(server.end, signal.SIGINT)
    assert "Traceback" not in server.log


def test_items_are_json_for_all_the_world(shared: Server) -> None:
    body = json.dumps({"items": [{"channel": "c", "formats": {"http-stream": {"content": "é"}}}]})
    for content in (body.encode(), body.encode("utf-16")):
        answer = shared.http.post(shared.url("/.grip/publish"), content=content)
        assert answer.status_code == (200 if content == body.encode() else 400)
