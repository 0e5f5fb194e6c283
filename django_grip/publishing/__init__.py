"""How items leave: bounded queues, batches, retries, transports. Knows no Django."""

from __future__ import annotations

from .counters import Counters
from .parcel import Parcel
from .policy import Policy
from .publication import ProxyResult, Publication
from .publisher import Publisher
from .targets import open_transport
from .transport import HttpTransport, Transport

__all__ = [
    "Counters",
    "HttpTransport",
    "Parcel",
    "Policy",
    "ProxyResult",
    "Publication",
    "Publisher",
    "Transport",
    "open_transport",
]
