"""What the application's control messages have set for one WebSocket (GRIP.md, 2)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...exceptions import ControlMessageError
from ...protocol.control import ControlMessage, parse_control
from ...protocol.session_meta import MAX_META_TOTAL
from ..effects import Binary, Effect, Text
from ..filters import passes_filters
from .timers import SocketTimers

if TYPE_CHECKING:
    from ..exchange import Exchange
    from ..published import PublishedItem

__all__ = ["SocketControl"]

logger = logging.getLogger("django_grip")


class SocketControl:
    """Subscriptions and what filters know of the connection, its timers, and whether the application has let go of it.

    channels: the filters of each subscription. timers: None until there is one.
    """

    __slots__ = ("_meta", "_meta_size", "channels", "is_detached", "timers")

    def __init__(self) -> None:
        self.channels: dict[str, tuple[str, ...]] = {}
        self._meta: dict[str, str] = {}
        self._meta_size = 0
        self.timers: SocketTimers | None = None
        self.is_detached = False

    def lets_through(self, item: PublishedItem, channel: str) -> bool:
        """Whether the filters of a subscription let an item through."""
        filters = self.channels.get(channel)
        return not filters or passes_filters(filters, item.meta, self._meta, self.channels)

    def obey(self, content: bytes, exchange: Exchange, now: float) -> None:
        """Do what a control message says, given without its ``c:``. What is none does nothing, as with Pushpin."""
        try:
            message = parse_control(content)
        except ControlMessageError as error:
            logger.warning("The application sent a control message that is none, which does nothing: %s.", error)
            return
        kind = message.type
        if kind == "subscribe":
            self._subscribe(message, exchange)
        elif kind == "unsubscribe":
            self.channels.pop(message.channel, None)
            exchange.engine.hub.unsubscribe(exchange, message.channel)
        elif kind == "set-meta":
            self._set_meta(message)
        elif kind == "detach":
            self.is_detached = True
        elif kind in ("keep-alive", "send-delayed", "flush-delayed"):
            self._set_timer(message, exchange, now)

    def _subscribe(self, message: ControlMessage, exchange: Exchange) -> None:
        limit = exchange.engine.options.max_channels
        if message.channel not in self.channels and len(self.channels) >= limit:
            logger.warning("A WebSocket has %d channels already; it is not subscribed to %r.", limit, message.channel)
            return
        self.channels[message.channel] = message.filters
        exchange.engine.hub.subscribe(exchange, message.channel)

    def _set_meta(self, message: ControlMessage) -> None:
        name, value = message.name, message.value
        old = self._meta.get(name)
        size = self._meta_size - (0 if old is None else len(name) + len(old))
        if value is None:
            self._meta.pop(name, None)
            self._meta_size = size
        elif (size := size + len(name) + len(value)) > MAX_META_TOTAL:
            logger.warning("A WebSocket's meta would have %d characters; %.40r is not set.", size, name)
        else:
            self._meta[name] = value
            self._meta_size = size

    def _set_timer(self, message: ControlMessage, exchange: Exchange, now: float) -> None:
        if self.timers is None:
            self.timers = SocketTimers(now)
        if message.type == "keep-alive":
            # Pushpin takes an empty content, too, for "no more".
            effect = _build_effect(message) if message.content else None
            self.timers.set_keep_alive(effect, timeout=message.timeout, by_interval=message.mode == "interval", now=now)
            return
        waiting = self.timers.take_delayed()
        if waiting is not None:
            exchange.put(waiting)
        if message.type == "send-delayed":
            effect = _build_effect(message)
            if effect is not None:
                self.timers.delay(effect, timeout=message.timeout, now=now)


def _build_effect(message: ControlMessage) -> Effect | None:
    """The message that a control message would have sent; None for what cannot be: pings are the server's in ASGI."""
    content = message.content or b""
    if message.message_type == "binary":
        return Binary(content)
    if message.message_type != "text":
        return None
    try:
        return Text(content.decode())
    except UnicodeDecodeError as error:
        logger.warning("The text in the control message %r is not UTF-8 at byte %d.", message.type, error.start)
        return None
