"""Real application servers, each a process of its own on a free loopback port."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from .clients import http_client
from .ports import PortLease, accepts
from .processes import RigProcess
from .waiting import wait_until

PROJECT = "tests.e2e.project"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Project:
    """A Django project that can be served.

    package: where its modules ``settings``, ``wsgi`` and ``asgi`` are; empty for a project that is no package.
    directory: what is put on the path for it. ready: the path of a page that answers when the project is up.
    """

    package: str = PROJECT
    directory: Path = ROOT
    ready: str = "/ready/"

    def module(self, name: str) -> str:
        return f"{self.package}.{name}" if self.package else name


Command = Callable[[Project, int], list[str]]


def _gunicorn(*options: str) -> Command:
    def command(project: Project, port: int) -> list[str]:
        bind = ["--bind", f"127.0.0.1:{port}", "--worker-tmp-dir", tempfile.gettempdir()]
        # What stops at a gate waits for its test, and that is no reason to end a worker.
        patience = ["--timeout", "120", "--graceful-timeout", "30"]
        return [sys.executable, "-m", "gunicorn", *bind, *patience, *options, f"{project.module('wsgi')}:application"]

    return command


def _uvicorn(*options: str, module: str | None = None) -> Command:
    def command(project: Project, port: int) -> list[str]:
        bind = ["--host", "127.0.0.1", "--port", str(port)]
        return [sys.executable, "-m", "uvicorn", *bind, *options, f"{module or project.module('asgi')}:application"]

    return command


# What an application runs on. Two sync workers: what is remembered in one process must not matter.
SERVERS: dict[str, Command] = {
    "gunicorn": _gunicorn("--worker-class", "sync", "--workers", "2"),
    "gunicorn-threads": _gunicorn("--worker-class", "gthread", "--workers", "1", "--threads", "8"),
    "uvicorn": _uvicorn("--lifespan", "off", "--timeout-graceful-shutdown", "30"),
    "uvicorn-handler": _uvicorn("--timeout-graceful-shutdown", "30", module="tests.e2e.embedded_asgi"),
    # With nothing that bounds its end: it must not need it. Pings are the server's here, and idle connections too: as
    # shipped it ends these after five seconds, and a request that comes at that moment is lost.
    "embedded": _uvicorn(
        *("--lifespan", "on", "--ws-ping-interval", "1", "--timeout-keep-alive", "75"),
        module="tests.e2e.embedded_asgi",
    ),
}


class AppServer:
    """A project, by default the test project, on one of ``SERVERS``; it keeps its port over restarts.

    Args:
        server: a key of ``SERVERS``.
        project: what is served.
        settings: Django settings laid over those of ``tests.e2e.project.settings``; whatever JSON can carry.
        env: further environment variables.
        beside: another server, whose directory this one shares.
    """

    def __init__(
        self,
        server: str,
        *,
        project: Project | None = None,
        settings: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        beside: AppServer | None = None,
    ) -> None:
        self.server = server
        self.project = project or Project()
        self._settings = dict(settings or {})
        self._env = dict(env or {})
        self._lease = PortLease()
        self._beside = beside
        self.directory = beside.directory if beside else Path(tempfile.mkdtemp(prefix="grip-app-"))
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

    def beside(self, server: str) -> AppServer:
        """The same project with the same settings on another server, in the same directory."""
        return AppServer(server, project=self.project, settings=self._settings, env=self._env, beside=self)

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting."""
        if self._process is not None:
            self._process.close()
        command = SERVERS[self.server](self.project, self.port)
        log = self.directory / f"{self.server}.log"
        self._process = RigProcess(self.server, command, log=log, env=self.environment())
        self._process.start()

    def environment(self) -> dict[str, str]:
        """The variables by which the application, or a command beside it, knows its settings."""
        return {
            "DJANGO_SETTINGS_MODULE": self.project.module("settings"),
            "GRIP_E2E_SETTINGS": json.dumps(self._settings),
            "GRIP_E2E_DIRECTORY": str(self.directory),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(self.project.directory), str(ROOT)])),
            "PYTHONUNBUFFERED": "1",
            **self._env,
        }

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

    def reload(self) -> None:
        """Let gunicorn replace its workers, as a deploy should: it listens all the while."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGHUP)

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
        if self._beside is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._process is not None
        self._process.check_alive()
        if not accepts(self.port):
            return False
        with http_client(self.url) as client:
            try:
                status = client.get(self.project.ready).status_code
            except httpx.TransportError:
                return False
        # It will not get better by waiting.
        assert status == 200, f"{self.project.ready} answers {status}; its log:\n{self.log_text()[-4000:]}"
        return True
