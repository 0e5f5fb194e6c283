"""Django's test clients, with the embedded proxy between them and the project."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.test import AsyncClient, Client, SimpleTestCase

from ..proxy.http.exchange import HttpExchange
from ..proxy.websocket.exchange import WebSocketExchange
from .application import Application, AsyncApplication
from .clock import Clock
from .in_process import proxy
from .longpoll import AsyncLongPoll, LongPoll
from .requests import build_handshake, build_request
from .stream import AsyncStream, Stream
from .websocket import AsyncWebSocket, WebSocket

__all__ = ["AsyncGripClient", "GripClient", "GripTestMixin", "Opening"]

_T = TypeVar("_T", WebSocket, Stream, LongPoll)
_H = TypeVar("_H", Stream, LongPoll)
_AH = TypeVar("_AH", AsyncStream, AsyncLongPoll)
_A = TypeVar("_A", bound=AsyncWebSocket | AsyncStream | AsyncLongPoll)


class GripClient(Client):
    """Django's test client, which also opens WebSockets, streams and long-polls, by the embedded proxy's own core.

    Make it the ``client_class`` of a test case; make more of them for more users. From the moment there is one, what
    the test publishes goes to its connections. All end with the test.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.clock = Clock()
        proxy.enter()

    def websocket(
        self,
        path: str,
        *,
        subprotocols: Iterable[str] = (),
        secure: bool = False,
        headers: Mapping[str, str] | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> WebSocket:
        """Open a WebSocket, or be refused: see its `accepted`. Raises: what a hook raises."""
        proxy.enter()
        request = build_handshake(
            self, path, subprotocols=subprotocols, secure=secure, headers=headers, query_params=query_params
        )
        exchange = WebSocketExchange(proxy.engine, request)
        return self._open(WebSocket(self, exchange, self.make_application(secure=secure), path))

    def stream(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        secure: bool = False,
        headers: Mapping[str, str] | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> Stream:
        """Ask for a stream; it is held, or is not: see its `held`. Raises: what a view raises."""
        return self._ask(
            Stream, path, method=method, body=body, secure=secure, headers=headers, query_params=query_params
        )

    def longpoll(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        secure: bool = False,
        headers: Mapping[str, str] | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> LongPoll:
        """Ask for a resource; it is answered at once, or held: see its `held`. Raises: what a view raises."""
        return self._ask(
            LongPoll, path, method=method, body=body, secure=secure, headers=headers, query_params=query_params
        )

    def advance(self, seconds: float) -> None:
        """Let so many seconds go by for the proxy, and everything happen that is due meanwhile, in order."""
        self.clock.advance(seconds)

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        # The view may have published what lets other views run.
        proxy.settle()
        return response

    def make_application(self, *, secure: bool) -> Application:
        """What the proxy asks for a connection of this client's."""
        return Application(self, secure=secure)

    def _ask(self, kind: type[_H], path: str, *, secure: bool, **options: Any) -> _H:
        """Make an HTTP request whose answer may be held; the options are those of `build_request`."""
        proxy.enter()
        exchange = HttpExchange(proxy.engine, build_request(self, path, secure=secure, **options))
        return self._open(kind(self, exchange, self.make_application(secure=secure), path))

    def _open(self, connection: _T) -> _T:
        proxy.add(connection)
        proxy.settle()
        return connection


class Opening(Generic[_A]):
    """A connection to come: ``async with`` it, or ``await`` it."""

    def __init__(self, open_it: Callable[[], Coroutine[Any, Any, _A]]) -> None:
        self._open_it = open_it
        self._connection: _A | None = None

    def __await__(self) -> Generator[Any, None, _A]:
        return self._open_it().__await__()

    async def __aenter__(self) -> _A:
        self._connection = connection = await self._open_it()
        await connection.__aenter__()
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.__aexit__(kind, error, at)


class AsyncGripClient(AsyncClient):
    """`GripClient` for async tests, on Django's async stack. What lets a view run is awaited."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.clock = Clock()
        proxy.enter()

    def websocket(
        self,
        path: str,
        *,
        subprotocols: Iterable[str] = (),
        secure: bool = False,
        headers: Mapping[str, str] | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> Opening[AsyncWebSocket]:
        """Open a WebSocket, or be refused: see its `accepted`. Raises: what a hook raises."""

        async def open_it() -> AsyncWebSocket:
            proxy.enter()
            request = build_handshake(
                self, path, subprotocols=subprotocols, secure=secure, headers=headers, query_params=query_params
            )
            exchange = WebSocketExchange(proxy.engine, request)
            return await self._open(AsyncWebSocket(self, exchange, AsyncApplication(self, secure=secure), path))

        return Opening(open_it)

    def stream(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        secure: bool = False,
        headers: Mapping[str, str] | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> Opening[AsyncStream]:
        """Ask for a stream; it is held, or is not: see its `held`. Raises: what a view raises."""
        return self._ask(
            AsyncStream, path, method=method, body=body, secure=secure, headers=headers, query_params=query_params
        )

    def longpoll(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        secure: bool = False,
        headers: Mapping[str, str] | None = None,
        query_params: Mapping[str, Any] | None = None,
    ) -> Opening[AsyncLongPoll]:
        """Ask for a resource; it is answered at once, or held: see its `held`. Raises: what a view raises."""
        return self._ask(
            AsyncLongPoll, path, method=method, body=body, secure=secure, headers=headers, query_params=query_params
        )

    async def advance(self, seconds: float) -> None:
        """Let so many seconds go by for the proxy, and everything happen that is due meanwhile, in order."""
        await self.clock.aadvance(seconds)

    async def request(self, **request: Any) -> Any:
        response = await super().request(**request)
        # The view may have published what lets other views run.
        await proxy.asettle()
        return response

    def _ask(self, kind: type[_AH], path: str, *, secure: bool, **options: Any) -> Opening[_AH]:
        """Make an HTTP request whose answer may be held; the options are those of `build_request`."""

        async def open_it() -> _AH:
            proxy.enter()
            exchange = HttpExchange(proxy.engine, build_request(self, path, secure=secure, **options))
            return await self._open(kind(self, exchange, AsyncApplication(self, secure=secure), path))

        return Opening(open_it)

    async def _open(self, connection: _A) -> _A:
        proxy.add(connection)
        await proxy.asettle()
        return connection


if TYPE_CHECKING:
    # They would not let a mixin say more of an attribute than the class beside it does.
    _Case = SimpleTestCase
else:
    _Case = object


class GripTestMixin(_Case):
    """Put it before Django's `TestCase`: ``self.client`` is a `GripClient`, ``self.async_client`` an async one."""

    client_class = GripClient
    async_client_class = AsyncGripClient
    client: GripClient
    async_client: AsyncGripClient
