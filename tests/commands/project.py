"""A project as ``django-admin startproject`` makes it, with this package in it, and its commands as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from django.core.management import call_command

from tests.e2e.processes import RigProcess
from tests.e2e.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]

SETTINGS = """
INSTALLED_APPS.insert(0, "django_grip")
MIDDLEWARE.insert(0, "django_grip.GripMiddleware")
"""

URLS = """
from django.contrib import admin
from django.http import HttpResponse, JsonResponse
from django.urls import path

from django_grip import Event
from django_grip.views import EventStreamView, StreamView, WebSocketView


class Echo(WebSocketView):
    channels = ["room"]

    def on_message(self, message):
        self.send(f"echo {message}")


class Log(StreamView):
    channels = ["log"]

    def on_open(self):
        return "[open]\\n"


class Feed(EventStreamView):
    channels = ["feed"]

    def on_open(self):
        return [Event("first")]


def page(request):
    return HttpResponse("page one")


def whoami(request):
    names = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")
    return JsonResponse({
        "signed": request.grip_signed,
        "proxied": request.grip_proxied,
        "forwarded": [request.META.get(name) for name in names],
    })


urlpatterns = [
    path("", page),
    path("admin/", admin.site.urls),
    path("echo/", Echo.as_view()),
    path("log/", Log.as_view()),
    path("feed/", Feed.as_view()),
    path("whoami/", whoami),
]
"""


class Project:
    """A new project in a directory; `settings` and `urls` are what it adds to, or has in place of, the usual ones."""

    def __init__(self, directory: Path, *, settings: str = "", urls: str = URLS) -> None:
        self.directory = directory
        call_command("startproject", "mysite", str(directory))
        self.add_settings(SETTINGS + settings)
        self.urls_file.write_text(urls)
        self._processes: list[RigProcess] = []

    @property
    def settings_file(self) -> Path:
        return self.directory / "mysite" / "settings.py"

    @property
    def urls_file(self) -> Path:
        return self.directory / "mysite" / "urls.py"

    def add_settings(self, lines: str) -> None:
        with self.settings_file.open("a") as file:
            file.write(f"\n{lines}\n")

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "mysite.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            # A terminal's colours, where tests run in one, are not what is tested.
            "DJANGO_COLORS": "nocolor",
        }

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of ``manage.py`` to its end."""
        return subprocess.run(
            [sys.executable, str(self.directory / "manage.py"), *command],
            env={**self.environment(), **(env or {})},
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def start(self, *command: str, until: str, env: Mapping[str, str] | None = None) -> RigProcess:
        """Start a command of ``manage.py`` and wait until it has said something."""
        process = RigProcess(
            f"manage.py {command[0]}",
            [sys.executable, str(self.directory / "manage.py"), *command],
            log=self.directory / f"{command[0]}-{len(self._processes)}.log",
            env={**self.environment(), **(env or {})},
        )
        self._processes.append(process)
        process.start()
        said(process, until)
        return process

    def close(self) -> None:
        for process in self._processes:
            process.close()


def said(process: RigProcess, text: str, start: int = 0) -> str:
    """Wait until a process has said a text, from a byte offset of its log on; return the log from there."""

    def is_there() -> bool:
        if text in process.log_text(start):
            return True
        process.check_alive()
        return False

    wait_until(is_there, f"{process.name} says {text!r}")
    return process.log_text(start)


def interrupt(process: RigProcess) -> int:
    """Press Ctrl-C, which all processes of a terminal's foreground hear, and return the exit code."""
    running = process._process
    assert running is not None
    os.killpg(running.pid, signal.SIGINT)
    return running.wait(timeout=PATIENCE)
