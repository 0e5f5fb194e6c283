"""As much of tnetstrings as the question to Pushpin's command port takes."""

from __future__ import annotations

__all__ = ["TnetstringError", "decode_tnetstring", "encode_tnetstring"]


class TnetstringError(ValueError):
    """Bytes that are no tnetstring."""


def encode_tnetstring(value: object) -> bytes:
    """Encode bytes, str (as UTF-8), bool, int, None, lists and dicts of them."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%b," % (len(value), value)
    if isinstance(value, bool):
        return b"4:true!" if value else b"5:false!"
    if isinstance(value, int):
        digits = b"%d" % value
        return b"%d:%b#" % (len(digits), digits)
    if value is None:
        return b"0:~"
    if isinstance(value, dict):
        inner = b"".join(encode_tnetstring(part) for pair in value.items() for part in pair)
        return b"%d:%b}" % (len(inner), inner)
    if isinstance(value, (list, tuple)):
        inner = b"".join(map(encode_tnetstring, value))
        return b"%d:%b]" % (len(inner), inner)
    raise TypeError(f"A {type(value).__name__} has no tnetstring form.")


def decode_tnetstring(data: bytes) -> object:
    """Decode one value. Strings come as bytes.

    Raises: TnetstringError.
    """
    value, rest = _decode(data, 0)
    if rest:
        raise TnetstringError("There is something behind the value.")
    return value


def _decode(data: bytes, depth: int) -> tuple[object, bytes]:
    head, colon, rest = data.partition(b":")
    if not colon or not head.isdigit() or len(head) > 9 or depth > 20:
        raise TnetstringError("The length is not a number.")
    size = int(head)
    if len(rest) <= size:
        raise TnetstringError("The value is cut off.")
    return _value(rest[:size], rest[size : size + 1], depth), rest[size + 1 :]


def _value(content: bytes, kind: bytes, depth: int) -> object:
    if kind == b",":
        return content
    if kind == b"#":
        try:
            return int(content)
        except ValueError:
            raise TnetstringError("A number is not a number.") from None
    if kind == b"!" and content in (b"true", b"false"):
        return content == b"true"
    if kind == b"~" and not content:
        return None
    if kind in (b"]", b"}"):
        parts = []
        while content:
            part, content = _decode(content, depth + 1)
            parts.append(part)
        return parts if kind == b"]" else _pairs(parts)
    raise TnetstringError("The type is unknown.")


def _pairs(parts: list[object]) -> dict[bytes, object]:
    keys, values = parts[::2], parts[1::2]
    if len(keys) != len(values) or not all(isinstance(key, bytes) for key in keys):
        raise TnetstringError("A dict is not made of pairs.")
    return {key: value for key, value in zip(keys, values, strict=True) if isinstance(key, bytes)}
