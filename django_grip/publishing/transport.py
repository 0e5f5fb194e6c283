"""How items get to one proxy. What a transport promises its lane, and the one for the HTTP control port."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlencode

from .authority import Authority, basic_authority
from .endpoint import parse_endpoint, redact_url
from .http import HttpConnection, Response
from .outcome import Rejected, Turned, Unreached
from .parcel import Parcel

__all__ = ["HttpTransport", "Transport"]

# The control port refuses bigger bodies (GRIP.md, 4).
MAX_BODY = 1_000_000
_FRAME = b'{"items":[', b"]}"


class Transport(Protocol):
    """Hands items to one proxy. Never used by two threads at once; made anew by nobody, so `close` must be undoable.

    url: as logs, errors and results show it, without secrets. max_bytes: what the bodies of a batch, with one more byte
    for each, may come to.
    """

    url: str
    max_bytes: int

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        """Hand over a batch, in order. deadline: on the monotonic clock.

        Raises: Unreached, to be called again; Rejected, to be called with fewer; Turned.
        """
        ...

    def close(self) -> None:
        """Let go of connections. Called by the sender when idle is over, and in a child process."""
        ...


class HttpTransport:
    """The control port over HTTP: one POST per batch (GRIP.md, 4).

    url: the control URI; user and password in it make basic authority, other query parameters stay.
    connect_timeout: seconds. tls: for tests and private authorities; None verifies with the system's certificates.
    """

    max_bytes = MAX_BODY - len(_FRAME[0]) - len(_FRAME[1])

    def __init__(
        self,
        url: str,
        authority: Authority | None = None,
        *,
        connect_timeout: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoint = endpoint = parse_endpoint(url)
        if authority is None:
            authority = basic_authority(*endpoint.userinfo) if endpoint.userinfo else Authority()
        self.authority = authority
        self.url = endpoint.name
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._connection = self._connect()
        # The slash at the end is needed by Fastly Fanout, and Pushpin takes it.
        self._target = endpoint.target("/publish/")

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        body = _FRAME[0] + b",".join([parcel.body for parcel in parcels]) + _FRAME[1]
        repeatable = all(parcel.repeatable for parcel in parcels)
        self._judge(self._post(body, deadline, repeatable=repeatable))

    def close(self) -> None:
        self._connection.close()

    def call(
        self, path: str, data: Mapping[str, str] | str | bytes, headers: Mapping[str, str], *, deadline: float
    ) -> Response:
        """POST something else to a path below the control URL, as pubcontrol's ``http_call()`` does. For any thread.

        data: a mapping is sent as a form.
        Raises: Unreached, Rejected, Turned.
        """
        sent = dict(headers)
        if isinstance(data, Mapping):
            data = urlencode(data)
            sent = {"Content-Type": "application/x-www-form-urlencoded", **sent}
        body = data.encode() if isinstance(data, str) else data
        authorization = self.authority.header()
        if authorization is not None:
            sent["Authorization"] = authorization
        # The sender's connection is the sender's.
        connection = self._connect()
        try:
            target = self._endpoint.target(path)
            response = connection.post(target, sent, body, deadline=deadline, repeatable=False)
        finally:
            connection.close()
        self._judge(response)
        return response

    def _connect(self) -> HttpConnection:
        return HttpConnection(self._endpoint, connect_timeout=self._connect_timeout, tls=self._tls)

    def _post(self, body: bytes, deadline: float, *, repeatable: bool) -> Response:
        response = self._post_once(body, deadline, repeatable)
        if response.status in (401, 403) and self.authority.renew():
            # A token that was good for an hour when it was minted may not be any more: clocks are set, keys rotated.
            response = self._post_once(body, deadline, repeatable)
        return response

    def _post_once(self, body: bytes, deadline: float, repeatable: bool) -> Response:
        headers = {"Content-Type": "application/json"}
        authorization = self.authority.header()
        if authorization is not None:
            headers["Authorization"] = authorization
        return self._connection.post(self._target, headers, body, deadline=deadline, repeatable=repeatable)

    def _judge(self, response: Response) -> None:
        """Sort an answer: fine, the items' fault, ours, or one to ask again about."""
        status = response.status
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            where = redact_url(response.headers.get("location", ""))
            # Following it would carry the authority, and the items, to whoever it names.
            raise Turned(f"it answered {status}, a redirect to {where}, which is not followed", status=status)
        told = f"it answered {status}{self._excerpt(response.body)}"
        if status in (400, 413, 422):
            raise Rejected(told, status=status, too_large=status == 413)
        if status >= 500 or status in (408, 425, 429):
            raise Unreached(told, uncertain=True, retry_after=_retry_after(response))
        raise Turned(told, status=status)

    def _excerpt(self, body: bytes) -> str:
        text = " ".join(body[:4096].decode("utf-8", "replace").split())
        text = "".join(character if character.isprintable() else "?" for character in text)
        # Some error pages show the request.
        secret = (self.authority.header() or "").partition(" ")[2]
        text = text.replace(secret, "***") if secret else text
        return f": {text[:200]}" if text else ""


def _retry_after(response: Response) -> float | None:
    """Seconds the proxy asks us to wait. The form with a date is not used by proxies, and ignored."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
