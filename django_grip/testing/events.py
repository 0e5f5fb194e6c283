"""Server-Sent Events as a browser reads them (HTML standard, 9.2.6)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["ReceivedEvent", "take_event"]

_block_end = re.compile(r"(?:\r\n|\r|\n)(?:\r\n|\r|\n)")
_line_end = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class ReceivedEvent:
    """An event as it reaches an ``EventSource``.

    data: its lines, joined with LF. event: "message" if it has no name. id: of this event; None if it has none.
    retry: milliseconds, or None.
    """

    data: str
    event: str = "message"
    id: str | None = None
    retry: int | None = None

    def json(self) -> Any:
        """The data, decoded."""
        return json.loads(self.data)


def take_event(text: str) -> tuple[ReceivedEvent | None, str]:
    """Take the first event from the front of a stream's text; what stands behind it is returned too.

    Comments before it are passed over. None when no event is complete; then nothing is taken.
    """
    rest = text
    while found := _block_end.search(rest):
        block, rest = rest[: found.start()], rest[found.end() :]
        event = _parse_block(block)
        if event is not None:
            return event, rest
    return None, text


def _parse_block(block: str) -> ReceivedEvent | None:
    fields: dict[str, str] = {}
    data: list[str] = []
    for line in _line_end.split(block):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name:
            fields[name] = value
    if not data:
        return None
    retry = fields.get("retry", "")
    return ReceivedEvent(
        "\n".join(data), fields.get("event") or "message", fields.get("id"), int(retry) if retry.isdigit() else None
    )
