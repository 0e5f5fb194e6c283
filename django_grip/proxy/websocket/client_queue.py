"""What a WebSocket's client sent, until the application has taken it: batches, partial acceptance, the end."""

from __future__ import annotations

from ...exceptions import ProtocolError
from ...protocol.websocket_events import WebSocketEvent, encode_websocket_events

__all__ = ["ClientQueue"]

# Bytes that a message is counted for beside its content, so that empty ones do not wait without a bound.
_PER_MESSAGE = 32

_OPEN = WebSocketEvent("OPEN")


class ClientQueue:
    """Messages in order, of which one batch at a time is offered to the application.

    What `accept` does not take away stays, and is offered again with the next batch, as Pushpin 1.41 has it
    (websocketoverhttp.cpp); but a message that was not offered yet is never taken away, however empty.

    size: bytes that wait, those of the batch included. end: CLOSE or DISCONNECT, once the client is away.
    replayed_bytes: how much content of the next batch was offered before.
    """

    __slots__ = ("_messages", "_offered", "_replayed", "end", "end_offered", "replayed_bytes", "size")

    def __init__(self) -> None:
        self._messages: list[WebSocketEvent] = []
        self._offered = 0
        self._replayed = 0
        self.replayed_bytes = 0
        self.size = 0
        self.end: WebSocketEvent | None = None
        self.end_offered = False

    def add(self, message: WebSocketEvent) -> None:
        """Put a message, TEXT or BINARY, behind the others."""
        self._messages.append(message)
        self.size += len(message.content or b"") + _PER_MESSAGE

    @property
    def has_news(self) -> bool:
        """Whether there is something that the application was not offered yet."""
        return len(self._messages) > self._replayed or (self.end is not None and not self.end_offered)

    def offer(self, *, opening: bool = False) -> bytes:
        """The body of a request: all that waits, and the end if there is one."""
        events = [_OPEN, *self._messages] if opening else self._messages
        if self.end is not None and not opening:
            events = [*events, self.end]
            self.end_offered = True
        self._offered = len(self._messages)
        return encode_websocket_events(events)

    def accept(self, content_bytes: int | None = None) -> bool:
        """Take away what the application took of the batch, and return whether that was anything.

        content_bytes: as it said; None for all of it.

        An end stays offered if all messages before it were taken, and else is to be offered again.

        Raises: ProtocolError if it took more than there was; or, when the end was offered, nothing of what was before
        it, or all of that but not the CLOSE.
        """
        offered, self._offered = self._offered, 0
        self._replayed = self.replayed_bytes = 0
        before = self.size
        if content_bytes is None:
            del self._messages[:offered]
        else:
            self._accept_part(offered, content_bytes)
        self.size = sum([len(content or b"") + _PER_MESSAGE for _, content in self._messages])
        return self.size < before

    def discard(self) -> None:
        """Forget the messages; the end stays."""
        self._messages.clear()
        self.size = self._offered = self._replayed = self.replayed_bytes = 0

    def _accept_part(self, offered: int, content_bytes: int) -> None:
        messages = self._messages
        total = sum([len(content or b"") for _, content in messages[:offered]])
        self._check_accepted(content_bytes, total)
        taken, left = 0, min(content_bytes, total)
        # A message without content goes with what is before it.
        while taken < offered and len(messages[taken].content or b"") <= left:
            left -= len(messages[taken].content or b"")
            taken += 1
        if left:
            kind, content = messages[taken]
            messages[taken] = WebSocketEvent(kind, (content or b"")[left:])
        del messages[:taken]
        self._replayed = offered - taken
        self.replayed_bytes = total - min(content_bytes, total)
        if self._replayed and self.end_offered:
            # Nothing more can come that would complete a message, so asking again helps only if something was taken.
            if not (taken or content_bytes):
                raise ProtocolError("Content-Bytes-Accepted takes nothing of the last messages of a closed client")
            self.end_offered = False

    def _check_accepted(self, content_bytes: int, total: int) -> None:
        close = len(self.end.content or b"") if self.end is not None and self.end_offered else 0
        if content_bytes > total + close:
            raise ProtocolError(f"Content-Bytes-Accepted says {content_bytes}, of {total + close}")
        if close and total <= content_bytes < total + close:
            raise ProtocolError("Content-Bytes-Accepted takes all messages, but not the CLOSE behind them")
