"""Control messages: what the origin tells the proxy about one WebSocket connection (GRIP.md, 2).

One travels as a TEXT event, ``c:`` + JSON. The builders return the JSON without its ``c:``. The proxy ignores, without
a word, what it does not understand; so the builders refuse it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..exceptions import ControlMessageError, InstructError
from .channels import Channel, check_channel_name

__all__ = [
    "CONTROL_PREFIX",
    "MAX_CONTROL_MESSAGE",
    "MAX_TIMEOUT",
    "ControlMessage",
    "build_control",
    "build_detach",
    "build_flush_delayed",
    "build_keep_alive",
    "build_send_delayed",
    "build_session",
    "build_set_meta",
    "build_subscribe",
    "build_unsubscribe",
    "parse_control",
]

CONTROL_PREFIX = "c:"

# Bytes of one frame inside Pushpin, the "c:" included: a control message that takes two frames is ignored.
MAX_CONTROL_MESSAGE = 16_384

# Seconds. Pushpin counts milliseconds in 32 bits.
MAX_TIMEOUT = 2_147_483

# Seconds, as Pushpin has them when a message names none.
_DEFAULT_TIMEOUTS = {"keep-alive": 55, "send-delayed": 1}

_TYPES = frozenset(
    {"subscribe", "unsubscribe", "detach", "session", "set-meta", "keep-alive", "send-delayed", "flush-delayed"}
)
_MESSAGE_TYPES = ("text", "binary", "ping", "pong")
_MODES = ("idle", "interval")


@dataclass(frozen=True)
class ControlMessage:
    """One control message, as the proxy understands it; what its type does not use stays at its default.

    ``id`` of a session and ``value`` of a set-meta are ``None`` to clear it, ``content`` of a keep-alive is ``None``
    to stop it. ``timeout``: seconds.
    """

    type: str
    channel: str = ""
    filters: tuple[str, ...] = ()
    id: str | None = None
    name: str = ""
    value: str | None = None
    content: bytes | None = None
    message_type: str = "text"
    timeout: int = 0
    mode: str = "idle"


def build_subscribe(channel: str, filters: Iterable[str] = ()) -> str:
    """Subscribe the connection to a channel, its prefix included; ``filters`` are names such as ``skip-self``.

    Raises:
        ChannelNameError: a name, or a filter, that the proxy cannot take.
    """
    checked = Channel(channel, filters=filters)
    message: dict[str, Any] = {"type": "subscribe", "channel": checked.name}
    if checked.filters:
        message["filters"] = checked.filters
    return build_control(message)


def build_unsubscribe(channel: str) -> str:
    """Take the connection off a channel, its prefix included.

    Raises:
        ChannelNameError: a name that the proxy cannot take.
    """
    return build_control({"type": "unsubscribe", "channel": check_channel_name(channel)})


def build_detach() -> str:
    """Part the connection from the origin: it stays open and subscribed, its messages are no longer forwarded."""
    return build_control({"type": "detach"})


def build_session(session_id: str | None) -> str:
    """Name the reliable session this connection belongs to; ``None`` takes it out of its session."""
    if session_id is None:
        return build_control({"type": "session"})
    return build_control({"type": "session", "id": _check_text("session id", session_id)})


def build_set_meta(name: str, value: str | None) -> str:
    """Set the subscription's meta, which filters read (``user`` for skip-self); ``None`` removes the entry.

    This is not the meta that comes back with each request: that is `WebSocketSession.meta`.
    """
    message = {"type": "set-meta", "name": _check_text("name of set-meta", name)}
    if value is not None:
        message["value"] = _check_text("value of set-meta", value, empty=True)
    return build_control(message)


def build_keep_alive(
    content: str | bytes | None, *, timeout: int = 55, mode: str = "idle", message_type: str = "text"
) -> str:
    """Have the proxy send ``content`` to the client by itself; ``None`` stops it.

    timeout: seconds. mode: ``idle`` sends when nothing else was sent for so long, ``interval`` always. message_type:
    ``text``, ``binary``, ``ping`` or ``pong``.

    Raises:
        InstructError: a value the proxy would not take; empty content, which it reads as "stop".
    """
    if content is None:
        return build_control({"type": "keep-alive"})
    if not content:
        raise InstructError("a keep-alive with empty content would stop it; None says that openly")
    if mode not in _MODES:
        raise InstructError(f"a keep-alive mode is one of {', '.join(_MODES)}, not {mode!r}")
    message = {"type": "keep-alive", **_delivery(content, timeout, message_type)}
    if mode != "idle":
        message["mode"] = mode
    return build_control(message)


def build_send_delayed(content: str | bytes, *, timeout: int = 1, message_type: str = "text") -> str:
    """Have the proxy send ``content`` after ``timeout`` seconds, or when it is flushed; a new one flushes the last.

    Raises:
        InstructError: a value the proxy would not take.
    """
    return build_control({"type": "send-delayed", **_delivery(content, timeout, message_type)})


def build_flush_delayed() -> str:
    """Have the proxy send now what waits from send-delayed."""
    return build_control({"type": "flush-delayed"})


def build_control(message: Mapping[str, Any]) -> str:
    """Write any control message: a mapping with a ``type``, such as a newer proxy may know.

    Raises:
        InstructError: no ``type``, what JSON cannot hold, or more than 16,384 bytes, ``c:`` included.
    """
    if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
        raise InstructError('a control message is a JSON object with a string "type"')
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(CONTROL_PREFIX) + len(text.encode("utf-8"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InstructError(f"the control message {message['type']!r} cannot be written as JSON: {error}") from error
    if size > MAX_CONTROL_MESSAGE:
        raise InstructError(
            f"the control message {message['type']!r} has {size:,} bytes; the proxy ignores one of more than "
            f"{MAX_CONTROL_MESSAGE:,}"
        )
    return text


def _delivery(content: str | bytes, timeout: int, message_type: str) -> dict[str, Any]:
    if message_type not in _MESSAGE_TYPES:
        raise InstructError(f"a message type is one of {', '.join(_MESSAGE_TYPES)}, not {message_type!r}")
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not 1 <= timeout <= MAX_TIMEOUT:
        raise InstructError(f"a timeout is a whole number of seconds, 1 to {MAX_TIMEOUT}, not {timeout!r}")
    fields: dict[str, Any] = {}
    if isinstance(content, str):
        fields["content"] = content
    elif isinstance(content, bytes):
        fields["content-bin"] = base64.b64encode(content).decode("ascii")
    else:
        raise InstructError(f"the content of a control message is str or bytes, not {type(content).__name__}")
    # Said always: without it Pushpin sends text, whether or not the content came as content-bin.
    fields["message-type"] = message_type
    fields["timeout"] = timeout
    return fields


def _check_text(what: str, text: str, *, empty: bool = False) -> str:
    if not isinstance(text, str):
        raise InstructError(f"the {what} is a str, not {type(text).__name__}")
    if not text and not empty:
        raise InstructError(f"the {what} is empty")
    return text


def parse_control(content: str | bytes) -> ControlMessage:
    """Read the JSON of a control message, without its ``c:``, as the proxy does; unknown fields are ignored.

    Raises:
        ControlMessageError: anything the proxy would ignore as a whole.
    """
    size = len(CONTROL_PREFIX) + len(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    if size > MAX_CONTROL_MESSAGE:
        raise ControlMessageError(f"{size:,} bytes; a control message has at most {MAX_CONTROL_MESSAGE:,}")
    try:
        # Decoded here, as json would also take bytes in UTF-16 and UTF-32.
        fields = json.loads(content if isinstance(content, str) else content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ControlMessageError("a control message that is not JSON") from error
    if not isinstance(fields, dict):
        raise ControlMessageError("a control message that is not a JSON object")
    kind = _text(fields, "type", required=True)
    if kind not in _TYPES:
        raise ControlMessageError(f"unknown type of control message: {kind[:40]!r}")
    if kind in _DEFAULT_TIMEOUTS:
        return _parse_delivery(kind, fields)
    return ControlMessage(
        kind,
        channel=_text(fields, "channel", required=True) if kind in ("subscribe", "unsubscribe") else "",
        filters=_parse_filters(fields) if kind == "subscribe" else (),
        # Pushpin takes an empty id for none.
        id=_optional_text(fields, "id") or None if kind == "session" else None,
        name=_text(fields, "name", required=True) if kind == "set-meta" else "",
        value=_optional_text(fields, "value") if kind == "set-meta" else None,
    )


def _parse_delivery(kind: str, fields: dict[str, Any]) -> ControlMessage:
    message_type = _text(fields, "message-type") or "text"
    if message_type not in _MESSAGE_TYPES:
        raise ControlMessageError(f"unknown message-type {message_type[:40]!r} in {kind}")
    timeout = fields.get("timeout", 0)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or not 0 <= timeout <= MAX_TIMEOUT:
        raise ControlMessageError(f"the timeout in {kind} is not a number of seconds")
    return ControlMessage(
        kind,
        content=_parse_content(fields),
        message_type=message_type,
        timeout=timeout or _DEFAULT_TIMEOUTS[kind],
        # Whatever is not "interval" is idle to Pushpin.
        mode="interval" if _text(fields, "mode") == "interval" else "idle",
    )


def _parse_content(fields: dict[str, Any]) -> bytes | None:
    if "content-bin" in fields:
        encoded = _text(fields, "content-bin")
        try:
            return base64.b64decode(encoded)
        except ValueError as error:
            raise ControlMessageError("content-bin is not base64") from error
    if "content" in fields:
        return _text(fields, "content").encode("utf-8")
    return None


def _parse_filters(fields: dict[str, Any]) -> tuple[str, ...]:
    filters = fields.get("filters", [])
    if not isinstance(filters, list) or not all(isinstance(name, str) for name in filters):
        raise ControlMessageError("filters is not a list of strings")
    return tuple(filters)


def _text(fields: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = _optional_text(fields, name)
    if required and not value:
        raise ControlMessageError(f"{name} is missing or empty")
    return value or ""


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if name in fields and not isinstance(value, str):
        raise ControlMessageError(f"{name} is not a string")
    try:
        (value or "").encode("utf-8")
    except UnicodeEncodeError as error:
        raise ControlMessageError(f"{name} is not valid Unicode") from error
    return value
