"""An ASGI server's end of one HTTP request, for tests of applications."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

__all__ = ["Answer", "ask", "make_scope"]

Application = Callable[..., Any]
# Seconds: the bound of every wait.
PATIENCE = 60


@dataclass
class Answer:
    """What the application sent. messages: each body message, as it came."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def is_whole(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", False)

    def all_of(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


def make_scope(path: str = "/", *, method: str = "GET", headers: Any = (), **more: Any) -> dict[str, Any]:
    """path: with its query, as in a URL."""
    target, _, query = path.partition("?")
    pairs = [(b"host", b"testserver"), *((name.lower().encode(), value.encode("latin-1")) for name, value in headers)]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": pairs,
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1234),
        **more,
    }


async def ask(
    application: Application,
    path: str = "/",
    *,
    body: bytes | Iterable[bytes] = b"",
    gone: asyncio.Event | None = None,
    sent: Callable[[dict[str, Any]], Any] | None = None,
    cut_short: bool = False,
    **scope: Any,
) -> Answer:
    """Send one request and take its answer.

    body: several parts make several messages. gone: set when the client goes away. sent: called with each message of
    the application. cut_short: the client goes away before its body is whole.
    """
    parts = [body] if isinstance(body, bytes) else list(body)
    incoming = [
        {"type": "http.request", "body": part, "more_body": cut_short or number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]
    answer, gone = Answer(), gone or asyncio.Event()

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop(0)
        if not cut_short:
            await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        else:
            answer.messages.append(message)
        if sent is not None:
            sent(message)

    async with asyncio.timeout(PATIENCE) if hasattr(asyncio, "timeout") else _NoTimeout():
        await application(make_scope(path, **scope), receive, send)
    return answer


class _NoTimeout:
    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *args: object) -> None: ...
