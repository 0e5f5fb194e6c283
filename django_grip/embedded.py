"""The project's embedded proxy: made of the settings, found by the project's other processes, published to.

In the server's own process a publish goes straight to the proxy. Any other process looks, at each publish, for the
running servers of the project (`registry`) and publishes to them over HTTP with a token made of SECRET_KEY.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .conf import derive_secrets, embedded_keys, grip_settings, project_home
from .exceptions import ProtocolError, PublishError
from .listeners import is_another_users
from .protocol.keys import load_key
from .protocol.signatures import build_grip_sig
from .proxy.epcp import parse_items
from .publishing import HttpTransport, Parcel, Transport
from .publishing.authority import Authority
from .publishing.lifecycle import at_exit, on_fork
from .publishing.outcome import Rejected, TransportError, Turned, Unreached
from .registry import Server, find_servers, forget_server, note_server

if TYPE_CHECKING:
    from .proxy.application import ASGIApplication
    from .proxy.asgi import EmbeddedProxy
    from .proxy.engine import Engine
    from .proxy.published import PublishedItem

__all__ = ["control_token", "control_url", "curl_line", "make_proxy", "open_default_transport", "use_engine"]

logger = logging.getLogger("django_grip")

# Seconds. How long a token lives that is sent to a server, which might no longer be what it was.
_TOKEN_LIFETIME = 60
_FRAME = b'{"items":[%s]}'
_MAX_BYTES = 1_000_000 - len(_FRAME)


class _State:
    """The proxies that serve in this process."""

    serving: list[EmbeddedProxy] = []

    @classmethod
    def begin_in_child(cls) -> None:
        # They serve in the parent, and are found like any other process's.
        if cls.serving:
            cls.serving = []
            _choose_transport()


on_fork(_State.begin_in_child)


# ---- the proxy


def make_proxy(application: ASGIApplication) -> EmbeddedProxy:
    """Put the embedded proxy in front of the project, or of any other application, as the settings want it."""
    from .proxy.asgi import EmbeddedProxy
    from .proxy.options import ProxyOptions

    config = grip_settings()

    proxy = EmbeddedProxy(
        application,
        options=ProxyOptions(key=embedded_keys()[0], max_channels=config.max_channels),
        control_token=[token.encode() for token in derive_secrets("control")],
        allow_local=config.debug,
        on_begin=lambda: _begin(proxy),
        on_serve=lambda host, port: note_server(_names(), control_url(host, port)),
        on_end=lambda: _end(proxy),
    )
    return proxy


def _begin(proxy: EmbeddedProxy) -> None:
    """The server runs: publish to it from now on."""
    if proxy not in _State.serving:
        _State.serving.append(proxy)
        note_server(_names(), None)
        _choose_transport()


def _end(proxy: EmbeddedProxy) -> None:
    if proxy in _State.serving:
        _State.serving.remove(proxy)
        forget_server(_names())
        _choose_transport()


def _choose_transport() -> None:
    """Have the publisher made anew, for what is true now."""
    from .publisher import forget_publisher

    forget_publisher()


def _end_all() -> None:
    for proxy in tuple(_State.serving):
        _end(proxy)


at_exit(_end_all)


def _names() -> tuple[str, ...]:
    """By what this project's servers are found. A process whose SECRET_KEY is one of our fallbacks finds them too."""
    return derive_secrets("registry", project_home())


# ---- publishing to it


def open_default_transport() -> Transport | None:
    """What a project without a proxy of its own publishes to. None for nothing.

    Under Django's test runner that is nobody (DESIGN decision 15), unless a proxy serves in the test's own process.
    """
    if _State.serving:
        return _DirectTransport()
    if _is_test_run():
        return _EngineTransport(None)
    return _RegistryTransport() if grip_settings().embedded else None


def _is_test_run() -> bool:
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")


@contextlib.contextmanager
def use_engine(engine: Engine, *, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Have `publish` hand its items to this engine, within the call, until the block ends. For tests.

    clock: what the engine is told of the time.
    """
    from .publisher import publish_to

    with publish_to(_EngineTransport(engine, clock)):
        yield


class _LocalTransport:
    """Base of transports that hand items over within this process, without waiting for anybody."""

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


class _DirectTransport(_LocalTransport):
    """To the proxies that serve in this process."""

    def _take(self, items: list[PublishedItem]) -> None:
        for proxy in tuple(_State.serving):
            proxy.publish(items)


class _EngineTransport(_LocalTransport):
    """To a core; to nobody without one, but what no proxy would take is refused all the same."""

    def __init__(self, engine: Engine | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock

    def _take(self, items: list[PublishedItem]) -> None:
        if self._engine is not None:
            self._engine.publish(items, self._clock())


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
        names = _names()
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


# ---- for people


def control_token() -> str:
    """What publishing to the embedded proxy over HTTP needs: ``Authorization: Bearer <token>``. Made of SECRET_KEY."""
    return derive_secrets("control")[0]


def control_url(host: str, port: int) -> str:
    """The ``control_uri`` of the embedded proxy of a server that listens on an address. Always one of this machine."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        address = ipaddress.ip_address("127.0.0.1")
    mapped = getattr(address, "ipv4_mapped", None)
    is_v6 = address.version == 6 and mapped is None and (address.is_loopback or address.is_unspecified)
    return f"http://{'[::1]' if is_v6 else '127.0.0.1'}:{port}/.grip"


def curl_line(url: str) -> str:
    """A command for a shell that publishes to the channel ``test``. url: as `control_url` gives it.

    Under DEBUG it needs no token; otherwise it has it, so it is a secret.
    """
    config = grip_settings()
    formats: dict[str, Any] = {"http-stream": {"content": "hello\n"}, "ws-message": {"content": "hello"}}
    body = json.dumps({"items": [{"channel": f"{config.prefix}test", "formats": formats}]}, separators=(",", ":"))
    words = ["curl", "-d", body, f"{url}/publish/"]
    if not config.debug:
        words[1:1] = ["-H", f"Authorization: Bearer {control_token()}"]
    return shlex.join(words)
