"""The client's side of one WebSocket: what reaches it, of whatever origin and in order, and how it ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...exceptions import ProtocolError
from ...protocol.websocket_events import WebSocketEvent, is_close_code, parse_close
from ..effects import Binary, Close, Text
from ..exchange import Exchange
from ..messages import show_path
from .control import SocketControl

if TYPE_CHECKING:
    from ..engine import Engine
    from ..published import PublishedItem

__all__ = ["AWAY", "CLOSING", "OPEN", "OPENING", "SocketClient"]

logger = logging.getLogger("django_grip")

OPENING, OPEN, CLOSING, AWAY = range(4)
"""The client waits for an answer to its handshake; is connected; was told to close; is closed or lost."""

_CONTROL_PREFIX = b"c:"


class SocketClient(Exchange):
    """What is sent to a WebSocket's client: by the application, by publishing, by itself. `WebSocketExchange` asks.

    The phase only ever grows, and effects are put only while it is `OPEN`.
    """

    __slots__ = ("_control", "_path", "_phase", "_prefix")

    def __init__(self, engine: Engine, path: bytes) -> None:
        super().__init__(engine)
        self._path = path
        self._phase = OPENING
        # What messages for the client begin with; None while there are no control messages.
        self._prefix: bytes | None = None
        self._control = SocketControl()

    @property
    def mode(self) -> str:
        """Always "ws"."""
        return "ws"

    def receive_item(self, item: PublishedItem, channel: str, now: float) -> None:
        """Take what was published: a message, a close, or a refresh."""
        message = item.socket
        if message is None or self._phase != OPEN or not self._control.lets_through(item, channel):
            return
        effect = message.effect
        if effect is None:
            if message.action == "refresh" and not self._control.is_detached:
                self._refresh(now)
        elif type(effect) is Close:
            self._close(effect)
        else:
            self.put(effect)
            self._note_sending(now)
            if self.is_overfull:
                self._close_slow_client()
        self.notify()

    def _refresh(self, now: float) -> None:
        """Ask the application, though nothing happened."""
        raise NotImplementedError

    # What the application answers

    def _take_events(self, events: list[WebSocketEvent], now: float) -> None:
        """Do what the events of an answer say, in order, as far as the client is there.

        Raises: ProtocolError for what cannot be done; what came before it is done.
        """
        was_waiting = bool(self.outbox)
        for kind, content in events:
            if self._phase != OPEN:
                return
            if kind == "TEXT":
                self._take_text(content or b"", now)
            elif kind == "BINARY":
                data = self._take_prefix(content or b"")
                if data is not None:
                    self.put(Binary(data))
            elif kind == "CLOSE":
                self._take_close(content)
            elif kind == "DISCONNECT":
                raise ProtocolError("it sent DISCONNECT, which only clients can")
            # PING and PONG cannot be sent: they are the server's own affair in ASGI.
        self._note_sending(now)
        # One answer alone is bounded by its own limit: the client had no time yet to read it.
        if was_waiting and self.is_overfull:
            self._close_slow_client()

    def _take_text(self, content: bytes, now: float) -> None:
        if self._prefix is not None and content.startswith(_CONTROL_PREFIX):
            self._control.obey(content[len(_CONTROL_PREFIX) :], self, now)
            return
        data = self._take_prefix(content)
        if data is None:
            return
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(f"it sent a text message that is not UTF-8 at byte {error.start}") from error
        self.put(Text(text))

    def _take_prefix(self, content: bytes) -> bytes | None:
        """A message as the client gets it, or None if it is not for the client."""
        prefix = self._prefix
        if prefix is None:
            return content
        if content.startswith(prefix):
            return content[len(prefix) :]
        logger.debug("A message without the message-prefix is dropped, at %s.", show_path(self._path))
        return None

    def _take_close(self, content: bytes | None) -> None:
        code, reason = parse_close(content)
        if code is not None and not is_close_code(code):
            raise ProtocolError(f"it closed with {code}, which no client may be sent")
        self._close(Close(1000 if code is None else code, reason))

    # What goes out by itself

    def _send_due(self, now: float) -> None:
        """Send the keep-alive and the delayed message, if their time has come."""
        timers = self._control.timers
        if timers is None:
            return
        for effect in timers.take_due(now):
            self.put(effect)
        if self.is_overfull:
            self._close_slow_client()

    def _note_sending(self, now: float) -> None:
        # The deadline may now be too early, which costs one waking; to move it here would cost more.
        if self._control.timers is not None:
            self._control.timers.sent_at = now

    # Ends

    def finish(self) -> None:
        """Nothing more will come of it, whatever comes in."""
        self._phase = AWAY
        super().finish()

    def _close(self, close: Close) -> None:
        """Close the client, behind all that waits for it."""
        self.put(close)
        self._phase = CLOSING
        self._forget_client()
        if self._control.is_detached:
            self.finish()

    def _close_slow_client(self) -> None:
        if self._phase != OPEN:
            return
        self._warn("The client of the WebSocket at %s is closed with 1013: %d bytes wait for it.", self.outbox_size)
        self._drop_outbox()
        self._close(Close(1013, "too slow"))

    def _forget_client(self) -> None:
        """End what would send to the client."""
        self.engine.hub.drop(self)
        self._control.timers = None
        self.deadline = None

    def _drop_outbox(self) -> None:
        self.outbox.clear()
        self.outbox_size = 0

    def _warn(self, text: str, *values: object) -> None:
        """Log a warning whose first value is the path."""
        logger.warning(text, show_path(self._path), *values)
