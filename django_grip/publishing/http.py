"""A connection to a control port: HTTP by the standard library, kept alive, every wait bounded by one deadline.

`http.client` bounds each read but not their sum: a server that drips would hold it for ever. So it reads its answers
here from a socket that knows the deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import socket
import ssl
import time
from typing import Any, NamedTuple, cast

from .endpoint import Endpoint
from .outcome import Turned, Unreached

__all__ = ["HttpConnection", "Response"]

_BODY_LIMIT = 1_048_576
_ADDRESS_LIFETIME = 10.0
_Address = tuple[int, Any]


class Response(NamedTuple):
    """An answer, read whole. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Answers(io.RawIOBase):
    """What a socket sends, up to a deadline on the monotonic clock; `begun` once a byte of it has come."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._reader = _Reader(self)
        self.begun = self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.ended:
            return 0
        self._sock.settimeout(_left(self._deadline))
        count = self._sock.recv_into(buffer)
        self.begun = self.begun or count > 0
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        """What `http.client.HTTPResponse` asks a socket for."""
        return self._reader

    def has_more(self) -> bool:
        """Whether bytes were read that belong to no answer. Nothing is read any more."""
        self.ended = True
        return bool(self._reader.peek(1))


class _Reader(io.BufferedReader):
    def close(self) -> None:
        """Stay open when `HTTPResponse` has its answer: what else came is to be looked at."""


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
        answers = _Answers(sock, deadline)
        try:
            _send(sock, data, deadline)
            response, keep = _read_response(answers)
            return response
        except (ConnectionError, http.client.IncompleteRead) as error:
            # RemoteDisconnected, an end where an answer should begin, is a ConnectionError too.
            if not answers.begun and may_be_stale:
                raise _Stale from error
            when = "in mid-answer" if answers.begun else "without an answer"
            raise Unreached(f"the connection was closed {when}", uncertain=True) from error
        except http.client.HTTPException as error:
            raise Unreached("the answer is not HTTP", uncertain=True) from error
        except TimeoutError as error:
            raise Unreached("no answer in time", uncertain=True) from error
        except OSError as error:
            raise Unreached(f"the connection broke: {describe(error)}", uncertain=True) from error
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


def _read_response(answers: _Answers) -> tuple[Response, bool]:
    """Read one answer, of its body at most `_BODY_LIMIT` bytes. With it: whether the connection can be used again.

    `http.client` lets much pass for an answer that was cut off; what could be one is none here.
    """
    # Closed here: left to the garbage collector, one that failed complains of its socket from Python 3.13 on.
    with contextlib.closing(http.client.HTTPResponse(cast(Any, answers), method="POST")) as response:
        response.begin()
        if response.headers.defects:
            raise http.client.HTTPException("a header line is none")
        body = response.read(_BODY_LIMIT)
        if response.length and len(body) < _BODY_LIMIT:
            raise http.client.IncompleteRead(body, response.length)
        keep = response.isclosed() and not response.will_close and not answers.has_more()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, body), keep


def _default_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:
        # A slim image has no certificates of its own; requests, which pubcontrol brings, has.
        import certifi

        context.load_verify_locations(certifi.where())
    return context
