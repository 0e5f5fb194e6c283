"""The project's embedded proxy: made of the settings, made known while it serves, and what people need to reach it."""

from __future__ import annotations

import ipaddress
import json
import shlex
from typing import TYPE_CHECKING, Any

from .conf import derive_secrets, embedded_keys, grip_settings
from .embedded_transport import server_names, serving
from .proxy.asgi import EmbeddedProxy
from .proxy.options import ProxyOptions
from .publisher import forget_publisher
from .publishing.lifecycle import at_exit, on_fork
from .registry import UNREACHABLE, forget_server, note_server

if TYPE_CHECKING:
    from .proxy.shell.application import ASGIApplication

__all__ = ["control_token", "control_url", "curl_line", "make_proxy"]


def make_proxy(application: ASGIApplication) -> EmbeddedProxy:
    """Put the embedded proxy in front of the project, or of any other application, as the settings want it."""
    config = grip_settings()
    proxy = EmbeddedProxy(
        application,
        options=ProxyOptions(key=embedded_keys()[0], max_channels=config.max_channels),
        control_token=[token.encode() for token in derive_secrets("control")],
        allow_local=config.debug,
        on_begin=lambda: _begin(proxy),
        on_serve=_note_address,
        on_end=lambda: _end(proxy),
    )
    return proxy


def _begin(proxy: EmbeddedProxy) -> None:
    """The server runs: publish to it from now on."""
    if proxy not in serving:
        serving.append(proxy)
        note_server(server_names(), None)
        forget_publisher()


def _note_address(host: str | None, port: int | None) -> None:
    note_server(server_names(), UNREACHABLE if host is None or port is None else control_url(host, port))


def _end(proxy: EmbeddedProxy) -> None:
    if proxy in serving:
        serving.remove(proxy)
        forget_server(server_names())
        forget_publisher()


def _end_all() -> None:
    for proxy in tuple(serving):
        _end(proxy)


def _begin_in_child() -> None:
    # They serve in the parent, and are found like any other process's.
    if serving:
        serving.clear()
        forget_publisher()


at_exit(_end_all)
on_fork(_begin_in_child)


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
