"""What `get_pubcontrol` returns: gripcontrol's `GripPubControl`, on the publisher of this package.

An application that was written for django-grip 3 may call any of its methods. What they do is what `publish` does:
all proxies at once, batches, retries, bounds, errors that name the proxy.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import gripcontrol
import pubcontrol

from .exceptions import PublisherClosed
from .protocol.keys import load_key
from .protocol.proxy_config import publish_server_from_dict
from .publisher import get_publisher
from .publishing import HttpTransport, Publication, Publisher, Transport, open_transport
from .publishing.authority import JwtAuthority, basic_authority, bearer_authority
from .publishing.foreign import ForeignTransport
from .publishing.lane import Lane
from .publishing.outcome import TransportError
from .publishing.zmq_transport import ZmqTransport

__all__ = ["GripPubControl", "HttpProxyClient", "ProxyClient", "get_pubcontrol"]

Callback = Callable[[bool, "str | None"], object]


class HttpCallError(ValueError):
    """A call to a control port failed. `message`: why; gripcontrol looks for it there."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ProxyClient:
    """One proxy of a `GripPubControl`, with the methods of pubcontrol's clients. `uri`: without secrets."""

    def __init__(self, publisher: Publisher, lane: Lane) -> None:
        self._publisher = publisher
        self.lane = lane
        self.uri = lane.url

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri}>"

    def publish(
        self, channel: str, item: pubcontrol.Item, blocking: bool = False, callback: Callback | None = None
    ) -> Publication:
        """Publish to this proxy alone. See `GripPubControl.publish`."""
        return _publish(self._publisher, (self.lane,), channel, item, blocking, callback)

    def wait_all_sent(self) -> None:
        """Wait until what was published so far is sent or given up, and its callbacks have returned."""
        self._publisher.flush()

    def finish(self) -> None:
        """Do as `wait_all_sent`."""
        self.wait_all_sent()

    def close(self) -> None:
        """Send what is queued, and publish to this proxy no more."""
        self._publisher.remove(self.lane, timeout=self._publisher.policy.timeout)


