"""Items: what is published to a channel, and the JSON that the control port takes for one (GRIP.md, 4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pubcontrol

from ..exceptions import ItemError
from .channels import check_channel_name
from .formats import EXPORTERS

__all__ = ["Item", "encode_item", "export_item"]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Item(pubcontrol.Item):
    """One publication in one or more formats, one of each kind.

    id: lets the proxy drop a repeat for 60 seconds. prev_id: the id of the item before it on the channel; an item that
    comes too early waits for the one before (5 seconds). Ints are taken as text.
    meta: facts for filters, such as ``sender`` for skip-self; str to str.
    no_seq: the item has an id but is no part of a chain. size: what the proxy's statistics count, in bytes.
    """

    def __init__(
        self,
        formats: pubcontrol.Format | Iterable[pubcontrol.Format],
        id: str | int | None = None,
        prev_id: str | int | None = None,
        meta: Mapping[str, str] | None = None,
        *,
        no_seq: bool = False,
        size: int | None = None,
    ) -> None:
        self.formats = _as_formats(formats)
        self.id = id  # type: ignore[assignment]
        self.prev_id = prev_id  # type: ignore[assignment]
        self.meta = dict(meta) if meta else {}
        self.no_seq = no_seq
        self.size = size

    def export(self, formats_field: bool = False, tnetstring: bool = False) -> dict[str, Any]:
        """Export as pubcontrol does, for code that calls this: formats inline, or under ``formats``."""
        out = _export(self)
        if not formats_field:
            out.update(out.pop("formats"))
        exported: dict[str, Any] = _to_utf8(out) if tnetstring else out
        return exported


def encode_item(channel: str, item: pubcontrol.Item) -> bytes:
    """Return an item as compact JSON. Raises: ItemError, ChannelNameError."""
    out = export_item(channel, item)
    try:
        return _encode(out).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ItemError(f"the item for channel {channel!r} is not JSON: {error}") from error


def export_item(channel: str, item: pubcontrol.Item) -> dict[str, Any]:
    """Return an item ready for JSON. It may be pubcontrol's, with gripcontrol's formats or formats of your own.

    Raises: ItemError naming what is wrong, ChannelNameError.
    """
    out = {"channel": check_channel_name(channel)}
    out.update(_export(item))
    return out


def _export(item: pubcontrol.Item) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if item.id is not None and item.id != "":
        out["id"] = _check_id("id", item.id)
    if item.prev_id is not None and item.prev_id != "":
        out["prev-id"] = _check_id("prev_id", item.prev_id)
    out["formats"] = _export_formats(item.formats)
    if item.meta:
        out["meta"] = _check_meta(item.meta)
    if getattr(item, "no_seq", False):
        if "prev-id" in out:
            raise ItemError("no_seq takes an item out of the chain, and prev_id puts it in: set one of them")
        out["no-seq"] = True
    size = getattr(item, "size", None)
    if size is not None:
        out["size"] = _check_size(size)
    return out


def _check_id(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ItemError(f"{name} must be a str, not {type(value).__name__}")
    return value


def _check_meta(meta: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(meta, Mapping):
        raise ItemError(f"meta must be a dict, not {type(meta).__name__}")
    for name, value in meta.items():
        if not isinstance(name, str):
            raise ItemError(f"a meta name must be a str, not {name!r}")
        if not isinstance(value, str):
            raise ItemError(f"the meta value for {name!r} must be a str, not {type(value).__name__}")
    return dict(meta)


def _check_size(size: object) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**31:
        raise ItemError(f"size must be a number of bytes, not {size!r}")
    return size


def _as_formats(formats: Any) -> list[Any]:
    if hasattr(formats, "export"):
        return [formats]
    if isinstance(formats, (str, bytes, Mapping)) or not isinstance(formats, Iterable):
        raise ItemError(f"an item takes a format or a list of formats, not {type(formats).__name__}")
    return list(formats)


def _export_formats(formats: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for message in _as_formats(formats):
        known = EXPORTERS.get(type(message))
        name, exported = (known[0], known[1](message)) if known else _export_other(message)
        if name in out:
            raise ItemError(f"an item takes one format of each kind, but there are two of {name!r}")
        out[name] = exported
    if not out:
        raise ItemError("an item needs at least one format")
    return out


def _export_other(message: Any) -> tuple[str, dict[str, Any]]:
    """Export a format of the application's own, or one derived from a known one."""
    kind: Any = type(message)
    for base in kind.__mro__:
        if base in EXPORTERS:
            if kind.export is base.export and kind.name is base.name:
                name, export = EXPORTERS[base]
                return name, export(message)
            break
    if not hasattr(message, "export") or not hasattr(message, "name"):
        raise ItemError(f"{kind.__name__} is not a format: it has no name() and export()")
    name, exported = message.name(), message.export()
    if not isinstance(name, str) or not name:
        raise ItemError(f"{kind.__name__}.name() must return a str with something in it, not {name!r}")
    if not isinstance(exported, Mapping):
        raise ItemError(f"{kind.__name__}.export() must return a dict, not {type(exported).__name__}")
    try:
        return name, _to_json(kind, exported)
    except RecursionError:
        raise ItemError(f"{kind.__name__}.export() returned a dict that holds itself, or is nested too deep") from None


def _to_json(kind: type, value: Any) -> Any:
    # gripcontrol's formats export base64 as bytes, and so do formats made after their pattern.
    if isinstance(value, bytes):
        return _to_text(kind, value)
    if isinstance(value, Mapping):
        return {_to_text(kind, key): _to_json(kind, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(kind, item) for item in value]
    return value


def _to_text(kind: type, value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ItemError(f"{kind.__name__}.export() has bytes that are not UTF-8; export them in base64") from None
    if not isinstance(value, str):
        raise ItemError(f"{kind.__name__}.export() has the key {value!r}, which is not a str")
    return value


def _to_utf8(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Mapping):
        return {_to_utf8(key): _to_utf8(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_utf8(item) for item in value]
    return value
