"""The parts of an HTTP response that travel inside an instruction or an item: status, reason, headers.

The proxy writes them to the client as they are, so whatever could end a line is refused here. Each function raises the
error class it is given: InstructError or ItemError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..exceptions import UsageError

__all__ = ["HEADER_NAME", "Headers", "check_code", "check_headers", "check_reason"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_refused_in_values = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]|^[ \t]|[ \t]\Z")


def check_code(code: int, error: type[UsageError]) -> int:
    """Return a status code that a client can be answered with: 200 to 599."""
    if isinstance(code, bool) or not isinstance(code, int) or not 200 <= code <= 599:
        raise error(f"a status code must be an int from 200 to 599, not {code!r}")
    return code


def check_reason(reason: str, error: type[UsageError]) -> str:
    """Return the reason of a status."""
    if not isinstance(reason, str) or not reason.isascii() or not reason.isprintable() or reason != reason.strip():
        raise error(f"the reason of a status must be printable ASCII without blanks at its ends, not {reason!r}")
    return reason


def check_headers(headers: Headers, error: type[UsageError]) -> dict[str, str] | list[list[str]]:
    """Return headers as JSON carries them: a dict for a mapping, else a list of pairs, in which a name may repeat."""
    if isinstance(headers, Mapping):
        return dict(_check_header(name, value, error) for name, value in headers.items())
    if isinstance(headers, (str, bytes)) or not isinstance(headers, Iterable):
        raise error(f"headers must be a dict or a list of pairs, not {type(headers).__name__}")
    pairs: list[list[str]] = []
    for pair in headers:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise error(f"headers must be pairs of a name and a value, not {pair!r}")
        pairs.append(list(_check_header(pair[0], pair[1], error)))
    return pairs


def _check_header(name: str, value: str, error: type[UsageError]) -> tuple[str, str]:
    if not isinstance(name, str) or not HEADER_NAME.fullmatch(name):
        raise error(f"{name!r} is no header name")
    if not isinstance(value, str):
        raise error(f"the value of header {name} must be a str, not {type(value).__name__}")
    match = _refused_in_values.search(value)
    if match:
        raise error(f"the value of header {name} has U+{ord(match[0]):04X} at position {match.start()}")
    return name, value
