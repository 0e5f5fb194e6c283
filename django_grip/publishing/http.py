"""A small HTTP/1.1 client: one connection, kept alive, every wait bounded by a deadline.

`http.client` costs three times the CPU of a publish, and bounds each read but not their sum: a server that drips would
hold it for ever.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import time
from typing import Any, NamedTuple

from .endpoint import Endpoint
from .outcome import Turned, Unreached

__all__ = ["HttpConnection", "Response"]

_HEAD_LIMIT = 65_536
_BODY_LIMIT = 1_048_576
_ADDRESS_LIFETIME = 10.0
_Address = tuple[int, Any]
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: |$)")


class Response(NamedTuple):
    """An answer, read whole. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Cut(Exception):
    """The connection ended. `early`: before a byte of the answer had come."""

    def __init__(self, *, early: bool) -> None:
        super().__init__()
        self.early = early


class _Nonsense(Exception):
    """What came is not HTTP."""


class _Reader:
    """Reads an answer off a socket, up to a deadline on the monotonic clock."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._buffer = b""
        self._begun = False

    @property
    def is_clean(self) -> bool:
        """Whether nothing was read beyond the answer."""
        return not self._buffer

    def _more(self) -> None:
        self._sock.settimeout(_left(self._deadline))
        try:
            data = self._sock.recv(65_536)
        except ConnectionError as error:
            raise _Cut(early=not self._begun) from error
        if not data:
            raise _Cut(early=not self._begun)
        self._begun = True
        self._buffer += data

    def until(self, mark: bytes, limit: int = _HEAD_LIMIT) -> bytes:
        """What stands before `mark`, which is taken too."""
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise _Nonsense
            self._more()
        found, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return found

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def rest(self) -> bytes:
        with contextlib.suppress(_Cut):
            while len(self._buffer) < _BODY_LIMIT:
                self._more()
        return self._buffer[:_BODY_LIMIT]


class HttpConnection:
    """A connection to one endpoint, opened when it is needed and opened again when it was lost.

    connect_timeout: seconds. tls: what an https endpoint's certificate is verified with; None for the system's own.
    For one thread at a time.
    """

    def __init__(self, endpoint: Endpoint, *, connect_timeout: float, tls: ssl.SSLContext | None = None) -> None:
        self._endpoint = endpoint
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._kept: socket.socket | None = None
        self._addresses: list[_Address] = []
        self._addresses_expire = 0.0

    def post(
        self, target: str, headers: dict[str, str], body: bytes, *, deadline: float, repeatable: bool = True
    ) -> Response:
        """POST and read the answer.

        deadline: on the monotonic clock. repeatable: whether the request may be sent again when a kept connection
        turns out to have been closed.
        Raises: Unreached; Turned, for a certificate that does not verify.
        """
        data = self._build_head(target, headers, len(body)) + body
        kept, self._kept = self._kept, None
        if kept is not None and _has_news(kept):
            # Closed by the server, or with bytes nobody asked for: of no use any more.
            kept.close()
            kept = None
        if kept is not None:
            # A server may close an idle connection in the moment we write. That is no failed attempt.
            with contextlib.suppress(_Stale):
                return self._exchange(kept, data, deadline, may_be_stale=repeatable)
        return self._exchange(self._connect(deadline), data, deadline)

    def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            with contextlib.suppress(OSError):
                kept.close()

    def _build_head(self, target: str, headers: dict[str, str], length: int) -> bytes:
        lines = [f"POST {target} HTTP/1.1", f"Host: {self._endpoint.host_header}", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _exchange(self, sock: socket.socket, data: bytes, deadline: float, *, may_be_stale: bool = False) -> Response:
        keep = False
        try:
            _send(sock, data, deadline)
            response, keep = _read_response(_Reader(sock, deadline))
            return response
        except _Cut as cut:
            if cut.early and may_be_stale:
                raise _Stale from cut
            when = "without an answer" if cut.early else "in mid-answer"
            raise Unreached(f"the connection was closed {when}", uncertain=True) from cut
        except TimeoutError as error:
            raise Unreached("no answer in time", uncertain=True) from error
        except OSError as error:
            raise Unreached(f"the connection broke: {describe(error)}", uncertain=True) from error
        except _Nonsense:
            raise Unreached("the answer is not HTTP", uncertain=True) from None
        finally:
            if keep:
                self._kept = sock
            else:
                sock.close()

    def _connect(self, deadline: float) -> socket.socket:
        end = min(deadline, time.monotonic() + self._connect_timeout)
        try:
            sock = self._open(end)
            return self._wrap(sock, end) if self._endpoint.tls else sock
        except ssl.SSLCertVerificationError as error:
            raise Turned(f"its certificate does not verify: {error.verify_message}") from error
        except TimeoutError as error:
            raise Unreached("no connection in time") from error
        except OSError as error:
            raise Unreached(f"no connection: {describe(error)}") from error

    def _open(self, end: float) -> socket.socket:
        addresses = self._resolve()
        for number, (family, address) in enumerate(addresses, 1):
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                # One address that swallows everything must leave time for the others.
                sock.settimeout(_left(end) / (len(addresses) - number + 1))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError:
                sock.close()
                if number == len(addresses):
                    self._addresses = []
                    raise
        raise OSError("the host name has no address")

    def _resolve(self) -> list[_Address]:
        # Pushpin closes the connection after each answer, and a look-up per batch would cost more than the batch.
        now = time.monotonic()
        if not self._addresses or now > self._addresses_expire:
            found = socket.getaddrinfo(self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM)
            self._addresses = [(family, address) for family, _, _, _, address in found]
            self._addresses_expire = now + _ADDRESS_LIFETIME
        return self._addresses

    def _wrap(self, sock: socket.socket, end: float) -> socket.socket:
        if self._tls is None:
            self._tls = _default_tls()
        try:
            sock.settimeout(_left(end))
            return self._tls.wrap_socket(sock, server_hostname=self._endpoint.host)
        except BaseException:
            sock.close()
            raise


class _Stale(Exception):
    """A kept connection was closed before it answered."""


def describe(error: OSError) -> str:
    """What went wrong, in the system's words but without its numbers."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({(error.reason or 'no reason given').lower().replace('_', ' ')})"
    return (error.strerror or str(error) or type(error).__name__).lower()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _has_news(sock: socket.socket) -> bool:
    """Whether there is something to read, which on an idle connection can only be its end or nonsense."""
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _send(sock: socket.socket, data: bytes, deadline: float) -> None:
    sock.settimeout(_left(deadline))
    # A server may answer, with a 413 say, and close before it has read everything: then there is an answer to read.
    with contextlib.suppress(ConnectionError):
        sock.sendall(data)


