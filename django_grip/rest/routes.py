"""The routes of a viewset: which actions there are beside those of the route that a request came by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver, get_urlconf

__all__ = ["Route", "find_routes", "is_route_of", "read_actions"]

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """One route of a viewset. name: for `django.urls.reverse`. actions: as the router maps them, by method."""

    name: str
    actions: Mapping[str, str]
    detail: bool


def read_actions(actions: Mapping[str, str], http_method_names: Sequence[str]) -> dict[str, str]:
    """Of what a route maps, the methods that its viewset lets in, without those that say nothing of their own."""
    return {method: actions[method] for method in _METHODS if method in actions and method in http_method_names}


def find_routes(viewset: type, basename: str | None, match: ResolverMatch) -> Sequence[Route]:
    """All routes that a router has made of a viewset where a match was found; none, if it was routed by hand."""
    if not basename:
        return ()
    return _find_routes(get_resolver(get_urlconf()), tuple(match.namespaces), viewset, basename)


def is_route_of(callback: Any, viewset: type, basename: str | None) -> bool:
    """Whether a URL's view function was made of a viewset, as it is registered under a basename."""
    initkwargs = getattr(callback, "initkwargs", None) or {}
    return getattr(callback, "cls", None) is viewset and initkwargs.get("basename") == basename


@lru_cache(maxsize=256)
def _find_routes(resolver: URLResolver, namespaces: tuple[str, ...], viewset: type, basename: str) -> tuple[Route, ...]:
    found: dict[str, Route] = {}
    for pattern in _walk(resolver, namespaces):
        callback: Any = pattern.callback
        if pattern.name is None or not is_route_of(callback, viewset, basename):
            continue
        name = ":".join((*namespaces, pattern.name))
        # Those with a format suffix have the same names.
        if name not in found:
            actions = read_actions(callback.actions, callback.initkwargs.get("http_method_names", _names(viewset)))
            found[name] = Route(name, actions, bool(callback.initkwargs.get("detail")))
    return tuple(found.values())


def _walk(resolver: URLResolver, namespaces: tuple[str, ...]) -> Iterator[URLPattern]:
    """The patterns in one namespace."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            if not namespaces:
                yield entry
        elif entry.namespace is None:
            yield from _walk(entry, namespaces)
        elif namespaces and entry.namespace == namespaces[0]:
            yield from _walk(entry, namespaces[1:])


def _names(viewset: Any) -> Sequence[str]:
    names: Sequence[str] = viewset.http_method_names
    return names
