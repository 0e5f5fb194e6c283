"""The meta of a WebSocket connection: what comes as ``Meta-X``, and goes back as ``Set-Meta-X`` where it changed.

The proxy keeps it for the connection and sends it with every request (GRIP.md, 2). It can read it: no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping

from ..exceptions import InstructError
from .headers import to_header_value

__all__ = ["MAX_META_LINE", "MAX_META_TOTAL", "Meta", "build_meta_headers"]

# Bytes of one header line. gunicorn refuses a line over 8,190, and answers 400 to every later request of the
# connection.
MAX_META_LINE = 8_000

# Bytes of all meta together. Pushpin 1.36 took 40 kB; 90 kB killed the connection.
MAX_META_TOTAL = 40_000

_HEADER = "Set-Meta-"
_TOKEN = re.compile(r"[!#$%&'*+.^`|~0-9a-z-]+")


class Meta(MutableMapping[str, str]):
    """A dict of text by name, which refuses at once what a header could not bring back.

    Names are those of headers: ``Nick``, ``nick``, and ``my_nick`` and ``my-nick``, are the same. An int or float is
    kept as its text. To set an empty value is to have none from the next request on.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {_fold(name): value for name, value in values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[_fold(name)]

    def __setitem__(self, name: str, value: str) -> None:
        name = _check_name(name)
        value = _check_value(name, value)
        total = _measure(name, value) + sum(_measure(*item) for item in self._values.items() if item[0] != name)
        if total > MAX_META_TOTAL:
            raise InstructError(f"the meta would have {total:,} bytes in all; the proxy takes {MAX_META_TOTAL:,}")
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._values[_fold(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Meta: {len(self)} values>"  # never the values: this may land in an error report


def build_meta_headers(meta: Meta, original: Mapping[str, str]) -> list[tuple[str, str]]:
    """Build the ``Set-Meta-`` headers that turn ``original`` into ``meta``; an empty value removes."""
    before = Meta(original)
    headers = [
        (_HEADER + name, to_header_value(value)) for name, value in meta.items() if before.get(name, "") != value
    ]
    headers += [(_HEADER + name, "") for name in before if name not in meta]
    return headers


def _fold(name: str) -> str:
    # Not every server tells "_" from "-" in a header, nor keeps the case.
    return name.lower().replace("_", "-") if isinstance(name, str) else name


def _check_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a meta name is a str, not {type(name).__name__}")
    folded = _fold(name)
    if not _TOKEN.fullmatch(folded):
        raise InstructError(f"the meta name {name[:40]!r} cannot be part of a header name: use letters, digits and '-'")
    return folded


def _check_value(name: str, value: str | int | float) -> str:
    if isinstance(value, (int, float)):
        value = str(value)
    if not isinstance(value, str):
        raise TypeError(f"meta[{name!r}] is a str, not {type(value).__name__}; encode it yourself, as JSON perhaps")
    try:
        to_header_value(value)
    except InstructError:
        # Its text shows the value; that of a connection's meta shall not land in error reports.
        raise InstructError(
            f"meta[{name!r}] has a control character, or a lone surrogate: no header carries it"
        ) from None
    if value != value.strip(" "):
        raise InstructError(f"meta[{name!r}] begins or ends with a blank, which a header does not keep")
    size = _measure(name, value)
    if size > MAX_META_LINE:
        raise InstructError(f"meta[{name!r}] makes a header of {size:,} bytes; servers take {MAX_META_LINE:,}")
    return value


def _measure(name: str, value: str) -> int:
    return len(_HEADER) + len(name) + len(": ") + len(value.encode("utf-8", "replace"))
