"""Link tokens: what a next or gone link says of the request it stands for, signed, in one path segment.

The proxy follows a link with none of the client's headers or cookies, and shares a fetch between all clients whose
links have the same path (GRIP.md, 6). So the authority is in the path, and equal links have equal tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..exceptions import InstructError, KeyFormatError, LinkError
from .keys import Key
from .signatures import decode_token, encode_token

__all__ = ["LINK_MARK", "MAX_LINK_TOKEN", "Link", "build_link_token", "parse_link_token"]

LINK_MARK = "/.grip/"
"""What stands before a token in a path."""

MAX_LINK_TOKEN = 4096
"""Characters of a token: it must fit a request line, and the 8,192 bytes that the proxy has for a response's head."""

_KINDS = {"next": "n", "gone": "g"}
_KIND_NAMES = {short: name for name, short in _KINDS.items()}


@dataclass(frozen=True)
class Link:
    """The request that a link stands for, on whose authority, and until when.

    kind: "next" or "gone". path, query: of the request, the query without its ``?``.
    user: what tells whose authority it is; None for nobody's. channels, data: what the application put in.
    expires: seconds since the epoch.
    """

    kind: str
    path: str
    query: str = ""
    user: Mapping[str, str] | None = None
    channels: tuple[str, ...] = ()
    data: Mapping[str, str] | None = None
    expires: int = 0


def build_link_token(link: Link, key: bytes) -> str:
    """Build the token of a link: letters, digits, ``-``, ``_`` and dots; equal for equal links.

    It is signed, not encrypted. Raises: InstructError for what a link cannot hold, or more than `MAX_LINK_TOKEN`.
    """
    if link.kind not in _KINDS:
        raise InstructError(f"a link is 'next' or 'gone', not {link.kind!r}")
    if not isinstance(link.path, str) or not link.path.startswith("/"):
        raise InstructError(f"the path of a link must be a str that begins with '/', not {link.path!r}")
    if isinstance(link.expires, bool) or not isinstance(link.expires, int):
        raise InstructError(f"a link must expire at a whole second, not {link.expires!r}")
    claims: dict[str, Any] = {"k": _KINDS[link.kind], "p": link.path, "exp": link.expires}
    if link.query:
        claims["q"] = _check_str("query", link.query)
    if link.user is not None:
        claims["u"] = _check_mapping("user", link.user)
    if link.channels:
        claims["c"] = [_check_str("channels", name) for name in link.channels]
    if link.data is not None:
        claims["d"] = _check_mapping("data", link.data)
    token = encode_token(claims, _secret(key))
    if len(token) > MAX_LINK_TOKEN:
        raise InstructError(f"the link token is {len(token):,} characters long; the limit is {MAX_LINK_TOKEN:,}")
    return token


def _secret(key: bytes) -> Key:
    if not isinstance(key, bytes) or not key:
        raise KeyFormatError("a link is signed with bytes, and with some")
    return Key("secret", "HS256", key, key)


def _check_str(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InstructError(f"the {name} of a link must be str, not {type(value).__name__}")
    return value


def _check_mapping(name: str, mapping: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(mapping, Mapping):
        raise InstructError(f"the {name} of a link must be a dict, not {type(mapping).__name__}")
    # Sorted, so that the order in which a dict was filled does not part two clients' fetches.
    return {_check_str(name, key): _check_str(name, mapping[key]) for key in sorted(mapping)}


def parse_link_token(token: str, keys: Sequence[bytes], now: float) -> Link:
    """Return the link that a token stands for, if one of the keys signed it and it has not expired.

    now: seconds since the epoch. Raises: LinkError; its text says whether the token is malformed, forged or stale.
    """
    if len(token) > MAX_LINK_TOKEN or token.count(".") != 2:
        raise LinkError("the link is malformed: this is no token")
    for key in keys:
        claims = decode_token(token, _secret(key))
        if claims is not None:
            return _check_expiry(_read_claims(claims), now)
    raise LinkError("the link is forged, or was signed with another key")


def _check_expiry(link: Link, now: float) -> Link:
    if now >= link.expires:
        raise LinkError(f"the link is stale: it expired {max(int(now - link.expires), 0):,} s ago")
    return link


def _read_claims(claims: dict[str, Any]) -> Link:
    # Signed by us, so this is another kind of token, or another version's: refuse it whole.
    kind, path, query = claims.get("k"), claims.get("p"), claims.get("q", "")
    user, channels, data = claims.get("u"), claims.get("c", []), claims.get("d")
    expires = claims.get("exp")
    well_formed = (
        isinstance(kind, str)
        and kind in _KIND_NAMES
        and isinstance(path, str)
        and isinstance(query, str)
        and (user is None or _is_mapping(user))
        and isinstance(channels, list)
        and all(isinstance(name, str) for name in channels)
        and (data is None or _is_mapping(data))
        and isinstance(expires, int)
    )
    if not well_formed:
        raise LinkError("the link is malformed: the token is signed, but says something else")
    return Link(_KIND_NAMES[kind], path, query, user, tuple(channels), data, expires)  # type: ignore[arg-type,index]


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
