"""An application without Django that answers as a test has told it to, behind each engine."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django_grip.protocol.keys import load_key

from .engines import Stack
from .ports import PortLease, accepts
from .pushpin import SIG_KEY
from .pushpin_site import PUSHPINS
from .waiting import wait_until

Answer = tuple[int, list[tuple[str, str]], bytes]


class Origin(ABC):
    """Answers each path with what stands in `answers`, be it a function, and keeps the requests.

    url: of the proxy before it. publish_url: where items are posted.
    """

    url: str
    publish_url: str

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[], Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []

    def headers_of(self, start: str) -> dict[str, str]:
        """The headers of the first request for a path that begins so."""
        wait_until(lambda: any(path.startswith(start) for path, _ in self.requests), f"{start} was asked for")
        return next(headers for path, headers in self.requests if path.startswith(start))

    def answer(self, path: str, headers: list[tuple[str, str]]) -> Answer:
        """Answer one request. headers: as a WSGI server has them, each name in lower case, values of latin-1."""
        joined: dict[str, str] = {}
        for name, value in headers:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        self.requests.append((path, joined))
        answer = self.answers.get(path.partition("?")[0], (404, [], b"not here"))
        return answer() if callable(answer) else answer

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class PushpinOrigin(Origin):
    """A server of its own, behind Pushpin."""

    def __init__(self, engine: str) -> None:
        super().__init__()
        self._server = _Server(self)
        self._pushpin = PUSHPINS[engine](self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = self._pushpin.url
        self.publish_url = f"{self._pushpin.control_url}/publish/"

    def start(self) -> None:
        self._thread.start()
        self._pushpin.start()

    def close(self) -> None:
        self._pushpin.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, origin: Origin) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin = origin


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        status, sent, body = self.server.origin.answer(self.path, headers)
        self.send_response(status)
        for name, value in [*sent, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


class EmbeddedOrigin(Origin):
    """An ASGI application behind the embedded proxy, on uvicorn in a thread of this process."""

    def __init__(self) -> None:
        super().__init__()
        import uvicorn

        from django_grip.proxy.asgi import EmbeddedProxy
        from django_grip.proxy.options import ProxyOptions

        self._lease = PortLease()
        options = ProxyOptions(key=load_key(SIG_KEY), issuer="pushpin")
        proxy = EmbeddedProxy(self._application, options=options, allow_local=True)
        self._server = uvicorn.Server(
            uvicorn.Config(proxy, host="127.0.0.1", port=self._lease.port, log_config=None, lifespan="on")
        )
        self._thread = threading.Thread(target=self._server.run)
        self.url = f"http://127.0.0.1:{self._lease.port}"
        self.publish_url = f"{self.url}/.grip/publish/"

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: accepts(self._lease.port), "uvicorn listens")

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._lease.close()

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this application has no {scope['type']}")
        target = scope["raw_path"].decode() + ("?" if scope["query_string"] else "") + scope["query_string"].decode()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        status, sent, body = self.answer(target, headers)
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in sent]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body})


def make_origin(engine: Stack) -> Origin:
    """An origin behind an engine, not started yet."""
    return EmbeddedOrigin() if engine.is_embedded else PushpinOrigin(engine.engine)
