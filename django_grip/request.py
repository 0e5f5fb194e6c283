"""What a request carries about its proxy: ``request.grip``."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import ref

from django.http import HttpRequest

from .conf import grip_settings
from .exceptions import InstructError
from .protocol.headers import parse_grip_feature, parse_grip_last
from .protocol.instruct import Instruct

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

    from .protocol.links import Link
    from .protocol.session import WebSocketSession


__all__ = ["GripData", "GripHttpRequest", "current_grip", "hide_headers", "identify_request"]

# The request that is being answered, for helpers that are handed only a response.
current_grip: ContextVar[GripData | None] = ContextVar("django_grip_current", default=None)

_NO_FEATURES: frozenset[str] = frozenset()


class GripHttpRequest(HttpRequest):
    """An `HttpRequest` behind `GripMiddleware`: annotate ``request`` with it for completion."""

    grip: GripData
    grip_proxied: bool
    grip_signed: bool
    wscontext: WebSocketSession | None


class GripData:
    """What the proxy says of a request, and the instruction that will travel with the response.

    proxied: the request came through a GRIP proxy of this project (DESIGN decision 1).
    signed: a signature proves it.
    features: what the proxy says it can do, such as ``link:next``; empty for a direct client (GRIP.md, 1).
    last: the last id the proxy has seen, by channel, without the prefix; empty but for replays and link fetches.
    link: what a link of ours carried (kind, user, channels, data), on a request the proxy makes by itself.
    link_headers: the names, in lower case, of the request's headers that links of this response bring again; None: it
        has no such links.
    instruct: the instruction, once it has begun.
    """

    __slots__ = ("_request", "features", "held", "instruct", "last", "link", "link_headers", "proxied", "signed")

    def __init__(self, request: HttpRequest) -> None:
        # Not the request itself: the two would hold each other until the garbage collector comes.
        self._request = ref(request)
        # Responses of this request that have an instruction, should a middleware replace one by its 304.
        self.held: tuple[tuple[HttpResponseBase, Instruct], ...] = ()
        self.proxied = False
        self.signed = False
        self.features: frozenset[str] = _NO_FEATURES
        self.last: dict[str, str] = {}
        self.link: Link | None = None
        self.link_headers: frozenset[str] | None = None
        self.instruct: Instruct | None = None

    def __repr__(self) -> str:
        return f"<GripData proxied={self.proxied} signed={self.signed} instruct={self.instruct is not None}>"

    @property
    def is_replay(self) -> bool:
        """Whether the proxy makes this request by itself: a held one again, or the fetch of a link."""
        return bool(self.last) or self.link is not None

    def start_instruct(self) -> Instruct:
        """Begin the instruction for this response; it is sent when the response is.

        Raises: InstructError (a ValueError) if the response has one already.
        """
        self.attach(Instruct())
        return self.instruct  # type: ignore[return-value]

    def attach(self, instruct: Instruct) -> None:
        """Take an instruction for this response. Raises: InstructError if there is one already."""
        if self.instruct is not None:
            raise InstructError("GRIP instruct already started: this response has a hold or an instruction.")
        self.instruct = instruct
        self._announce()

    def attach_to_response(self, instruct: Instruct, response: HttpResponseBase) -> None:
        """Note that one response of this request has an instruction."""
        self.held += ((response, instruct),)
        self._announce()

    def _announce(self) -> None:
        """Tell the middleware between here and the proxy that the response is for this client alone, and as it is."""
        request = self._request()
        if request is not None:
            # cache_page and UpdateCacheMiddleware ask this flag of Django's whether to store the response.
            request._cache_update_cache = False  # type: ignore[attr-defined]
            # What is published to a stream is appended to it as it is, so its beginning cannot be compressed. The
            # proxy asks for no compression (GRIP.md, 1); what stands between it and us might.
            request.META.pop("HTTP_ACCEPT_ENCODING", None)


def identify_request(request: GripHttpRequest) -> GripData:
    """Read who sent a request, into ``request.grip`` and its old names; the signature is taken out.

    Nothing that a proxy says is believed of a request that is not proxied.

    Raises: HeaderError for what the proxy says and nobody understands.
    """
    meta, config = request.META, grip_settings()
    request.grip = grip = GripData(request)
    request.wscontext = None
    token = meta.get("HTTP_GRIP_SIG")
    if token is not None:
        hide_headers(request, ["HTTP_GRIP_SIG"])
        grip.signed = config.verifier.verify(token, time.time())
    grip.proxied = grip.signed or (config.believes_unsigned and (token is not None or "HTTP_GRIP_FEATURE" in meta))
    request.grip_proxied, request.grip_signed = grip.proxied, grip.signed
    if grip.proxied:
        _read_headers(grip, meta, config.prefix)
    return grip


def _read_headers(grip: GripData, meta: dict[str, Any], prefix: str) -> None:
    feature, last = meta.get("HTTP_GRIP_FEATURE"), meta.get("HTTP_GRIP_LAST")
    if feature:
        grip.features = parse_grip_feature(feature)
    if last:
        grip.last = {name.removeprefix(prefix): last_id for name, last_id in parse_grip_last(last).items()}


def hide_headers(request: HttpRequest, names: Iterable[str]) -> None:
    """Take headers out of a request, lest an error report shows them."""
    for name in names:
        del request.META[name]
    # A middleware before ours may have looked at this copy of them.
    request.__dict__.pop("headers", None)