def _read_response(reader: _Reader) -> tuple[Response, bool]:
    """Read one answer. With it: whether the connection can be used again."""
    status = 100
    while status < 200:
        status, persistent, headers = _parse_head(reader.until(b"\r\n\r\n"))
    connection = headers.get("connection", "").lower()
    keep = "close" not in connection and (persistent or "keep-alive" in connection)
    body, framed = _read_body(reader, status, headers)
    return Response(status, headers, body), keep and framed and reader.is_clean


def _parse_head(head: bytes) -> tuple[int, bool, dict[str, str]]:
    """Status, whether the connection is kept by default, and headers."""
    first, *lines = head.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.match(first)
    if match is None:
        raise _Nonsense
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise _Nonsense
        headers[name.strip().lower()] = value.strip()
    return int(match[2]), match[1] == "1", headers


def _read_body(reader: _Reader, status: int, headers: dict[str, str]) -> tuple[bytes, bool]:
    """Read the body, at most `_BODY_LIMIT` bytes of it. With it: whether it had an end of its own, and all was read."""
    if status in (204, 304):
        return b"", True
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _read_chunks(reader)
    length = headers.get("content-length")
    if length is None:
        return reader.rest(), False
    if not (length.isascii() and length.isdigit()):
        raise _Nonsense
    size = int(length)
    return reader.exactly(min(size, _BODY_LIMIT)), size <= _BODY_LIMIT


def _read_chunks(reader: _Reader) -> tuple[bytes, bool]:
    body = bytearray()
    while True:
        head = reader.until(b"\r\n").split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", head):
            raise _Nonsense
        size = int(head, 16)
        if size == 0:
            break
        if len(body) + size > _BODY_LIMIT:
            return bytes(body), False
        body += reader.exactly(size)
        if reader.exactly(2) != b"\r\n":
            raise _Nonsense
    while reader.until(b"\r\n"):
        pass  # trailers
    return bytes(body), True


def _default_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:
        # A slim image has no certificates of its own; requests, which pubcontrol brings, has.
        import certifi

        context.load_verify_locations(certifi.where())
    return context
