"""One piece of news for every transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from pubcontrol import Format

from .encoding import encode_json
from .exceptions import ItemError
from .protocol.formats import HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat
from .protocol.sse import encode_sse

__all__ = ["Event"]


@dataclass(frozen=True)
class Event:
    """An event, as Server-Sent Events know it, that fits a WebSocket and a long-poll too.

    data: on a stream a str goes as it is, line by line, and anything else as JSON; on a WebSocket it is always JSON.
    event: its name. id: what the client names when it comes back (``Last-Event-ID``); not the id of a publication.
    retry: milliseconds the client waits before it comes back.

    A WebSocket gets the JSON of ``data``, or ``{"event", "data"[, "id"]}`` when there is a name. Long-polls get a hint:
    they ask again, each with its own credentials.
    """

    data: Any
    event: str | None = None
    id: str | None = None
    retry: int | None = None

    def to_sse(self) -> str:
        """The block a stream gets.

        Raises: ItemError, for data that is not JSON; UsageError, for a name or an id with a line break.
        """
        # A lazy string is text like any other.
        data = str(self.data) if isinstance(self.data, (str, Promise)) else _encode(self.data)
        return encode_sse(data, event=self.event, id=self.id, retry=self.retry)

    def to_websocket(self) -> str:
        """The message a WebSocket gets. Raises: ItemError, for data that is not JSON."""
        if self.event is None:
            return _encode(self.data)
        named = {"event": self.event, "data": self.data}
        return _encode(named if self.id is None else {**named, "id": self.id})

    def to_formats(self) -> list[Format]:
        """The formats of the item that carries it."""
        return [
            HttpStreamFormat(self.to_sse()),
            WebSocketMessageFormat(self.to_websocket()),
            HttpResponseFormat(action="hint"),
        ]


def _encode(data: Any) -> str:
    try:
        return encode_json(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise ItemError(f"An event's data must be JSON: {error}.") from error
