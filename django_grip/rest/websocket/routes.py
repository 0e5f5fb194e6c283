"""The routes of a viewset: which actions there are beside those of the route that a request came by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.urls import ResolverMatch, URLResolver, get_resolver, get_urlconf

from ...endpoints import Endpoint, find_endpoints, find_view
from ..media_types import takes_only_files

__all__ = [
    "Route",
    "find_lookup_name",
    "find_routes",
    "group_by_action",
    "is_mapped",
    "read_actions",
    "read_route",
    "routes_of",
]

_METHODS = ("get", "post", "put", "patch", "delete")
_DATALESS_METHODS = ("get", "delete")

# Of what a router has made of a viewset in one place: its class, the basename, the namespace.
_Key = tuple[type | None, str | None, str]


@dataclass(frozen=True)
class Route:
    """One route of a viewset.

    name: for `django.urls.reverse`. actions: as the router maps them, by method. parameters: the names in its URL.
    """

    name: str
    actions: Mapping[str, str]
    detail: bool
    parameters: frozenset[str] = frozenset()


def read_actions(
    actions: Mapping[str, str], http_method_names: Sequence[str], parser_classes: Iterable[Any]
) -> dict[str, str]:
    """Of what a route maps, the methods that its viewset lets in, without those that say nothing of their own.

    Where nothing but files is parsed, those that take data are not among them: a message cannot bring any.
    """
    names = _DATALESS_METHODS if takes_only_files(parser_classes) else _METHODS
    return {method: actions[method] for method in names if method in actions and method in http_method_names}


def group_by_action(actions: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The actions by name, each with its methods, in their order. actions: as the router maps them, by method."""
    found: dict[str, tuple[str, ...]] = {}
    for method, name in actions.items():
        found[name] = (*found.get(name, ()), method)
    return found


def find_lookup_name(viewset: Any) -> str:
    """What the URLs of one object call its key, or what else it is found by. viewset: a class or an instance."""
    name: str = viewset.lookup_url_kwarg or viewset.lookup_field
    return name


def find_routes(viewset: type, basename: str | None, match: ResolverMatch) -> Sequence[Route]:
    """All routes that a router has made of a viewset where a match was found; none, if it was routed by hand."""
    if not basename:
        return ()
    return _find_routes(get_resolver(get_urlconf()), (viewset, basename, match.namespace))


def is_mapped(match: ResolverMatch, route: Route, viewset: type, basename: str | None) -> bool:
    """Whether a URL is that of a route, as far as its actions go."""
    view: Any = find_view(match.func)
    if getattr(view, "cls", None) is not viewset or view.initkwargs.get("basename") != basename:
        return False
    return all(view.actions.get(method) == action for method, action in route.actions.items())


def routes_of(
    viewset: type | None, basename: str | None, namespace: str, endpoints: Iterable[Endpoint]
) -> dict[str, Endpoint]:
    """Of some endpoints those that a router has made of a viewset in one namespace, by their names."""
    return _group(endpoints).get((viewset, basename, namespace), {})


def read_route(endpoint: Endpoint) -> Route:
    """What an endpoint says of its route, if it is that of a viewset."""
    view: Any = endpoint.view
    methods = endpoint.initkwargs.get("http_method_names", view.cls.http_method_names)
    parsers = endpoint.initkwargs.get("parser_classes", view.cls.parser_classes)
    detail = endpoint.initkwargs.get("detail")
    if detail is None:
        # Routed by hand.
        detail = find_lookup_name(view.cls) in endpoint.parameters
    return Route(
        endpoint.name or "", read_actions(view.actions, methods, parsers), detail, frozenset(endpoint.parameters)
    )


# Once for each resolver, which Django makes anew when the URLconf is another one. Nothing here depends on what differs
# from one request to the next, as addresses do on the language.
@lru_cache(maxsize=256)
def _find_routes(resolver: URLResolver, key: _Key) -> tuple[Route, ...]:
    return tuple(read_route(endpoint) for endpoint in _group_all(resolver).get(key, {}).values())


@lru_cache(maxsize=16)
def _group_all(resolver: URLResolver) -> dict[_Key, dict[str, Endpoint]]:
    """What there is of all viewsets: the URLconf is read once, and not by each of them."""
    return _group(find_endpoints(resolver.urlconf_name))


def _group(endpoints: Iterable[Endpoint]) -> dict[_Key, dict[str, Endpoint]]:
    """The endpoints that routers have made of viewsets, each group by their names."""
    found: dict[_Key, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        basename = endpoint.initkwargs.get("basename")
        if basename and endpoint.name:
            key = endpoint.view_class, basename, endpoint.name.rpartition(":")[0]
            # Those with a format suffix have the same names.
            found.setdefault(key, {}).setdefault(endpoint.name, endpoint)
    return found