class HttpProxyClient(ProxyClient):
    """A proxy with a control port over HTTP."""

    def __init__(self, publisher: Publisher, lane: Lane, transport: HttpTransport) -> None:
        super().__init__(publisher, lane)
        self._transport = transport

    def set_auth_basic(self, username: str, password: str) -> None:
        """Show a user's name and password from now on."""
        self._transport.authority = basic_authority(username, password)

    def set_auth_bearer(self, value: str) -> None:
        """Show a token from now on."""
        self._transport.authority = bearer_authority(value)

    def set_auth_jwt(self, claim: Mapping[str, Any], key: str | bytes) -> None:
        """Sign a token with a key from now on. claim: its ``iss`` is used; the time it ends is set here."""
        self._transport.authority = JwtAuthority(load_key(key), str(claim["iss"]))

    def http_call(
        self, endpoint: str, data: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        """POST to a path below the control URI. The answer's status, headers and text.

        data: a dict is sent as a form, str and bytes as they are.
        Raises: ValueError, for an answer that is not 2xx, and when there is none.
        """
        deadline = time.monotonic() + self._publisher.policy.attempt_timeout
        try:
            status, answered, body = self._transport.call(endpoint, data, headers or {}, deadline=deadline)
        except TransportError as error:
            raise HttpCallError(f"failed during http call: {error}") from error
        return status, answered, body.decode("utf-8", "replace")


class GripPubControl(gripcontrol.GripPubControl):
    """A `gripcontrol.GripPubControl` whose clients are lanes of a publisher.

    `clients` lists them. `add_client` also takes pubcontrol's own clients; they too get a queue and a thread.
    """

    def __init__(self, publisher: Publisher) -> None:
        super().__init__()
        self._publisher = publisher
        self._clients_lock = threading.Lock()
        # The publisher sees to the end of the process itself.
        _forget_in_pubcontrol(self)
        self.clients = [self._client_for(lane) for lane in publisher.lanes]

    def publish(  # type: ignore[override] # it returns what became of it
        self, channel: str, item: pubcontrol.Item, blocking: bool = False, callback: Callback | None = None
    ) -> Publication:
        """Publish an item to all clients at once. The channel is taken as it is: without the project's prefix.

        Raises: ChannelNameError, ItemError. NoProxy without clients, PublisherClosed after `close`. PublishError, when
        blocking, naming each proxy that failed.
        """
        return _publish(self._publisher, None, channel, item, blocking, callback)

    def apply_config(self, config: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Add clients. A dict has ``uri``, ``iss`` and ``key``, or ``zmq_uri``, ``zmq_push_uri`` or ``zmq_pub_uri``.

        Raises: GripUrlError, KeyFormatError, PublisherClosed; then none was added.
        """
        self._check_open()
        entries = config if isinstance(config, list) else [config]
        opened = [transport for entry in entries if (transport := _open(self._publisher, entry)) is not None]
        for transport in opened:
            self._add(transport)

    def add_client(self, client: Any) -> None:
        """Publish to one more client: pubcontrol's own, or an object with its ``publish(channel, item, blocking)``."""
        self._check_open()
        with self._clients_lock:
            lane = client.lane if isinstance(client, ProxyClient) else None
            if lane is None or lane not in self._publisher.lanes:
                self._publisher.add(ForeignTransport(client) if lane is None else lane.transport)
            self.clients.append(client)

    def remove_all_clients(self) -> None:
        """Send what is queued, and publish to nobody until clients are added."""
        self._check_open()
        with self._clients_lock:
            self.clients, gone = [], self.clients
        self._publisher.flush()
        for lane in self._publisher.lanes:
            self._publisher.remove(lane)
        _close_foreign(gone)

    def wait_all_sent(self) -> None:
        """Wait until what was published so far is sent or given up, and its callbacks have returned."""
        self._check_open()
        self._publisher.flush()

    def finish(self) -> None:
        """Do as `wait_all_sent`."""
        self.wait_all_sent()

    def close(self) -> None:
        """Send what is queued, and take nothing more: `publish` raises from now on, here and in `django_grip`."""
        if self.closed:
            return
        self.closed = True
        self._publisher.close(self._publisher.policy.timeout)
        _close_foreign(self.clients)

    def http_call(self, endpoint: str, data: Any, headers: Mapping[str, str] | None = None) -> dict[Any, Any]:
        """POST to a path below each client's control URI.

        A dict of client to (status, headers, text), or to (exception,) where it failed.
        """
        answers: dict[Any, Any] = {}
        for client in self.clients:
            if hasattr(client, "http_call"):
                try:
                    answers[client] = client.http_call(endpoint, data, dict(headers or {}))
                except HttpCallError as error:
                    answers[client] = (error,)
                except Exception as error:  # noqa: BLE001 - a client handed in may raise anything, and the others go on
                    answers[client] = (HttpCallError(str(error)),)
        return answers

    def _check_open(self) -> None:
        if self.closed:
            raise PublisherClosed("This GripPubControl is closed.")

    def _add(self, transport: Transport) -> None:
        with self._clients_lock:
            self.clients.append(self._client_for(self._publisher.add(transport)))

    def _client_for(self, lane: Lane) -> ProxyClient:
        if isinstance(lane.transport, HttpTransport):
            return HttpProxyClient(self._publisher, lane, lane.transport)
        return ProxyClient(self._publisher, lane)


class _State:
    lock = threading.Lock()
    current: GripPubControl | None = None


def get_pubcontrol() -> GripPubControl:
    """The `GripPubControl` behind `publish`: the same proxies, queues and threads.

    After its `close()` nothing can be published in this process any more.
    """
    publisher = get_publisher()
    with _State.lock:
        current = _State.current
        if current is None or current._publisher is not publisher:
            current = _State.current = GripPubControl(publisher)
        return current


def _publish(
    publisher: Publisher,
    lanes: tuple[Lane, ...] | None,
    channel: str,
    item: pubcontrol.Item,
    blocking: bool,
    callback: Callback | None,
) -> Publication:
    parcel = publisher.pack(channel, item)
    if not blocking:
        return publisher.submit(parcel, lanes=lanes, callback=callback)
    publication = publisher.submit_and_wait(parcel, lanes=lanes, callback=callback)
    publication.result()
    return publication


def _open(publisher: Publisher, entry: Mapping[str, Any]) -> Transport | None:
    """The transport for an entry of pubcontrol's configuration."""
    require_subscribers = bool(entry.get("require_subscribers", False))
    if any(entry.get(name) for name in ("zmq_uri", "zmq_push_uri", "zmq_pub_uri")):
        return ZmqTransport(
            entry.get("zmq_uri"),
            require_subscribers=require_subscribers,
            push_url=entry.get("zmq_push_uri"),
            pub_url=entry.get("zmq_pub_uri"),
        )
    if "uri" not in entry:
        return None
    known = {name: entry[name] for name in ("uri", "iss", "key") if name in entry}
    return open_transport(publish_server_from_dict(known), publisher.policy)


def _close_foreign(clients: list[Any]) -> None:
    for client in clients:
        if not isinstance(client, ProxyClient) and hasattr(client, "close"):
            with contextlib.suppress(ValueError):
                client.close()


def _forget_in_pubcontrol(control: pubcontrol.PubControl) -> None:
    """pubcontrol keeps every instance for its own way of ending, which waits without a bound."""
    kept: Any = getattr(sys.modules.get("pubcontrol.pubcontrol"), "_pubcontrols", [])
    with contextlib.suppress(ValueError):
        kept.remove(control)
