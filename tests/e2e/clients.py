"""Thin wrappers around clients that were not written here: httpx, httpx-sse, websockets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import httpx_sse
from websockets.sync.client import ClientConnection, connect

from .waiting import PATIENCE


def http_client(base_url: str = "", *, timeout: float = PATIENCE, keeps_connections: bool = True) -> httpx.Client:
    """A client that ignores the machine's proxies and gives up at last."""
    limits = httpx.Limits() if keeps_connections else httpx.Limits(max_keepalive_connections=0)
    # No https here, and loading the machine's certificates would take longer than most tests.
    return httpx.Client(base_url=base_url, trust_env=False, verify=False, timeout=timeout, limits=limits)


def open_websocket(url: str, **options: Any) -> ClientConnection:
    """Connect a WebSocket; use it in ``with``. Receive with ``receive()``, which gives up at last."""
    options = {"open_timeout": PATIENCE, "close_timeout": PATIENCE, "proxy": None, "compression": None, **options}
    return connect(url, **options)


def receive(ws: ClientConnection, count: int = 1) -> Any:
    """The next message, or a list of the next ``count``."""
    if count == 1:
        return ws.recv(timeout=PATIENCE)
    return [ws.recv(timeout=PATIENCE) for _ in range(count)]


class HeldStream:
    """A response that stays open."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.iter_raw()
        self._unread = b""

    @property
    def status_code(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> httpx.Headers:
        return self.response.headers

    def read_until(self, end: bytes | str) -> bytes:
        """What arrives up to ``end``, and with it.

        Raises:
            AssertionError: the response ended before that, or nothing came any more.
        """
        end = end.encode() if isinstance(end, str) else end
        while end not in self._unread:
            try:
                self._unread += next(self._chunks)
            except StopIteration:
                raise AssertionError(f"the response ended before {end!r}; it had {self._unread!r}") from None
            except httpx.TransportError as error:
                raise AssertionError(f"no {end!r} came ({error!r}), only {self._unread!r}") from error
        at = self._unread.index(end) + len(end)
        taken, self._unread = self._unread[:at], self._unread[at:]
        return taken

    def read_to_end(self) -> bytes:
        """The rest, until the response ends or the connection is lost."""
        try:
            for chunk in self._chunks:
                self._unread += chunk
        except (httpx.RemoteProtocolError, httpx.ReadError):
            pass
        taken, self._unread = self._unread, b""
        return taken

    def ends_properly(self) -> bool:
        """Tell whether the response comes to the end that HTTP gives it, and is not cut off."""
        try:
            self._unread += b"".join(self._chunks)
        except httpx.RemoteProtocolError:
            return False
        return True


def read_repeated(stream: HeldStream, end: bytes | str, act: Callable[[], object]) -> bytes:
    """Act again and again until what comes of it is read, up to ``end``.

    A client that has its first bytes may not be subscribed yet, and not every proxy says when it is.
    """
    done = threading.Event()

    def go_on() -> None:
        while not done.is_set():
            act()
            done.wait(0.1)

    with ThreadPoolExecutor(1) as thread:
        acting = thread.submit(go_on)
        try:
            read = stream.read_until(end)
        finally:
            done.set()
    acting.result()
    return read


@contextmanager
def open_stream(client: httpx.Client, path: str, *, method: str = "GET", **options: Any) -> Iterator[HeldStream]:
    """Send a request whose response stays open."""
    with client.stream(method, path, **options) as response:
        yield HeldStream(response)


@contextmanager
def open_events(client: httpx.Client, path: str, **options: Any) -> Iterator[Iterator[httpx_sse.ServerSentEvent]]:
    """Send a request for Server-Sent Events; what comes is an iterator of events."""
    with httpx_sse.connect_sse(client, "GET", path, **options) as source:
        source.response.raise_for_status()
        yield source.iter_sse()
