"""A site of the rig: the test project on a real server, behind a real Pushpin."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from websockets.sync.client import ClientConnection

from .clients import HeldStream, http_client, open_events, open_stream, open_websocket
from .pushpin import Pushpin
from .servers import AppServer, Project
from .waiting import wait_until

T = TypeVar("T")

# The server that stands for each interface.
SERVER_OF = {"wsgi": "gunicorn", "asgi": "uvicorn"}


class Site:
    """The test project behind Pushpin, and clients for both.

    Args:
        server: a key of ``servers.SERVERS``, or ``"wsgi"``, ``"asgi"``.
        project: what is served in place of the test project.
        settings: Django settings laid over the test project's.
        pushpin: options of ``Pushpin``.
        env: environment variables of the application.
    """

    def __init__(
        self,
        server: str,
        *,
        project: Project | None = None,
        settings: Mapping[str, Any] | None = None,
        pushpin: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.app = AppServer(SERVER_OF.get(server, server), project=project, env=env)
        self.pushpin = Pushpin(self.app.port, **(pushpin or {}))
        proxy = {"control_uri": self.pushpin.control_url, "key": self.pushpin.sig_key}
        self.app.configure({"GRIP_PROXIES": [proxy], **(settings or {})})
        self.http = http_client(self.url)
        self.direct = http_client(self.direct_url)

    @property
    def url(self) -> str:
        """Where clients go: Pushpin."""
        return self.pushpin.url

    @property
    def direct_url(self) -> str:
        """The application itself, past Pushpin."""
        return self.app.url

    @property
    def control_url(self) -> str:
        return self.pushpin.control_url

    def ws_url(self, path: str) -> str:
        return self.url.replace("http:", "ws:") + quote(path, safe="/?=&%")

    def ws(self, path: str, **options: Any) -> ClientConnection:
        """Open a WebSocket through Pushpin: ``with site.ws("/echo/") as ws``."""
        return open_websocket(self.ws_url(path), **options)

    def stream(self, path: str, **options: Any) -> AbstractContextManager[HeldStream]:
        """Open a stream or a long-poll through Pushpin: ``with site.stream("/feed/") as stream``."""
        return open_stream(self.http, path, **options)

    def events(self, path: str, **options: Any) -> AbstractContextManager[Any]:
        """Open Server-Sent Events through Pushpin: ``with site.events("/ticker/") as events: next(events)``."""
        return open_events(self.http, path, **options)

    def publish(self, channel: str, formats: Mapping[str, Any], **item: Any) -> None:
        """Publish past the package: a raw item to Pushpin's control port."""
        self.pushpin.publish({"channel": channel, "formats": formats, **item})

    def publish_stream(self, channel: str, content: str) -> None:
        self.publish(channel, {"http-stream": {"content": content}})

    def publish_ws(self, channel: str, content: str) -> None:
        self.publish(channel, {"ws-message": {"content": content}})

    def wait_subscribed(self, channel: str, *, mode: str, count: int = 1) -> None:
        """Wait until Pushpin has so many subscribers (``Pushpin.wait_subscribed``)."""
        self.pushpin.wait_subscribed(channel, mode=mode, count=count)

    @contextmanager
    def in_background(self, call: Callable[..., T], *args: Any, **options: Any) -> Iterator[Future[T]]:
        """Make a call that waits, such as a long-poll, in a thread; what comes is its future."""
        with ThreadPoolExecutor(1) as thread:
            yield thread.submit(call, *args, **options)

    def csrf(self, path: str = "/csrf/") -> dict[str, str]:
        """Get a CSRF cookie into ``site.http`` and return the headers a POST needs."""
        token = self.http.get(path).text
        return {"X-CSRFToken": token}

    def start(self) -> None:
        self.pushpin.launch()
        self.app.launch()
        self.pushpin.wait_ready()
        self.app.wait_ready()
        # zurl's way back to Pushpin is the last to be there.
        self._wait_through()

    def restart_proxy(self) -> None:
        """Stop Pushpin and start it again on the same ports; the clients lose their connections."""
        self.pushpin.restart()
        self._wait_through()

    def is_alive(self) -> bool:
        return self.pushpin.is_alive() and self.app.is_alive()

    def close(self) -> None:
        self.http.close()
        self.direct.close()
        self.pushpin.close()
        self.app.close()

    def _wait_through(self) -> None:
        def passes() -> bool:
            with http_client(self.url, timeout=2) as client:
                try:
                    return client.get(self.app.project.ready).status_code == 200
                except httpx.TransportError:
                    return False

        wait_until(passes, "a request passes through Pushpin to the application")


class SitePool:
    """Running sites that tests share, by their options; the least used goes when there are too many."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sites: OrderedDict[str, Site] = OrderedDict()

    def get(self, server: str, options: Mapping[str, Any]) -> Site:
        # A Project is told by its repr.
        key = json.dumps([server, options], sort_keys=True, default=repr)
        site = self._sites.pop(key, None)
        if site is not None and not site.is_alive():
            site.close()
            site = None
        if site is None:
            site = self._started(server, options)
        self._sites[key] = site
        return site

    def close(self) -> None:
        while self._sites:
            self._sites.popitem()[1].close()

    def _started(self, server: str, options: Mapping[str, Any]) -> Site:
        while len(self._sites) >= self._size:
            self._sites.popitem(last=False)[1].close()
        site = Site(server, **options)
        try:
            site.start()
        except BaseException:
            site.close()
            raise
        return site
