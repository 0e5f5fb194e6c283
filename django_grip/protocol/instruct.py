"""Instructions: what a response asks of the proxy, as an object, and as the ``Grip-*`` headers that say it.

The JSON form is in `instruct_json`. What the proxy would drop, misread or answer with a 502 is refused when it is set,
or at the latest when it is built (GRIP.md, 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import gripcontrol

from ..exceptions import InstructError
from .channels import MAX_CHANNELS, Channel, as_channel, as_channels
from .header_values import build_seconds
from .headers import (
    GripLink,
    build_checked_channels,
    build_grip_expose_headers,
    build_grip_hold,
    build_grip_keep_alive,
    build_grip_link,
    build_grip_set_meta,
    build_grip_status,
    build_grip_timeout,
    check_link_uri,
    parse_grip_channel,
    parse_grip_expose_headers,
    parse_grip_hold,
    parse_grip_keep_alive,
    parse_grip_link,
    parse_grip_set_meta,
    parse_grip_status,
    parse_grip_timeout,
)

__all__ = [
    "MAX_CHANNELS",
    "MAX_HEADERS_SIZE",
    "Instruct",
    "build_instruct_headers",
    "check_hold",
    "parse_instruct_headers",
    "text_or_bytes",
]

MAX_HEADERS_SIZE = 8_000
"""Bytes of all ``Grip-*`` headers together: Pushpin reads a response's head into 8,192 (1.41, connmgr)."""


@dataclass
class Instruct:
    """What a response asks of the proxy. Times are in seconds; 0 and "" leave a thing out, or to the proxy.

    hold: "response" for a long-poll, "stream", or "" (a next link alone streams page after page).
    keep_alive_mode: "idle" counts from the last data sent, "interval" from the last keep-alive.
    meta: facts about the connection for filters, such as ``user`` for skip-self; change it directly.
    status, reason: what the client shall see instead of the response's own status.
    expose_headers: the only response headers that the client shall see; empty means all.

    The repr shows neither links, which may have authority in them, nor meta: it may land in an error report.
    """

    hold: str = ""
    channels: list[Channel] = field(default_factory=list)
    timeout: int = 0
    keep_alive: str | bytes = ""
    keep_alive_timeout: int = 0
    keep_alive_mode: str = "idle"
    next_link: str = field(default="", repr=False)
    next_link_timeout: int = 0
    gone_link: str = field(default="", repr=False)
    meta: dict[str, str] = field(default_factory=dict, repr=False)
    status: int | None = None
    reason: str = ""
    expose_headers: list[str] = field(default_factory=list)

    def add_channel(self, channel: str | gripcontrol.Channel) -> None:
        """Subscribe to one channel, a name or a `Channel`; what is given is left alone. Raises: ChannelNameError."""
        self.channels.append(as_channel(channel))

    def add_channels(self, channels: str | gripcontrol.Channel | Iterable[str | gripcontrol.Channel]) -> None:
        """Subscribe to one channel or several. Raises: ChannelNameError."""
        self.channels.extend(as_channels(channels))

    def set_hold_longpoll(self, timeout: int | None = None) -> None:
        """Hold the response until something is published, or for `timeout` seconds (the proxy's own: 55; at least 5).

        Raises: InstructError.
        """
        self.timeout = int(build_grip_timeout(timeout)) if timeout else 0
        self.hold = "response"

    def set_hold_stream(self) -> None:
        """Send the response and hold it open for more."""
        self.hold = "stream"

    def set_keep_alive(self, data: str | bytes, timeout: int | None, *, mode: str = "idle") -> None:
        """Send `data` on a stream after `timeout` seconds in which nothing was sent (the proxy's own: 55).

        Raises: InstructError.
        """
        build_grip_keep_alive(data, timeout=timeout, mode=mode)
        self.keep_alive, self.keep_alive_timeout, self.keep_alive_mode = data, int(timeout or 0), mode

    def set_next_link(self, uri: str, timeout: int | None = None) -> None:
        """Let the proxy GET `uri` for what a stream has missed, at the latest after `timeout` seconds (its own: 120).

        The request carries none of the client's headers or cookies (GRIP.md, 6). Raises: InstructError.
        """
        check_link_uri(uri)
        self.next_link_timeout = int(build_seconds(timeout, "the timeout of a next link")) if timeout else 0
        self.next_link = uri

    def set_gone_link(self, uri: str) -> None:
        """Let the proxy POST to `uri` when the client has left, where the proxy has ``link:gone``.

        Raises: InstructError.
        """
        check_link_uri(uri)
        self.gone_link = uri

    def set_status(self, code: int, reason: str | None = None) -> None:
        """Let the client see another status than the response's own. Raises: InstructError."""
        build_grip_status(code, reason)
        self.status, self.reason = code, reason or ""


