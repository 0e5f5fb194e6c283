"""From a proxy's configuration to the transport that publishes to it."""

from __future__ import annotations

from ..protocol.proxy_config import ProxyConfig
from .authority import Authority, JwtAuthority, basic_authority, bearer_authority
from .policy import Policy
from .transport import HttpTransport, Transport
from .zmq_transport import ZmqTransport

__all__ = ["open_transport"]


def open_transport(config: ProxyConfig, policy: Policy) -> Transport | None:
    """The transport for a proxy; None for one that is only there to verify signatures.

    A proxy with both a control URI and a ZeroMQ one is published to over HTTP, which acknowledges.
    ``require_subscribers`` is heeded over ZeroMQ only: no control port of today tells its subscriptions over HTTP.
    Raises: GripUrlError, when ZeroMQ is not installed.
    """
    if config.control_uri is not None:
        return HttpTransport(config.control_uri, _authority(config), connect_timeout=policy.connect_timeout)
    if config.control_zmq_uri is not None:
        return ZmqTransport(config.control_zmq_uri, require_subscribers=config.require_subscribers)
    return None


def _authority(config: ProxyConfig) -> Authority:
    kind = config.authority
    if kind == "basic" and config.basic is not None:
        user, _, password = config.basic.partition(":")
        return basic_authority(user, password)
    if kind == "jwt" and config.key is not None and config.control_iss is not None:
        return JwtAuthority(config.key, config.control_iss)
    if kind == "bearer" and config.bearer is not None:
        return bearer_authority(config.bearer)
    return Authority()
