"""Real application servers, each a process of its own on a free loopback port."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from .clients import http_client
from .ports import PortLease, accepts
from .processes import RigProcess
from .waiting import wait_until

PROJECT = "tests.e2e.project"
ROOT = Path(__file__).parents[2]


def _gunicorn(*options: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        bind = ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "5", "--worker-tmp-dir", tempfile.gettempdir()]
        return [sys.executable, "-m", "gunicorn", *bind, *options, f"{PROJECT}.wsgi:application"]

    return command


def _uvicorn(*options: str) -> Callable[[int], list[str]]:
    def command(port: int) -> list[str]:
        bind = ["--host", "127.0.0.1", "--port", str(port), "--timeout-graceful-shutdown", "5"]
        return [sys.executable, "-m", "uvicorn", *bind, *options, f"{PROJECT}.asgi:application"]

    return command


# What an application runs on. Two sync workers: what is remembered in one process must not matter.
SERVERS: dict[str, Callable[[int], list[str]]] = {
    "gunicorn": _gunicorn("--worker-class", "sync", "--workers", "2"),
    "gunicorn-threads": _gunicorn("--worker-class", "gthread", "--workers", "1", "--threads", "8"),
    "uvicorn": _uvicorn("--lifespan", "off"),
}


class AppServer:
    """The test project on one of ``SERVERS``; it keeps its port over restarts.

    Args:
        server: a key of ``SERVERS``.
        settings: Django settings laid over those of ``tests.e2e.project.settings``; whatever JSON can carry.
        env: further environment variables.
    """

    def __init__(
        self, server: str, *, settings: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.server = server
        self._settings = dict(settings or {})
        self._env = dict(env or {})
        self._lease = PortLease()
        self.directory = Path(tempfile.mkdtemp(prefix="grip-app-"))
        self._process: RigProcess | None = None

    @property
    def port(self) -> int:
        return self._lease.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Lay further settings over; they hold from the next start on."""
        self._settings.update(settings)

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting."""
        env = {
            "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
            "GRIP_E2E_SETTINGS": json.dumps(self._settings),
            "GRIP_E2E_DIRECTORY": str(self.directory),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **self._env,
        }
        if self._process is not None:
            self._process.close()
        command = SERVERS[self.server](self.port)
        self._process = RigProcess(self.server, command, log=self.directory / f"{self.server}.log", env=env)
        self._process.start()

    def wait_ready(self) -> None:
        wait_until(self._answers, f"{self.server} answers")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """``kill -9``, workers and all."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """Stop and start again on the same port, as a deploy does."""
        self.stop()
        self.start()

    def is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def log_text(self) -> str:
        """All that was logged since the first start."""
        return "" if self._process is None else self._process.log_text()

    def close(self) -> None:
        """End for good and leave nothing behind."""
        if self._process is not None:
            self._process.close()
        self._lease.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._process is not None
        self._process.check_alive()
        if not accepts(self.port):
            return False
        with http_client(self.url) as client:
            try:
                client.get("/ready/")
            except httpx.TransportError:
                return False
        return True
