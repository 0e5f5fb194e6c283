"""How what a test publishes gets to its own connections: at once, on the thread that publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..exceptions import ProtocolError
from ..proxy.epcp import parse_items
from ..publishing import Parcel, Publication, Publisher
from ..publishing.outcome import Rejected

if TYPE_CHECKING:
    from .in_process import InProcessProxy

__all__ = ["KitPublisher"]


class _Door:
    """The transport to the proxy of this process."""

    url = "django_grip.testing"
    max_bytes = 1_000_000
    is_instant = True

    def __init__(self, proxy: InProcessProxy) -> None:
        self._proxy = proxy

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        try:
            items = parse_items(b'{"items":[' + b",".join(parcel.body for parcel in parcels) + b"]}")
        except ProtocolError as error:
            raise Rejected(str(error), status=400) from error
        self._proxy.publish(items)

    def close(self) -> None:
        pass


class KitPublisher(Publisher):
    """Publishes to the proxy of this process. When a publish returns, all is done that comes of it."""

    def __init__(self, proxy: InProcessProxy) -> None:
        super().__init__([_Door(proxy)], background=False)
        self._proxy = proxy

    def submit(self, parcel: Parcel, **options: Any) -> Publication:
        publication = super().submit(parcel, **options)
        self._proxy.enter()
        # Not within the transport: a view that runs now may publish too.
        self._proxy.settle()
        return publication

    def submit_and_wait(self, parcel: Parcel, **options: Any) -> Publication:
        publication = super().submit_and_wait(parcel, **options)
        self._proxy.settle()
        return publication
