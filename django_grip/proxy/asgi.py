"""The embedded proxy as an ASGI application around another: `EmbeddedProxy`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from urllib.parse import quote

from ..protocol.tickets import hide_tickets
from .client_headers import refuse_client
from .effects import Respond
from .engine import Engine
from .http.exchange import HttpExchange
from .messages import ClientRequest
from .options import ProxyOptions
from .published import PublishedItem
from .shell.application import ASGIApplication
from .shell.authority import Authority
from .shell.control import ControlPath, find_endpoint
from .shell.http_shell import HttpShell
from .shell.inbox import Inbox
from .shell.lifespan import serve_lifespan
from .shell.pump import Pump
from .shell.responses import Receive, Scope, Send, plain_response, see_closed, send_denial, send_response
from .shell.runs import Runs
from .shell.signals import SignalChain
from .shell.websocket_shell import WebSocketShell
from .shell.workers import describe_workers
from .websocket.exchange import WebSocketExchange

__all__ = ["EmbeddedProxy"]

logger = logging.getLogger("django_grip")


class EmbeddedProxy:
    """A GRIP proxy in front of an ASGI application, in the same process.

    engine: the core, if it is there already. options: else what one is made of. control_token: whoever has it may
    publish over the control path; None for nobody. allow_local: whether programs on this machine may, without a token;
    for development only. on_begin, on_end: called when it begins to serve, and when it has parted with its clients.
    on_serve: called once with the server's host and port, when the first request shows them; with None for both when
    it shows that there is no port, as on a Unix socket.

    restarting: set before the end, it tells WebSockets that the server will be back (1012) instead of gone (1001).
    """

    def __init__(
        self,
        application: ASGIApplication,
        *,
        engine: Engine | None = None,
        options: ProxyOptions | None = None,
        control_token: bytes | Sequence[bytes] | None = None,
        allow_local: bool = False,
        on_begin: Callable[[], object] | None = None,
        on_serve: Callable[[str | None, int | None], object] | None = None,
        on_end: Callable[[], object] | None = None,
    ) -> None:
        self.engine = engine or Engine(options)
        self.restarting = False
        self._application = application
        self._on_begin = on_begin
        self._on_serve = on_serve
        self._on_end = on_end
        self._has_no_port = False
        self._runs = Runs(application, self.engine.options)
        self._inbox = Inbox(self._publish_here)
        self._signals = SignalChain(self._hear_signal, is_over=self._is_over)
        self._control = ControlPath(
            Authority(control_token, allow_local=allow_local),
            publish=self.publish,
            subscribers=self.engine.hub.subscribers,
            max_body=self.engine.options.max_publish_body,
        )
        self._clients: set[Pump] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hub_timer: asyncio.TimerHandle | None = None
        self._problem: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await serve_lifespan(
                self._application, scope, receive, send, start_up=self._start_up, shut_down=self._shut_down
            )
            return
        if self._loop is not asyncio.get_running_loop():
            self._start_up()
        if self._on_serve is not None and self._problem is None:
            self._announce(scope)
        if kind == "http":
            await self._serve_http(scope, receive, send)
        elif kind == "websocket":
            await self._serve_websocket(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    @property
    def is_running(self) -> bool:
        """Whether it serves on an event loop now."""
        return self._loop is not None and self._loop.is_running() and not self.engine.is_shut_down

    def publish(self, items: Iterable[PublishedItem]) -> None:
        """Publish, from any thread; what comes before the server runs is kept for it.

        Raises: PublisherClosed when the server has ended; QueueFull when too many items wait.
        """
        self._inbox.put(items)

    # Clients

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = find_endpoint(scope["path"], scope.get("root_path", ""))
        request = read_request(scope) if self._problem is None else plain_response(503, self._problem)
        _hide_tickets(scope)
        if endpoint is not None and self._problem is None:
            await self._control.answer(endpoint, scope, receive, send)
            return
        if isinstance(request, Respond):
            await send_response(send, scope["method"], request.status, request.headers, request.body)
            return
        shell = HttpShell(HttpExchange(self.engine, request), request, self._runs, scope, receive, send)
        self._clients.add(shell)
        try:
            await shell.run(self._application)
        finally:
            self._clients.discard(shell)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = read_request(scope)
        _hide_tickets(scope)
        refusal = request if isinstance(request, Respond) else self._refuse_websocket(request, scope)
        if isinstance(request, Respond) or refusal is not None:
            await receive()
            if refusal is not None:
                await send_denial(send, scope, refusal.status, refusal.headers, refusal.body)
                await see_closed()
            return
        shell = WebSocketShell(WebSocketExchange(self.engine, request), self._runs, scope, receive, send)
        self._clients.add(shell)
        try:
            await shell.run()
        finally:
            self._clients.discard(shell)

    def _refuse_websocket(self, request: ClientRequest, scope: Scope) -> Respond | None:
        if find_endpoint(scope["path"], scope.get("root_path", "")) is not None:
            return self._control.refuse_websocket(scope)
        if self._problem is not None:
            return plain_response(503, self._problem)
        if self.engine.is_shut_down:
            return plain_response(503, "The server is shutting down.")
        return refuse_client(request)

    # The server's beginning and end

    def _start_up(self) -> str | None:
        """Begin on the running loop. Returns why that cannot be, or None."""
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop and self._loop.is_running():
            raise RuntimeError("one EmbeddedProxy serves on one event loop, and this is the second")
        if self._loop is loop:
            return self._problem
        self._loop = loop
        self._problem = describe_workers()
        if self._problem is not None:
            logger.error(self._problem)
            return self._problem
        self._signals.install()
        self._inbox.open()
        _tell(self._on_begin)
        return None

    def _announce(self, scope: Scope) -> None:
        server = scope.get("server")
        if server and server[1] is not None:
            on_serve, self._on_serve = self._on_serve, None
            _tell(on_serve, server[0], server[1])
        elif not self._has_no_port:
            self._has_no_port = True
            _tell(self._on_serve, None, None)

    def _is_over(self) -> bool:
        return self._loop is None or self._loop.is_closed()

    def _hear_signal(self) -> None:
        if self._loop is not None and not self._is_over():
            self._loop.call_soon_threadsafe(self.part_with_clients)

    def part_with_clients(self) -> None:
        """End everything that is held, at once and properly: the server is about to end. Call it on the loop."""
        if self._loop is None or self.engine.is_shut_down:
            return
        self._inbox.close()
        self.engine.shut_down(self._loop.time(), is_restart=self.restarting)
        for client in tuple(self._clients):
            client.hurry()

    async def _shut_down(self) -> None:
        self.part_with_clients()
        self._signals.restore()
        await self._runs.finish()
        if self._hub_timer is not None:
            self._hub_timer.cancel()
            self._hub_timer = None
        _tell(self._on_end)

    # Publishing

    def _publish_here(self, items: list[PublishedItem]) -> None:
        if self._loop is not None:
            self.engine.publish(items, self._loop.time())
            self._set_hub_timer(self._loop)

    def _set_hub_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        deadline = self.engine.deadline
        if deadline is None or (self._hub_timer is not None and self._hub_timer.when() <= deadline):
            return
        if self._hub_timer is not None:
            self._hub_timer.cancel()
        self._hub_timer = loop.call_at(deadline, self._wake_hub, loop, context=Context())

    def _wake_hub(self, loop: asyncio.AbstractEventLoop) -> None:
        self._hub_timer = None
        self.engine.wake(loop.time())
        self._set_hub_timer(loop)


def _tell(listener: Callable[..., object] | None, *facts: object) -> None:
    """Call who wants to hear of us. Clients are served all the same when that fails."""
    if listener is None:
        return
    try:
        listener(*facts)
    except Exception:
        logger.exception("Where the embedded proxy serves, or that it has ended, could not be made known.")


def read_request(scope: Scope) -> ClientRequest | Respond:
    """What a client asks for; or the answer to it, where that is nothing an application could be asked."""
    path = scope["path"]
    raw_path: bytes | None = scope.get("raw_path")
    try:
        if not raw_path:
            raw_path = quote(path, safe="/%:@!$&'()*+,;=~").encode("ascii")
        elif not path.isascii():
            path.encode()
    except UnicodeEncodeError:
        return _refuse_target(path)
    if not path.startswith("/"):
        return _refuse_target(path)
    return ClientRequest(
        scope.get("method", "GET"),
        raw_path,
        scope.get("query_string", b""),
        scope["headers"],
        scope.get("scheme", "http"),
    )


def _hide_tickets(scope: Scope) -> None:
    """Leave the tickets out of the server's own scope, of which its access log writes the URL."""
    if query := scope.get("query_string"):
        scope["query_string"] = hide_tickets(query)


def _refuse_target(path: str) -> Respond:
    text = "The request target is not a path."
    logger.warning("Refused with 400: %s: %s", ascii(path[:60])[1:-1], text)
    return plain_response(400, text)