def build_instruct_headers(
    instruct: Instruct, *, prefix: str = "", max_channels: int = MAX_CHANNELS
) -> list[tuple[str, str]]:
    """Build the headers that say an instruction, each name once; the prefix goes before each channel's name.

    An instruction that asks for nothing has no headers. Raises: InstructError, ChannelNameError.
    """
    channels = check_hold(instruct, max_channels=max_channels)
    headers = {
        "Grip-Hold": build_grip_hold(instruct.hold) if instruct.hold else "",
        "Grip-Channel": build_checked_channels(channels, prefix=prefix),
        "Grip-Timeout": build_grip_timeout(instruct.timeout) if instruct.timeout else "",
        "Grip-Keep-Alive": _build_keep_alive(instruct),
        "Grip-Set-Meta": build_grip_set_meta(instruct.meta),
        "Grip-Link": build_grip_link(_links(instruct)),
        "Grip-Status": "" if instruct.status is None else build_grip_status(instruct.status, instruct.reason),
        "Grip-Expose-Headers": build_grip_expose_headers(instruct.expose_headers),
    }
    present = [(name, value) for name, value in headers.items() if value]
    _check_size(present)
    return present


def check_hold(instruct: Instruct, *, max_channels: int = MAX_CHANNELS) -> list[Channel]:
    """Return the channels of an instruction, new and each once, if the proxy would do what it says.

    Raises: InstructError, ChannelNameError.
    """
    channels = _merge(as_channels(instruct.channels))
    if len(channels) > max_channels:
        raise InstructError(
            f"{len(channels)} channels in one hold: the proxy takes {max_channels} and drops the rest without a word"
        )
    if instruct.hold and not channels:
        raise InstructError("a hold without a channel would never end: call add_channel()")
    if instruct.gone_link and not (instruct.hold or instruct.next_link):
        raise InstructError("a gone link without a hold is never followed: call set_hold_stream()")
    if instruct.hold == "stream" and not instruct.next_link:
        for channel in channels:
            if channel.prev_id is not None:
                raise InstructError(
                    f"channel {channel.name!r} has a prev_id, so its stream needs a next link: call set_next_link()"
                )
    return channels


def _merge(channels: list[Channel]) -> list[Channel]:
    by_name: dict[str, Channel] = {}
    for channel in channels:
        if by_name.setdefault(channel.name, channel) != channel:
            raise InstructError(f"channel {channel.name!r} is there twice, with different prev_ids or filters")
    return list(by_name.values())


def _build_keep_alive(instruct: Instruct) -> str:
    if not instruct.keep_alive:
        return ""
    return build_grip_keep_alive(
        instruct.keep_alive, timeout=instruct.keep_alive_timeout, mode=instruct.keep_alive_mode
    )


def _links(instruct: Instruct) -> list[GripLink]:
    links = []
    if instruct.next_link:
        links.append(GripLink(instruct.next_link, "next", instruct.next_link_timeout or None))
    if instruct.gone_link:
        links.append(GripLink(instruct.gone_link, "gone"))
    return links


def _check_size(headers: list[tuple[str, str]]) -> None:
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if size > MAX_HEADERS_SIZE:
        largest = max(headers, key=lambda header: len(header[1]))[0]
        raise InstructError(
            f"the Grip-* headers of this response are {size:,} bytes long (most of it {largest}); "
            f"the limit is {MAX_HEADERS_SIZE:,}, or the proxy refuses the response"
        )


_LISTS = frozenset({"grip-channel", "grip-set-meta", "grip-link", "grip-expose-headers"})
_ONES = frozenset({"grip-hold", "grip-timeout", "grip-keep-alive", "grip-status"})


def parse_instruct_headers(headers: Iterable[tuple[str, str]]) -> Instruct:
    """Parse the instruction in a response's headers; all others are passed over.

    A list that is repeated goes on; of the others the first one counts, as with Pushpin. Keep-alive data comes as bytes
    if it is not UTF-8. Raises: HeaderError.
    """
    values: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key in _LISTS and key in values:
            values[key] += f", {value}"
        elif key in _LISTS or key in _ONES:
            values.setdefault(key, value)
    return _parse_values(values)


def _parse_values(values: dict[str, str]) -> Instruct:
    instruct = Instruct(
        hold=parse_grip_hold(values["grip-hold"]) if "grip-hold" in values else "",
        channels=parse_grip_channel(values.get("grip-channel", "")),
        timeout=parse_grip_timeout(values["grip-timeout"]) if "grip-timeout" in values else 0,
        meta=parse_grip_set_meta(values.get("grip-set-meta", "")),
        expose_headers=parse_grip_expose_headers(values.get("grip-expose-headers", "")),
    )
    if values.get("grip-keep-alive"):
        data, timeout, mode = parse_grip_keep_alive(values["grip-keep-alive"])
        instruct.keep_alive, instruct.keep_alive_timeout, instruct.keep_alive_mode = text_or_bytes(data), timeout, mode
    if values.get("grip-status"):
        instruct.status, instruct.reason = parse_grip_status(values["grip-status"])
    for uri, rel, seconds in parse_grip_link(values.get("grip-link", "")):
        if rel == "gone":
            instruct.gone_link = uri
        else:
            instruct.next_link, instruct.next_link_timeout = uri, seconds or 0
    return instruct


def text_or_bytes(data: bytes) -> str | bytes:
    """Return bytes as the str they are in UTF-8, or else as they are."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
