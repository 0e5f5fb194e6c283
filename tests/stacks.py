"""One project on each of Django's stacks; the fixture ``site`` in `tests.fixtures` is one of them after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from io import BytesIO
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.test.client import AsyncClientHandler, ClientHandler, FakePayload
from django.urls import path as url_path

from .fake_proxy import PROXIES, FakeProxy

STACKS = ["wsgi", "asgi", "asgi, sync views"]

Headers = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]


class Site:
    """A project with a GRIP proxy in its settings, and views that a test adds.

    Requests go in as a server hands them over, headers as they are on the wire. CSRF is enforced.
    """

    def __init__(self, stack: str, settings: Any) -> None:
        self.stack = stack
        self.settings = settings
        self.urlpatterns: list[Any] = []
        self.script_name = ""
        self.scheme = "http"
        settings.ROOT_URLCONF = self
        settings.GRIP_PROXIES = PROXIES

    @property
    def is_async(self) -> bool:
        return self.stack != "wsgi"

    def route(self, route: str, view: Callable[..., Any]) -> None:
        """Serve a view; a sync one becomes async where the stack's views are."""
        self.urlpatterns.append(url_path(route, self.adapt(view)))

    def adapt(self, view: Callable[..., Any]) -> Callable[..., Any]:
        return _make_async(view) if self.stack == "asgi" and not iscoroutinefunction(view) else view

    def request(
        self, method: str, path: str, *, body: bytes = b"", query: str = "", headers: Headers = ()
    ) -> Any:  # a response, with Django's own request on it
        """Send one request through a handler of its own, made of the settings as they are now. path: as in a URL."""
        pairs = [(name, _to_bytes(value)) for name, value in getattr(headers, "items", lambda: headers)()]
        pairs = [("Host", b"testserver"), *pairs] if "host" not in {name.lower() for name, _ in pairs} else pairs
        if body:
            pairs.append(("Content-Length", str(len(body)).encode()))
        call = self._call_asgi if self.is_async else self._call_wsgi
        response = call(method, path, body, query, pairs)
        response.json = lambda: json.loads(response.content)
        return response

    def _call_wsgi(self, method: str, path: str, body: bytes, query: str, headers: list[tuple[str, bytes]]) -> Any:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": self.script_name,
            "PATH_INFO": unquote_to_bytes(path.removeprefix(self.script_name)).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": f"{path}?{query}",
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": BytesIO(body),
            "wsgi.errors": BytesIO(),
        }
        for name, value in headers:
            key = name.upper().replace("-", "_")
            key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
        return ClientHandler()(environ)

    def _call_asgi(self, method: str, path: str, body: bytes, query: str, headers: list[tuple[str, bytes]]) -> Any:
        scope = {
            "type": "http",
            "method": method,
            "root_path": self.script_name,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode("latin-1"),
            "scheme": self.scheme,
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 1234),
            "headers": [(name.lower().encode(), value) for name, value in headers],
            "_body_file": FakePayload(body),
        }
        return async_to_sync(_answer_async)(scope)

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options)

    def post(
        self, path: str, data: bytes = b"", *, content_type: str = "", headers: Headers = (), **options: Any
    ) -> Any:
        pairs = list(getattr(headers, "items", lambda: headers)())
        if content_type:
            pairs.append(("Content-Type", content_type))
        return self.request("POST", path, body=data, headers=pairs, **options)

    def connect(self, path: str, **options: Any) -> FakeProxy:
        """The proxy's end of one WebSocket."""
        return FakeProxy(path, client=self, **options)

    def body_of(self, response: Any) -> bytes:
        return b"".join(response)


async def _answer_async(scope: dict[str, Any]) -> Any:
    response = await AsyncClientHandler()(scope)
    if response.streaming:
        # The test looks at it outside of this event loop.
        response.streaming_content = [part async for part in response]
    return response


def _to_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _make_async(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    async def async_view(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return async_view
