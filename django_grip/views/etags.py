"""ETags of a long-poll, and whether a client has the present one (RFC 9110, 8.8.3 and 13.1.2)."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

__all__ = ["format_etag", "hash_etag", "is_known"]

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_etag = re.compile(_TAG)
_list = re.compile(rf"[ \t,]*(?:{_TAG}[ \t]*(?:,[ \t,]*|$))*")
_text = re.compile(r"[\x21\x23-\x7e]+")


def format_etag(etag: Any) -> str:
    """Write an ETag as a header has it; what a header cannot hold is hashed."""
    text = str(etag)
    if _etag.fullmatch(text) and text.isascii():
        return text
    return f'"{text}"' if _text.fullmatch(text) else hash_etag(text.encode("utf-8", "surrogatepass"))


def hash_etag(content: bytes) -> str:
    """Make an ETag of a content."""
    return f'"{sha256(content).hexdigest()[:32]}"'


def is_known(etag: str, if_none_match: str) -> bool:
    """Whether an If-None-Match names this version. The comparison is the weak one; what does not parse names nothing.

    Django's own parser splits at commas inside of ETags.
    """
    if if_none_match.strip(" \t") == "*":
        return True
    if not _list.fullmatch(if_none_match):
        return False
    return etag.removeprefix("W/") in (other.removeprefix("W/") for other in _etag.findall(if_none_match))
