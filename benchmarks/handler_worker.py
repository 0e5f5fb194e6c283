"""One measurement in one process: the CPU time of a request, by Django's own ASGI application, its WSGI one, or ours.

    python handler_worker.py APPLICATION STACK VIEW REQUESTS

APPLICATION is wsgi, django or ours; STACK is grip (this package's middleware alone) or default (with Django's); VIEW is
sync or async. Prints microseconds a request.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
import types
from collections.abc import Awaitable, Callable
from typing import Any

DJANGOS = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
BEST_OF = 10


def configure(stack: str, view: str) -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark-only-0123456789-0123456789-0123456789-0123",
        ALLOWED_HOSTS=["localhost"],
        MIDDLEWARE=["django_grip.GripMiddleware", *(DJANGOS if stack == "default" else [])],
        INSTALLED_APPS=[f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "messages")],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        ROOT_URLCONF="benchmark_urls",
        GRIP_PROXIES=[{"control_uri": "http://127.0.0.1:1", "key": "benchmark-only-key-0123456789-0123456789"}],
    )
    django.setup()
    from django.http import HttpResponse
    from django.urls import path

    def sync_view(request: Any) -> HttpResponse:
        return HttpResponse("hello")

    async def async_view(request: Any) -> HttpResponse:
        return HttpResponse("hello")

    urls: Any = types.ModuleType("benchmark_urls")
    urls.urlpatterns = [path("", sync_view if view == "sync" else async_view)]
    sys.modules["benchmark_urls"] = urls


def make_wsgi() -> Callable[[], None]:
    from django.core.handlers.wsgi import WSGIHandler

    application = WSGIHandler()

    def one() -> None:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
        }
        response = application(environ, lambda *args: None)
        if b"".join(response) != b"hello":
            raise SystemExit("the view did not answer")
        response.close()

    return one


def make_asgi(kind: str) -> Callable[[], Awaitable[None]]:
    from django.core.handlers.asgi import ASGIHandler

    from django_grip.handler import GripHandler

    application = GripHandler() if kind == "ours" else ASGIHandler()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 5555),
        "headers": [(b"host", b"localhost"), (b"accept", b"*/*")],
    }

    async def one() -> None:
        sent: list[Any] = []
        incoming = [{"type": "http.request", "body": b"", "more_body": False}]
        gone = asyncio.get_running_loop().create_future()

        async def receive() -> Any:
            return incoming.pop() if incoming else await gone

        async def send(message: Any) -> None:
            sent.append(message)

        await application(dict(scope), receive, send)
        if sent[-1]["body"] != b"hello":
            raise SystemExit("the view did not answer")

    return one


def measure_sync(one: Callable[[], None], requests: int) -> float:
    best = float("inf")
    for _ in range(BEST_OF):
        began = time.process_time()
        for _ in range(requests // BEST_OF):
            one()
        best = min(best, time.process_time() - began)
    return best * BEST_OF / requests


async def measure_async(one: Callable[[], Awaitable[None]], requests: int) -> float:
    best = float("inf")
    for _ in range(BEST_OF):
        began = time.process_time()
        for _ in range(requests // BEST_OF):
            await one()
        best = min(best, time.process_time() - began)
    return best * BEST_OF / requests


def main(kind: str, stack: str, view: str, requests: str) -> None:
    configure(stack, view)
    if kind == "wsgi":
        seconds = measure_sync(make_wsgi(), int(requests))
    else:
        seconds = asyncio.run(measure_async(make_asgi(kind), int(requests)))
    print(seconds * 1e6)


if __name__ == "__main__":
    main(*sys.argv[1:])
