"""Which method of a `WebSocketAPIView` a message is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..websocket.messages import BadMessage, check_depth, decode_message, parse_message, unknown_action
from .actions import WSAction

__all__ = ["WSCall", "read_call"]

_KEYS = ("action", "ref", "data")


@dataclass(frozen=True)
class WSCall:
    """What a message asks for. action: the name of an action, or "on_message"; method: that of the view."""

    action: str
    method: str
    ref: str | int | None
    data: Any = field(repr=False)


def read_call(text: str, actions: Mapping[str, WSAction], *, takes_others: bool) -> WSCall:
    """Read a message. takes_others: whether ``on_message`` is there for what calls no action.

    Where there are actions, whatever has an ``action`` calls one, and is never a message of another kind: so a
    misspelt one is told what there is. Any other message is all data, and needs no ``ref``; one that could be is used.

    Raises: BadMessage.
    """
    message = decode_message(text)
    if takes_others and not (actions and isinstance(message, dict) and "action" in message):
        return _read_other(message)
    if not actions:
        raise BadMessage("This WebSocket takes no messages.", ref=_find_ref(message))
    asked = parse_message(message, keys=_KEYS)
    action = actions.get(asked.action)
    if action is None:
        raise unknown_action(asked, actions)
    return WSCall(action.name, action.method, asked.ref, asked.data)


def _read_other(message: Any) -> WSCall:
    ref = _find_ref(message)
    try:
        check_depth([message])
    except BadMessage as error:
        error.ref = ref
        raise
    return WSCall("on_message", "on_message", ref, message)


def _find_ref(message: Any) -> str | int | None:
    """What a message calls its ref, if it is one; it may be anything's name."""
    ref = message.get("ref") if isinstance(message, dict) else None
    try:
        return parse_message({"action": "on_message", "ref": ref}).ref
    except BadMessage:
        return None
