"""JSON as Django's users expect it: dates, decimals, UUIDs and lazy strings are known; NaN is not JSON."""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any, NoReturn

from django.core.serializers.json import DjangoJSONEncoder

__all__ = ["decode_json", "encode_json", "make_json_encoder"]

_BLANKS = " \t\n\r"

# What may be half of a pair of surrogates; only escapes can bring one into text that was UTF-8.
_surrogate = re.compile(r"\\u[dD][89a-fA-F]")


def make_json_encoder(encoder: type[json.JSONEncoder] | None = None) -> json.JSONEncoder:
    """Make what `encode_json` encodes with, for use many times."""
    return (encoder or DjangoJSONEncoder)(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


_encode = make_json_encoder().encode


def encode_json(data: Any, encoder: type[json.JSONEncoder] | None = None) -> str:
    """Encode data compactly. encoder: a `json.JSONEncoder` of the project's, instead of Django's.

    Raises: TypeError for what the encoder does not know, ValueError for NaN and infinities.
    """
    return _encode(data) if encoder is None else make_json_encoder(encoder).encode(data)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        # Python reads 1e999 as an infinity, which could not be written as JSON again.
        raise ValueError(f"{text:.20} is too large a number")
    return number


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_float)


def decode_json(text: str) -> Any:
    """Decode strict JSON, into what can be written as JSON again.

    Raises: ValueError, also for NaN and other numbers that do not fit (thousands of digits, 1e999), for half a
    surrogate pair, and for nesting too deep to follow.
    """
    if text[:1] in _BLANKS or text[-1] in _BLANKS:
        text = text.strip(_BLANKS)
    try:
        value, end = _decoder.raw_decode(text)
        if end != len(text):
            raise ValueError(f"something follows the JSON, at {end}")
        if "\\u" in text and _surrogate.search(text):
            _encode(value).encode()
    except RecursionError:
        raise ValueError("the nesting is too deep") from None
    return value
