"""How what a test publishes gets to its own connections: at once, on the thread that publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..embedded_transport import LocalTransport
from ..publishing import Parcel, Publication, Publisher

if TYPE_CHECKING:
    from ..proxy.published import PublishedItem
    from .in_process import InProcessProxy

__all__ = ["KitPublisher"]


class _KitTransport(LocalTransport):
    """To the proxy of this process."""

    url = "django_grip.testing"

    def __init__(self, proxy: InProcessProxy) -> None:
        self._proxy = proxy

    def _take(self, items: list[PublishedItem]) -> None:
        self._proxy.publish(items)


class KitPublisher(Publisher):
    """Publishes to the proxy of this process. When a publish returns, all is done that comes of it."""

    def __init__(self, proxy: InProcessProxy) -> None:
        super().__init__([_KitTransport(proxy)], background=False)
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
