"""`StreamView` and `EventStreamView`: a response that stays open, as text, bytes or Server-Sent Events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.core.exceptions import BadRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from ..event import Event
from ..exceptions import UsageError
from ..links import build_link
from ..protocol.formats import HttpStreamFormat
from ..protocol.header_values import from_header_value
from ..protocol.instruct import Instruct
from ..refusals import refuse_direct_client
from .base import GripView
from .chunks import make_chunks, put_before
from .flow import Course

if TYPE_CHECKING:
    from ..protocol.channels import Channel

__all__ = ["EventStreamView", "StreamView"]

logger = logging.getLogger("django_grip")

# A stream may last for days; a next link is renewed with every fetch, a gone link is not.
_GONE_MAX_AGE = 7 * 86_400

_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class StreamView(GripView):
    """An HTTP response that stays open: what is published to the view's channels is appended to it.

    content_type: of the stream.
    keep_alive: seconds of silence after which `keep_alive_data` is sent, so that nobody takes the stream for dead.
    live_recheck: seconds after which the proxy makes the request again, so that a revoked session or permission
        ends the stream; None: never.
    max_message_size: bytes of a POST's body.

    A GET opens the stream. A POST to the same URL goes to `on_message`, with CSRF as for any POST.
    """

    content_type: str = "text/plain; charset=utf-8"
    keep_alive: int | None = None
    keep_alive_data: str | bytes = "\n"
    max_message_size: int = 128 * 1024
    message_field: str = "message"

    hook_names: ClassVar[tuple[str, ...]] = ("on_open", "on_message", "on_close")
    allowed_methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "POST", "OPTIONS")

    # -- hooks -----------------------------------------------------------------------------------------------------

    def on_open(self) -> Any:
        """A client opens the stream. Return what it gets first: str, bytes, an iterator of these (also an async one),
        or a response of your own, which is held only if it is a 200."""

    def on_message(self, message: Any) -> Any:
        """A POST came, with the text of its body, or of the form's field `message_field`.

        Return a response, or None for an empty 204.
        """

    def on_close(self) -> Any:
        """The stream has ended. Called only where the proxy can tell (``"link:gone" in request.grip.features``)."""

    # -- publishing ------------------------------------------------------------------------------------------------

    @classmethod
    def get_format(cls, message: Any) -> HttpStreamFormat | Event:
        if isinstance(message, Event):
            return message
        if not isinstance(message, (str, bytes)):
            raise TypeError(f"{cls.__name__} streams str or bytes, not {type(message).__name__}.")
        return HttpStreamFormat(message)

    def sender_id(self) -> str:
        """Streams are told apart by their user: a POST does not know which stream its sender reads."""
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            raise UsageError("exclude_self on a stream needs a user that is logged in.")
        return f"user:{user.pk}"

    # -- the course of one request ---------------------------------------------------------------------------------

    def answer(self) -> Course[HttpResponseBase]:
        link = self.request.grip.link
        if link is not None and link.kind == "gone":
            yield self.hook(self.on_close)
            return HttpResponse(status=200)
        if self.request.method == "POST":
            return (yield from self._take_message())
        if not self.request.grip.proxied:
            # Without a proxy the response would end at once, and an EventSource would ask again for ever.
            return refuse_direct_client()
        if self.request.method == "HEAD":
            return HttpResponse(content_type=self.content_type)
        return (yield from self._open_stream())

    def _take_message(self) -> Course[HttpResponseBase]:
        if "on_message" not in self.own_hooks:
            return self.http_method_not_allowed(self.request)
        result = yield self.hook(self.on_message, self._read_message())
        if result is None:
            return HttpResponse(status=204)
        return _check_response(self, "on_message", result)

    def _read_message(self) -> str:
        request = self.request
        if len(request.body) > self.max_message_size:
            raise BadRequest(f"A message may have {self.max_message_size} bytes.")
        if request.content_type in _FORM_TYPES:
            if self.message_field in request.POST:
                return request.POST[self.message_field]
            # The whole of a form must not go on to others: it may have a CSRF token in it.
            if request.content_type != _FORM_TYPES[0] or "csrfmiddlewaretoken" in request.POST:
                raise BadRequest(f"The form has no field {self.message_field!r}.")
        try:
            return request.body.decode()
        except UnicodeDecodeError as error:
            raise BadRequest("The message is not UTF-8.") from error

    def _open_stream(self) -> Course[HttpResponseBase]:
        channels = yield from self.find_channels()
        # A link is followed in mid-stream: what the client got first is not sent again.
        content = "" if self.request.grip.link else (yield from self.first_content())
        if isinstance(content, HttpResponseBase):
            response = content
            if response.status_code != 200:
                return response
        else:
            response = self._make_response(content)
        self._hold(channels)
        # nginx would keep what is streamed until it has a buffer full.
        response.headers["X-Accel-Buffering"] = "no"
        return response

    def first_content(self) -> Course[Any]:
        """Ask for what the client gets before the hold."""
        return (yield self.hook(self.on_open))

    def _make_response(self, content: Any) -> HttpResponseBase:
        if content is None or isinstance(content, (str, bytes)):
            return HttpResponse(content or b"", content_type=self.content_type)
        chunks = make_chunks(content, self.encode_chunk, is_async=self.view_is_async)
        return StreamingHttpResponse(chunks, content_type=self.content_type)

    def encode_chunk(self, chunk: Any) -> str | bytes:
        """How one piece of what `on_open` returned goes over the wire."""
        if not isinstance(chunk, (str, bytes)):
            raise TypeError(f"{type(self).__name__}.on_open returns str or bytes, not {type(chunk).__name__}.")
        return chunk

    # -- the hold --------------------------------------------------------------------------------------------------

    def _hold(self, channels: list[Channel]) -> None:
        instruct = self.request.grip.start_instruct()
        instruct.set_hold_stream()
        user = getattr(self.request, "user", None)
        if "on_message" in self.own_hooks and user is not None and user.is_authenticated:
            instruct.meta["user"] = self.sender_id()
            for channel in channels:
                channel.filters.append("skip-self")
        instruct.add_channels(channels)
        if self.keep_alive:
            instruct.set_keep_alive(self.keep_alive_data, self.keep_alive)
        self._set_links(instruct)

    def _set_links(self, instruct: Instruct) -> None:
        features = self.request.grip.features
        query = self.request.META.get("QUERY_STRING", "")
        if self.live_recheck and "link:next" in features:
            instruct.set_next_link(build_link(self.request, query=query), self.live_recheck)
        if "on_close" not in self.own_hooks:
            return
        if "link:gone" in features:
            instruct.set_gone_link(build_link(self.request, "gone", query=query, max_age=_GONE_MAX_AGE))
        else:
            self._warn_of_on_close()

    @classmethod
    def _warn_of_on_close(cls) -> None:
        """Say it once for each view."""
        if "_has_warned" in cls.__dict__:
            return
        cls._has_warned = True  # type: ignore[attr-defined]
        logger.warning(
            "%s.on_close is never called: the proxy does not tell when a stream ends (Pushpin 1.41 does).",
            cls.__name__,
        )


class EventStreamView(StreamView):
    """A stream of Server-Sent Events, as browsers read it with ``EventSource``.

    `on_open` returns the first events: `Event`, or whatever an `Event` takes as data. In every hook,
    ``self.last_event_id`` is the id of the last event the client got before its connection broke, or None.
    """

    content_type = "text/event-stream; charset=utf-8"
    keep_alive_data = ":\n\n"

    @property
    def last_event_id(self) -> str | None:
        """What the client sends as ``Last-Event-ID``, as text."""
        value = self.request.META.get("HTTP_LAST_EVENT_ID")
        return from_header_value(value) if value else None

    def get_events_since(self, last_id: str) -> Any:
        """The events a client missed that got `last_id` last, to be sent instead of `on_open`'s. May be async.

        None (the default) means that nobody can tell: the client gets an event ``reset``, and `on_open`'s events.
        """
        return None

    def first_content(self) -> Course[Any]:
        if self.last_event_id is None:
            return (yield self.hook(self.on_open))
        missed = yield self.get_events_since, (self.last_event_id,)
        if missed is not None:
            return missed
        first = yield self.hook(self.on_open)
        if isinstance(first, HttpResponseBase):
            return first
        return put_before(RESET, first)

    def encode_chunk(self, chunk: Any) -> str | bytes:
        return _encode_event(chunk)

    def _make_response(self, content: Any) -> HttpResponseBase:
        # A mapping or a str is one event's data, not several events.
        if isinstance(content, (Event, str, bytes, Mapping)):
            content = [content] if content else []
        return super()._make_response(content)

    @classmethod
    def get_format(cls, message: Any) -> HttpStreamFormat | Event:
        return message if isinstance(message, Event) else HttpStreamFormat(_encode_event(message))


# The data is not empty, as a browser does not dispatch an event without; the empty id makes it forget the last one.
RESET: Final = "event: reset\nid:\ndata: {}\n\n"


def _encode_event(item: Any) -> str:
    if item is RESET:
        return RESET
    event: Event = item if isinstance(item, Event) else Event(item)
    return event.to_sse()


def _check_response(view: StreamView, name: str, result: Any) -> HttpResponseBase:
    if isinstance(result, HttpResponseBase):
        return result
    raise TypeError(f"{type(view).__name__}.{name} returned {type(result).__name__}; return a response, or None.")
