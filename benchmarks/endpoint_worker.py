"""One measurement in one process: the CPU time of a request to a small project. Runs with the predecessors, too.

    python endpoint_worker.py STACK KIND SCENARIO REQUESTS

STACK is wsgi or asgi; KIND is bare (Django without middleware), theirs or ours. Prints microseconds a request.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
import types

KEY = "benchmark-only-key-0123456789-0123456789"
FEATURES = "status, session, link:next, filter:skip-self, filter:skip-users, filter:require-sub, filter:build-id"


def configure(kind: str) -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark-only-0123456789-0123456789-0123456789-0123",
        ALLOWED_HOSTS=["localhost"],
        MIDDLEWARE=[] if kind == "bare" else ["django_grip.GripMiddleware"],
        INSTALLED_APPS=["django_grip"] if kind == "ours" else [],
        ROOT_URLCONF="benchmark_urls",
        GRIP_PROXIES=[{"control_uri": "http://127.0.0.1:1", "key": KEY}],
    )
    django.setup()


def make_urls(stack: str, kind: str) -> None:
    from django.http import HttpResponse
    from django.urls import path

    def plain(request):
        return HttpResponse("hello")

    async def aplain(request):
        return HttpResponse("hello")

    def echo(request):
        ws = request.wscontext
        if ws.is_opening():
            ws.accept()
        while ws.can_recv():
            message = ws.recv()
            if message is None:
                ws.close()
                break
            ws.send(message)

    async def aecho(request):
        echo(request)

    def swallow(request):
        _ = request.body
        return HttpResponse()

    async def aswallow(request):
        return swallow(request)

    def hold(request):
        response = HttpResponse()
        if kind != "bare":
            from django_grip import set_hold_stream

            set_hold_stream(request, "ticker")
        return response

    if kind != "bare":
        from django_grip import websocket_only

        swallow = websocket_only(echo)
        aswallow = websocket_only(aecho)
    urls = types.ModuleType("benchmark_urls")
    is_async = stack == "asgi"
    urls.urlpatterns = [
        path("plain/", aplain if is_async else plain),
        path("echo/", aswallow if is_async else swallow),
        path("hold/", hold),
    ]
    if kind == "ours":
        add_views(urls.urlpatterns, is_async)
    sys.modules["benchmark_urls"] = urls


def add_views(urlpatterns: list, is_async: bool) -> None:
    from django.urls import path

    from django_grip.views import EventStreamView, WebSocketView

    class Echo(WebSocketView):
        def on_message(self, message):
            self.send(message)

    class AsyncEcho(WebSocketView):
        async def on_message(self, message):
            self.send(message)

    class JSONEcho(WebSocketView):
        encoding = "json"

        def on_message(self, message):
            self.send(message)

    class Ticker(EventStreamView):
        channels = ["ticker"]

    urlpatterns += [
        path("view-echo/", (AsyncEcho if is_async else Echo).as_view()),
        path("view-json/", JSONEcho.as_view()),
        path("view-stream/", Ticker.as_view()),
    ]


class WsgiClient:
    """Calls the WSGI handler with an environ as a server makes it."""

    def __init__(self, signature: str) -> None:
        from django.core.handlers.wsgi import WSGIHandler

        self.handler = WSGIHandler()
        self.signature = signature
        self.status = ""
        self.headers: list = []

    def start_response(self, status: str, headers: list) -> None:
        self.status, self.headers = status, headers

    def request(self, path: str, body: bytes | None, meta: dict) -> bytes:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "HTTP_ACCEPT": "*/*",
            "HTTP_USER_AGENT": "benchmark",
            "HTTP_GRIP_SIG": self.signature,
            "HTTP_GRIP_FEATURE": FEATURES,
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body or b""),
        }
        if body is not None:
            environ.update(
                REQUEST_METHOD="POST",
                CONTENT_TYPE="application/websocket-events",
                CONTENT_LENGTH=str(len(body)),
                HTTP_CONNECTION_ID="connection-1",
                HTTP_SEC_WEBSOCKET_EXTENSIONS="grip",
            )
        environ.update({"HTTP_" + name.upper().replace("-", "_"): value for name, value in meta.items()})
        response = self.handler(environ, self.start_response)
        content = b"".join(response)
        response.close()
        return content

    def run(self, path: str, body: bytes | None, meta: dict, count: int) -> float:
        start = time.process_time()
        for _ in range(count):
            self.request(path, body, meta)
        return time.process_time() - start


class AsgiClient:
    """Calls the ASGI handler with a scope as a server makes it, all in one event loop."""

    def __init__(self, signature: str) -> None:
        from django.core.handlers.asgi import ASGIHandler

        self.handler = ASGIHandler()
        self.signature = signature
        self.status = ""
        self.headers: list = []
        self.loop = asyncio.new_event_loop()

    async def _request(self, path: str, body: bytes | None, meta: dict) -> bytes:
        headers = [
            (b"host", b"localhost"),
            (b"accept", b"*/*"),
            (b"user-agent", b"benchmark"),
            (b"grip-sig", self.signature.encode()),
            (b"grip-feature", FEATURES.encode()),
        ]
        if body is not None:
            headers += [
                (b"content-type", b"application/websocket-events"),
                (b"content-length", str(len(body)).encode()),
                (b"connection-id", b"connection-1"),
                (b"sec-websocket-extensions", b"grip"),
            ]
        headers += [(name.encode(), value.encode()) for name, value in meta.items()]
        scope = {
            "type": "http",
            "method": "GET" if body is None else "POST",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "server": ("localhost", 80),
        }
        messages = [{"type": "http.request", "body": body or b"", "more_body": False}]
        parts = []

        async def receive():
            if messages:
                return messages.pop()
            await asyncio.Event().wait()

        async def send(message):
            if message["type"] == "http.response.start":
                self.status = str(message["status"])
                self.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            else:
                parts.append(message.get("body", b""))

        await self.handler(scope, receive, send)
        return b"".join(parts)

    def request(self, path: str, body: bytes | None, meta: dict) -> bytes:
        return self.loop.run_until_complete(self._request(path, body, meta))

    def run(self, path: str, body: bytes | None, meta: dict, count: int) -> float:
        async def many() -> float:
            start = time.process_time()
            for _ in range(count):
                await self._request(path, body, meta)
            return time.process_time() - start

        return self.loop.run_until_complete(many())


def find_scenario(name: str) -> tuple[str, bytes | None]:
    """The path and body of a scenario; ``echo:5000`` is 5,000 messages in one request."""
    place, _, count = name.partition(":")
    paths = {
        "plain": "/plain/",
        "hold": "/hold/",
        "stream": "/view-stream/",
        "echo": "/echo/",
        "view": "/view-echo/",
        "json": "/view-json/",
    }
    if place in ("plain", "hold", "stream"):
        return paths[place], None
    message = b'TEXT 7\r\n{"a":1}\r\n' if place == "json" else b"TEXT 5\r\nhello\r\n"
    return paths[place], message * int(count or 1)


def main() -> None:
    stack, kind, scenario, requests = sys.argv[1:5]
    configure(kind)
    make_urls(stack, kind)
    import jwt

    signature = jwt.encode({"iss": "pushpin", "exp": int(time.time()) + 3600}, KEY)
    client = (WsgiClient if stack == "wsgi" else AsgiClient)(signature)
    path, body = find_scenario(scenario)
    meta = {}
    if scenario.partition(":")[0] in ("view", "json"):
        client.request(path, b"OPEN\r\n", {})
        meta = {name[4:]: value for name, value in client.headers if name.lower().startswith("set-meta-")}
    answer = client.request(path, body, meta)
    assert client.status.startswith("200"), (client.status, answer[:300])
    count = int(requests)
    client.run(path, body, meta, max(count // 10, 1))
    print(client.run(path, body, meta, count) / count * 1e6)


if __name__ == "__main__":
    main()
