"""A site of the rig: the test project on a real server, with one of the engines before it, and clients for both."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import httpx
from websockets.sync.client import ClientConnection

from .clients import HeldStream, http_client, open_events, open_stream, open_websocket
from .engines import Stack
from .servers import AppServer
from .waiting import growing, wait_until

T = TypeVar("T")


class Part(Protocol):
    """What of a site can be ended and started again, on the same ports."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...
    def is_alive(self) -> bool: ...
    def log_text(self) -> str: ...


class Site(ABC):
    """The test project behind a GRIP proxy. What differs between the engines is abstract here.

    app: the server of the project. proxy: what holds the connections; on the embedded engine it is the app.
    """

    app: AppServer
    proxy: Part

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = http_client(self.url)

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients go: the proxy."""

    @property
    @abstractmethod
    def direct_url(self) -> str:
        """The application itself, past the proxy."""

    @property
    @abstractmethod
    def control_url(self) -> str:
        """What ``control_uri`` is for this proxy."""

    @property
    @abstractmethod
    def direct(self) -> httpx.Client:
        """A client on ``direct_url``."""

    @abstractmethod
    def publish_items(self, *items: Mapping[str, Any]) -> None:
        """Publish past the package: items, as raw as they come, to the proxy's control port."""

    @abstractmethod
    def subscribers(self, mode: str) -> Mapping[str, int]:
        """How many subscribers the proxy has, by channel; see `wait_subscribed`."""

    @abstractmethod
    def reason_of(self, failure: httpx.Response) -> str:
        """What the proxy says is wrong with the instruction that it has answered with a 502."""

    @abstractmethod
    def start(self) -> None:
        """Start, and wait until a client is answered."""

    @abstractmethod
    def start_proxy(self) -> None:
        """Start the proxy again after its end, on the same ports, up to a request that passes through it."""

    @property
    @abstractmethod
    def directories(self) -> list[Path]:
        """What the site has made on the disk."""

    def ws_url(self, path: str) -> str:
        return self.url.replace("http:", "ws:") + quote(path, safe="/?=&%")

    def ws(self, path: str, **options: Any) -> ClientConnection:
        """Open a WebSocket through the proxy: ``with site.ws("/echo/") as ws``."""
        return open_websocket(self.ws_url(path), **options)

    def stream(self, path: str, **options: Any) -> AbstractContextManager[HeldStream]:
        """Open a stream or a long-poll through the proxy: ``with site.stream("/feed/") as stream``."""
        return open_stream(self.http, path, **options)

    def events(self, path: str, **options: Any) -> AbstractContextManager[Any]:
        """Open Server-Sent Events through the proxy: ``with site.events("/ticker/") as events: next(events)``."""
        return open_events(self.http, path, **options)

    def wait_subscribed(self, channel: str, *, mode: str, count: int = 1) -> None:
        """Wait until the proxy has so many subscribers of a channel (0: none is left).

        A client that has its first bytes may not be subscribed yet, and one that has left may still be.

        Args:
            mode: ``"ws"``, ``"stream"`` or ``"response"`` (where Pushpin keeps a subscription for a minute after).
        """
        wait_until(
            lambda: self.subscribers(mode).get(channel, 0) == count,
            f"{channel!r} has {count} {mode} subscriber(s)",
        )

    def restart_proxy(self) -> None:
        """Stop the proxy and start it again on the same ports; the clients lose their connections."""
        self.proxy.stop()
        self.start_proxy()

    def publish(self, channel: str, formats: Mapping[str, Any], **item: Any) -> None:
        """Publish one raw item past the package."""
        self.publish_items({"channel": channel, "formats": formats, **item})

    def publish_stream(self, channel: str, content: str) -> None:
        self.publish(channel, {"http-stream": {"content": content}})

    def publish_ws(self, channel: str, content: str) -> None:
        self.publish(channel, {"ws-message": {"content": content}})

    @contextmanager
    def in_background(self, call: Callable[..., T], *args: Any, **options: Any) -> Iterator[Future[T]]:
        """Make a call that waits, such as a long-poll, in a thread; what comes is its future."""
        with ThreadPoolExecutor(1) as thread:
            yield thread.submit(call, *args, **options)

    def csrf(self, path: str = "/csrf/") -> dict[str, str]:
        """Get a CSRF cookie into ``site.http`` and return the headers a POST needs."""
        token = self.http.get(path).text
        return {"X-CSRFToken": token}

    def answers(self, *, timeout: float = 2) -> bool:
        """Tell whether a request gets through to the application, within so many seconds."""
        with http_client(self.url, timeout=timeout) as client:
            try:
                return client.get(self.app.project.ready).status_code == 200
            except httpx.TransportError:
                return False

    def wait_answers(self) -> None:
        """Wait until a request gets through to the application."""
        # What was lost is never answered, and on a slow machine what was not lost takes its time.
        seconds = growing(2)
        wait_until(lambda: self.answers(timeout=next(seconds)), "a request gets through to the application")

    def is_alive(self) -> bool:
        return self.proxy.is_alive() and self.app.is_alive()

    def close(self) -> None:
        """End for good and leave nothing behind."""
        self.http.close()
        self.app.close()


class SitePool:
    """Running sites that tests share, by their options; the least used goes when there are too many."""

    def __init__(self, size: int, make: Callable[..., Site]) -> None:
        self._size = size
        self._make = make
        self._sites: OrderedDict[str, Site] = OrderedDict()

    def get(self, stack: Stack, options: Mapping[str, Any]) -> Site:
        # A Project is told by its repr.
        key = json.dumps([stack.name, options], sort_keys=True, default=repr)
        site = self._sites.pop(key, None)
        if site is not None and not site.is_alive():
            site.close()
            site = None
        if site is None:
            site = self._started(stack, options)
        self._sites[key] = site
        return site

    def close(self) -> None:
        while self._sites:
            self._sites.popitem()[1].close()

    def _started(self, stack: Stack, options: Mapping[str, Any]) -> Site:
        while len(self._sites) >= self._size:
            self._sites.popitem(last=False)[1].close()
        site = self._make(stack, **options)
        try:
            site.start()
        except BaseException:
            site.close()
            raise
        return site
