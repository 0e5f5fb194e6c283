"""Our ASGI application for a Django project: what `django.core.handlers.asgi.ASGIHandler` does, with fewer threads.

A stack whose middleware is all async runs on the event loop, and takes a thread only when something sync is called. Any
other stack runs as a whole in one lent thread: Django's own handler would go there and back for each hook.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import IO, Any, cast

from asgiref.sync import iscoroutinefunction
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from .asgi_headers import read_headers
from .conf import installed_middleware
from .middleware import GripMiddleware
from .request_signals import age_connections, close_response, is_closed_unseen, send_started
from .request_thread import RequestThread, current_request_thread

__all__ = ["GripHandler", "runs_async"]

logger = logging.getLogger("django_grip")

# As loose as servers and Django's own types of them differ.
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
# Status, headers, body.
Deliver = Callable[[int, list[tuple[bytes, bytes]], bytes], None]

# Seconds. Most requests are answered before it is worth asking whether their clients are still there.
_LISTEN_AFTER = 0.05
# A body in one message and smaller than this stays in memory; Django's own way decides about others.
_SMALL_BODY = 65_536
_END: Any = object()


class GripHandler(ASGIHandler):
    """The application. It speaks ASGI's ``http`` and ``lifespan``."""

    def __init__(self) -> None:
        # Not ASGIHandler's own: it would load the middleware for an async stack.
        BaseHandler.__init__(self)
        self.is_async = runs_async(installed_middleware())
        self.load_middleware(is_async=self.is_async)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self.handle(scope, receive, send)
        elif kind == "lifespan":
            await _live(receive, send)
        elif kind == "websocket":
            await _refuse_websocket(scope, receive, send)
        else:
            raise ValueError(f"Django answers HTTP, not {kind!r}.")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        # The signal opens a sync stack in its own thread; on an async one that has begun before there is a thread.
        begin = age_connections if self.is_async else None
        try:
            with RequestThread(begin) as thread, _Disconnect(receive) as disconnect:
                try:
                    await self._serve(scope, body_file, send, thread, disconnect)
                except asyncio.CancelledError:
                    if not disconnect.take_back():
                        raise
        finally:
            body_file.close()

    async def answer_whole(self, scope: Scope, body: bytes, send: Send, deliver: Deliver) -> None:
        """Answer a request of the embedded proxy's own, whose body is there and whose client never goes away.

        deliver: takes a response that is whole, which ASGI would take apart for the proxy to put together again. One
        that streams is sent.
        """
        with RequestThread(age_connections if self.is_async else None) as thread:
            await self._serve(scope, io.BytesIO(body), send, thread, _Patience(), deliver)

    async def _serve(
        self,
        scope: Scope,
        body_file: IO[bytes],
        send: Send,
        thread: RequestThread,
        disconnect: _Disconnect | _Patience,
        deliver: Deliver | None = None,
    ) -> None:
        try:
            if self.is_async:
                response, closed = await self._respond_async(scope, body_file), False
            else:
                response, closed = await thread.call(self._respond, scope, body_file, thread.is_lent)
        except BaseException:
            disconnect.stop()
            await self._finish(thread, None)
            raise
        try:
            if not thread.cancelled:
                if deliver is None or response.streaming:
                    await self._send(response, send, thread)
                else:
                    deliver(response.status_code, _encode_headers(response), response.content)  # type: ignore[attr-defined]
        finally:
            # Nothing that comes now may be cancelled by a client that has gone.
            disconnect.stop()
            if not closed:
                await self._finish(thread, response)
        if thread.cancelled:
            raise asyncio.CancelledError

    # ---- requests and responses

    def _respond(self, scope: Scope, body_file: IO[bytes], is_lent: bool) -> tuple[HttpResponseBase, bool]:
        """Answer a request, in its thread. Returns whether the response is closed already, too.

        is_lent: the thread is.
        """
        set_script_prefix(get_script_prefix(scope))
        if not send_started(scope):
            signals.request_started.send(sender=ASGIHandler, scope=scope)
        request, error = self.create_request(scope, body_file)
        response = self._prepare(self.get_response(request) if request is not None else error)
        if response.streaming or not is_closed_unseen(response):
            return response, False
        # Nobody will notice that it was before sending, and it saves a way to the thread.
        close_response(response)
        if is_lent:
            _end_transactions()
        return response, True

    async def _respond_async(self, scope: Scope, body_file: IO[bytes]) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        if not send_started(scope):
            await signals.request_started.asend(sender=ASGIHandler, scope=scope)
        request, error = self.create_request(scope, body_file)
        return self._prepare(await self.get_response_async(request) if request is not None else error)

    def create_request(self, scope: Scope, body_file: Any) -> Any:
        meta, rest = read_headers(scope.get("headers") or ())
        request, error = super().create_request({**scope, "headers": rest}, body_file)
        if request is not None:
            request.scope = scope
            request.META.update(meta)
        return request, error

    def _prepare(self, response: Any) -> HttpResponseBase:
        response._handler_class = ASGIHandler
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        return cast(HttpResponseBase, response)

    async def _finish(self, thread: RequestThread, response: HttpResponseBase | None) -> None:
        """Close the response, or what there was instead of one, and tell that the request is finished."""
        if thread.is_lent and thread.used:
            await thread.call(_finish_and_tidy, response)
        elif thread.used or not is_closed_unseen(response):
            await thread.call(close_response, response)
        else:
            close_response(response)

    async def _send(self, response: Any, send: Send, thread: RequestThread) -> None:
        if response.streaming and not response.is_async:
            # Stock Django reads it to its end before it sends anything.
            response.streaming_content = _pull(iter(response.streaming_content), thread)
        await self.send_response(response, send)

    async def read_body(self, receive: Receive) -> IO[bytes]:
        """Read the body. Raises: RequestAborted, when the client goes away before its end."""
        message = await receive()
        body = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False) and len(body) < _SMALL_BODY:
            return io.BytesIO(body)
        messages = iter([message])

        async def receive_again() -> Any:
            for first in messages:
                return first
            return await receive()

        return await super().read_body(receive_again)

    def make_view_atomic(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """What Django calls for each view, just before it decides how to run it."""
        view = cast("Callable[..., Any]", super().make_view_atomic(view))
        thread = current_request_thread()
        if thread is None or iscoroutinefunction(view) is self.is_async:
            return view
        return _run_in_thread(view, thread) if self.is_async else _run_on_loop(view, thread)


def _encode_headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    cookies = response.cookies.values()
    return [*headers, *((b"set-cookie", cookie.OutputString().encode("ascii")) for cookie in cookies)]


def _run_in_thread(view: Callable[..., Any], thread: RequestThread) -> Callable[..., Any]:
    async def run(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return await thread.call(lambda: view(request, *args, **kwargs))

    return run


def _run_on_loop(view: Callable[..., Any], thread: RequestThread) -> Callable[..., Any]:
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return thread.wait_for(view, request, *args, **kwargs)

    return run


async def _pull(parts: Iterator[bytes], thread: RequestThread) -> AsyncIterator[bytes]:
    """Read a sync iterator in the request's thread, one part at a time."""
    while (part := await thread.call(next, parts, _END)) is not _END:
        yield part


# ---- the stack


def runs_async(middleware: Iterable[str]) -> bool:
    """Whether a stack of these middlewares runs on the event loop without a thread."""
    return all(_is_native_async(import_string(path)) for path in middleware)


def _is_native_async(middleware: Any) -> bool:
    if not getattr(middleware, "async_capable", False):
        return False
    if not isinstance(middleware, type):
        # A factory says so, and knows what it returns.
        return True
    hooks = {"process_view", "process_template_response"}
    if issubclass(middleware, GripMiddleware) and middleware.process_view is GripMiddleware.process_view:
        # An instance on an async stack has an async one.
        hooks.remove("process_view")
    if issubclass(middleware, MiddlewareMixin) and middleware.__acall__ is MiddlewareMixin.__acall__:
        # This sends each through a thread.
        hooks |= {"process_request", "process_response"}
        return not any(hasattr(middleware, hook) for hook in ("process_request", "process_response")) and all(
            _is_async_hook(middleware, hook) for hook in hooks
        )
    return all(_is_async_hook(middleware, hook) for hook in hooks)


def _is_async_hook(middleware: type, hook: str) -> bool:
    return not hasattr(middleware, hook) or iscoroutinefunction(getattr(middleware, hook))


# ---- the end in a thread


def _finish_and_tidy(response: HttpResponseBase | None) -> None:
    try:
        close_response(response)
    finally:
        _end_transactions()


def _end_transactions() -> None:
    """End what a request has left open in its thread, as when it was cancelled: the next would be in the midst of it.

    Django ages a connection only outside of transactions.
    """
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            logger.error(
                "A request ended without the end of its transaction on the database %r, which is rolled back.",
                connection.alias,
            )
            connection.close()
            # Closed within a transaction it would not open again.
            del connections[connection.alias]


# ---- the client


class _Disconnect:
    """Cancels the task of a request whose client goes away, once it has taken a while."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._listener: asyncio.Task[None] | None = None

    def __enter__(self) -> _Disconnect:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._timer = self._loop.call_later(_LISTEN_AFTER, self._start)
        return self

    def __exit__(self, *args: object) -> None:
        self.stop()

    def _start(self) -> None:
        self._listener = self._loop.create_task(self._listen())

    async def _listen(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect" and self._task is not None:
            self._gone = True
            self._task.cancel()

    def stop(self) -> None:
        """Listen no more."""
        self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()

    def take_back(self) -> bool:
        """Whether it was this that cancelled the task, and nobody else did; then the task goes on."""
        if not self._gone or self._task is None:
            return False
        # Before Python 3.11 tasks do not count who cancelled them.
        uncancel = getattr(self._task, "uncancel", None)
        return uncancel is None or uncancel() == 0


class _Patience:
    """Stands for a client that does not go away."""

    def stop(self) -> None:
        pass


# ---- what is not HTTP


async def _live(receive: Receive, send: Send) -> None:
    """Agree to the server's beginning and end: to a server that says "lifespan on", an exception would be an error."""
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    logger.warning(
        "A WebSocket for %s came without a GRIP proxy, and is refused: connect to the proxy, or turn on the embedded "
        "one (GRIP_EMBEDDED).",
        ascii(scope.get("path", ""))[:200],
    )
    await receive()
    with contextlib.suppress(OSError):
        await send({"type": "websocket.close", "code": 1008, "reason": "no GRIP proxy"})
