"""Event streams: a snapshot, then changes, with nothing missed between the two."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from ...encoding import encode_json
from ...exceptions import InstructError
from ...hold_clock import hold_time
from ...holds import MAX_HELD_BODY
from ...link_headers import HeadersTooLong
from ...links import build_link
from ...protocol.channels import Channel
from ...protocol.instruct import Instruct
from ...refusals import refuse_direct_client, stand_in
from ...views.etags import hash_etag
from ...views.stream import SILENT_CHANNEL
from .. import events
from ..auth import credentials
from ..channels import find_channels
from ..objects import find_name_in
from ..renderers import EventStreamRenderer
from . import link_context
from .caching import keep_out_of_cache

if TYPE_CHECKING:
    from rest_framework.request import Request

    from ...request import GripData, GripHttpRequest

    WhenRendered = Callable[[Response, Callable[[Response], None]], None]

__all__ = ["begin", "end_for_deleted", "is_link", "keep_until_rendered", "recall"]

# Stages of a stream, as its links say them: nothing is held yet, since what was to be sent was too much for that; it is
# held, and what was published meanwhile may have been missed; it is held, and nothing was.
_BEGINS, _LOOKS_AGAIN, _IS_HELD = "begins", "looks-again", "is-held"

# Seconds. By then the proxy has subscribed.
_SECOND_LOOK = 1

_KEEP_ALIVE = ":\n\n"
_NO_ETAG = hash_etag(b"")


class _URLTooLong(APIException):
    status_code = 414
    default_detail = "This URL is too long for a stream that stays open."
    default_code = "uri_too_long"


class _HeadersTooLong(APIException):
    status_code = 431
    default_code = "headers_too_long"


def recall(request: GripHttpRequest) -> ExitStack:
    """Make the fetch of a stream's link the request that opened the stream, before anything looks at it.

    Returns: what ends that, see `keep_until_rendered`.
    """
    data = _find_data(getattr(request, "grip", None))
    return link_context.recall(request, data) if data else ExitStack()


def keep_until_rendered(recalled: ExitStack, response: Any) -> None:
    """Let what was recalled last for a response that is rendered behind the view."""
    if not getattr(response, "is_rendered", True):
        kept = recalled.pop_all()
        response.add_post_render_callback(lambda response: kept.close())


def is_link(request: Request) -> bool:
    """Whether a stream's link is fetched."""
    return bool(_find_data(getattr(request._request, "grip", None)))


def begin(view: Any, request: Request, response: Response, when_rendered: WhenRendered) -> Any:
    """Hold the snapshot that a response will be rendered to; of a link's fetch, send it only where it is needed.

    Raises: APIException for what no stream can be held for; what the view raises for an object that it does not show.
    """
    grip: GripData | None = getattr(request._request, "grip", None)
    if grip is None:
        raise ImproperlyConfigured(
            f'{type(view).__name__} streams events by "django_grip.GripMiddleware": put it first in MIDDLEWARE.'
        )
    if not grip.proxied:
        # Without a proxy the response would end at once, and an EventSource would ask again for ever.
        return stand_in(refuse_direct_client(), response)
    # What the view says of its plain answer, a stream is not.
    response.content_type = None
    for name in ("ETag", "Last-Modified", "Expires"):
        response.headers.pop(name, None)
    # It also keeps ConditionalGetMiddleware from making an ETag, and with that a 304.
    response.headers["Cache-Control"] = "no-store, private"
    # nginx would keep what is streamed until it has a buffer full.
    response.headers["X-Accel-Buffering"] = "no"
    if request.method == "GET" and grip.instruct is None:
        keep_out_of_cache(request)
        stream = _Stream(view, request, grip, find_channels(view), _build_data(view, request))
        # One that cannot be built is refused while that can still be said.
        stream.build_link(_IS_HELD, _NO_ETAG, due=int(hold_time()))
        when_rendered(response, stream.hold)
    return response


def end_for_deleted(response: Response, request: Request) -> bool:
    """Of the fetch of a stream's link: say that its object is gone, where that is what the view has answered.

    It may have been deleted before the proxy had subscribed. Returns: whether that is said; then the stream ends.
    """
    told = _find_data(getattr(request._request, "grip", None))
    if response.status_code != 404 or "pk" not in told:
        return False
    # Written as it is, whatever renderer has been agreed upon: of the refusal nothing is sent.
    response.status_code, response.exception = 200, False
    response.accepted_renderer, response.accepted_media_type = EventStreamRenderer(), EventStreamRenderer.media_type
    response.data = events.change(events.DELETED, json.loads(told["pk"]))
    response.headers["Cache-Control"] = "no-store, private"
    return True


