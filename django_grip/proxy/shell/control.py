"""The control path of the embedded proxy: publishing to it over HTTP, and seeing who is subscribed (GRIP.md, 4).

``POST /.grip/publish/`` takes what Pushpin's control port takes. Nothing that is meant for it, in whatever spelling,
reaches the application; a link of the application's, ``…/.grip/<token>/``, does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from ...exceptions import ProtocolError, PublishError
from ..effects import Respond
from ..epcp import parse_items
from ..messages import Headers, first_of
from ..published import PublishedItem
from .authority import Authority
from .responses import CLOSE, Receive, Scope, Send, plain_response, send_response

__all__ = ["CONTROL_BASE", "ControlPath", "find_endpoint"]

logger = logging.getLogger("django_grip")

CONTROL_BASE = "/.grip"
"""What a ``control_uri`` of the embedded proxy ends with."""

_METHODS = {"publish": ("POST",), "subscribers": ("GET", "HEAD")}
# In the log. Long enough for what anybody types.
_MAX_SHOWN = 60


class _Refused(Exception):
    """The request is answered with this, and with a line in the log."""

    def __init__(self, status: int, text: str, headers: Headers | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


class _Gone(Exception):
    """The client went away before its request was whole."""


def find_endpoint(path: str, root_path: str = "") -> str | None:
    """Return which part of the control path a path means, "" for none that is there, None for the application's.

    path: percent-decoded, with root_path before it, as ASGI has them.
    """
    if CONTROL_BASE not in path and CONTROL_BASE not in path.lower():
        return None
    segments: list[str] = []
    for segment in path.removeprefix(root_path).lower().split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    if segments[:1] != [".grip"]:
        return None
    if len(segments) == 1:
        return ""
    if segments[1] not in _METHODS:
        return None
    return segments[1] if len(segments) == 2 else ""


class ControlPath:
    """Answers what comes in over the control path.

    publish: takes items. subscribers: tells who is subscribed (`Hub.subscribers`). max_body: bytes.
    """

    def __init__(
        self,
        authority: Authority,
        *,
        publish: Callable[[list[PublishedItem]], None],
        subscribers: Callable[[], dict[str, dict[str, int]]],
        max_body: int,
    ) -> None:
        self._authority = authority
        self._publish = publish
        self._subscribers = subscribers
        self._max_body = max_body

    async def answer(self, endpoint: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. endpoint: as `find_endpoint` has it."""
        try:
            response = await self._decide(endpoint, scope, receive)
        except _Gone:
            return
        except _Refused as refused:
            _log(scope, refused.status, str(refused))
            response = plain_response(refused.status, str(refused), refused.headers)
        await send_response(send, scope["method"], response.status, response.headers, response.body)

    def refuse_websocket(self, scope: Scope) -> Respond:
        """The answer to a WebSocket."""
        text = "The control path takes no WebSockets."
        _log(scope, 404, text)
        return plain_response(404, text)

    async def _decide(self, endpoint: str, scope: Scope, receive: Receive) -> Respond:
        if not endpoint or scope.get("query_string"):
            raise _Refused(404, "There is nothing here but publish/ and subscribers/, without a query.")
        # Authority first: who has none learns nothing else.
        self._check_authority(scope)
        methods = _METHODS[endpoint]
        if scope["method"] not in methods:
            allow = ", ".join(methods)
            raise _Refused(405, f"Only {allow} is answered here.", [(b"allow", allow.encode())])
        if endpoint == "subscribers":
            body = json.dumps(self._subscribers(), ensure_ascii=False, sort_keys=True).encode()
            return Respond(200, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")], body)
        return self._take(await self._read_body(scope, receive))

    def _check_authority(self, scope: Scope) -> None:
        refusal = self._authority.refuse(scope)
        if refusal is not None:
            headers = [(b"www-authenticate", b"Bearer")] if refusal.status == 401 else []
            raise _Refused(refusal.status, refusal.text, headers)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        length = first_of(scope["headers"], b"content-length") or b""
        if length.isdigit() and (len(length) > 15 or int(length) > self._max_body):
            raise self._too_big()
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _Gone
            part = message.get("body", b"")
            size += len(part)
            if size > self._max_body:
                raise self._too_big()
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_big(self) -> _Refused:
        # The rest of the body is not waited for.
        return _Refused(413, f"A publish body has {self._max_body:,} bytes at most.", [CLOSE])

    def _take(self, body: bytes) -> Respond:
        try:
            self._publish(parse_items(body))
        except ProtocolError as error:
            raise _Refused(400, f"Invalid format: {error}") from error
        except PublishError as error:
            raise _Refused(503, str(error)) from error
        return plain_response(200, "Published")


def _log(scope: Scope, status: int, text: str) -> None:
    shown = ascii(scope["path"][:_MAX_SHOWN])[1:-1]
    method = ascii(scope.get("method", "WebSocket")[:_MAX_SHOWN])[1:-1]
    logger.warning("Refused with %d: %s %s: %s", status, method, shown, text)
