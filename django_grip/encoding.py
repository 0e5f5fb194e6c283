"""JSON as Django's users expect it: dates, decimals, UUIDs and lazy strings are known; NaN is not JSON."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django.core.serializers.json import DjangoJSONEncoder

__all__ = ["decode_json", "encode_json"]

_encode = DjangoJSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def encode_json(data: Any, encoder: type[json.JSONEncoder] | None = None) -> str:
    """Encode data compactly. encoder: a `json.JSONEncoder` of the project's, instead of Django's.

    Raises: TypeError for what the encoder does not know, ValueError for NaN and infinities.
    """
    if encoder is None:
        return _encode(data)
    return encoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(data)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def decode_json(text: str) -> Any:
    """Decode strict JSON.

    Raises: ValueError, also for NaN, for numbers of thousands of digits, and for nesting too deep to follow.
    """
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("the nesting is too deep") from None
