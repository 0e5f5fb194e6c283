"""What the answer to one WebSocket-over-HTTP request sends: messages for the client, control messages for the proxy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from ..exceptions import InstructError, ResponseTooLarge, UsageError
from .channels import check_channel_name
from .control import (
    build_control,
    build_detach,
    build_flush_delayed,
    build_keep_alive,
    build_send_delayed,
    build_subscribe,
    build_unsubscribe,
    parse_control,
)
from .websocket_events import WebSocketEvent, decode_websocket_events, encode_websocket_events

__all__ = ["Outbox"]


class Outbox:
    """Events for the client and the proxy, encoded as they are queued, and held below a size.

    The sending half of `WebSocketSession`. ``taken``: bytes of the response that its other parts need.
    """

    def __init__(self, *, prefix: str, max_size: int, max_channels: int, taken: int) -> None:
        self.grip_prefix = prefix
        self._max_size = max_size
        self._max_channels = max_channels
        self._channels: set[str] | None = None
        self._out: list[bytes] = []
        self._size = taken

    def send(self, message: str | bytes) -> None:
        """Send a text message.

        Pushpin before 1.37 stalls on one of more than 32,766 bytes, unless its ``client_buffer_size`` is raised;
        published messages have no such limit.

        Raises:
            ResponseTooLarge: the response would have more than ``max_response_size`` bytes.
            UsageError: text that UTF-8 cannot hold, or bytes that are not UTF-8.
        """
        # All in one place: this is called for every message, and each call more would cost a tenth of it.
        try:
            data = message.encode("utf-8") if isinstance(message, str) else _check_text(message)
        except UnicodeEncodeError as error:
            raise _cannot_encode(error) from error
        # The proxy takes "m:" off; a message without it could be read as a control message.
        event = b"TEXT %x\r\nm:%b\r\n" % (len(data) + 2, data)
        size = self._size + len(event)
        if size > self._max_size:
            self._refuse(size)
        self._size = size
        self._out.append(event)

    def send_binary(self, message: bytes | str) -> None:
        """Send a binary message; str goes as its UTF-8.

        Raises:
            ResponseTooLarge: the response would have more than ``max_response_size`` bytes.
            UsageError: text that UTF-8 cannot hold.
        """
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"send_binary() takes bytes, not {type(message).__name__}")
        try:
            data = message.encode("utf-8") if isinstance(message, str) else bytes(message)
        except UnicodeEncodeError as error:
            raise _cannot_encode(error) from error
        self._queue(b"BINARY %x\r\nm:%b\r\n" % (len(data) + 2, data))

    def ping(self, content: bytes = b"") -> None:
        """Ping the client; its PONG comes in a later request and is not shown.

        Raises:
            UsageError: more than 125 bytes.
        """
        # For compactness the proxy, too, leaves out an empty content here.
        self._queue(encode_websocket_events([WebSocketEvent("PING", content or None)]))

    def subscribe(self, channel: str, filters: Iterable[str] = ()) -> None:
        """Subscribe the connection to a channel, with filters such as ``skip-self``.

        Raises:
            ChannelNameError: a name, with the prefix, or a filter that the proxy cannot take.
            InstructError: more than ``max_channels`` channels; the proxy drops the rest in silence.
        """
        name = check_channel_name(channel, prefix=self.grip_prefix)
        control = build_subscribe(name, filters)
        channels = (self._channels or set()) | {name}
        if len(channels) > self._max_channels:
            raise InstructError(f"more than {self._max_channels} channels: the proxy drops the rest in silence")
        self._queue_control(control)
        self._channels = channels

    def unsubscribe(self, channel: str) -> None:
        """Take the connection off a channel.

        Raises:
            ChannelNameError: a name, with the prefix, that the proxy cannot take.
        """
        name = check_channel_name(channel, prefix=self.grip_prefix)
        self._queue_control(build_unsubscribe(name))
        self._channels = (self._channels or set()) - {name}

    def detach(self) -> None:
        """Part the connection from the origin: it stays open and subscribed, its messages come no more."""
        self._queue_control(build_detach())

    def send_delayed(self, content: str | bytes, *, timeout: int = 1, binary: bool = False) -> None:
        """Have the proxy send a message in ``timeout`` seconds; a later one sends it at once.

        Raises:
            InstructError: a value the proxy would not take.
        """
        self._queue_control(build_send_delayed(content, timeout=timeout, message_type=_message_type(binary)))

    def flush_delayed(self) -> None:
        """Have the proxy send now what waits from `send_delayed`."""
        self._queue_control(build_flush_delayed())

    def set_keep_alive(
        self, content: str | bytes | None, *, timeout: int = 55, mode: str = "idle", binary: bool = False
    ) -> None:
        """Have the proxy send a message by itself, every ``timeout`` seconds; ``None`` ends it.

        mode: ``idle`` counts from the last message to the client, ``interval`` from the last of these.

        Raises:
            InstructError: a value the proxy would not take.
        """
        self._queue_control(build_keep_alive(content, timeout=timeout, mode=mode, message_type=_message_type(binary)))

    def send_control(self, message: str | bytes | Mapping[str, Any]) -> None:
        """Send a control message of any kind, as JSON or as a dict; no prefix is put on a channel in it.

        Raises:
            InstructError: the proxy would not understand it.
        """
        self._queue_control(build_control(message) if isinstance(message, Mapping) else _check_control(message))

    @property
    def out_events(self) -> tuple[WebSocketEvent, ...]:
        """What is sent so far, without OPEN, PONG and CLOSE, as the proxy reads it; a copy."""
        return tuple(decode_websocket_events(b"".join(self._out)))

    def _queue_control(self, control: str) -> None:
        data = control.encode("utf-8")
        self._queue(b"TEXT %x\r\nc:%b\r\n" % (len(data) + 2, data))

    def _queue(self, event: bytes) -> None:
        size = self._size + len(event)
        if size > self._max_size:
            self._refuse(size)
        self._size = size
        self._out.append(event)

    def _refuse(self, size: int) -> NoReturn:
        raise ResponseTooLarge(
            f"with this message the response would have {size:,} bytes; the proxy takes {self._max_size:,}"
        )


def _check_text(message: bytes) -> bytes:
    if not isinstance(message, (bytes, bytearray, memoryview)):
        raise TypeError(f"send() takes str, not {type(message).__name__}")
    data = bytes(message)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("bytes that are not UTF-8 cannot go as text: use send_binary()") from error
    return data


def _cannot_encode(error: UnicodeEncodeError) -> UsageError:
    return UsageError(f"a message that UTF-8 cannot hold: {error.reason} at character {error.start}")


def _check_control(message: str | bytes) -> str:
    try:
        text = message.decode("utf-8") if isinstance(message, bytes) else message
        parse_control(text)
    except ValueError as error:
        raise InstructError(f"the proxy would not understand this control message: {error}") from error
    return text


def _message_type(binary: bool) -> str:
    return "binary" if binary else "text"