def _find_data(grip: GripData | None) -> Mapping[str, str]:
    """What one of our links has told; nothing for other requests."""
    data = grip.link.data if grip is not None and grip.link is not None else None
    return data if data and "live" in data else {}


def _build_data(view: Any, request: Request) -> dict[str, str]:
    """What all links of a stream tell. Raises: APIException."""
    kept = _find_data(request._request.grip) or link_context.remember(request)
    own = {name: kept[name] for name in link_context.NAMES if name in kept}
    if view.is_live_detail and view.live_object is not None:
        own["pk"] = encode_json(events.spell_pk(find_name_in(view, view.live_object)))
    return {**own, **credentials.seal_for_link(request)}


def _renew(snapshot: bytes) -> bytes:
    """What a client is sent who does not know the present representation; always so little that it can be held.

    A long snapshot goes without a hold, and the one that is to close the gap behind it has another: of what changes
    with each look there would be no end.
    """
    body = events.reset().to_sse().encode() + snapshot
    return body if len(body) <= MAX_HELD_BODY else events.invalidate().to_sse().encode()


class _Stream(NamedTuple):
    """One answer of a stream, to its client or to a link's fetch.

    data: what its links tell of the client.
    """

    view: Any
    request: Request
    grip: GripData
    channels: list[Channel]
    data: dict[str, str]

    def hold(self, response: Response) -> None:
        """Make the rendered snapshot what is to be sent now, and say how it goes on."""
        told = _find_data(self.grip)
        etag, snapshot = hash_etag(response.content), response.content
        instruct = self.grip.start_instruct()
        has_links = "link:next" in self.grip.features
        if told:
            response.content = _renew(snapshot) if self._has_missed(told, etag) else b""
        elif len(snapshot) > MAX_HELD_BODY and has_links:
            # Such a body is sent without a hold, and the link behind it is fetched at once.
            instruct.set_next_link(self.build_link(_BEGINS, etag))
            return
        instruct.set_hold_stream()
        instruct.add_channels([*self.channels, SILENT_CHANNEL])
        if self.view.live_keep_alive:
            instruct.set_keep_alive(_KEEP_ALIVE, self.view.live_keep_alive)
        if has_links:
            self._set_link(instruct, etag, told)

    def _has_missed(self, told: Mapping[str, str], etag: str) -> bool:
        """Whether a client does not know the present representation: it is another, and no events told of that."""
        if told["etag"] == etag:
            return False
        # Fetched in time, a link asks for the authority alone, and who is subscribed has heard of what changed since.
        # Fetched early, it was for a hint: there is something that no event has told.
        return told["live"] != _IS_HELD or not self._is_on_the_same(told) or hold_time() < int(told["due"])

    def _is_on_the_same(self, told: Mapping[str, str]) -> bool:
        """Whether the channels are those that the proxy is subscribed to already."""
        return told.get("live") in (_LOOKS_AGAIN, _IS_HELD) and told["on"] == self._tell_channels()

    def _tell_channels(self) -> str:
        names = sorted(channel.name for channel in self.channels)
        return sha256("\n".join(names).encode()).hexdigest()[:16]

    def _set_link(self, instruct: Instruct, etag: str, told: Mapping[str, str]) -> None:
        if not self._is_on_the_same(told):
            instruct.set_next_link(self.build_link(_LOOKS_AGAIN, etag), _SECOND_LOOK)
        elif recheck := self.view.live_recheck:
            instruct.set_next_link(self.build_link(_IS_HELD, etag, due=int(hold_time()) + recheck), recheck)

    def build_link(self, stage: str, etag: str, *, due: int = 0) -> str:
        """The link that is to be fetched next. Raises: APIException."""
        data = {"live": stage, "etag": etag, "on": self._tell_channels(), **self.data}
        if due:
            data["due"] = str(due)
        request = self.request._request
        try:
            return build_link(
                request,
                query=request.META.get("QUERY_STRING", ""),
                user=credentials.link_user(self.request),
                data=data,
                headers=self.view.live_headers,
            )
        except HeadersTooLong as error:
            raise _HeadersTooLong(str(error)) from error
        except InstructError as error:
            # Without its link it would be a stream that nobody can end.
            raise _URLTooLong from error
