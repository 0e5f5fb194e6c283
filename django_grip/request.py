"""What a request carries about its proxy: ``request.grip``."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from .conf import GripSettings, grip_settings
from .exceptions import InstructError
from .protocol.headers import parse_grip_feature, parse_grip_last
from .protocol.instruct import Instruct

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from .protocol.links import Link
    from .protocol.session import WebSocketSession

    class GripHttpRequest(HttpRequest):
        """An `HttpRequest` behind `GripMiddleware`: annotate ``request`` with it for completion."""

        grip: GripData
        grip_proxied: bool
        grip_signed: bool
        wscontext: WebSocketSession | None


__all__ = ["GripData", "GripHttpRequest", "current_grip", "identify"]

# The request that is being answered, for helpers that are handed only a response.
current_grip: ContextVar[GripData | None] = ContextVar("django_grip_current", default=None)


class GripData:
    """What the proxy says of a request, and the instruction that will travel with the response.

    proxied: the request came through a GRIP proxy of this project (DESIGN decision 1).
    signed: a signature proves it.
    link: what a link of ours carried (kind, user, channels, data), on a request the proxy makes by itself.
    """

    __slots__ = ("_feature", "_last", "_prefix", "_response_holds", "instruct", "link", "proxied", "signed")

    def __init__(
        self, *, proxied: bool = False, signed: bool = False, feature: str = "", last: str = "", prefix: str = ""
    ) -> None:
        self.proxied = proxied
        self.signed = signed
        self.instruct: Instruct | None = None
        self.link: Link | None = None
        self._feature = feature
        self._last = last
        self._prefix = prefix
        self._response_holds: list[tuple[ReferenceType[HttpResponseBase], Instruct]] = []

    def __repr__(self) -> str:
        return f"<GripData proxied={self.proxied} signed={self.signed} instruct={self.instruct is not None}>"

    @property
    def features(self) -> frozenset[str]:
        """What the proxy says it can do, such as ``link:next``; empty for a direct client (GRIP.md, 1)."""
        return parse_grip_feature(self._feature) if self._feature else frozenset()

    @property
    def last(self) -> dict[str, str]:
        """The last id the proxy has seen, by channel, without the prefix; empty but for replays and link fetches.

        Raises: HeaderError for a header that does not parse, answered with a 400.
        """
        if not self._last:
            return {}
        prefix = self._prefix
        return {name.removeprefix(prefix): last_id for name, last_id in parse_grip_last(self._last).items()}

    @property
    def is_replay(self) -> bool:
        """Whether the proxy makes this request by itself: a held one again, or the fetch of a link."""
        return bool(self._last) or self.link is not None

    def start_instruct(self) -> Instruct:
        """Begin the instruction for this response; it is sent when the response is.

        Raises: InstructError (a ValueError) if the response has one already.
        """
        if self.instruct is not None:
            raise InstructError("GRIP instruct already started: this response has a hold or an instruction.")
        self.instruct = Instruct()
        return self.instruct

    def remember_response_hold(self, response: HttpResponseBase, instruct: Instruct) -> None:
        """Note a hold that was set on a response, should a middleware replace that response by its 304."""
        self._response_holds.append((ref(response), instruct))

    def replaced_response_hold(self, response: HttpResponseBase) -> Instruct | None:
        """The hold of the response which this 304 was made from, told by their common ETag."""
        etag = response.headers.get("ETag")
        for held, instruct in self._response_holds:
            original = held()
            if etag and original is not None and original.headers.get("ETag") == etag:
                return instruct
        return None


def identify(meta: MutableMapping[str, Any], config: GripSettings) -> GripData:
    """Read who sent a request from its META, and take the signature out, lest an error report shows it."""
    token = meta.pop("HTTP_GRIP_SIG", None)
    signed = token is not None and config.verifier.verify(token, time.time())
    proxied = signed or (config.believes_unsigned and (token is not None or "HTTP_GRIP_FEATURE" in meta))
    if not proxied:
        return GripData()
    return GripData(
        proxied=True,
        signed=signed,
        feature=meta.get("HTTP_GRIP_FEATURE", ""),
        last=meta.get("HTTP_GRIP_LAST", ""),
        prefix=config.prefix,
    )


def identify_request(request: HttpRequest) -> GripData:
    """Set ``request.grip`` and its old names, and return it."""
    grip = identify(request.META, grip_settings())
    request.grip = grip  # type: ignore[attr-defined]
    request.grip_proxied = grip.proxied  # type: ignore[attr-defined]
    request.grip_signed = grip.signed  # type: ignore[attr-defined]
    request.wscontext = None  # type: ignore[attr-defined]
    return grip
