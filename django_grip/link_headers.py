"""Request headers that a link brings again: the proxy fetches a link with none of the client's (GRIP.md, 6).

Answers may depend on more than who asks, such as the tenant that a header names. Whether it is a view or a middleware
that reads it, the fetch of a link has to have it as well, or a client is sent what is another tenant's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from django.views.decorators.debug import sensitive_variables

from .conf import derive_keys
from .exceptions import InstructError, LinkError
from .protocol.seal import seal, unseal

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from .request import GripHttpRequest

__all__ = ["MAX_HEADERS", "HeadersTooLong", "pack_headers", "unpack_headers", "warn_of_forgotten_headers"]

logger = logging.getLogger("django_grip")

MAX_HEADERS = 1500
"""Characters of their values: sealed, beside path, query and credentials, they must stay under a token's 4,096."""

_PURPOSE = "link-headers"
# What a Vary may name although no link brings it: a link has its own Accept, user, session and language, and what is
# left says nothing of the representation of a stream. Those of the second group say who asks (a script, htmx, a frame)
# and what that would rather have: a page's layout changes by them, or its weight, and not the data that a stream shows.
_KNOWN = frozenset(
    (
        *("*", "accept", "accept-encoding", "accept-language", "authorization", "cookie", "origin", "prefer", "host"),
        *("x-requested-with", "hx-request", "hx-target", "hx-boosted", "save-data", "dnt", "sec-gpc"),
        *("sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user"),
    )
)


class HeadersTooLong(InstructError):
    """More than a link carries. The text can be told to the client."""

    def __init__(self, names: Iterable[str], size: int) -> None:
        super().__init__(
            f"The headers {', '.join(sorted(names))} have {size:,} characters; "
            f"a stream carries {MAX_HEADERS:,} at the most."
        )


@sensitive_variables()
def pack_headers(request: HttpRequest, names: Iterable[str]) -> str:
    """Seal those of a request's headers; "" if it has none of them. Raises: HeadersTooLong, an InstructError."""
    found = {name.lower(): value for name in names if (value := request.META.get(_meta_name(name)))}
    if not found:
        return ""
    size = sum(map(len, found.values()))
    if size > MAX_HEADERS:
        raise HeadersTooLong(found, size)
    # Equal headers have equal seals, so that clients with the same ones share a link and its fetch.
    return seal(json.dumps(found, sort_keys=True, separators=(",", ":")), derive_keys(_PURPOSE)[0])


@sensitive_variables()
def unpack_headers(request: HttpRequest, packed: str) -> None:
    """Let a request have come with these headers. Raises: LinkError for what does not open."""
    text = unseal(packed, derive_keys(_PURPOSE))
    if text is None:
        raise LinkError("The link's headers do not open with this SECRET_KEY.")
    for name, value in json.loads(text).items():
        request.META[_meta_name(name)] = value
    # A middleware outside of ours may have looked already; Django keeps what was seen.
    for cache in ("headers", "COOKIES"):
        request.__dict__.pop(cache, None)


def _meta_name(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def warn_of_forgotten_headers(request: GripHttpRequest, response: HttpResponseBase) -> None:
    """Tell the developer, once a view, of a stream that varies by a header that its links do not bring again."""
    brought = request.grip.link_headers
    if brought is None or not response.has_header("Vary"):
        return
    names = [name.strip() for name in response.headers["Vary"].split(",")]
    forgotten = tuple(sorted(name for name in names if name and name.lower() not in _KNOWN | brought))
    if forgotten:
        match = request.resolver_match
        _warn(match._func_path if match is not None else request.path_info, forgotten)


@lru_cache(maxsize=256)
def _warn(view: str, names: tuple[str, ...]) -> None:
    logger.warning(
        "The streams of %s vary by %s, which the proxy does not send when it asks for them again: "
        "name it in live_headers.",
        view,
        ", ".join(names),
    )
