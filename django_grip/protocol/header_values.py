"""What may stand in a header's value, and how values are taken apart: the ground the header grammar stands on.

HTTP headers are bytes; WSGI and ASGI hand them over as latin-1 strs. Names that are not latin travel as UTF-8 inside
such a str (GRIP.md, 3: "raw UTF-8 bytes work"), so builders end and parsers begin with a conversion.
"""

from __future__ import annotations

import re

from ..exceptions import HeaderError, InstructError

__all__ = [
    "MAX_SECONDS",
    "build_seconds",
    "from_header_value",
    "parse_parameters",
    "parse_seconds",
    "quote",
    "split_elements",
    "to_header_value",
]

MAX_SECONDS = 2_147_483
"""The longest time: Pushpin multiplies it by 1,000 in an int of 32 bits."""

# CR and LF would end the header; NUL and the other controls are refused by servers, or lost on the way.
_refused = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_quoted = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_name_end = re.compile("[=;]")
_value_end = re.compile(";")
_escape = re.compile(r"\\(.)", re.DOTALL)
_to_escape = re.compile(r'["\\]')
# One element of a comma-separated header: quoted strings hide the commas in them.
_element = re.compile(r'(?:[^",]+|"(?:[^"\\]|\\.)*")*', re.DOTALL)


def to_header_value(text: str) -> str:
    """Return text as the latin-1 str that carries its UTF-8 bytes in a header.

    Raises: InstructError for a control character (so also for CR and LF) or a lone surrogate, naming its position.
    """
    if text.isascii() and text.isprintable():
        return text
    match = _refused.search(text)
    if match:
        kind = "lone surrogate" if "\ud800" <= match[0] <= "\udfff" else "control character"
        raise InstructError(
            f"the header value {_shown(text)} has the {kind} U+{ord(match[0]):04X} at position {match.start()}"
        )
    return text.encode().decode("latin-1")


def from_header_value(value: str) -> str:
    """Return the text whose UTF-8 bytes a latin-1 header str carries.

    Raises: HeaderError if it carries something else.
    """
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise HeaderError(f"the header value {_shown(value)} is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError as error:
        raise HeaderError(f"the header value {_shown(value)} holds no bytes at position {error.start}") from None


def build_seconds(seconds: float | str, what: str) -> str:
    """Return a time in whole seconds as a header carries it; `what` names it in the error.

    Raises: InstructError if it is no number from 0 to `MAX_SECONDS`.
    """
    try:
        number = int(seconds)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if isinstance(seconds, bool) or not 0 <= number <= MAX_SECONDS:
        raise InstructError(f"{what} must be a number of seconds from 0 to {MAX_SECONDS:,}, not {seconds!r}")
    return str(number)


def parse_seconds(value: str, what: str) -> int:
    """Return the seconds that a header says. Raises: HeaderError."""
    text = value.strip(" \t")
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > MAX_SECONDS:
        raise HeaderError(f"{what} {_shown(value)} is not a number of seconds from 0 to {MAX_SECONDS:,}")
    return int(text)


def quote(text: str) -> str:
    """Return text as a quoted-string; whatever stands in it, it ends where it should."""
    return '"' + _to_escape.sub(r"\\\g<0>", text) + '"'


def split_elements(value: str) -> list[str]:
    """Split a header at the commas that stand outside quotes, and trim the elements (Pushpin's headerSplit).

    Elements with nothing in them are left out (RFC 9110, 5.6.1). Raises: HeaderError for a quote that does not end.
    """
    elements: list[str] = []
    position = 0
    while position < len(value):
        end = _match_end(_element, value, position)
        if end < len(value) and value[end] != ",":
            raise HeaderError(f"the header value {_shown(value)} has a quote that does not end, at {end}")
        element = value[position:end].strip(" \t")
        if element:
            elements.append(element)
        position = end + 1
    return elements


def parse_parameters(text: str) -> list[tuple[str, str]]:
    """Parse ``a=1; b="2"; c`` into pairs, a quoted value without its quotes (Pushpin's parseParameters).

    Raises: HeaderError for a quote that does not end, or anything behind one that does.
    """
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        end = _find(_name_end, text, position)
        name = text[position:end].strip(" \t")
        value = ""
        if text[end : end + 1] == "=":
            value, end = _parse_value(text, end + 1)
        if name:
            pairs.append((name, value))
        elif value:
            raise HeaderError(f"the header value {_shown(text)} has a parameter without a name, at {position}")
        position = end + 1
    return pairs


def _parse_value(text: str, start: int) -> tuple[str, int]:
    """Return the value that begins at start, and where its ``;`` stands (or the text ends)."""
    if text[start : start + 1] != '"':
        end = _find(_value_end, text, start)
        return text[start:end].strip(" \t"), end
    match = _quoted.match(text, start)
    if not match:
        raise HeaderError(f"the header value {_shown(text)} has a quote that does not end, at {start}")
    end = _find(_value_end, text, match.end())
    if text[match.end() : end].strip(" \t"):
        raise HeaderError(f"the header value {_shown(text)} goes on behind a quoted value, at {match.end()}")
    return _escape.sub(r"\1", match[0][1:-1]), end


def _find(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.search(text, start)
    return match.start() if match else len(text)


def _match_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


def _shown(text: str, limit: int = 60) -> str:
    shown = repr(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}…"
