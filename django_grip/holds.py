"""Holding a response open: `set_hold_stream` and `set_hold_longpoll`, and how a hold gets onto the response."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.http import ConditionalGetMiddleware
from django.utils.cache import patch_cache_control

from .conf import grip_settings
from .exceptions import InstructError
from .protocol.instruct import Instruct, build_instruct_headers
from .protocol.instruct_json import INSTRUCT_CONTENT_TYPE
from .refusals import refuse_direct_client, stand_in
from .request import GripData, GripHttpRequest, current_grip

if TYPE_CHECKING:
    import gripcontrol

    Channels = str | gripcontrol.Channel | Iterable[str | gripcontrol.Channel]

__all__ = ["apply_instruct", "set_hold_longpoll", "set_hold_stream"]

# What the proxy reads of a response that it shall hold for one answer (GRIP.md, 3: MAX_ACCEPT_RESPONSE_BODY).
MAX_HELD_BODY = 100_000

# For its second half alone.
_conditional_get = ConditionalGetMiddleware(lambda request: HttpResponse())


def set_hold_longpoll(
    target: HttpRequest | HttpResponseBase, channels: Channels, timeout: int | None = None
) -> Instruct:
    """Hold this exchange until something is published to one of the channels, or the timeout passes.

    target: the request, or the response that is to be held (both are read by `GripMiddleware`).
    channels: a name, a `Channel`, or several; without ``GRIP_PREFIX``, which is added at the edge.
    timeout: seconds; after them the client gets the response as it is now. None: the proxy's own, 55.

    Returns the instruction, to which links, meta and the like may be added.
    Raises: InstructError if there is a hold already; ChannelNameError for a name GRIP cannot carry.
    """
    instruct = Instruct()
    instruct.add_channels(channels)
    instruct.set_hold_longpoll(timeout)
    return _attach(instruct, target)


def set_hold_stream(
    target: HttpRequest | HttpResponseBase,
    channels: Channels,
    keep_alive_data: str | bytes | None = None,
    keep_alive_timeout: int | None = None,
    *,
    keep_alive_mode: str = "idle",
) -> Instruct:
    """Send the response and keep it open: what is published to the channels is appended to it.

    target, channels: as for `set_hold_longpoll`.
    keep_alive_data: sent whenever nothing else was for keep_alive_timeout seconds (mode "idle"), or every
        keep_alive_timeout seconds ("interval").

    Returns and raises as `set_hold_longpoll`.
    """
    if keep_alive_data and not keep_alive_timeout:
        raise InstructError("If keep_alive_data is set, keep_alive_timeout (seconds) must be set too.")
    instruct = Instruct()
    instruct.add_channels(channels)
    instruct.set_hold_stream()
    if keep_alive_data and keep_alive_timeout:
        instruct.set_keep_alive(keep_alive_data, keep_alive_timeout, mode=keep_alive_mode)
    return _attach(instruct, target)


def _attach(instruct: Instruct, target: Any) -> Instruct:
    """Put an instruction on a response (as in django-grip 1.x) or on a request (as in 3.x)."""
    if isinstance(target, HttpResponseBase):
        if getattr(target, "_grip_instruct", None) is not None:
            raise InstructError("This response has a hold already.")
        target._grip_instruct = instruct  # type: ignore[attr-defined]
        _keep_out_of_caches(target)
        grip = current_grip.get()
        if grip is not None:
            grip.attach_to_response(instruct, target)
        return instruct
    request = getattr(target, "_request", target)  # Django REST framework's Request wraps Django's
    if not isinstance(request, HttpRequest):
        raise TypeError(f"A hold is set on a request or a response, not on {type(target).__name__!r}.")
    grip = getattr(request, "grip", None)
    if not isinstance(grip, GripData):
        raise ImproperlyConfigured('This request has no "grip": put "django_grip.GripMiddleware" first in MIDDLEWARE.')
    grip.attach(instruct)
    return instruct


def _keep_out_of_caches(response: HttpResponseBase) -> None:
    """A held response is nobody else's (DESIGN decision 9)."""
    if "Cache-Control" not in response.headers:
        # Django's own cache middleware heeded "private" alone before 5.2.9.
        response.headers["Cache-Control"] = "no-store, private"
    else:
        patch_cache_control(response, no_store=True, private=True)


def apply_instruct(request: GripHttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Put the instruction of a request or of its response onto the response, as headers for the proxy.

    A direct client gets no ``Grip-*`` header; where it would have been held, it gets 501 under GRIP_PROXY_REQUIRED.
    """
    grip = request.grip
    instruct, response = _find_instruct(grip, response)
    if not grip.proxied:
        return _answer_direct_client(response, instruct)
    # An error page has an end: a client that waits behind it would hear nothing of what went wrong.
    if instruct is None or response.status_code >= 500:
        return response
    if instruct.hold:
        response = _prepare_hold(request, response, instruct)
    config = grip_settings()
    for name, value in build_instruct_headers(instruct, prefix=config.prefix, max_channels=config.max_channels):
        response.headers[name] = value
    return response


def _find_instruct(grip: GripData, response: HttpResponseBase) -> tuple[Instruct | None, HttpResponseBase]:
    """Find the instruction of this answer, be it on the request, on the response, or on that which a 304 replaced."""
    instruct: Instruct | None = getattr(response, "_grip_instruct", None)
    if instruct is None and response.status_code == 304:
        for original, its_instruct in grip.held:
            if _is_made_from(response, original):
                instruct = its_instruct
                # A 304 ends; a stream that is to go on needs its beginning.
                response = original if instruct.hold == "stream" else response
    grip.held = ()  # with the request's own resources they would hold each other
    if instruct is not None and grip.instruct is not None:
        raise InstructError("There is a hold on the request and another one on its response; set one of them.")
    return grip.instruct or instruct, response


def _is_made_from(not_modified: HttpResponseBase, original: HttpResponseBase) -> bool:
    """Whether a 304 stands for this response, told by the validators that Django copies."""
    validators = [not_modified.headers.get(name) for name in ("ETag", "Last-Modified")]
    return any(validators) and validators == [original.headers.get(name) for name in ("ETag", "Last-Modified")]


def _prepare_hold(request: HttpRequest, response: HttpResponseBase, instruct: Instruct) -> HttpResponseBase:
    if instruct.hold == "response" and grip_settings().has_conditional_get:
        # It may stand outside of ours, where its 304 would lose the hold; inside it has done so already.
        response = _conditional_get.process_response(request, response)
    if response.status_code == 304:
        # Many servers cut the headers of a 304, so it travels as a 200 (GRIP.md, 3).
        response.status_code = 200
        if instruct.hold == "response":
            instruct.set_status(304)
    if instruct.hold == "response" and isinstance(response, HttpResponse) and len(response.content) > MAX_HELD_BODY:
        raise InstructError(
            f"A long-poll's response is held with a body of {len(response.content):,} bytes, but the proxy takes "
            f"{MAX_HELD_BODY:,}: answer large bodies at once and hold only the empty answer."
        )
    _keep_out_of_caches(response)
    for name in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"):
        request.META.pop(name, None)
    return response


def _answer_direct_client(response: HttpResponseBase, instruct: Instruct | None) -> HttpResponseBase:
    headers = response.headers
    if instruct is not None and grip_settings().proxy_required:
        return stand_in(refuse_direct_client(), response)
    if headers.get("Content-Type", "").lower().startswith(INSTRUCT_CONTENT_TYPE):
        return stand_in(refuse_direct_client(), response)
    # They name channels, and only the proxy may read them.
    for name in [name for name in headers if name[:5].lower() == "grip-"]:
        del headers[name]
    return response
