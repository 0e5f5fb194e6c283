"""What a test has published, as a list to look at."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from ..conf import grip_settings
from ..proxy.published import PublishedItem, SocketMessage
from .events import take_event
from .in_process import proxy

__all__ = ["Captured", "Published", "capture_publishes"]

# What publish() gives to an item without an id (`new_id` in publishing.parcel).
_MADE_ID = re.compile(r"[0-9a-f]{18}-[0-9a-f]+")

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, repr=False)
class Published:
    """One item that was published.

    channel: without GRIP_PREFIX. websocket, stream, response: what each kind of client gets: str, or bytes where it is
    no text; None where there is nothing for it. actions: what each kind shall do with it, such as ``{"websocket":
    "send", "response": "hint"}``. id, prev_id: None where none was given. meta: facts for filters.
    """

    channel: str
    websocket: str | bytes | None
    stream: str | bytes | None
    response: str | bytes | None
    actions: dict[str, str]
    id: str | None
    prev_id: str | None
    meta: dict[str, str]

    def __repr__(self) -> str:
        told = {name: getattr(self, name) if action == "send" else action for name, action in self.actions.items()}
        return f"<Published on {self.channel!r}: {', '.join(f'{name} {value!r}' for name, value in told.items())}>"

    def json(self) -> Any:
        """The message, decoded: that for WebSockets, or else the data of the event, or else the body."""
        if self.websocket is not None:
            return json.loads(self.websocket)
        if self.stream is not None:
            event, _ = take_event(_as_text(self.stream))
            return json.loads(self.stream) if event is None else event.json()
        if self.response is not None:
            return json.loads(self.response)
        raise AssertionError(f"{self!r} has no content.")


class Captured(list[Published]):
    """What was published, in order."""

    @property
    def channels(self) -> list[str]:
        """The channel of each, in order."""
        return [published.channel for published in self]

    def on(self, channel: str) -> list[Published]:
        """What was published to one channel."""
        return [published for published in self if published.channel == channel]

    def note(self, items: Iterable[PublishedItem]) -> None:
        """Take down what the proxy takes in."""
        self.extend(_read(item) for item in items)


class capture_publishes:
    """Take down what is published in a block, or in a decorated test, which gets the list as its last argument.

    It still reaches the connections of the test. Nothing leaves the process until the test ends.
    """

    def __init__(self) -> None:
        self._captured: list[Captured] = []

    def __enter__(self) -> Captured:
        proxy.enter()
        captured = Captured()
        self._captured.append(captured)
        proxy.captures.append(captured)
        return captured

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        captured = self._captured.pop()
        # By identity: two that are empty are equal.
        proxy.captures[:] = [other for other in proxy.captures if other is not captured]

    def __call__(self, test: _F) -> _F:
        parameters = list(inspect.signature(test).parameters.values()) if inspect.isfunction(test) else []
        if not parameters:
            raise TypeError("capture_publishes() decorates test functions that take the list as their last argument.")
        # By name: pytest gives the other arguments by name, too.
        name = parameters[-1].name

        @functools.wraps(test)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self as captured:
                return test(*args, **kwargs, **{name: captured})

        @functools.wraps(test)
        async def acall(*args: Any, **kwargs: Any) -> Any:
            with self as captured:
                return await test(*args, **kwargs, **{name: captured})

        wrapper: Any = acall if inspect.iscoroutinefunction(test) else call
        # For pytest, which would look for a fixture of that name.
        wrapper.__signature__ = inspect.signature(test).replace(parameters=parameters[:-1])
        return wrapper  # type: ignore[no-any-return]


def _read(item: PublishedItem) -> Published:
    messages = {"websocket": item.socket, "stream": item.stream, "response": item.response}
    socket = item.socket
    return Published(
        channel=item.channel.removeprefix(grip_settings().prefix),
        websocket=None if socket is None or socket.action != "send" else _read_message(socket),
        stream=None if item.stream is None or item.stream.action != "send" else _as_readable(item.stream.content),
        response=None if item.response is None or item.response.action != "send" else _as_readable(item.response.body),
        actions={name: message.action for name, message in messages.items() if message is not None},
        id=None if item.no_seq and _MADE_ID.fullmatch(item.id or "") else item.id,
        prev_id=item.prev_id,
        meta=dict(item.meta),
    )


def _read_message(message: SocketMessage) -> str | bytes:
    return message.content if message.type == "binary" else _as_readable(message.content)


def _as_readable(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _as_text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode("utf-8", "replace")
