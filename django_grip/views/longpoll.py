"""`LongPollView`: a resource whose readers wait for its next version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.http.response import HttpResponseBase, HttpResponseNotModified

from ..encoding import encode_json
from ..guard import find_guard, make_guard, renew_guard
from ..protocol.formats import HttpResponseFormat
from ..publisher import apublish, publish
from ..refusals import refuse_direct_client
from .base import GripView
from .etags import format_etag, hash_etag, is_known
from .flow import Course

if TYPE_CHECKING:
    from ..publishing import Publication

__all__ = ["LongPollView"]

_HOOKS = ("on_open", "on_message", "on_close", "on_refresh", "on_error")


class LongPollView(GripView):
    """A resource with an ETag: who has its present version waits for the next one.

    A GET without ``If-None-Match``, or with another ETag, is answered at once. One with the present ETag is held until
    `changed` is called, or answered with 304 after `timeout` seconds.

    timeout: seconds, 5 at the least (the proxy makes less into 5).
    content_type: of a payload that is str or bytes; all else goes as JSON.
    """

    timeout: int = 25
    content_type: str = "text/plain; charset=utf-8"

    number_names: ClassVar[tuple[str, ...]] = (*GripView.number_names, "timeout")

    # -- what a view defines ---------------------------------------------------------------------------------------

    def get_etag(self) -> Any:
        """Tell the present version: a str, an int or the like; None lets the payload be hashed. May be async."""
        return None

    def get_payload(self) -> Any:
        """The present version: str, bytes, what JSON can hold, or a response. May be async."""
        raise ImproperlyConfigured(f"{type(self).__name__} must define get_payload().")

    # -- publishing ------------------------------------------------------------------------------------------------

    @classmethod
    def get_format(cls, message: Any) -> HttpResponseFormat:
        raise TypeError(f"{cls.__name__} sends no messages: call {cls.__name__}.changed() when there is a new version.")

    @classmethod
    def changed(
        cls, *, channel: str | None = None, options: Mapping[str, Any] | None = None, **url_kwargs: Any
    ) -> Publication:
        """Let every waiting client ask again, each with its own credentials. Call it when the new version is stored.

        url_kwargs: what fills in the templates in `channels`, as the URL would.
        channel: required if the view has several, or computes them in `get_channels`; a name, or one of the templates.
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
    def check_class(cls, initkwargs: Mapping[str, Any]) -> None:
        super().check_class(initkwargs)
        for name in _HOOKS:
            if hasattr(cls, name):
                raise ImproperlyConfigured(
                    f"{cls.__name__} defines {name}, but a long-poll has no hooks: the proxy answers it by itself."
                )

    @classmethod
    def _has_async_hooks(cls) -> bool:
        return any(cls._is_async(getattr(cls, name)) for name in ("get_etag", "get_payload", "get_channels"))

    # -- the course of one request ---------------------------------------------------------------------------------

    def answer(self) -> Course[HttpResponseBase]:
        # A held request is answered by the view each time; nothing may be answered by Django's cache in its place.
        self.request._cache_update_cache = False  # type: ignore[attr-defined]
        # The ETag first: should the resource change in between, the payload is newer than its ETag, and the client
        # fetches it twice. The other way round it would miss the change.
        etag = yield self.get_etag, ()
        response = None
        if etag is None:
            response = yield from self._get_response()
            if response.status_code != 200:
                return response
            etag = hash_etag(self._get_content(response))
        etag = format_etag(etag)
        if is_known(etag, self.request.META.get("HTTP_IF_NONE_MATCH", "")):
            return (yield from self._wait(etag))
        if response is None:
            response = yield from self._get_response()
        if response.status_code == 200:
            response.headers["ETag"] = etag
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def _get_response(self) -> Course[HttpResponseBase]:
        payload = yield self.get_payload, ()
        if isinstance(payload, HttpResponseBase):
            return payload
        if isinstance(payload, (str, bytes)):
            return HttpResponse(payload, content_type=self.content_type)
        return HttpResponse(encode_json(payload), content_type="application/json")

    def _get_content(self, response: HttpResponseBase) -> bytes:
        if not isinstance(response, HttpResponse):
            raise TypeError(
                f"{type(self).__name__}.get_payload returned a response that streams; define get_etag() for that."
            )
        return response.content

    def _wait(self, etag: str) -> Course[HttpResponseBase]:
        """Let the client wait for another version than this one, which it has."""
        unchanged = HttpResponseNotModified(headers={"ETag": etag})
        if self.request.method == "HEAD":
            return unchanged
        if not self.request.grip.proxied:
            # At once, a 304 would make the client ask again, and again.
            return refuse_direct_client()
        known = find_guard(self.request.grip.last)
        guard = renew_guard(known) if known else make_guard()
        if timeout := guard.find_timeout(self.timeout):
            channels = yield from self.find_channels()
            if not channels:
                raise ImproperlyConfigured(f'{type(self).__name__} has no channel to wait on: set channels = ["..."].')
            instruct = self.request.grip.start_instruct()
            instruct.add_channels([*channels, guard.as_channel()])
            instruct.set_hold_longpoll(timeout)
        return unchanged


def _hint() -> HttpResponseFormat:
    return HttpResponseFormat(action="hint")
