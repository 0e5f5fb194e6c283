"""Keep-alive: what the proxy sends on a held stream when nothing else was sent, as the header ``Grip-Keep-Alive``.

The header ends the data at the first ``;`` and trims it, so data travels escaped, in the one way that Pushpin's decoder
undoes exactly (handler/instruct.cpp, `unescape`): it knows the backslash, ``r``, ``n`` and ``xHH`` behind a backslash;
any other escape it drops with its character.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import NamedTuple

from ..exceptions import HeaderError, InstructError
from .header_values import build_seconds, parse_parameters, parse_seconds

__all__ = ["KEEP_ALIVE_MODES", "KeepAlive", "build_grip_keep_alive", "keep_alive_bytes", "parse_grip_keep_alive"]

KEEP_ALIVE_MODES = ("idle", "interval")

DEFAULT_TIMEOUT = 55

# Everything but printable ASCII; of that, the escape itself, the end of the data, and a blank that would be trimmed.
_to_escape = re.compile(rb"[^\x20-\x7e]|[\\;]|^ | \Z")
_escape = re.compile(rb"\\(?:([\\rn])|x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)
_short = {b"\\": b"\\\\", b"\r": b"\\r", b"\n": b"\\n"}
_plain = {b"\\": b"\\", b"r": b"\r", b"n": b"\n"}


class KeepAlive(NamedTuple):
    """What ``Grip-Keep-Alive`` says: the data to send, after how many seconds, and counted from what.

    mode: "idle" counts from the last data sent, "interval" from the last keep-alive.
    """

    data: bytes
    timeout: int = DEFAULT_TIMEOUT
    mode: str = "idle"


def build_grip_keep_alive(data: str | bytes, *, timeout: int | None = None, mode: str = "idle") -> str:
    """Build ``Grip-Keep-Alive``; any data comes out of the proxy byte for byte, a str as UTF-8.

    timeout: seconds, at least 1; None or 0 leaves it to the proxy (55). Raises: InstructError.
    """
    raw = keep_alive_bytes(data)
    if mode not in KEEP_ALIVE_MODES:
        raise InstructError(f"the keep-alive mode must be 'idle' or 'interval', not {mode!r}")
    cstring, base64 = _to_escape.sub(_escape_byte, raw), b64encode(raw)
    # Text stays readable; binary takes the shorter form.
    coded, name = (cstring, "cstring") if len(cstring) <= 2 * len(raw) else (base64, "base64")
    parameters = [coded.decode("ascii"), f"format={name}"]
    if timeout:
        parameters.append(f"timeout={build_seconds(timeout, 'the keep-alive timeout')}")
    if mode != "idle":
        parameters.append(f"mode={mode}")
    return "; ".join(parameters)


def parse_grip_keep_alive(value: str) -> KeepAlive:
    """Parse ``Grip-Keep-Alive``. Raises: HeaderError."""
    coded, _, rest = value.partition(";")
    coded = coded.strip(" \t")
    if not coded:
        raise HeaderError("Grip-Keep-Alive has no data")
    parameters: dict[str, str] = {}
    for name, text in parse_parameters(rest):
        parameters.setdefault(name.lower(), text)
    mode = parameters.get("mode") or "idle"
    if mode not in KEEP_ALIVE_MODES:
        raise HeaderError(f"Grip-Keep-Alive has the unknown mode {mode!r}")
    timeout = parameters.get("timeout")
    seconds = DEFAULT_TIMEOUT if timeout is None else parse_seconds(timeout, "the timeout of Grip-Keep-Alive")
    return KeepAlive(_decode(coded, parameters.get("format") or "raw"), seconds, mode)


def keep_alive_bytes(data: str | bytes) -> bytes:
    """Return keep-alive data as the bytes that will be sent. Raises: InstructError if it is empty or no data."""
    if not isinstance(data, (str, bytes)):
        raise InstructError(f"keep-alive data must be a str or bytes, not {type(data).__name__}")
    if not data:
        raise InstructError("keep-alive data must not be empty")
    try:
        return data.encode() if isinstance(data, str) else data
    except UnicodeEncodeError as error:
        raise InstructError(f"keep-alive data has a lone surrogate at position {error.start}") from None


def _escape_byte(match: re.Match[bytes]) -> bytes:
    return _short.get(match[0]) or b"\\x%02x" % ord(match[0])


def _unescape(match: re.Match[bytes]) -> bytes:
    plain, hexadecimal, other = match.groups()
    if other is not None:
        raise HeaderError(f"Grip-Keep-Alive has an escape that format=cstring does not know, at byte {match.start()}")
    return _plain[plain] if plain else bytes.fromhex(hexadecimal.decode())


def _decode(coded: str, name: str) -> bytes:
    try:
        raw = coded.encode("latin-1")
    except UnicodeEncodeError:
        raise HeaderError("Grip-Keep-Alive holds characters that are no bytes") from None
    if name == "raw":
        return raw
    if name == "cstring":
        return _escape.sub(_unescape, raw)
    if name != "base64":
        raise HeaderError(f"Grip-Keep-Alive has the unknown format {name!r}")
    try:
        return b64decode(raw, validate=True)
    except ValueError as error:
        raise HeaderError(f"Grip-Keep-Alive does not decode as base64: {error}") from None
