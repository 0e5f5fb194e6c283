"""A stream of a test."""

from __future__ import annotations

from codecs import getincrementaldecoder
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from ..proxy.effects import Abort, Begin, Chunk, Effect, End
from .errors import NothingReceived, SomethingReceived
from .events import ReceivedEvent, take_event
from .held import HeldConnection
from .in_process import proxy

__all__ = ["AsyncStream", "Stream"]

_T = TypeVar("_T", bound="_AnyStream")


class _AnyStream(HeldConnection):
    """What sync and async streams have in common: all but what lets a view run."""

    kind: ClassVar[str] = "stream"
    hold = "stream"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._inbox = b""
        self._has_ended = False

    # -- what came -------------------------------------------------------------------------------------------------

    def take_effect(self, effect: Effect) -> None:
        if isinstance(effect, Begin):
            self._keep_answer(effect.status, effect.headers, b"")
        elif isinstance(effect, Chunk):
            self._inbox += effect.data
        elif isinstance(effect, End):
            self._end("the server has ended it")
        elif isinstance(effect, Abort):
            self._end(f"the proxy has broken it off ({effect.reason})")
        else:
            super().take_effect(effect)

    def _end(self, how: str) -> None:
        self._has_ended = True
        self._story.append(how)

    # -- what a test sees ------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the server has ended it, in the end by a time-out or a link."""
        self._look()
        return self._has_ended

    # -- steps of what is received ---------------------------------------------------------------------------------

    def _check_stream(self) -> None:
        """What has come can be read also when it is over."""
        if not (self._has_ended or self._inbox):
            self._check_held()

    def _take_bytes(self) -> bytes:
        self._check_stream()
        taken, self._inbox = self._inbox, b""
        return taken

    def _take_text(self) -> str:
        self._check_stream()
        text, rest = self._decode()
        self._inbox = rest
        return text

    def _decode(self) -> tuple[str, bytes]:
        """The text that has come, and the bytes of a character that is not whole yet."""
        charset = getattr(self._answer, "charset", None) or "utf-8"
        decoder = getincrementaldecoder(charset)()
        text = decoder.decode(self._inbox)
        return text, decoder.getstate()[0]

    def _take_event(self) -> ReceivedEvent:
        self._check_stream()
        text, rest = self._decode()
        event, left = take_event(text)
        if event is None:
            waits = f"; of text there is {text[:200]!r}" if text else ""
            state = "has ended" if self._has_ended else "is open, but no event is there"
            raise NothingReceived(f"{self} {state}{waits}.{self._tell()}")
        self._inbox = left.encode(getattr(self._answer, "charset", None) or "utf-8") + rest
        return event

    def _check_nothing(self) -> None:
        self._check_stream()
        if self._inbox:
            raise SomethingReceived(f"{self} has received {len(self._inbox)} bytes: {self._inbox[:200]!r}")

    def _has_come(self) -> bool:
        return bool(self._inbox) or self._has_ended

    def _has_event(self) -> bool:
        return self._has_ended or take_event(self._decode()[0])[0] is not None


class Stream(_AnyStream):
    """A response that `GripClient.stream` has opened, and that is held, or is not: see `held`."""

    def __enter__(self: _T) -> _T:
        self._check_stream()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def read(self, *, timeout: float = 0) -> str:
        """Take the text that has come since the last time; "" if none has.

        timeout: real seconds to wait for something from another thread.
        Raises: NotOpened, when it was never held.
        """
        self._look()
        proxy.wait_until(self._has_come, timeout)
        return self._take_text()

    def read_bytes(self, *, timeout: float = 0) -> bytes:
        """`read`, without decoding."""
        self._look()
        proxy.wait_until(self._has_come, timeout)
        return self._take_bytes()

    def receive_event(self, *, timeout: float = 0) -> ReceivedEvent:
        """Take the next Server-Sent Event; comments before it are passed over.

        Raises: NothingReceived, at once; its text says what happened instead.
        """
        self._look()
        proxy.wait_until(self._has_event, timeout)
        return self._take_event()

    def receive_nothing(self) -> None:
        """Make sure that nothing is there. Raises: SomethingReceived."""
        self._look()
        self._check_nothing()

    def close(self) -> None:
        """Leave, as a client does; a gone link is followed."""
        self._push_leave()
        proxy.settle()


class AsyncStream(_AnyStream):
    """A response that `AsyncGripClient.stream` has opened, and that is held, or is not: see `held`."""

    is_async: ClassVar[bool] = True

    async def __aenter__(self: _T) -> _T:
        self._check_stream()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self._abandon()

    async def read(self, *, timeout: float = 0) -> str:
        """Take the text that has come since the last time; "" if none has.

        timeout: real seconds to wait for something from another thread or task.
        Raises: NotOpened, when it was never held.
        """
        await proxy.asettle()
        await proxy.await_until(self._has_come, timeout)
        return self._take_text()

    async def read_bytes(self, *, timeout: float = 0) -> bytes:
        """`read`, without decoding."""
        await proxy.asettle()
        await proxy.await_until(self._has_come, timeout)
        return self._take_bytes()

    async def receive_event(self, *, timeout: float = 0) -> ReceivedEvent:
        """Take the next Server-Sent Event; comments before it are passed over.

        Raises: NothingReceived, at once; its text says what happened instead.
        """
        await proxy.asettle()
        await proxy.await_until(self._has_event, timeout)
        return self._take_event()

    async def receive_nothing(self) -> None:
        """Make sure that nothing is there. Raises: SomethingReceived."""
        await proxy.asettle()
        self._check_nothing()

    async def close(self) -> None:
        """Leave, as a client does; a gone link is followed."""
        self._push_leave()
        await proxy.asettle()
