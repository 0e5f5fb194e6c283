"""`StreamView`: a response that stays open, and to which what is published is appended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import Promise

from ..event import Event
from ..exceptions import InstructError, UsageError
from ..link_headers import HeadersTooLong
from ..links import build_link
from ..protocol.formats import HttpStreamFormat
from ..protocol.instruct import Instruct
from ..refusals import refuse_direct_client
from .base import GripView
from .chunks import is_iterated, respond_with
from .flow import Course
from .refusal import Refusal

if TYPE_CHECKING:
    from ..protocol.channels import Channel

__all__ = ["SILENT_CHANNEL", "StreamView"]

logger = logging.getLogger("django_grip")

# A stream may last for days; a next link is renewed with every fetch, a gone link is not.
_GONE_MAX_AGE = 7 * 86_400

# Every stream that is asked for again is on it.
SILENT_CHANNEL = "grip:silent"

_FORM, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


class StreamView(GripView):
    """An HTTP response that stays open: what is published to the view's channels is appended to it.

    content_type: of the stream.
    keep_alive: seconds of silence after which `keep_alive_data` is sent, so that nobody takes the stream for dead.
    live_recheck: seconds after which the proxy makes the request again, so that a revoked session or permission
        ends the stream; None: never.
    live_headers: headers that this request brings again, such as one that names a tenant. The proxy makes it without
        those of the client, but for the user, the session and the host.
    max_message_size: bytes of a message that is POSTed.
    message_field: of a form, the field that holds the message.

    A GET opens the stream. A POST to the same URL goes to `on_message`, with CSRF as for any POST.
    """

    content_type: str = "text/plain; charset=utf-8"
    keep_alive: int | None = None
    keep_alive_data: str | bytes = "\n"
    live_headers: Sequence[str] = ()
    max_message_size: int = 128 * 1024
    message_field: str = "message"

    hook_names: ClassVar[tuple[str, ...]] = ("on_open", "on_message", "on_close")
    transport_methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "POST", "OPTIONS")
    list_names: ClassVar[tuple[str, ...]] = (*GripView.list_names, "live_headers")
    number_names: ClassVar[tuple[str, ...]] = (*GripView.number_names, "max_message_size")
    optional_number_names: ClassVar[tuple[str, ...]] = (*GripView.optional_number_names, "keep_alive")

    # -- hooks -----------------------------------------------------------------------------------------------------

    def on_open(self) -> Any:
        """A client opens the stream. Return what it gets first: str, bytes, an iterator of these (also an async one),
        or a response of your own, which is held only if it is a 200. May be a generator."""

    def on_message(self, message: str) -> Any:
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
        if isinstance(message, Promise):
            message = str(message)
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

    def _allowed_methods(self) -> list[str]:
        allowed = super()._allowed_methods()
        link = getattr(self.request.grip, "link", None)
        if "on_message" not in self._own_hooks() and link is None and "POST" in allowed:
            allowed.remove("POST")
        return allowed

    def answer(self) -> Course[HttpResponseBase]:
        grip = self.request.grip
        if grip.link is not None and grip.link.kind == "gone":
            yield from self.call_hook(self.on_close)
            return HttpResponse()
        if self.request.method == "POST":
            return (yield from self._take_message())
        if not grip.proxied:
            # Without a proxy the response would end at once, and an EventSource would ask again for ever.
            return refuse_direct_client()
        if self.request.method == "HEAD":
            return HttpResponse(content_type=self.content_type, headers={"Cache-Control": "no-store"})
        return (yield from self._open_stream())

    def _take_message(self) -> Course[HttpResponseBase]:
        message = self._read_message()
        # Before the hook, which may publish to them.
        yield from self.find_channels()
        result = yield from self.call_hook(self.on_message, message)
        return HttpResponse(status=204) if result is None else result

    def _read_message(self) -> str:
        """The message that was POSTed. Raises: Refusal."""
        try:
            message = self._read_form() if self.request.content_type in (_FORM, _MULTIPART) else None
            if message is None:
                message = self.request.body.decode()
        except UnicodeDecodeError as error:
            raise Refusal("The message is not UTF-8.") from error
        except RequestDataTooBig as error:
            raise Refusal(str(error), status=413) from error
        if len(message) * 4 > self.max_message_size and len(message.encode()) > self.max_message_size:
            raise Refusal(f"A message may have {self.max_message_size} bytes.", status=413)
        return message

    def _read_form(self) -> str | None:
        """The field of a form; None if what came as a form is not one."""
        form = self.request.POST
        if self.message_field not in form:
            # What curl and the like send calls itself a form by default. A form with a CSRF token in it must not go
            # on to others, though.
            if self.request.content_type == _MULTIPART or "csrfmiddlewaretoken" in form:
                raise Refusal(f"The form has no field {self.message_field!r}.")
            return None
        message = form[self.message_field]
        if "\ufffd" in message:
            # This is what Django puts for bytes that are not UTF-8.
            raise Refusal("The message is not UTF-8, or has U+FFFD in it.")
        return message

    def _open_stream(self) -> Course[HttpResponseBase]:
        channels = yield from self.find_channels()
        if not channels:
            raise ImproperlyConfigured(f'{type(self).__name__} has no channel to be held on: set channels = ["..."].')
        # A link is followed in mid-stream: what the client got first is not sent again.
        content = None if self.request.grip.link else (yield from self.first_content())
        response = yield from self._make_response(content)
        if response.status_code == 200:
            self._hold(channels)
            # nginx would keep what is streamed until it has a buffer full.
            response.headers["X-Accel-Buffering"] = "no"
        return response

    def first_content(self) -> Course[Any]:
        """Ask for what the client gets before the hold."""
        return (yield from self.call_hook(self.on_open))

    def _make_response(self, content: Any) -> Course[HttpResponseBase]:
        if isinstance(content, HttpResponseBase):
            return content
        if is_iterated(content):
            return (yield from respond_with(self.request, content, self.encode_chunk, self.content_type))
        first = b"" if content is None else self.encode_chunk(content)
        return HttpResponse(first, content_type=self.content_type)

    def encode_chunk(self, chunk: Any) -> str | bytes:
        """How one piece of what `on_open` returned goes over the wire."""
        if isinstance(chunk, Promise):
            return str(chunk)
        if not isinstance(chunk, (str, bytes)):
            raise TypeError(
                f"{type(self).__name__}.on_open returns str, bytes, an iterator of these or a response, "
                f"not {type(chunk).__name__}."
            )
        return chunk

    def after_hook(self, function: Any, result: Any) -> None:
        name = function.__name__
        if (
            name != "on_open"
            and result is not None
            and not (name == "on_message" and isinstance(result, HttpResponseBase))
        ):
            allowed = "a response, or None" if name == "on_message" else "nothing"
            raise TypeError(f"{type(self).__name__}.{name} returned {type(result).__name__}; return {allowed}.")

    # -- the hold --------------------------------------------------------------------------------------------------

    def _hold(self, channels: list[Channel]) -> None:
        instruct = self.request.grip.start_instruct()
        instruct.set_hold_stream()
        user = getattr(self.request, "user", None)
        if "on_message" in self._own_hooks() and user is not None and user.is_authenticated:
            # For publish(exclude_self=True); it changes nothing for other items.
            instruct.meta["user"] = self.sender_id()
            for channel in channels:
                channel.filters = list(dict.fromkeys([*channel.filters, "skip-self"]))
        instruct.add_channels(channels)
        if self.keep_alive:
            instruct.set_keep_alive(self.keep_alive_data, self.keep_alive)
        self._set_links(instruct)

    def _set_links(self, instruct: Instruct) -> None:
        features = self.request.grip.features
        if self.live_recheck and "link:next" in features:
            instruct.set_next_link(self._build_link("next"), self.live_recheck)
            # Pushpin puts the fetch off each time that all of a stream's channels were published to (activeChannels in
            # its httpsession.cpp), so a busy stream would never be asked for again. To this one nobody publishes.
            instruct.add_channel(SILENT_CHANNEL)
        if "on_close" not in self._own_hooks():
            return
        if "link:gone" in features:
            instruct.set_gone_link(self._build_link("gone", max_age=_GONE_MAX_AGE))
        else:
            self._warn_of_on_close()

    def _build_link(self, kind: str, **options: Any) -> str:
        try:
            query = self.request.META.get("QUERY_STRING", "")
            return build_link(self.request, kind, query=query, headers=self.live_headers, **options)
        except HeadersTooLong as error:
            raise Refusal(str(error), status=431) from error
        except InstructError as error:
            # Without its link it would be a stream that nobody can end.
            raise Refusal("This URL is too long for a stream that stays open.", status=414) from error

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
