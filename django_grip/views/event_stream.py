"""`EventStreamView`: a stream of Server-Sent Events, as browsers read it with ``EventSource``."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase

from ..event import Event
from ..protocol.formats import HttpStreamFormat
from ..protocol.header_values import from_header_value
from .chunks import put_before
from .flow import Course
from .stream import StreamView

__all__ = ["EventStreamView"]

# The data is not empty, as a browser does not dispatch an event without; the empty id makes it forget the last one.
_RESET = Event({}, event="reset", id="")


class EventStreamView(StreamView):
    """A stream of Server-Sent Events.

    `on_open` returns the first events: `Event`, or whatever an `Event` takes as data; several of them as a list or an
    iterator. In every hook, ``self.last_event_id`` is the id of the last event the client got before its connection
    broke, or None.
    """

    content_type = "text/event-stream; charset=utf-8"
    keep_alive_data = ":\n\n"

    @property
    def last_event_id(self) -> str | None:
        """What the client sends as ``Last-Event-ID``, as text. Raises: HeaderError, answered with a 400."""
        value = self.request.META.get("HTTP_LAST_EVENT_ID")
        return from_header_value(value) if value else None

    def get_events_since(self, last_id: str) -> Any:
        """The events a client missed that got `last_id` last, to be sent instead of `on_open`'s. May be async.

        None (the default) means that nobody can tell: the client gets an event ``reset``, and `on_open`'s events.
        Of an id that is none of one's own, too, nobody can tell.
        """
        return None

    def first_content(self) -> Course[Any]:
        last_id = self.last_event_id
        if last_id is None:
            return (yield from super().first_content())
        missed = yield self.get_events_since, (last_id,)
        if missed is not None:
            return missed
        first = yield from super().first_content()
        return first if isinstance(first, HttpResponseBase) else put_before(_RESET, first)

    def encode_chunk(self, chunk: Any) -> str:
        return _encode_event(chunk)

    @classmethod
    def get_format(cls, message: Any) -> HttpStreamFormat | Event:
        return message if isinstance(message, Event) else HttpStreamFormat(_encode_event(message))


def _encode_event(item: Any) -> str:
    return (item if isinstance(item, Event) else Event(item)).to_sse()
