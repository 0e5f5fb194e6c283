"""Channels: which names exist, what may stand in them, and how one is filled in from a template.

A name has one spelling, everywhere: what GRIP's header form cannot carry is refused by holds and by publishing alike,
so that nobody subscribes to a name that cannot be published to (DESIGN.md, decision 6; GRIP.md, 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from string import Formatter
from typing import Any

import gripcontrol

from ..exceptions import ChannelNameError

__all__ = [
    "MAX_CHANNELS",
    "MAX_CHANNEL_LENGTH",
    "MAX_FILTERS",
    "Channel",
    "as_channel",
    "as_channels",
    "channel_name",
    "check_channel_name",
]

MAX_CHANNELS = 20
"""Channels of one connection; Pushpin drops what is over it without a word (GRIP.md, 3)."""

MAX_CHANNEL_LENGTH = 1024
"""Bytes of a name in UTF-8, the prefix included."""

MAX_FILTERS = 5
"""Filters of one channel: Pushpin 1.41 answers more with a 502 (handler/filter.h)."""

# `,` ends a Grip-Channel element, `;` its name, `"` opens a quote that swallows both.
_REFUSED = r"\x00-\x1f\x7f-\x9f\",;\ud800-\udfff"
_refused = re.compile(f"[{_REFUSED}]")
_encoded_in_values = re.compile(f"[%:{_REFUSED}]")
# An id comes back in Grip-Last, raw and to the end of the element (GRIP.md, 1).
_refused_in_ids = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|^ | \Z|last-id=")
_filter_name = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

_formatter = Formatter()


class Channel(gripcontrol.Channel):
    """A channel to subscribe to.

    `prev_id` is the id of the last item the client has seen, `None` (or empty) for none; an int is taken as text.
    `filters` are names such as ``skip-self`` (GRIP.md, 5), at most `MAX_FILTERS`.

    Raises: ChannelNameError.
    """

    def __init__(self, name: str, prev_id: str | int | None = None, filters: Iterable[str] = ()) -> None:
        super().__init__(check_channel_name(name), _check_prev_id(name, prev_id))
        self.filters = _check_filters(name, filters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Channel):
            return NotImplemented
        return (self.name, self.prev_id, self.filters) == (other.name, other.prev_id, other.filters)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        prev_id = f", prev_id={self.prev_id!r}" if self.prev_id else ""
        filters = f", filters={self.filters!r}" if self.filters else ""
        return f"Channel({self.name!r}{prev_id}{filters})"


def as_channel(channel: str | gripcontrol.Channel) -> Channel:
    """Return a new, checked `Channel` for a name or for any object like gripcontrol's; the argument is left alone.

    Raises: ChannelNameError.
    """
    if isinstance(channel, str):
        return Channel(channel)
    if type(channel) is Channel and not channel.prev_id and not channel.filters:
        return Channel(channel.name)
    if not hasattr(channel, "name"):
        raise ChannelNameError(f"a channel must be a str or a Channel, not {type(channel).__name__}")
    return Channel(channel.name, getattr(channel, "prev_id", None), getattr(channel, "filters", None) or ())


def as_channels(channels: str | gripcontrol.Channel | Iterable[str | gripcontrol.Channel]) -> list[Channel]:
    """Return new, checked channels for one name, one channel, or any mixture of several.

    Raises: ChannelNameError.
    """
    if isinstance(channels, (str, bytes)) or hasattr(channels, "name") or not isinstance(channels, Iterable):
        return [as_channel(channels)]  # type: ignore[arg-type]
    return [as_channel(channel) for channel in channels]


def check_channel_name(name: str, *, prefix: str = "") -> str:
    """Return `prefix` + `name`, or say what is wrong with it.

    Raises: ChannelNameError naming the first character that cannot be carried and its position in `name`, or the
    length and its limit.
    """
    if not isinstance(name, str):
        raise ChannelNameError(f"a channel name must be a str, not {type(name).__name__}")
    if not name:
        raise ChannelNameError("a channel name must not be empty")
    _check_characters(name)
    if prefix:
        name = prefix + name
        _check_characters(name, "with the prefix: ")
    # Four bytes a character is the most that UTF-8 takes.
    if len(name) > MAX_CHANNEL_LENGTH // 4:
        _check_length(name)
    return name


def channel_name(template: str, /, **kwargs: Any) -> str:
    """Fill in a template such as ``"room:{room}"``, so that no value can reach into another's name.

    In the values ``%``, ``:`` and what a name cannot hold are percent-encoded, nothing else. Arguments that the
    template does not use are ignored.

    Raises: ChannelNameError for a missing or `None` value, a field that is more than a name, or a result that is no
    channel name.
    """
    parts: list[str] = []
    opens_with_value = closes_with_value = False
    for literal, field, spec, conversion in _parse_template(template):
        if literal:
            parts.append(literal)
            closes_with_value = False
        if field is None:
            continue
        if spec or conversion or not field.isidentifier():
            raise ChannelNameError(f"channel template {template!r}: a field must be a plain name, such as {{room}}")
        value = _encode_value(template, field, kwargs)
        if value:
            opens_with_value = opens_with_value or not parts
            closes_with_value = True
            parts.append(value)
    name = _encode_edges("".join(parts), first=opens_with_value, last=closes_with_value)
    return check_channel_name(name)


def _parse_template(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(_formatter.parse(template))
    except ValueError as error:
        raise ChannelNameError(f"channel template {template!r}: {error}") from error


def _encode_value(template: str, field: str, kwargs: dict[str, Any]) -> str:
    try:
        value = kwargs[field]
    except KeyError:
        raise ChannelNameError(f"channel template {template!r}: no value for {field!r}") from None
    if value is None:
        raise ChannelNameError(f"channel template {template!r}: the value for {field!r} is None")
    return _encoded_in_values.sub(_percent_encode, str(value))


def _percent_encode(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def _encode_edges(name: str, *, first: bool, last: bool) -> str:
    # A blank is refused only where the header's own trimming would take it: at the two ends.
    if last and name.endswith(" "):
        name = name[:-1] + "%20"
    if first and name.startswith(" "):
        name = "%20" + name[1:]
    return name


@lru_cache(maxsize=1024)  # the same few names are asked for with every hold and every item
def _check_characters(name: str, where: str = "") -> None:
    match = _refused.search(name)
    if match:
        raise ChannelNameError(
            f"channel name {_shown(name)} has {_character(match[0])} at position {match.start()}: "
            f"{where}GRIP's headers cannot carry it"
        )
    if name[0] == " " or name[-1] == " ":
        position = 0 if name[0] == " " else len(name) - 1
        raise ChannelNameError(
            f"channel name {_shown(name)} has a blank at position {position}: "
            f"{where}GRIP's headers lose it at either end"
        )


def _check_length(name: str) -> None:
    size = len(name.encode())
    if size > MAX_CHANNEL_LENGTH:
        raise ChannelNameError(
            f"channel name {_shown(name)} is {size:,} bytes long in UTF-8, prefix included; "
            f"the limit is {MAX_CHANNEL_LENGTH:,}"
        )


def _check_prev_id(name: str, prev_id: str | int | None) -> str | None:
    if isinstance(prev_id, int) and not isinstance(prev_id, bool):
        prev_id = str(prev_id)
    if not prev_id:
        return None
    if not isinstance(prev_id, str):
        raise ChannelNameError(f"prev_id of channel {_shown(name)} must be a str, not {type(prev_id).__name__}")
    match = _refused_in_ids.search(prev_id)
    if match:
        found = "'last-id='" if match[0] == "last-id=" else _character(match[0])
        raise ChannelNameError(
            f"prev_id {_shown(prev_id)} of channel {_shown(name)} has {found} at position {match.start()}: "
            "Grip-Last cannot carry it"
        )
    if len(prev_id.encode()) > MAX_CHANNEL_LENGTH:
        raise ChannelNameError(f"prev_id of channel {_shown(name)} is over {MAX_CHANNEL_LENGTH:,} bytes long in UTF-8")
    return prev_id


def _check_filters(name: str, filters: Iterable[str]) -> list[str]:
    if isinstance(filters, (str, bytes)):
        raise ChannelNameError(f"filters of channel {_shown(name)} must be a list of names, not {filters!r}")
    checked = list(filters)
    if not checked:
        return checked
    for item in checked:
        if not isinstance(item, str) or not _filter_name.fullmatch(item):
            raise ChannelNameError(
                f"filter {item!r} of channel {_shown(name)} is not a filter name such as 'skip-self'"
            )
    if len(checked) > MAX_FILTERS:
        raise ChannelNameError(f"channel {_shown(name)} has {len(checked)} filters; the limit is {MAX_FILTERS}")
    return checked


def _character(character: str) -> str:
    if character == " ":
        return "a blank"
    if character < " " or "\x7f" <= character <= "\x9f":
        return f"the control character U+{ord(character):04X}"
    if "\ud800" <= character <= "\udfff":
        return f"the lone surrogate U+{ord(character):04X}"
    return f"'{character}'"


def _shown(name: object, limit: int = 60) -> str:
    text = repr(name)
    return text if len(text) <= limit else f"{text[:limit]}…"
