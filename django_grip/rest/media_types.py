"""Media types: those of the transports, and which JSON the actions of a WebSocket speak with their viewset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..protocol.websocket_events import CONTENT_TYPE

__all__ = ["EVENT_STREAM_TYPE", "JSON_TYPE", "NDJSON_TYPE", "find_media_types", "is_json", "takes_only_files"]

JSON_TYPE = "application/json"
EVENT_STREAM_TYPE = "text/event-stream"
NDJSON_TYPE = "application/x-ndjson"

# What parsers of uploads are for; DRF's FileUploadParser takes whatever comes.
_UPLOADS = ("multipart/", "*/*", "application/octet-stream", "image/", "audio/", "video/")


def find_media_types(callback: Any) -> tuple[str, str]:
    """What an action accepts, and what its data is, by the view function that it calls.

    JSON, or what the view has instead that is written as JSON (JSON:API, say); or that of WebSocket actions, for which
    each live viewset has a parser and a renderer.
    """
    initkwargs = getattr(callback, "initkwargs", None) or {}
    cls = getattr(callback, "cls", None)
    renderers = initkwargs.get("renderer_classes", getattr(cls, "renderer_classes", ()))
    parsers = initkwargs.get("parser_classes", getattr(cls, "parser_classes", ()))
    return _find_json(renderers), _find_json(parsers)


def is_json(media_type: str) -> bool:
    """Whether a media type is JSON, or another format's that is written as JSON (RFC 6839, 3.1)."""
    kind = media_type.partition(";")[0].strip().lower()
    return kind in (JSON_TYPE, CONTENT_TYPE) or kind.endswith("+json")


def takes_only_files(parser_classes: Iterable[Any]) -> bool:
    """Whether parsers are for uploads alone."""
    kinds = [each.media_type or "" for each in parser_classes]
    return bool(kinds) and all(kind.startswith(_UPLOADS) for kind in kinds)


def _find_json(classes: Any) -> str:
    kinds = [each.media_type for each in classes if is_json(each.media_type or "")]
    return JSON_TYPE if JSON_TYPE in kinds else next(iter(kinds), CONTENT_TYPE)
