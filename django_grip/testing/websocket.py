"""WebSockets of a test: sync ones, and async ones."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from .in_process import proxy
from .socket_connection import Message, SocketConnection, decode_json

__all__ = ["AsyncWebSocket", "WebSocket"]

_T = TypeVar("_T", bound=SocketConnection)


class WebSocket(SocketConnection):
    """A WebSocket that `GripClient.websocket` has opened, or that was refused: see `accepted`."""

    def __enter__(self: _T) -> _T:
        self._check_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def send(self, *messages: Message) -> None:
        """Send messages: str goes as text, bytes as binary. Several come in one burst.

        Raises: NotOpened, when it is closed or refused; and what a hook raises.
        """
        self._push(messages)
        proxy.settle()

    def send_json(self, data: Any) -> None:
        """Send a message of JSON."""
        self.send(json.dumps(data))

    def receive(self, *, timeout: float = 0) -> Message:
        """Take the next message. timeout: real seconds to wait for one from another thread.

        Raises: NothingReceived, at once; its text says what happened instead.
        """
        self._look()
        proxy.wait_until(self._has_come, timeout)
        return self._pop()

    def receive_json(self, *, timeout: float = 0) -> Any:
        """Take the next message, decoded. Raises: as `receive`; AssertionError, for what is not JSON."""
        return decode_json(self.receive(timeout=timeout))

    def receive_all(self) -> list[Message]:
        """Take all messages that are there; maybe none."""
        self._look()
        return self._pop_all()

    def receive_nothing(self) -> None:
        """Make sure that no message is there. Raises: SomethingReceived."""
        self._look()
        self._check_nothing()

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Close, as a client does; `on_close` is called. Nothing happens if it is closed. code: None for none."""
        self._push_close(code, reason)
        proxy.settle()

    def lose(self) -> None:
        """Break the connection without a word, as when a train enters a tunnel."""
        self._push_loss()
        proxy.settle()


class AsyncWebSocket(SocketConnection):
    """A WebSocket that `AsyncGripClient.websocket` has opened, or that was refused: see `accepted`."""

    is_async: ClassVar[bool] = True

    async def __aenter__(self: _T) -> _T:
        self._check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self._abandon()

    async def send(self, *messages: Message) -> None:
        """Send messages: str goes as text, bytes as binary. Several come in one burst.

        Raises: NotOpened, when it is closed or refused; and what a hook raises.
        """
        self._push(messages)
        await proxy.asettle()

    async def send_json(self, data: Any) -> None:
        """Send a message of JSON."""
        await self.send(json.dumps(data))

    async def receive(self, *, timeout: float = 0) -> Message:
        """Take the next message. timeout: real seconds to wait for one from another thread or task.

        Raises: NothingReceived, at once; its text says what happened instead.
        """
        await proxy.asettle()
        await proxy.await_until(self._has_come, timeout)
        return self._pop()

    async def receive_json(self, *, timeout: float = 0) -> Any:
        """Take the next message, decoded. Raises: as `receive`; AssertionError, for what is not JSON."""
        return decode_json(await self.receive(timeout=timeout))

    async def receive_all(self) -> list[Message]:
        """Take all messages that are there; maybe none."""
        await proxy.asettle()
        return self._pop_all()

    async def receive_nothing(self) -> None:
        """Make sure that no message is there. Raises: SomethingReceived."""
        await proxy.asettle()
        self._check_nothing()

    async def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Close, as a client does; `on_close` is called. Nothing happens if it is closed. code: None for none."""
        self._push_close(code, reason)
        await proxy.asettle()

    async def lose(self) -> None:
        """Break the connection without a word, as when a train enters a tunnel."""
        self._push_loss()
        await proxy.asettle()
