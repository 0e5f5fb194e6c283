"""A long-poll of a test."""

from __future__ import annotations

from types import TracebackType
from typing import ClassVar, TypeVar

from django.http import HttpResponse

from .errors import NothingReceived
from .held import HeldConnection
from .in_process import proxy

__all__ = ["AsyncLongPoll", "LongPoll"]

_T = TypeVar("_T", bound="_AnyLongPoll")


class _AnyLongPoll(HeldConnection):
    """What sync and async long-polls have in common: all but what lets a view run."""

    kind: ClassVar[str] = "long-poll"
    hold = "response"

    def _not_answered(self) -> AssertionError:
        self._check_use()
        if self.exchange.mode == "stream":
            self._check_held()
        return NothingReceived(f"{self} is still held, so there is no answer.{self._tell()}")

    def _is_answered(self) -> bool:
        return self._answer is not None


class LongPoll(_AnyLongPoll):
    """A request that `GripClient.longpoll` has made: it is answered, or held."""

    def __enter__(self: _T) -> _T:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def receive(self, *, timeout: float = 0) -> HttpResponse:
        """The answer. timeout: real seconds to wait for what another thread publishes.

        Raises: NothingReceived, while it is held; its text says what happened instead.
        """
        self._look()
        proxy.wait_until(self._is_answered, timeout)
        return self.response

    def close(self) -> None:
        """Give up waiting, as a client does that leaves."""
        self._push_leave()
        proxy.settle()


class AsyncLongPoll(_AnyLongPoll):
    """A request that `AsyncGripClient.longpoll` has made: it is answered, or held."""

    is_async: ClassVar[bool] = True

    async def __aenter__(self: _T) -> _T:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self._abandon()

    async def receive(self, *, timeout: float = 0) -> HttpResponse:
        """The answer. timeout: real seconds to wait for what another thread or task publishes.

        Raises: NothingReceived, while it is held; its text says what happened instead.
        """
        await proxy.asettle()
        await proxy.await_until(self._is_answered, timeout)
        return self.response

    async def close(self) -> None:
        """Give up waiting, as a client does that leaves."""
        self._push_leave()
        await proxy.asettle()
