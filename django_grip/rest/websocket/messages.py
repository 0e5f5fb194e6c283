"""What a client says on a WebSocket, ``{"action": ..., "ref": ...}``, and how it is answered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...encoding import decode_json
from ...exceptions import ProtocolError

__all__ = [
    "KEYS",
    "MAX_DEPTH",
    "MAX_REF_LENGTH",
    "ActionMessage",
    "BadMessage",
    "check_depth",
    "decode_message",
    "error_answer",
    "parse_message",
    "response_answer",
    "show",
    "unknown_action",
]

KEYS = ("action", "ref", "pk", "data", "query", "method")
"""The keys of a message; all but ``action`` may be absent."""

MAX_REF_LENGTH = 100
"""Characters. A ref is a client's own name for its message, and comes back with the answer."""

MAX_DEPTH = 100
"""Objects and arrays in one another."""

# What every client can read back as the number that it sent (RFC 8259, 6).
_MAX_INT = 2**53 - 1
_NO_QUERY = 'A query is an object of strings, numbers, booleans, or lists of them, such as {"page": 2}.'
# Characters of a client's text in an error.
_MAX_SHOWN = 50


class BadMessage(ProtocolError):
    """A message that is no action.

    ref: the message's own if that can be read, for the answer. key: the part of the message that is wrong, if one is.
    """

    def __init__(self, text: str, *, key: str | None = None, ref: str | int | None = None) -> None:
        super().__init__(text)
        self.key = key
        self.ref = ref

    @property
    def errors(self) -> dict[str, Any]:
        """As DRF writes errors: those of a key in a list, that of the whole as ``detail``."""
        return {"detail": str(self)} if self.key is None else {self.key: [str(self)]}

    def to_answer(self) -> dict[str, Any]:
        """The answer to such a message."""
        return error_answer(self.ref, 400, self.errors)


@dataclass(frozen=True)
class ActionMessage:
    """What a client asks for. What the message lacks, or has as ``null``, is None.

    pk: of the object that is meant, as it stands in the object's URL. query: the parameters of the URL's query string,
    each with its value or values. method: which of the action's, in capitals.
    """

    action: str
    ref: str | int | None = None
    pk: str | int | None = None
    data: Any = None
    query: Mapping[str, str | list[str]] | None = None
    method: str | None = None

    def __repr__(self) -> str:
        # Not what was sent: it may end up in a log.
        return f"<ActionMessage {show(self.action)} ref={self.ref!r}>"


def decode_message(text: str) -> Any:
    """Read a message's JSON, for `parse_message`. Raises: BadMessage."""
    try:
        if text:
            return decode_json(text)
    except ValueError:
        pass
    raise BadMessage("The message is not JSON.")


def parse_message(value: Any, *, keys: Collection[str] = KEYS) -> ActionMessage:
    """Read a message. value: its decoded JSON. keys: those that it may have.

    Raises: BadMessage.
    """
    if not isinstance(value, dict):
        raise BadMessage(f'A message is an object such as {{"action": "list", "ref": 1}}, not {_name_kind(value)}.')
    ref = _read_ref(value.get("ref"))
    try:
        check_depth(value)
        _check_keys(value, keys)
        return ActionMessage(
            action=_read_action(value.get("action")),
            ref=ref,
            pk=_read_pk(value.get("pk")),
            data=value.get("data"),
            query=_read_query(value.get("query")),
            method=_read_method(value.get("method")),
        )
    except BadMessage as error:
        error.ref = ref
        raise


def response_answer(ref: str | int | None, status: int, data: Any) -> dict[str, Any]:
    """The answer to a message whose action succeeded. status: as HTTP has it. data: None where there is none."""
    return {"type": "response", "ref": ref, "status": status, "data": data}


def error_answer(
    ref: str | int | None, status: int, errors: Mapping[str, Any], retry_after: int | None = None
) -> dict[str, Any]:
    """The answer to a message whose action failed. retry_after: seconds to wait, where that helps."""
    answer = {"type": "error", "ref": ref, "status": status, "errors": errors}
    return answer if retry_after is None else {**answer, "retry_after": retry_after}


def check_depth(value: Any) -> None:
    """Refuse what could be read, but would be too deep for those who handle it. Raises: BadMessage."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [item for each in level for item in (each.values() if isinstance(each, dict) else each)]
        level = [item for item in level if isinstance(item, (dict, list))]
        if not level:
            return
    raise BadMessage(f"The message is nested too deeply: {MAX_DEPTH} levels are the most.")


def _check_keys(value: dict[str, Any], keys: Collection[str]) -> None:
    unknown = sorted(key for key in value if key not in keys)
    if unknown:
        raise BadMessage(f"A message has no {show(unknown[0])}; it may have: {', '.join(keys)}.")


def _read_ref(ref: Any) -> str | int | None:
    if ref is None or (isinstance(ref, str) and len(ref) <= MAX_REF_LENGTH):
        return ref
    if isinstance(ref, int) and not isinstance(ref, bool) and abs(ref) <= _MAX_INT:
        return ref
    text = f"A ref is a string of at most {MAX_REF_LENGTH} characters, or a whole number from -(2^53-1) to 2^53-1."
    raise BadMessage(text, key="ref")


def _read_action(action: Any) -> str:
    if not isinstance(action, str) or not action:
        raise BadMessage('Name the action, as a string such as "list".', key="action")
    return action


def _read_pk(pk: Any) -> str | int | None:
    if pk is None or (isinstance(pk, (int, str)) and not isinstance(pk, bool)):
        return pk
    raise BadMessage(f"A pk is a string or a whole number, not {_name_kind(pk)}.", key="pk")


def _read_query(query: Any) -> Mapping[str, str | list[str]] | None:
    if query is None:
        return None
    if not isinstance(query, dict):
        raise BadMessage(_NO_QUERY, key="query")
    return {
        name: [_read_parameter(each) for each in value] if isinstance(value, list) else _read_parameter(value)
        for name, value in query.items()
    }


def _read_parameter(value: Any) -> str:
    """A value as a query string has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise BadMessage(_NO_QUERY, key="query")


def _read_method(method: Any) -> str | None:
    if method is None:
        return None
    if not isinstance(method, str):
        raise BadMessage(f"A method is a string, not {_name_kind(method)}.", key="method")
    return method.upper()


def unknown_action(message: ActionMessage, offered: Iterable[str]) -> BadMessage:
    """The error for a message whose action is none of those that there are."""
    text = f"There is no action {show(message.action)} here, but: {', '.join(offered)}."
    return BadMessage(text, key="action", ref=message.ref)


def _name_kind(value: Any) -> str:
    """What JSON calls a value."""
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), "this")


def show(text: str) -> str:
    """A client's text as an error or a log may hold it."""
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")
