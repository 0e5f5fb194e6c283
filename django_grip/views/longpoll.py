"""`LongPollView`: a resource whose readers wait for its next version."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, cast

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.http.response import HttpResponseBase, HttpResponseNotModified
from django.utils.functional import classproperty
from django.utils.http import parse_etags

from ..encoding import encode_json
from ..protocol.channels import Channel
from ..protocol.formats import HttpResponseFormat
from ..publisher import apublish, publish
from ..refusals import refuse_direct_client
from .base import GripView
from .flow import Course

if TYPE_CHECKING:
    from ..publishing import Publication

__all__ = ["LongPollView"]

# The proxy makes less into this.
_MIN_TIMEOUT = 5

_TIME = re.compile(r"[0-9]{1,12}")
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_ETAG_TEXT = re.compile(r"[\x21\x23-\x7e]+")


class LongPollView(GripView):
    """A resource with an ETag: who has its present version waits for the next one.

    A GET without ``If-None-Match``, or with another ETag, is answered at once. One with the present ETag is held until
    `changed` is called, or answered with 304 after `timeout` seconds.

    timeout: seconds, 5 at the least (the proxy makes less into 5).
    content_type: of a payload that is str or bytes; all else goes as JSON.
    """

    timeout: int = 25
    content_type: str = "text/plain; charset=utf-8"

    allowed_methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "OPTIONS")

    # -- what a view defines ---------------------------------------------------------------------------------------

    def get_etag(self) -> Any:
        """Tell the present version: a str, an int or the like; None lets the payload be hashed. May be async."""
        return None

    def get_payload(self) -> Any:
        """The present version: str, bytes, what JSON can hold, or a response. May be async."""
        raise ImproperlyConfigured(f"{type(self).__name__} must define get_payload().")

    # -- publishing ------------------------------------------------------------------------------------------------

    @classmethod
    def changed(
        cls, *, channel: str | None = None, options: Mapping[str, Any] | None = None, **url_kwargs: Any
    ) -> Publication:
        """Let every waiting client ask again, each with its own credentials. Call it when the new version is stored.

        url_kwargs: what fills in the templates in `channels`, as the URL would.
        channel: a whole name instead; required if the view has several, or computes them in `get_channels`.
        options: as for `django_grip.publish`, such as ``{"on_commit": True}``.
        """
        return publish(cls._broadcast_channel(channel, url_kwargs), _hint(), **(options or {}))

    @classmethod
    async def achanged(
        cls, *, channel: str | None = None, options: Mapping[str, Any] | None = None, **url_kwargs: Any
    ) -> Publication:
        """`changed`, awaiting the proxies' answers."""
        return await apublish(cls._broadcast_channel(channel, url_kwargs), _hint(), **(options or {}))

    # -- the class -------------------------------------------------------------------------------------------------

    @classmethod
    def check_class(cls) -> None:
        super().check_class()
        for name in ("on_open", "on_message", "on_close"):
            if hasattr(cls, name):
                raise ImproperlyConfigured(
                    f"{cls.__name__} defines {name}, but a long-poll has no hooks: the proxy answers it by itself."
                )

    @classproperty
    def view_is_async(cls) -> bool:
        return any(iscoroutinefunction(getattr(cls, name)) for name in ("get_etag", "get_payload", "get_channels"))

    # -- the course of one request ---------------------------------------------------------------------------------

    def answer(self) -> Course[HttpResponseBase]:
        # The ETag first: should the resource change in between, the payload is newer than its ETag, and the client
        # fetches it twice. The other way round it would miss the change.
        etag = yield self.get_etag, ()
        response: Any = None
        if etag is None:
            response = yield from self._get_response()
            if response.status_code != 200:
                return cast(HttpResponseBase, response)
            etag = sha256(response.content).hexdigest()[:32]
        etag = format_etag(etag)
        if not is_known(etag, self.request.META.get("HTTP_IF_NONE_MATCH", "")):
            response = response or (yield from self._get_response())
            response.headers["ETag"] = etag
            response.headers.setdefault("Cache-Control", "no-cache")
            return cast(HttpResponseBase, response)
        if not self.request.grip.proxied:
            return refuse_direct_client()
        unchanged = HttpResponseNotModified(headers={"ETag": etag})
        if self.request.method == "GET":
            yield from self._hold()
        return unchanged

    def _get_response(self) -> Course[Any]:
        payload = yield self.get_payload, ()
        if isinstance(payload, HttpResponseBase):
            return payload
        if isinstance(payload, (str, bytes)):
            return HttpResponse(payload, content_type=self.content_type)
        return HttpResponse(encode_json(payload), content_type="application/json")

    def _hold(self) -> Course[None]:
        channels = yield from self.find_channels()
        started = find_guard(self.request.grip.last)
        instruct = self.request.grip.start_instruct()
        instruct.add_channels(channels)
        if started is None:
            instruct.add_channel(make_guard())
            instruct.set_hold_longpoll(self.timeout)
        else:
            # The second look at a request that has waited since then already.
            instruct.set_hold_longpoll(min(max(started + self.timeout - int(time.time()), _MIN_TIMEOUT), self.timeout))


_GUARD = "grip:guard:"


def make_guard() -> Channel:
    """Make a channel that nobody had before, which lets the proxy make this request again soon.

    The resource may have changed between the reading of its ETag and the hold, with the hint already gone by. About a
    second after a channel's first subscription Pushpin makes the requests held on it again (SUBSCRIBED_DELAY in its
    engine.cpp), since what was published before it had subscribed upstream is lost in the same way. A channel of its
    own gives each held request that second look. Its previous id comes back in Grip-Last: it tells the second look
    from a new request, and since when the client waits.
    """
    return Channel(_GUARD + secrets.token_urlsafe(9), prev_id=str(int(time.time())))


def find_guard(last: dict[str, str]) -> int | None:
    """When a request that is made again was first held, in seconds since the epoch; None for a new request."""
    return next((int(at) for name, at in last.items() if name.startswith(_GUARD) and _TIME.fullmatch(at)), None)


def _hint() -> HttpResponseFormat:
    return HttpResponseFormat(action="hint")


def format_etag(etag: Any) -> str:
    """Write an ETag as a header has it; what a header cannot hold is hashed."""
    text = str(etag)
    if _ETAG.fullmatch(text):
        return text
    if not _ETAG_TEXT.fullmatch(text):
        text = sha256(text.encode()).hexdigest()[:32]
    return f'"{text}"'


def is_known(etag: str, if_none_match: str) -> bool:
    """Whether an If-None-Match names this version. The comparison is the weak one (RFC 9110, 13.1.2)."""
    if not if_none_match:
        return False
    known = parse_etags(if_none_match)
    return known == ["*"] or etag.removeprefix("W/") in (other.removeprefix("W/") for other in known)
