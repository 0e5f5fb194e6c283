"""Publishing over ZeroMQ: ``control_zmq_uri``, which needs the extra ``zmq``.

ZeroMQ acknowledges nothing: an item counts as sent when a connected proxy's socket has taken it. Items travel in the
JSON form, ``J`` and the object, because in the tnetstring form ``content-bin`` is not decoded (GRIP.md, 4).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from ..exceptions import GripUrlError
from .endpoint import redact_url
from .outcome import Unreached
from .parcel import Parcel
from .tnetstring import TnetstringError, decode_tnetstring, encode_tnetstring

__all__ = ["ZmqTransport"]

_DISCOVERY_TIMEOUT = 3.0
# How long a fresh connection waits to hear of subscriptions, which the proxy sends at once.
_FIRST_SUBSCRIPTIONS = 0.25
_LINGER = 1000


class ZmqTransport:
    """A proxy behind its ZeroMQ command port, which is asked where to publish.

    url: the command port. require_subscribers: publish on the socket on which the proxy tells its subscriptions, so
    that nothing is sent for channels nobody listens to. push_url, pub_url: where to publish, for those who know.
    """

    max_bytes = 64 * 1024 * 1024

    def __init__(
        self,
        url: str | None,
        *,
        require_subscribers: bool = False,
        push_url: str | None = None,
        pub_url: str | None = None,
    ) -> None:
        _import_zmq()
        known = pub_url if require_subscribers else push_url
        if not (url or known):
            raise GripUrlError("A ZeroMQ proxy needs the URL of its command port.")
        self.url = redact_url(url or known or "")
        self._command_url = url
        self._data_url = known
        self._require_subscribers = require_subscribers
        self._pid = 0
        self._context: Any = None
        self._socket: Any = None

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        zmq = _import_zmq()
        try:
            socket = self._connected(deadline)
            for number, parcel in enumerate(parcels):
                message = [b"J" + parcel.body]
                if self._require_subscribers:
                    message.insert(0, parcel.channel.encode())
                    _drain(zmq, socket)
                elif not socket.poll(_milliseconds(deadline), zmq.POLLOUT):
                    raise Unreached("no connected proxy takes it", sent=number)
                socket.send_multipart(message, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            self.close()
            raise Unreached(f"ZeroMQ failed: {error}", uncertain=True) from error

    def close(self) -> None:
        socket, context, pid = self._socket, self._context, self._pid
        self._socket = self._context = None
        # A child process must not touch the sockets of its parent.
        if socket is not None and pid == os.getpid():
            socket.close(_LINGER)
            context.term()

    def _connected(self, deadline: float) -> Any:
        zmq = _import_zmq()
        if self._socket is not None and self._pid == os.getpid():
            return self._socket
        self._pid = os.getpid()
        self._context = zmq.Context()
        try:
            url = self._data_url or self._discover(deadline)
            socket = self._context.socket(zmq.XPUB if self._require_subscribers else zmq.PUSH)
            # Queue for connections that stand, not for those that may once stand.
            socket.setsockopt(zmq.IMMEDIATE, 1)
            socket.setsockopt(zmq.LINGER, _LINGER)
            socket.connect(url)
        except BaseException:
            self._context.destroy(0)
            self._context = None
            raise
        self._socket = socket
        if self._require_subscribers:
            socket.poll(int(_FIRST_SUBSCRIPTIONS * 1000), zmq.POLLIN)
        return socket

    def _discover(self, deadline: float) -> str:
        """Ask the command port where to publish."""
        zmq = _import_zmq()
        request = self._context.socket(zmq.REQ)
        request.setsockopt(zmq.LINGER, 0)
        try:
            request.connect(self._command_url)
            end = min(deadline, time.monotonic() + _DISCOVERY_TIMEOUT)
            request.send(encode_tnetstring({"method": "get-zmq-uris"}))
            if not request.poll(_milliseconds(end), zmq.POLLIN):
                raise Unreached("its command port does not answer")
            return self._read_discovery(request.recv())
        finally:
            request.close(0)

    def _read_discovery(self, data: bytes) -> str:
        name = b"publish-sub" if self._require_subscribers else b"publish-pull"
        try:
            answer = decode_tnetstring(data)
        except TnetstringError as error:
            raise Unreached(f"its command port answers nonsense: {error}") from error
        value = answer.get(b"value") if isinstance(answer, dict) and answer.get(b"success") else None
        url = value.get(name) if isinstance(value, dict) else None
        if not isinstance(url, bytes):
            raise Unreached("its command port names no address to publish to")
        return self._resolve(url.decode())

    def _resolve(self, url: str) -> str:
        """The proxy may say that it listens on every address; then it does on the one its command port has."""
        if url.startswith("tcp://*:") and self._command_url and self._command_url.startswith("tcp://"):
            host = self._command_url[len("tcp://") :].rpartition(":")[0]
            return f"tcp://{host}:{url.rpartition(':')[2]}"
        return url


def _drain(zmq: Any, socket: Any) -> None:
    """Take in what the proxy tells of its subscriptions; the socket itself keeps account of them."""
    while socket.poll(0, zmq.POLLIN):
        socket.recv(zmq.NOBLOCK)


def _milliseconds(deadline: float) -> int:
    return max(0, int((deadline - time.monotonic()) * 1000))


def _import_zmq() -> Any:
    try:
        import zmq
    except ImportError as error:
        raise GripUrlError('control_zmq_uri needs ZeroMQ: pip install "django-grip[zmq]".') from error
    return zmq
