"""A site behind Pushpin, this machine's or that of a root of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from .clients import http_client
from .engines import Stack
from .pushpin import Pushpin
from .pushpin_chroot import ChrootPushpin
from .servers import AppServer, Project
from .sites import Site
from .waiting import wait_until

_SUBSCRIBED = re.compile(r"\[handler\] subscribe (\S+) channel=(\S+)( retry)?$", re.MULTILINE)

PUSHPINS = {"pushpin": Pushpin, "pushpin-1.41": ChrootPushpin}


class PushpinSite(Site):
    """The test project on gunicorn or uvicorn, and Pushpin before it.

    Args:
        wsgi, asgi: the keys of ``servers.SERVERS`` that stand for the interface.
        project: what is served in place of the test project.
        settings: Django settings laid over the test project's.
        pushpin: options of ``Pushpin``.
        env: environment variables of the application.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        wsgi: str = "gunicorn",
        asgi: str = "uvicorn",
        project: Project | None = None,
        settings: Mapping[str, Any] | None = None,
        pushpin: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        server = {"wsgi": wsgi, "asgi": asgi}[stack.interface]
        self.app = AppServer(server, project=project, env=env)
        self.pushpin = self.proxy = PUSHPINS[stack.engine](self.app.port, **(pushpin or {}))
        proxy = {"control_uri": self.pushpin.control_url, "key": self.pushpin.sig_key}
        self.app.configure({"GRIP_PROXIES": [proxy], **(settings or {})})
        # uvicorn as shipped ends idle connections after five seconds: a request that came at that moment would be lost.
        self._direct = http_client(self.direct_url, keeps_connections=False)
        super().__init__(stack)

    @property
    def url(self) -> str:
        return self.pushpin.url

    @property
    def direct_url(self) -> str:
        return self.app.url

    @property
    def control_url(self) -> str:
        return self.pushpin.control_url

    @property
    def direct(self) -> httpx.Client:
        return self._direct

    @property
    def directories(self) -> list[Path]:
        return [self.pushpin.directory, self.app.directory]

    def publish_items(self, *items: Mapping[str, Any]) -> None:
        self.pushpin.publish(*items)

    def subscribers(self, mode: str) -> Mapping[str, int]:
        return self.pushpin.subscribers(mode)

    def wait_subscribed(self, channel: str, *, mode: str, count: int = 1) -> None:
        super().wait_subscribed(channel, mode=mode, count=count)
        if mode == "response" and count:
            # One that is answered at its second look is not held again, and has no line of that.
            with suppress(AssertionError):
                wait_until(lambda: self._has_looked_again(channel, count), "Pushpin has looked again", timeout=5)

    def _has_looked_again(self, channel: str, count: int) -> bool:
        """Whether the second looks of the long-polls that were held last are over.

        That is a second after they were held, and often the moment in which their count is known. What changes in the
        very moment of a second look Pushpin's clients learn at their next poll (docs/long-poll.md).
        """
        lines = _SUBSCRIBED.findall(self.pushpin.log_text())
        urls = [url for url, name, again in lines if name == channel and not again][-count:]
        guards = [name for url, name, again in lines if url in urls and "grip:guard:" in name and not again][-count:]
        again = {name for _, name, again in lines if again}
        return again.issuperset(guards)

    def reason_of(self, failure: httpx.Response) -> str:
        # `debug` is on.
        return failure.text

    def start(self) -> None:
        self.pushpin.launch()
        self.app.launch()
        self.pushpin.wait_ready()
        self.app.wait_ready()
        # The way back from the application is the last to be there.
        self.wait_answers()

    def start_proxy(self) -> None:
        self.pushpin.start()
        self.wait_answers()

    def close(self) -> None:
        self._direct.close()
        self.pushpin.close()
        super().close()
