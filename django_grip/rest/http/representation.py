"""The answer to a live GET: its ETag, and the transport that was asked for.

A response of Django REST framework is rendered behind the view, so that what needs its bytes waits for that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.cache import patch_vary_headers
from rest_framework.exceptions import NotAcceptable
from rest_framework.response import Response

from ...views.etags import hash_etag, is_known
from ..media_types import EVENT_STREAM_TYPE
from ..renderers import SnapshotRenderer, is_html
from . import eventstream, longpoll

if TYPE_CHECKING:
    from rest_framework.request import Request

    from .longpoll import LongPoll

__all__ = ["make_live"]

logger = logging.getLogger("django_grip")

# What describes a body, which a 304 has not (RFC 9110, 15.4.5).
_OF_A_BODY = ("Content-Type", "Content-Length", "Content-Encoding", "Content-Language")


def make_live(view: Any, request: Request, response: Any) -> Any:
    """Give a live answer what its transport needs: an ETag, a hold, a stream. What is no 200 stays as it is."""
    if not isinstance(response, Response):
        return _pass_foreign(view, request, response)
    # Whatever renderers the class names: those of the transports are there too.
    patch_vary_headers(response, ["Accept"])
    if eventstream.end_for_deleted(response, request):
        return response
    if response.status_code != 200 or response.exception or is_html(response.accepted_renderer):
        return response
    try:
        return _prepare(view, request, response)
    except Exception as error:  # noqa: BLE001 - as in DRF's dispatch, which has done with exceptions by now
        # What it does not know it raises again.
        return view.finalize_response(request, view.handle_exception(error), *view.args, **view.kwargs)


def _pass_foreign(view: Any, request: Request, response: Any) -> Any:
    """Leave an answer that is not DRF's as it is; but who waits for events could make nothing of it, and is told so."""
    renderer = getattr(request, "accepted_renderer", None)
    is_stream = response.headers.get("Content-Type", "").startswith(EVENT_STREAM_TYPE)
    if not isinstance(renderer, SnapshotRenderer) or response.status_code != 200 or is_stream:
        return response
    logger.warning(
        "%s.%s() answers with a %s, of which no event stream can be made: return a Response of Django REST framework.",
        type(view).__qualname__,
        view.action,
        type(response).__name__,
    )
    for close in response._resource_closers:
        close()
    refusal = view.handle_exception(NotAcceptable("There is no event stream at this address."))
    return view.finalize_response(request, refusal, *view.args, **view.kwargs)


def _prepare(view: Any, request: Request, response: Response) -> Any:
    """Read what a transport needs while the view's transaction is open. Raises: what has an answer of DRF's."""
    if isinstance(response.accepted_renderer, SnapshotRenderer):
        return eventstream.begin(view, request, response, _when_rendered)
    # Else a cache would answer, at once, who would wait (RFC 7240, 2).
    patch_vary_headers(response, ["Prefer"])
    poll = longpoll.read(view, request)
    _when_rendered(response, partial(_answer_with_etag, request, poll))
    return response


def _when_rendered(response: Response, callback: Callable[[Response], None]) -> None:
    """Call back with the response once its bytes are there, which in one from a cache they are already."""
    if response.is_rendered:
        callback(response)
    else:
        response.add_post_render_callback(callback)


def _answer_with_etag(request: Request, poll: LongPoll | None, response: Response) -> None:
    if "ETag" not in response.headers:
        response.headers["ETag"] = _find_etag(response)
    if poll is not None and poll.was_held:
        poll.tell(response)
    if is_known(response.headers["ETag"], request.META.get("HTTP_IF_NONE_MATCH", "")):
        # The same response, so that what others have put on it stays: headers, cookies, what is closed with it.
        response.status_code = 304
        response.content = b""
        for name in _OF_A_BODY:
            response.headers.pop(name, None)
        if poll is not None:
            poll.wait(response)


def _find_etag(response: Response) -> str:
    """The ETag of what was rendered. The same data is another representation in another format."""
    return hash_etag(response.accepted_renderer.media_type.encode() + b"\n" + response.content)
