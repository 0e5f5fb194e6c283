"""A control port on a real socket that answers as a test wants it to."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Seconds. Spent only when something is broken.
PATIENCE = 60.0


@dataclass
class Request:
    """What came in. `connection`: which of the server's connections it came on, counted from 1."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]


# Answers a request; returns whether the connection stays open.
Behaviour = Callable[["ControlServer", socket.socket, Request], bool]


def answer(
    status: int, body: str = "", *, headers: str = "", keep: bool = False, reason: str = "Whatever"
) -> Behaviour:
    """Answer with a status. Items count as taken only with 2xx."""

    def behave(server: ControlServer, sock: socket.socket, request: Request) -> bool:
        if 200 <= status < 300:
            server.take(request)
        connection = "keep-alive" if keep else "close"
        content = body.encode()
        head = (
            f"HTTP/1.1 {status} Whatever\r\nConnection: {connection}\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
        )
        sock.sendall(head.encode() + content)
        return keep

    return behave


accept = answer(200, "Published\n")
accept_and_keep = answer(200, "Published\n", keep=True)


def raw(data: bytes, *, take: bool = False, keep: bool = False) -> Behaviour:
    """Answer with these bytes and close. take: the items count as taken."""

    def behave(server: ControlServer, sock: socket.socket, request: Request) -> bool:
        if take:
            server.take(request)
        sock.sendall(data)
        return keep

    return behave


def take_and_reset(server: ControlServer, sock: socket.socket, request: Request) -> bool:
    """Take the items, and die before saying so."""
    server.take(request)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang(server: ControlServer, sock: socket.socket, request: Request) -> bool:
    """Never answer."""
    server.released.wait(PATIENCE)
    return False


def refuse_items(is_bad: Callable[[dict[str, Any]], bool], *, status: int = 400) -> Behaviour:
    """Refuse a batch as a whole if one of its items is bad, as Pushpin does."""

    def behave(server: ControlServer, sock: socket.socket, request: Request) -> bool:
        if any(map(is_bad, request.items)):
            return answer(status, "Invalid format: an item is bad\n")(server, sock, request)
        return accept(server, sock, request)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour a request; the last one stays."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(server: ControlServer, sock: socket.socket, request: Request) -> bool:
        with lock:
            current = left.pop(0) if len(left) > 1 else left[0]
        return current(server, sock, request)

    return behave


def gated(gate: threading.Event, behave: Behaviour = accept) -> Behaviour:
    """Wait for the test before doing as another behaviour does."""

    def wait(server: ControlServer, sock: socket.socket, request: Request) -> bool:
        gate.wait(PATIENCE)
        return behave(server, sock, request)

    return wait


class ControlServer:
    """Listens on loopback; each connection has a thread.

    `requests` has all that came. `taken` has the items a proxy would have passed on: a repeated id is dropped, as
    Pushpin does (GRIP.md, 6); `repeats` counts those.
    """

    def __init__(
        self, behave: Behaviour = accept, *, port: int = 0, wrap: Callable[[socket.socket], socket.socket] | None = None
    ) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.taken: list[dict[str, Any]] = []
        self.repeats = 0
        self.connections = 0
        self.released = threading.Event()
        self._wrap = wrap
        self._seen: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self._socks: list[socket.socket] = []
        self._open(port)

    def _open(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._wrap else 'http'}://127.0.0.1:{self.port}"

    def take(self, request: Request) -> None:
        with self._changed:
            for item in request.items:
                key = (item["channel"], item.get("id", ""))
                if key[1] and key in self._seen:
                    self.repeats += 1
                    continue
                self._seen.add(key)
                self.taken.append(item)
            self._changed.notify_all()

    def wait(self, condition: Callable[[], object], what: str = "something") -> None:
        """Wait until a condition on this server holds; it is looked at when a request or a connection has come."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"waited in vain for {what}"

    def contents(self, channel: str | None = None) -> list[str]:
        """What streams got, in order."""
        items = [item for item in self.taken if channel in (None, item["channel"])]
        return [item["formats"]["http-stream"]["content"] for item in items]

    def stop(self) -> None:
        """Close all; the port refuses connections from now on."""
        self.released.set()
        with contextlib.suppress(OSError):
            # Wakes the thread in accept(), which close() alone does not.
            self._listener.shutdown(socket.SHUT_RDWR)
        # It would go on with whatever is opened next and gets the number of this file.
        self._acceptor.join(PATIENCE)
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def start_again(self) -> None:
        self.released.clear()
        self._open(self.port)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with self._changed:
                    self.connections += 1
                    number = self.connections
                    self._socks.append(sock)
                    self._changed.notify_all()
                threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._wrap is not None:
                sock = self._wrap(sock)
            with sock, sock.makefile("rb") as stream:
                while request := self._read(stream, number):
                    if not self.behave(self, sock, request):
                        break

    def _read(self, stream: Any, number: int) -> Request | None:
        line = stream.readline().decode("latin-1").rstrip()
        if not line:
            return None
        headers = {}
        while header := stream.readline().decode("latin-1").rstrip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        request = Request(line, headers, body, number)
        with contextlib.suppress(ValueError, KeyError):
            request.items = json.loads(body)["items"]
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        return request
