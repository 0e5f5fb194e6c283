"""uvicorn, in the form in which Django's `runserver` takes a server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

__all__ = ["UvicornServer", "can_serve"]

# Seconds. Held connections end at once; this is for a view that has not answered yet.
_GRACE = 1
_END_TIMEOUT = 2.5


def can_serve() -> bool:
    """Whether uvicorn is there, and what it needs for WebSockets."""
    return find_spec("uvicorn") is not None and any(find_spec(name) for name in ("websockets", "wsproto"))


class UvicornServer:
    """Listens from the moment it is made, so that a port that is taken is an OSError then.

    Its interface is that of `wsgiref`'s server, as far as `django.core.servers.basehttp.run` uses it.
    """

    def __init__(self, address: tuple[str, int], handler_class: object = None, *, ipv6: bool = False) -> None:
        self._application: Any = None
        self._server: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._socket = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(address)
            self._socket.listen(1024)
        except BaseException:
            self._socket.close()
            raise
        self.server_port: int = self._socket.getsockname()[1]

    def set_app(self, application: Any) -> None:
        self._application = application

    def serve_forever(self) -> None:
        """Serve until `stop` is called, or, in the main thread, until a signal comes.

        Raises: RuntimeError, when the application does not start.
        """
        import uvicorn

        _quieten()
        config = uvicorn.Config(
            self._application,
            # Logging is the project's to configure, and requests are logged as by Django's own server.
            log_config=None,
            access_log=False,
            # A client could say that it is another.
            proxy_headers=False,
            lifespan="on",
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = _make_server(config, self)
        try:
            self._server.run(sockets=[self._socket])
        except SystemExit as error:
            # Its code would tell Django's reloader to start again at once.
            raise RuntimeError("The application does not start; the reason stands above.") from error
        finally:
            self._ended.set()

    def stop(self, part: Callable[[], object]) -> None:
        """End from another thread, and wait until that is done. part: called on the event loop before all else."""
        loop = self._loop
        if loop is None or self._ended.is_set():
            return

        def end() -> None:
            # What is cut off now is no error.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
            part()
            self._server.should_exit = True

        with contextlib.suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(end)
            self._ended.wait(_END_TIMEOUT)

    def on_end(self) -> None:
        """Called when it begins to end."""

    def on_begin(self) -> None:
        """Called on the event loop when it begins to serve."""
        self._loop = asyncio.get_running_loop()


def _make_server(config: Any, owner: UvicornServer) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, *args: Any, **options: Any) -> None:
            owner.on_begin()
            await super().startup(*args, **options)

        async def shutdown(self, *args: Any, **options: Any) -> None:
            owner.on_end()
            # uvicorn closes WebSockets in its own words. A signal has asked the loop to part with them first: it may
            # have come in this very turn.
            for _ in range(3):
                await asyncio.sleep(0)
            await super().shutdown(*args, **options)

    return Server(config)


def _quieten() -> None:
    """Leave out what uvicorn says at its beginning and end, unless the project has asked for it."""
    uvicorn_logger = logging.getLogger("uvicorn")
    if uvicorn_logger.level == logging.NOTSET:
        uvicorn_logger.setLevel(logging.WARNING)
