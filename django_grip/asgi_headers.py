"""The headers of an ASGI scope as ``META`` has them, in less time than Django's request takes for them.

Most of what an `ASGIRequest` costs is to make ``HTTP_X_Y`` of ``x-y``, for the same few names at every request.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

__all__ = ["read_headers"]

Headers = list[tuple[bytes, bytes]]

# What Django does more with than to rename it, in one version or another.
_LEFT_TO_DJANGO = frozenset({"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_COOKIE"})
# A client may send names without end; a long one is not worth the memory.
_MAX_NAME = 64


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], Headers]:
    """Headers by their keys in ``META``, and those that only Django can read."""
    headers = list(headers)
    meta: dict[str, str] = {}
    rest = []
    for header in headers:
        name, value = header
        key = _rename(name) if len(name) <= _MAX_NAME else None
        if key is None:
            rest.append(header)
        elif key in meta:
            # How values are joined is Django's to say.
            return {}, headers
        else:
            meta[key] = value.decode("latin-1")
    return meta, rest


@lru_cache(maxsize=512)
def _rename(name: bytes) -> str | None:
    """The key of a header in ``META``, or None if Django has more to say about it."""
    key = f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
    return None if b"_" in name or key in _LEFT_TO_DJANGO else key
