"""Parsers: newline-delimited JSON, and that of WebSocket actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, JSONParser

from ..encoding import decode_json
from ..protocol.websocket_events import CONTENT_TYPE
from .media_types import JSON_TYPE, NDJSON_TYPE

__all__ = ["NDJSONParser", "WebSocketActionParser", "live_parsers"]


class NDJSONParser(BaseParser):
    """Newline-delimited JSON, which is always UTF-8; ``request.data`` is the list of what stands on the lines.

    Empty lines are passed over. Of a line that is none of JSON, or too long, the error names the number.

    max_lines: of a body. max_line_size: bytes of one line. max_size: bytes of the body.
    """

    media_type = NDJSON_TYPE
    max_lines: int = 10_000
    max_line_size: int = 1_000_000
    max_size: int = 10_000_000

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> list[Any]:
        return [_decode(line, number) for number, line in self._read_lines(stream) if line.strip()]

    def _read_lines(self, stream: Any) -> Iterator[tuple[int, bytes]]:
        """The lines with their numbers, read as they come. Raises: ParseError."""
        size = number = 0
        while line := stream.readline(self.max_line_size + 1):
            number += 1
            size += len(line)
            if len(line.rstrip(b"\r\n")) > self.max_line_size:
                raise ParseError(f"Line {number} is too long: a line may have {self.max_line_size:,} bytes.")
            if number > self.max_lines:
                raise ParseError(f"There are too many lines: a body may have {self.max_lines:,}.")
            if size > self.max_size:
                raise ParseError(f"The body is too big, at line {number}: it may have {self.max_size:,} bytes.")
            yield number, line


def _decode(line: bytes, number: int) -> Any:
    try:
        return decode_json(line.decode())
    except UnicodeDecodeError as error:
        raise ParseError(f"Line {number} is not UTF-8, at byte {error.start}.") from None
    except ValueError as error:
        raise ParseError(f"Line {number} is not JSON: {error}.") from None


class WebSocketActionParser(BaseParser):
    """The data of a WebSocket action: JSON, whatever else the viewset parses.

    json: the viewset's own parser of JSON, if it has one.
    """

    media_type = CONTENT_TYPE

    def __init__(self, json: BaseParser | None = None) -> None:
        self.json = JSONParser() if json is None else json

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return self.json.parse(stream, JSON_TYPE, parser_context)


def live_parsers(view: Any, parsers: list[Any]) -> list[Any]:
    """The parsers of a live viewset: its own, and behind them that of WebSocket actions.

    From outside nobody gets to it: with this type in a plain request, `GripMiddleware` refuses it.
    """
    json = next((parser for parser in parsers if parser.media_type == JSON_TYPE), None)
    return [*parsers, WebSocketActionParser(json)]
