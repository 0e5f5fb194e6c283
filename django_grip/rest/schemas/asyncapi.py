"""The endpoints of `django_grip.rest` as channels, for ``manage.py asyncapi``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

from ...asyncapi.channels import Channel
from ...endpoints import Endpoint
from ..api_view.view import WebSocketAPIView
from ..viewsets import LiveViewSetMixin
from .api_view import describe_api_view
from .live import describe_live
from .serializers import Remembered, SerializerSchemas

__all__ = ["make_describer", "make_serializer_schemas"]


def make_describer(endpoints: Sequence[Endpoint], *, version: str | None = None) -> Callable[[Endpoint], list[Channel]]:
    """What describes an endpoint, or returns nothing if it is none of these.

    endpoints: all of the URLconf. version: that of the API which is described, where it is not the route's own.
    """
    remembered = Remembered(make_serializer_schemas(version))
    plain = [endpoint for endpoint in endpoints if not endpoint.is_suffixed]

    def describe(endpoint: Endpoint) -> list[Channel]:
        if endpoint.view_class is None:
            return []
        if issubclass(endpoint.view_class, LiveViewSetMixin):
            return describe_live(endpoint, plain, remembered)
        if issubclass(endpoint.view_class, WebSocketAPIView):
            return [describe_api_view(endpoint, remembered)]
        return []

    return describe


def make_serializer_schemas(version: str | None = None) -> SerializerSchemas:
    """What makes the schemas: drf-spectacular, if it is installed."""
    if find_spec("drf_spectacular") is not None:
        from .from_spectacular import SpectacularSchemas

        return SpectacularSchemas(version)
    from .from_drf import DRFSchemas

    return DRFSchemas(version)
