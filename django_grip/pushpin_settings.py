"""What the project's settings say about a Pushpin on this machine: which proxy it is, its ports, its key."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from .protocol.keys import Key, load_key
from .protocol.proxy_config import ProxyConfig
from .pushpin import ControlPort, PushpinConfigError, ZmqSpecs, is_address

__all__ = ["choose_proxy", "control_port_of", "is_loopback", "signing_key_of", "zmq_specs_of"]


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, and nobody else can reach it there."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_address(host) and ip_address(host).is_loopback


def choose_proxy(proxies: tuple[ProxyConfig, ...], number: int | None = None) -> ProxyConfig:
    """Choose the proxy that shall be a Pushpin on this machine: number `number`, from 0, or the first local one.

    Raises: PushpinConfigError.
    """
    if number is not None:
        if not 0 <= number < len(proxies):
            raise PushpinConfigError(f"GRIP_PROXIES has {len(proxies)} proxies; the first has the number 0.")
        return proxies[number]
    for proxy in proxies:
        host = urlsplit(proxy.control_uri or proxy.control_zmq_uri or "").hostname
        if host and is_loopback(host):
            return proxy
    uris = [proxy.control_uri for proxy in proxies if proxy.control_uri]
    if any(_is_fastly(uri) for uri in uris):
        raise PushpinConfigError(
            "GRIP_PROXIES is for Fastly Fanout, which is no Pushpin; for one on this machine write a control_uri such "
            "as http://127.0.0.1:5561."
        )
    raise PushpinConfigError(
        f"No proxy in GRIP_PROXIES is on this machine ({', '.join(uris) or 'none has a control_uri'}); write a "
        "control_uri such as http://127.0.0.1:5561, or say which one with --proxy N."
    )


def _is_fastly(uri: str) -> bool:
    host = urlsplit(uri).hostname or ""
    return host == "fastly.com" or host.endswith(".fastly.com")


def control_port_of(proxy: ProxyConfig) -> ControlPort:
    """Where a Pushpin has to take items so that this proxy's control URI leads to it. Raises: PushpinConfigError."""
    uri = proxy.control_uri
    if uri is None:
        return ControlPort("127.0.0.1", 0)
    if _is_fastly(uri):
        raise PushpinConfigError(f"{uri} is Fastly Fanout, which is no Pushpin.")
    parts = urlsplit(uri)
    if parts.scheme != "http" or parts.path or parts.query:
        raise PushpinConfigError(
            f"{uri} cannot be Pushpin's control port, which has neither https nor a path; write "
            f"http://{parts.netloc.rpartition('@')[2]}."
        )
    host = parts.hostname or ""
    host = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    if not is_address(host):
        raise PushpinConfigError(f"{uri} names a host; give the IP address that Pushpin shall take items at.")
    return ControlPort(host, parts.port or 80)


def zmq_specs_of(proxy: ProxyConfig) -> ZmqSpecs:
    """Where a Pushpin has its ZeroMQ sockets so that this proxy's ``control_zmq_uri``, if any, leads to them.

    That is the command port. The others are as far from it as in Pushpin's sample: 5563 and, for items, 5560 and 5562.
    Raises: PushpinConfigError.
    """
    uri = proxy.control_zmq_uri
    if uri is None:
        return ZmqSpecs()
    scheme, host, port = _split_zmq(uri)
    if scheme != "tcp" or not is_address(host) or ":" in host or not 3 < port < 65_536:
        raise PushpinConfigError(f"{uri} cannot be Pushpin's command port; write tcp://127.0.0.1:5563, say.")
    return ZmqSpecs(f"tcp://{host}:{port - 3}", f"tcp://{host}:{port - 1}", f"tcp://{host}:{port}")


def _split_zmq(uri: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(uri)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        return parts.scheme, host, parts.port or 0
    except ValueError:
        return "", "", 0


def signing_key_of(proxy: ProxyConfig, *, pem: bytes | None = None) -> Key | None:
    """What a Pushpin has to sign with so that this proxy's signatures verify; None if none are asked for.

    pem: the private key, where the settings have the public one only. Raises: PushpinConfigError, KeyFormatError.
    """
    given = load_key(pem) if pem is not None else None
    if proxy.verify_key is None:
        return given
    wanted = proxy.verify_key.key
    for key in (given, wanted, proxy.key):
        if key is not None and key.can_sign and key.identity == wanted.identity:
            return key
    if given is not None:
        raise PushpinConfigError("The key of --sig-key is not the one that GRIP_PROXIES verifies with.")
    raise PushpinConfigError(
        "GRIP_PROXIES verifies with a public key, and Pushpin signs with the private one: name its PEM file with "
        "--sig-key."
    )
