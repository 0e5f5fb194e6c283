"""The headers of GRIP, each both ways: `build_x` for the side that sends it, `parse_x` for the side that reads it.

The grammar is what Pushpin's parser does (handler/instruct.cpp and core/httpheaders.cpp, 1.36 to 1.41), not what a text
says of it; GRIP.md, sections 1 and 3. Values are latin-1 strs that carry UTF-8, as WSGI and ASGI hand them over.
Builders raise InstructError (ChannelNameError for channels), parsers HeaderError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import gripcontrol

from ..exceptions import ChannelNameError, HeaderError, InstructError
from .channels import Channel, as_channels, check_channel_name
from .header_values import (
    build_seconds,
    from_header_value,
    parse_parameters,
    parse_seconds,
    quote,
    split_elements,
    to_header_value,
)
from .http_parts import HEADER_NAME, check_code, check_reason
from .keep_alive import KeepAlive, build_grip_keep_alive, parse_grip_keep_alive

__all__ = [
    "GripLink",
    "KeepAlive",
    "build_grip_channel",
    "build_grip_expose_headers",
    "build_grip_feature",
    "build_grip_hold",
    "build_grip_keep_alive",
    "build_grip_last",
    "build_grip_link",
    "build_grip_set_meta",
    "build_grip_status",
    "build_grip_timeout",
    "check_link_uri",
    "from_header_value",
    "parse_grip_channel",
    "parse_grip_expose_headers",
    "parse_grip_feature",
    "parse_grip_hold",
    "parse_grip_keep_alive",
    "parse_grip_last",
    "parse_grip_link",
    "parse_grip_set_meta",
    "parse_grip_status",
    "parse_grip_timeout",
    "to_header_value",
]

HOLD_MODES = ("response", "stream")

# A trailing \x85 or \xa0, the second byte of "Å" or "à", is a blank to servers that strip strs.
_ends_like_a_blank = re.compile(r"[\x85\xa0]\Z")
_unsafe_in_meta_name = re.compile(r"[=;,\"]|^ | \Z")
# `,` and `;` end a link, `"` opens a quote, `<` and `>` bound it; the rest is no URL (RFC 3986, 2).
_unsafe_in_uri = re.compile(r"[^\x21-\x7e]|[\"<>;,\\^`{|}]")
_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Ids are neither quoted nor escaped in Grip-Last, so a comma parts two channels only before a name and an id.
_next_last = re.compile(r",[ \t]*(?=[^,;\"]+;[ \t]*last-id=)")
_status = re.compile(r"([0-9]{3})(?: (.*))?", re.DOTALL)


class GripLink(NamedTuple):
    """A link of an instruction: its URL, "next" or "gone", and after how many seconds of silence to GET a next one.

    timeout: None leaves it to the proxy (120).
    """

    uri: str
    rel: str = "next"
    timeout: int | None = None


def build_grip_hold(mode: str) -> str:
    """Build ``Grip-Hold`` for "response" (a long-poll) or "stream". Raises: InstructError."""
    if mode not in HOLD_MODES:
        raise InstructError(f"a hold is 'response' or 'stream', not {mode!r}")
    return mode


def parse_grip_hold(value: str) -> str:
    """Parse ``Grip-Hold``; returns "response" or "stream". Raises: HeaderError."""
    if value not in HOLD_MODES:
        raise HeaderError("Grip-Hold must be either 'response' or 'stream'")
    return value


def build_grip_channel(
    channels: str | gripcontrol.Channel | Iterable[str | gripcontrol.Channel], *, prefix: str = ""
) -> str:
    """Build ``Grip-Channel``, the prefix before each name; the channels are left as they are.

    Raises: ChannelNameError.
    """
    return build_checked_channels(as_channels(channels), prefix=prefix)


def build_checked_channels(channels: list[Channel], *, prefix: str = "") -> str:
    """`build_grip_channel` for channels that are new and checked already."""
    value = to_header_value(", ".join([_channel_element(channel, prefix) for channel in channels]))
    return f"{value};" if _ends_like_a_blank.search(value) else value


def _channel_element(channel: Channel, prefix: str) -> str:
    parts = [check_channel_name(channel.name, prefix=prefix)]
    if channel.prev_id is not None:
        parts.append(f"prev-id={channel.prev_id if HEADER_NAME.fullmatch(channel.prev_id) else quote(channel.prev_id)}")
    parts.extend(f"filter={name}" for name in channel.filters)
    return "; ".join(parts)


def parse_grip_channel(value: str) -> list[Channel]:
    """Parse ``Grip-Channel``, the prefixes as they came. Raises: HeaderError."""
    return [_parse_channel(element) for element in split_elements(from_header_value(value))]


def _parse_channel(element: str) -> Channel:
    # The name is raw up to the first `;`, so a quote would be a part of it.
    name, _, rest = element.partition(";")
    parameters = parse_parameters(rest)
    prev_id = next((text for key, text in parameters if key.lower() == "prev-id"), None)
    filters = [text for key, text in parameters if key == "filter"]
    try:
        return Channel(name.strip(" \t"), prev_id, filters)
    except ChannelNameError as error:
        raise HeaderError(f"Grip-Channel: {error}") from error


def build_grip_timeout(seconds: int) -> str:
    """Build ``Grip-Timeout``, the seconds a long-poll is held; the proxy takes less than 5 as 5."""
    return build_seconds(seconds, "the timeout of a long-poll")


def parse_grip_timeout(value: str) -> int:
    """Parse ``Grip-Timeout``. Raises: HeaderError."""
    return parse_seconds(value, "Grip-Timeout")


def build_grip_set_meta(meta: Mapping[str, str]) -> str:
    """Build ``Grip-Set-Meta``: facts about the connection, for filters. No name or value can add another.

    Raises: InstructError.
    """
    return to_header_value(", ".join(f"{_check_meta_name(name)}={_quote_meta(name, meta[name])}" for name in meta))


def _check_meta_name(name: str) -> str:
    if not isinstance(name, str) or not name:
        raise InstructError(f"a meta name must be a str with something in it, not {name!r}")
    match = _unsafe_in_meta_name.search(name)
    if match:
        raise InstructError(f"meta name {name!r} has {match[0]!r} at position {match.start()}")
    return name


def _quote_meta(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise InstructError(f"the meta value for {name!r} must be a str, not {type(value).__name__}")
    return quote(value)


def parse_grip_set_meta(value: str) -> dict[str, str]:
    """Parse ``Grip-Set-Meta``; of two values for one name the last one counts. Raises: HeaderError."""
    meta = {}
    for element in split_elements(from_header_value(value)):
        pairs = parse_parameters(element)
        if not pairs:
            raise HeaderError("Grip-Set-Meta has an element without a name")
        meta[pairs[0][0]] = pairs[0][1]
    return meta


def build_grip_link(links: Iterable[GripLink]) -> str:
    """Build ``Grip-Link``. Raises: InstructError for a URL that the proxy could not follow (`check_link_uri`)."""
    return ", ".join(_link_element(link) for link in links)


def _link_element(link: GripLink) -> str:
    if link.rel not in ("next", "gone"):
        raise InstructError(f"a link is 'next' or 'gone', not {link.rel!r}")
    element = f"<{check_link_uri(link.uri)}>; rel={link.rel}"
    if link.timeout is None:
        return element
    if link.rel == "gone":
        raise InstructError("a gone link has no timeout")
    return f"{element}; timeout={build_seconds(link.timeout, 'the timeout of a next link')}"


@lru_cache(maxsize=256)  # set_next_link() asks, and the header is built from the same one
def check_link_uri(uri: str) -> str:
    """Return a link's URL, with percent-encoding for what ``Grip-Link`` would trip over.

    It may be a path, a query (``?after=5``) or a whole http(s) URL. Raises: InstructError.
    """
    if not isinstance(uri, str) or not uri:
        raise InstructError(f"the URL of a link must be a str with something in it, not {uri!r}")
    to_header_value(uri)
    scheme = _scheme.match(uri)
    if scheme and not uri.lower().startswith(("http://", "https://")):
        raise InstructError(f"the URL of a link must be a path or begin with http:// or https://, not {scheme[0]!r}")
    if uri.startswith("//"):
        raise InstructError(f"the URL of a link must not begin with '//', which names another host: {uri[:60]!r}")
    if "#" in uri:
        raise InstructError("the URL of a link must not have a '#': the proxy does not send what follows it")
    return _unsafe_in_uri.sub(_percent_encode, uri)


def _percent_encode(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def parse_grip_link(value: str) -> list[GripLink]:
    """Parse ``Grip-Link``; links that are neither next nor gone are left out. Raises: HeaderError."""
    links = (_parse_link(element) for element in split_elements(from_header_value(value)))
    return [link for link in links if link.rel in ("next", "gone")]


def _parse_link(element: str) -> GripLink:
    uri, _, rest = element.partition(";")
    uri = uri.strip(" \t")
    if len(uri) <= 2 or uri[0] != "<" or uri[-1] != ">":
        raise HeaderError("Grip-Link has a link that is not <url>")
    parameters: dict[str, str] = {}
    for name, text in parse_parameters(rest):
        parameters.setdefault(name.lower(), text)
    timeout = parameters.get("timeout")
    seconds = None if timeout is None else parse_seconds(timeout, "the timeout of Grip-Link")
    return GripLink(uri[1:-1], parameters.get("rel", ""), seconds)


def build_grip_status(code: int, reason: str | None = None) -> str:
    """Build ``Grip-Status``, the status that the client shall see. Raises: InstructError."""
    check_code(code, InstructError)
    return f"{code} {check_reason(reason, InstructError)}" if reason else str(code)


def parse_grip_status(value: str) -> tuple[int, str]:
    """Parse ``Grip-Status`` into the code and the reason, "" if there is none. Raises: HeaderError."""
    match = _status.fullmatch(value)
    if not match:
        raise HeaderError("Grip-Status does not begin with a status code of three digits")
    return int(match[1]), match[2] or ""


def build_grip_expose_headers(names: Iterable[str]) -> str:
    """Build ``Grip-Expose-Headers``: the only response headers that the client shall see. Raises: InstructError."""
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
            raise InstructError(f"a header to expose must be a header name, not {name!r}")
    return ", ".join(names)


def parse_grip_expose_headers(value: str) -> list[str]:
    """Parse ``Grip-Expose-Headers``. Raises: HeaderError."""
    names = split_elements(value)
    for name in names:
        if not HEADER_NAME.fullmatch(name):
            raise HeaderError(f"Grip-Expose-Headers has {name!r}, which is no header name")
    return names


def build_grip_feature(features: Iterable[str]) -> str:
    """Build ``Grip-Feature``: what a proxy can do, in the order given."""
    return ", ".join(features)


@lru_cache(maxsize=8)  # a proxy sends the same one with every request
def parse_grip_feature(value: str) -> frozenset[str]:
    """Parse ``Grip-Feature``, such as ``status, link:next``. Raises: HeaderError."""
    features = frozenset(part for part in (part.strip(" \t") for part in value.split(",")) if part)
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        raise HeaderError("Grip-Feature has characters that no feature has")
    return features


def build_grip_last(last: Mapping[str, str]) -> str:
    """Build ``Grip-Last`` from channel names and the ids last seen on them. Raises: ChannelNameError."""
    channels = [Channel(name, prev_id) for name, prev_id in last.items()]
    return to_header_value(", ".join(f"{channel.name}; last-id={channel.prev_id or ''}" for channel in channels))


def parse_grip_last(value: str) -> dict[str, str]:
    """Parse ``Grip-Last`` into channel names and the ids last seen on them, exactly as they were given to the proxy.

    Several headers may have been joined with commas. Raises: HeaderError.
    """
    last: dict[str, str] = {}
    for element in _next_last.split(from_header_value(value)) if value.strip(" \t") else ():
        name, separator, rest = element.partition(";")
        rest = rest.strip(" \t")
        if not separator or not rest.startswith("last-id="):
            raise HeaderError("Grip-Last has a channel without last-id")
        try:
            last[check_channel_name(name.strip(" \t"))] = rest[len("last-id=") :]
        except ChannelNameError as error:
            raise HeaderError(f"Grip-Last: {error}") from error
    return last
