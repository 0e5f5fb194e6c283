"""The part of gripcontrol 4 that django_grip builds on."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pubcontrol import Format, PubControl

class Channel:
    name: str
    prev_id: str | None
    filters: list[str]
    def __init__(self, name: str, prev_id: str | None = None) -> None: ...

class Response:
    code: int | None
    reason: str | None
    headers: Mapping[str, str] | list[tuple[str, str]] | None
    body: str | bytes | None
    def __init__(
        self,
        code: int | None = None,
        reason: str | None = None,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        body: str | bytes | None = None,
    ) -> None: ...

class HttpStreamFormat(Format):
    content: str | bytes | None
    close: bool
    content_filters: list[str] | None
    action: str | None
    def __init__(
        self,
        content: str | bytes | None = None,
        close: bool = False,
        content_filters: list[str] | None = None,
        action: str | None = None,
    ) -> None: ...

class HttpResponseFormat(Format):
    code: int | None
    reason: str | None
    headers: Mapping[str, str] | list[tuple[str, str]] | None
    body: str | bytes | None
    content_filters: list[str] | None
    action: str | None
    def __init__(
        self,
        code: int | None = None,
        reason: str | None = None,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        body: str | bytes | None = None,
        content_filters: list[str] | None = None,
        action: str | None = None,
    ) -> None: ...

class WebSocketMessageFormat(Format):
    content: str | bytes | None
    binary: bool
    action: str | None
    code: int | None
    reason: str | None
    def __init__(
        self,
        content: str | bytes | None = None,
        binary: bool = False,
        action: str | None = None,
        code: int | None = None,
        reason: str | None = None,
    ) -> None: ...

class WebSocketEvent:
    type: str
    content: bytes | None
    def __init__(self, type: str, content: bytes | None = None) -> None: ...

class WebSocketContext:
    id: str
    in_events: list[WebSocketEvent]
    read_index: int
    accepted: bool
    close_code: int | None
    closed: bool
    out_close_code: int | None
    out_events: list[WebSocketEvent]
    orig_meta: dict[str, str]
    meta: dict[str, str]
    grip_prefix: str
    def __init__(
        self, id: str, meta: dict[str, str], in_events: list[WebSocketEvent], grip_prefix: str = ""
    ) -> None: ...
    def is_opening(self) -> bool: ...
    def accept(self) -> None: ...
    def close(self, code: int | None = None) -> None: ...
    def can_recv(self) -> bool: ...
    def recv(self) -> str | bytes | None: ...
    def send(self, message: str | bytes) -> None: ...
    def send_binary(self, message: str | bytes) -> None: ...
    def send_control(self, message: str | bytes) -> None: ...
    def subscribe(self, channel: str) -> None: ...
    def unsubscribe(self, channel: str) -> None: ...
    def detach(self) -> None: ...

class GripPubControl(PubControl):
    def __init__(
        self,
        config: dict[str, Any] | list[dict[str, Any]] | None = None,
        sub_callback: Callable[[str, str], object] | None = None,
        zmq_context: Any = None,
    ) -> None: ...
    def apply_grip_config(self, config: dict[str, Any] | list[dict[str, Any]]) -> None: ...
    def publish_http_response(
        self,
        channel: str,
        http_response: HttpResponseFormat | str,
        id: str | None = None,
        prev_id: str | None = None,
        blocking: bool = False,
        callback: Callable[[bool, str], object] | None = None,
    ) -> None: ...
    def publish_http_stream(
        self,
        channel: str,
        http_stream: HttpStreamFormat | str,
        id: str | None = None,
        prev_id: str | None = None,
        blocking: bool = False,
        callback: Callable[[bool, str], object] | None = None,
    ) -> None: ...
    def set_origin(
        self,
        route_domain: str | None = None,
        host: str | None = None,
        port: int | str | None = None,
        ssl_host: str | None = None,
        ssl_port: int | str | None = None,
        rewrite_host: bool | None = True,
        over_http: bool | None = True,
    ) -> None: ...

def create_hold(
    mode: str,
    channels: str | Channel | Iterable[str | Channel],
    response: str | bytes | Response | None,
    timeout: int | None = None,
) -> str: ...
def create_grip_channel_header(channels: str | Channel | Iterable[Channel]) -> str: ...
def parse_grip_uri(uri: str) -> dict[str, Any]: ...
def validate_sig(token: str | bytes, key: str | bytes, iss: str | None = None) -> bool: ...
def decode_websocket_events(body: bytes) -> list[WebSocketEvent]: ...
def encode_websocket_events(events: Iterable[WebSocketEvent]) -> bytes: ...
