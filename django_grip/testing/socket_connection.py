"""What sync and async WebSockets of a test have in common: all but what lets a view run."""

from __future__ import annotations

import json
from binascii import a2b_base64
from collections import deque
from typing import Any, ClassVar

from ..protocol.websocket_events import decode_websocket_events
from ..proxy.effects import Abort, Accept, Binary, Close, Deny, Effect, Text
from ..proxy.messages import AppRequest
from ..proxy.websocket.exchange import WebSocketExchange
from .connection import Connection, phrase, shorten
from .errors import NothingReceived, NotOpened, SomethingReceived
from .in_process import proxy

__all__ = ["Message", "SocketConnection", "decode_json"]

Message = str | bytes

# Of a WebSocketView: the channel of one connection, and its signed state.
_CONNECTION = "grip:connection:"
_STATE = b"meta-grip-state"


class SocketConnection(Connection):
    """A WebSocket of a test, and what its client has received so far."""

    kind: ClassVar[str] = "WebSocket"
    exchange: WebSocketExchange

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._inbox: deque[Message] = deque()
        self._subprotocol: str | None = None
        self._close: tuple[int, str] | None = None
        self._is_accepted = False

    # -- what came -------------------------------------------------------------------------------------------------

    def take_effect(self, effect: Effect) -> None:
        if isinstance(effect, Text):
            self._inbox.append(effect.text)
        elif isinstance(effect, Binary):
            self._inbox.append(effect.data)
        elif isinstance(effect, Accept):
            self._is_accepted, self._subprotocol = True, effect.subprotocol
            own = [] if effect.subprotocol is None else [(b"sec-websocket-protocol", effect.subprotocol.encode())]
            self._keep_answer(101, [*own, *effect.headers], b"")
        elif isinstance(effect, Deny):
            self._keep_answer(effect.status, effect.headers, effect.body)
            self._story.append(f"it was refused with {phrase(effect.status)}")
        elif isinstance(effect, Close):
            self._end(effect.code, effect.reason, by="the server")
            # As every client does by itself.
            self.exchange.client_closed(effect.code, effect.reason, proxy.now)
        elif isinstance(effect, Abort):
            self._end(1006, "", by=f"the proxy, which broke it off ({effect.reason})")
            self.exchange.client_gone(proxy.now)

    def _end(self, code: int, reason: str, *, by: str) -> None:
        if self._close is None:
            self._close = code, reason
            self._story.append(f"it was closed by {by}, with {code} {reason!r}")

    def _describe(self, ask: AppRequest) -> str:
        return ", ".join(event.type for event in decode_websocket_events(ask.body)) or "a tick"

    # -- what a test sees ------------------------------------------------------------------------------------------

    @property
    def accepted(self) -> bool:
        """Whether the view let the client in."""
        self._look()
        return self._is_accepted

    @property
    def subprotocol(self) -> str | None:
        """The one that was agreed on."""
        self._look()
        return self._subprotocol

    @property
    def connection(self) -> str:
        """Its private address, for `send_to` and `close_to`. Raises: NotOpened, if its view has none."""
        for name in self._all_channels():
            if name.startswith(_CONNECTION):
                return name
        raise NotOpened(f"{self} has no address: it is closed, or its view is no WebSocketView.{self._tell()}")

    @property
    def state(self) -> dict[str, Any]:
        """What its view keeps in ``self.state``: a copy, to look at."""
        self._look()
        value = (self.exchange._meta or {}).get(_STATE)
        if value is None:
            return {}
        text = a2b_base64(value.partition(b".")[2]).decode()
        state: dict[str, Any] = json.loads(text.partition("\n")[2])
        return state

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._look_at_close() is not None

    @property
    def close_code(self) -> int | None:
        """The code it ended with: the server's, or the client's own. None while it is open, 1006 if it broke."""
        close = self._look_at_close()
        return None if close is None else close[0]

    @property
    def close_reason(self) -> str:
        """The reason that came with the code."""
        close = self._look_at_close()
        return "" if close is None else close[1]

    def _look_at_close(self) -> tuple[int, str] | None:
        self._look()
        return self._close

    # -- steps of what is sent and received ------------------------------------------------------------------------

    def _check_open(self) -> None:
        self._check_use()
        if not self._is_accepted:
            body = b"" if self._answer is None else self._answer.content[:200]  # type: ignore[attr-defined]
            place = None if self._answer is None else self._answer.get("Location")
            how = phrase(self.status_code) + (f" to {place}" if place else "")
            raise NotOpened(f"{self} was refused with {how}: {body.decode('utf-8', 'replace')}")

    def _push(self, messages: tuple[Message, ...]) -> None:
        self._check_open()
        if self._close is not None:
            raise NotOpened(f"{self} is closed; nothing can be sent.{self._tell()}")
        for message in messages:
            if not isinstance(message, (str, bytes)):
                raise TypeError(f"A message is str or bytes, not {type(message).__name__}; there is send_json().")
            receive = self.exchange.receive_text if isinstance(message, str) else self.exchange.receive_binary
            proxy.feed(self, lambda now, message=message, receive=receive: receive(message, now))  # type: ignore[misc]

    def _push_close(self, code: int | None, reason: str) -> None:
        self._check_open()
        if self._close is None:
            self._end(1005 if code is None else code, reason, by="the client")
            proxy.feed(self, lambda now: self.exchange.client_closed(code, reason, now))

    def _push_loss(self) -> None:
        self._check_open()
        if self._close is None:
            self._end(1006, "", by="nobody: it broke")
            proxy.feed(self, self.exchange.client_gone)

    def _pop(self) -> Message:
        self._check_open()
        if not self._inbox:
            state = f"closed ({self._close[0]} {self._close[1]!r})" if self._close else "open, but no message is there"
            raise NothingReceived(f"{self} is {state}.{self._tell()}")
        return self._inbox.popleft()

    def _pop_all(self) -> list[Message]:
        self._check_open()
        messages = list(self._inbox)
        self._inbox.clear()
        return messages

    def _check_nothing(self) -> None:
        self._check_open()
        if self._inbox:
            raise SomethingReceived(f"{self} has received {len(self._inbox)}: {shorten(self._inbox)}")

    def _has_come(self) -> bool:
        return bool(self._inbox) or self._close is not None

    def _abandon(self) -> None:
        """Leave without a word, as when the test has failed already."""
        with proxy.lock:
            self.exchange.finish()


def decode_json(message: Message) -> Any:
    try:
        return json.loads(message)
    except ValueError as error:
        raise AssertionError(f"The message is not JSON: {message[:200]!r}") from error
