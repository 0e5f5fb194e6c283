"""How what the project publishes gets to its embedded proxy.

In the server's own process it goes straight to the proxy. Any other process looks, at each publish, for the running
servers of the project (`registry`) and publishes to them over HTTP with a token made of SECRET_KEY.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextvars import Context
from typing import TYPE_CHECKING

from .conf import derive_secrets, grip_settings, kept_by_test_runner, project_home
from .exceptions import ProtocolError, PublishError
from .listeners import is_another_users
from .protocol.keys import load_key
from .protocol.signatures import build_grip_sig
from .proxy.epcp import parse_items
from .proxy.options import ProxyOptions
from .publishing import HttpTransport, Parcel, Transport
from .publishing.authority import Authority
from .publishing.outcome import Rejected, TransportError, Turned, Unreached
from .registry import UNREACHABLE, Server, find_servers

if TYPE_CHECKING:
    from .proxy.asgi import EmbeddedProxy
    from .proxy.published import PublishedItem

__all__ = ["LocalTransport", "open_default_transport", "server_names", "serving"]

serving: list[EmbeddedProxy] = []
"""The proxies that serve in this process."""

# Seconds. How long a token lives that is sent to a server, which might no longer be what it was.
_TOKEN_LIFETIME = 60
_FRAME = b'{"items":[%s]}'
_MAX_BYTES = ProxyOptions.max_publish_body - len(_FRAME)


def server_names() -> tuple[str, ...]:
    """By what this project's servers are found. A process whose SECRET_KEY is one of our fallbacks finds them too."""
    return derive_secrets("registry", project_home())


def open_default_transport() -> Transport | None:
    """What a project without a proxy of its own publishes to. None for nothing.

    Under Django's test runner that is nobody (DESIGN decision 15), unless a proxy serves in the test's own process.
    """
    if serving:
        return _DirectTransport()
    if _is_test_run():
        return _NoTransport()
    return _RegistryTransport() if grip_settings().embedded else None


def _is_test_run() -> bool:
    return kept_by_test_runner() is not None


class LocalTransport:
    """Base of transports that hand items over within this process, without waiting for anybody. url: for reports."""

    url = "the embedded proxy"
    max_bytes = _MAX_BYTES
    is_instant = True

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        try:
            # Somewhere else than in the request that publishes: tasks would inherit its contextvars, and its thread.
            Context().run(self._take, parse_items(_FRAME % b",".join(parcel.body for parcel in parcels)))
        except ProtocolError as error:
            raise Rejected(str(error), status=400) from error
        except PublishError as error:
            raise Turned(str(error)) from error

    def close(self) -> None:
        pass

    def _take(self, items: list[PublishedItem]) -> None:
        raise NotImplementedError


class _DirectTransport(LocalTransport):
    """To the proxies that serve in this process."""

    def _take(self, items: list[PublishedItem]) -> None:
        for proxy in tuple(serving):
            proxy.publish(items)


class _NoTransport(LocalTransport):
    """To nobody; but what no proxy would take is refused all the same."""

    def _take(self, items: list[PublishedItem]) -> None:
        pass


class _ServerAuthority(Authority):
    """A token for one server that is worth nothing a minute later."""

    def __init__(self, secret: str) -> None:
        self._key = load_key(secret)
        self._value = ""
        self._minted = float("-inf")

    def header(self) -> str:
        now = time.time()
        if not self._minted <= now < self._minted + _TOKEN_LIFETIME / 2:
            token = build_grip_sig(self._key, issuer="django-grip", expires=int(now) + _TOKEN_LIFETIME)
            self._value, self._minted = f"Bearer {token}", now
        return self._value


class _RegistryTransport:
    """To every running server of the project; which those are is looked up at each batch."""

    url = "the embedded proxy"
    max_bytes = _MAX_BYTES

    def __init__(self) -> None:
        # By server, so that one that comes after another on the same port is looked at anew.
        self._transports: dict[Server, HttpTransport] = {}

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        names = server_names()
        servers = find_servers(names)
        self._forget_all_but(servers)
        if not servers:
            raise Turned("no server of this project is running")
        secrets = dict(zip(names, derive_secrets("control"), strict=True))
        errors: list[TransportError] = []
        for server in servers:
            # Where no client has come yet there is nobody to send to.
            if server.url is not None:
                try:
                    self._transport(server, server.url, secrets[server.name]).send(parcels, deadline=deadline)
                except TransportError as error:
                    errors.append(_explain(error, server))
        if errors:
            # What all of them took is known; to any other the batch goes again, which the rest recognise by its ids.
            raise min(errors, key=_rank)

    def close(self) -> None:
        self._forget_all_but(())

    def _forget_all_but(self, servers: Sequence[Server]) -> None:
        for server in self._transports.keys() - set(servers):
            self._transports.pop(server).close()

    def _transport(self, server: Server, url: str, secret: str) -> HttpTransport:
        if url == UNREACHABLE:
            raise Turned(
                f"the server of this project (process {server.pid}) listens on no port, so only it can publish to its "
                "clients"
            )
        if server not in self._transports:
            if is_another_users(url):
                # Ours listens on some other address, or no longer. Whoever is there would read what is published.
                raise Turned(f"another user's process listens on {url}; nothing is sent there")
            self._transports[server] = HttpTransport(url, _ServerAuthority(secret))
        return self._transports[server]


def _explain(error: TransportError, server: Server) -> TransportError:
    if isinstance(error, Unreached) and isinstance(error.__cause__, ConnectionRefusedError):
        # It is there but has its doors closed: it is about to end, or listens somewhere else.
        return Turned(f"the server of this project (process {server.pid}) does not listen on {server.url}")
    return error


def _rank(error: TransportError) -> int:
    return 0 if isinstance(error, Rejected) else 1 if isinstance(error, Unreached) else 2
