"""Publishing through clients of pubcontrol's kind that an application brings along."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import pubcontrol

from .endpoint import redact_url
from .outcome import Unreached
from .parcel import Parcel

__all__ = ["ForeignTransport"]

_query = re.compile(r"\?[^\s'\")]+")


class ForeignTransport:
    """Hands items to a client one by one, blocking, on the lane's thread. One that raises is called again."""

    max_bytes = 1_000_000

    def __init__(self, client: Any) -> None:
        self._client = client
        uri = getattr(client, "uri", None)
        self.url = redact_url(uri) if isinstance(uri, str) else f"({type(client).__name__})"

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        for number, parcel in enumerate(parcels):
            try:
                self._client.publish(parcel.channel, _ReadyItem(parcel), blocking=True)
            except Exception as error:
                # What requests raises shows the URL with its query, which may hold a key.
                told = _query.sub("?***", f"{type(error).__name__}: {error}")
                raise Unreached(told, uncertain=True, sent=number) from error

    def close(self) -> None:
        pass


class _ReadyItem(pubcontrol.Item):
    """A parcel, for code that calls ``export()``."""

    def __init__(self, parcel: Parcel) -> None:
        self._exported: dict[str, Any] = json.loads(parcel.body)
        del self._exported["channel"]
        self.id = self._exported.get("id")
        self.prev_id = self._exported.get("prev-id")
        self.meta = self._exported.get("meta", {})
        self.formats = []

    def export(self, formats_field: bool = False, tnetstring: bool = False) -> dict[str, Any]:
        out = {**self._exported}
        if tnetstring:
            out["formats"] = {name: _unpack(name, content) for name, content in out["formats"].items()}
        if not formats_field:
            out.update(out.pop("formats"))
        return _to_bytes(out) if tnetstring else out


def _unpack(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """In the tnetstring form the proxy takes bytes as they are, and does not decode base64 (GRIP.md, 4)."""
    # A WebSocket message shows by the name that it is binary.
    names = {"body-bin": "body", "content-bin": "content-bin" if kind == "ws-message" else "content"}
    return {names.get(name, name): b64decode(value) if name in names else value for name, value in content.items()}


def _to_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):
        return {_to_bytes(name): _to_bytes(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_to_bytes(part) for part in value]
    return value
