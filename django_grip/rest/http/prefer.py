"""What a client prefers (RFC 7240), of which this package knows one thing: how long it would wait."""

from __future__ import annotations

import re

from ...exceptions import HeaderError
from ...protocol.header_values import parse_parameters, split_elements

__all__ = ["build_preference_applied", "parse_wait"]

_SECONDS = re.compile(r"[0-9]+")
# Digits. More of them say more seconds than anybody can wait, and cost time to read.
_MAX_DIGITS = 9


def parse_wait(prefer: str) -> int | None:
    """Parse how many seconds a client would wait, out of ``Prefer``; None if it does not say, or says nonsense.

    prefer: the header's value; several headers are joined by commas. Of a preference that is there twice the first one
    counts (RFC 7240, 2).
    """
    try:
        for element in split_elements(prefer):
            # Behind the preference may stand parameters of its own; "wait" has none that are known.
            for name, value in parse_parameters(element)[:1]:
                if name.lower() == "wait":
                    return _parse_seconds(value)
    except HeaderError:
        return None
    return None


def _parse_seconds(text: str) -> int | None:
    if not _SECONDS.fullmatch(text):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def build_preference_applied(wait: int) -> str:
    """Build ``Preference-Applied`` for seconds that a client may wait."""
    return f"wait={wait}"
