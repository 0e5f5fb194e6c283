"""A site on the embedded engine: one process, which holds the connections and is the application, too."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from django.test import override_settings

from django_grip.embedded import control_token

from .clients import http_client
from .engines import Stack
from .servers import AppServer, Project
from .sites import Site


class EmbeddedSite(Site):
    """The test project on uvicorn, behind the proxy in its own process.

    Args:
        project: what is served in place of the test project.
        settings: Django settings laid over the test project's.
        env: environment variables of the application.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        project: Project | None = None,
        settings: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.app = self.proxy = AppServer(
            "embedded", project=project, env={"GRIP_E2E_MIDDLEWARE": stack.interface, **(env or {})}
        )
        # By its key a project's other processes find its servers, and this is not the only site.
        secret_key = f"rig-only-{uuid.uuid4().hex}{uuid.uuid4().hex}"
        # No proxy, also where the project itself names one.
        engine = {"GRIP_EMBEDDED": True, "GRIP_PROXIES": [], "SECRET_KEY": secret_key}
        self.app.configure({**engine, **(settings or {})})
        with override_settings(SECRET_KEY=secret_key):
            self.token = control_token()
        self._past: AppServer | None = None
        self._direct: httpx.Client | None = None
        super().__init__(stack)

    @property
    def url(self) -> str:
        return self.app.url

    @property
    def direct_url(self) -> str:
        """The same project without the proxy: a server of its own, started when it is first asked for."""
        if self._past is None:
            self._past = self.app.beside("uvicorn")
            self._past.start()
        return self._past.url

    @property
    def direct(self) -> httpx.Client:
        if self._direct is None:
            # As with Pushpin's sites.
            self._direct = http_client(self.direct_url, keeps_connections=False)
        return self._direct

    @property
    def control_url(self) -> str:
        return f"{self.url}/.grip"

    @property
    def directories(self) -> list[Path]:
        return [self.app.directory]

    def publish_items(self, *items: Mapping[str, Any]) -> None:
        answer = self._control("POST", "publish", json={"items": list(items)})
        assert answer.status_code == 200, answer.text

    def subscribers(self, mode: str) -> Mapping[str, int]:
        counts: Mapping[str, int] = self._control("GET", "subscribers").json().get(mode, {})
        return counts

    def reason_of(self, failure: httpx.Response) -> str:
        # Clients are not told; the log is.
        return self.app.log_text()

    def start(self) -> None:
        self.app.start()

    def start_proxy(self) -> None:
        self.app.start()

    def close(self) -> None:
        if self._direct is not None:
            self._direct.close()
        if self._past is not None:
            self._past.close()
        super().close()

    def _control(self, method: str, path: str, **options: Any) -> httpx.Response:
        with http_client(self.control_url) as client:
            authority = {"Authorization": f"Bearer {self.token}"}
            return client.request(method, f"/{path}/", headers=authority, **options)
