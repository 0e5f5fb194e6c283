"""The live transports in the OpenAPI document that drf-spectacular makes. Importing this registers it.

The operation of a live GET has the media type of event streams, the headers of long-polls, and an extension
``x-websocket``: OpenAPI has no WebSockets. What a project says by ``extend_schema``, an AutoSchema or an extension of
its own stays, and counts before what is added here.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from ...protocol.websocket_events import CONTENT_TYPE
from .openapi_live import add_live

__all__ = ["LiveViewSetExtension"]

_LIVE_FORMATS = ("ndjson", "sse")
# The formats of `rest.renderers` that are not for clients.
_HIDDEN = {"media_type": CONTENT_TYPE, "format": "websocket"}


class LiveViewSetExtension(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    """Puts `LiveOperations` before the AutoSchema of every live viewset."""

    target_class = "django_grip.rest.viewsets.LiveViewSetMixin"
    match_subclasses = True
    # Only the first extension that matches is asked: this one is, and asks the others.
    priority = 1000

    def view_replacement(self) -> Any:
        view_class = self._ask_others()
        names = {name: getattr(view_class, name) for name in ("__module__", "__qualname__", "__doc__")}
        return type(view_class.__name__, (view_class,), {**names, "schema": _LiveSchema(view_class)})

    def _ask_others(self) -> Any:
        """What the project's own extension makes of the viewset, if it has one."""
        for extension in sorted(self._registry, key=lambda each: each.priority, reverse=True):
            if extension is not type(self) and extension._matches(self.target):
                # Those before drf-spectacular 0.29 are given the class.
                return extension(getattr(self, "target_callback", self.target)).view_replacement()
        return self.target


class _LiveSchema:
    """The attribute ``schema`` of a view: what the view, or a decorator of its action, has there, made live."""

    def __init__(self, view_class: Any) -> None:
        self._view_class = view_class

    def __get__(self, view: Any, owner: Any = None) -> Any:
        if view is None:
            return self._view_class.schema
        if "live_schema" not in view.__dict__:
            found = next(vars(cls)["schema"] for cls in self._view_class.__mro__ if "schema" in vars(cls))
            self.__set__(view, found.__get__(view, type(view)) if hasattr(found, "__get__") else found)
        return view.__dict__["live_schema"]

    def __set__(self, view: Any, schema: Any) -> None:
        view.__dict__["live_schema"] = _make_live(schema, view)


def _make_live(schema: Any, view: Any) -> Any:
    if not isinstance(schema, AutoSchema):
        # None, or what drf-spectacular complains of.
        return schema
    # What comes may be a weak reference, whose class this is all the same.
    cls = schema.__class__
    live: Any = object.__new__(type(cls.__name__, (LiveOperations, cls), {"__module__": cls.__module__}))
    live.__dict__.update(schema.__dict__)
    live.view = view
    return live


class LiveOperations(AutoSchema):
    """Adds to the operations of a live viewset what its GET can do beside."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        # Where extend_schema(operation=...) has it all, nobody sets it.
        self.registry = None  # type: ignore[assignment]
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is None or self.registry is None or not self._is_live():
            return operation
        return add_live(self, operation)

    def get_description(self) -> str:
        from ..viewsets import LiveModelViewSet, LiveViewSetMixin

        text = super().get_description()
        # What drf-spectacular takes for the project's own words, as it does not know this package.
        return "" if text in (get_doc(LiveModelViewSet), get_doc(LiveViewSetMixin)) else text

    def get_override_parameters(self) -> list[Any]:
        given = super().get_override_parameters()
        if not self._is_live():
            return given
        # In front: of two with one name the last counts, and theirs shall.
        return [*_headers(self.view), *given]

    def map_renderers(self, attribute: str) -> list[str]:
        found: list[str] = [each for each in super().map_renderers(attribute) if each != _HIDDEN.get(attribute)]
        if attribute != "format" or not self._is_live():
            return found
        named = {renderer.format for renderer in self.view.renderer_classes}
        own = [each for each in found if each in named or each not in _LIVE_FORMATS]
        # No parameter where there would be none without us: clients choose by Accept.
        return list(dict.fromkeys([*found, *_LIVE_FORMATS])) if len(own) > 1 else own

    def map_parsers(self) -> list[str]:
        return [each for each in super().map_parsers() if each != CONTENT_TYPE]

    def _is_live(self) -> bool:
        return self.method == "GET" and bool(self.view.is_live)


def _headers(view: Any) -> list[OpenApiParameter]:
    def header(name: str, description: str, **options: Any) -> OpenApiParameter:
        return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description, **options)

    wait = (
        f"`wait=N` beside `If-None-Match`: wait N seconds for another representation, {view.live_max_wait} at the most."
    )
    return [
        header("If-None-Match", "The ETag of the representation that one has: it is sent only if it is another."),
        header("Prefer", wait),
        header("ETag", "Tells one version of the representation from the others.", response=[200, 304]),
        header("Preference-Applied", "That the server has waited, and how long it would have.", response=[200, 304]),
    ]
