"""What the URLconf routes: every view with its address, for schemas and checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern, RoutePattern
from django.utils.regex_helper import normalize

__all__ = ["Endpoint", "find_endpoints", "find_view", "name_of"]


@dataclass(frozen=True)
class Endpoint:
    """One route of the URLconf.

    address: as URI templates write it, such as "/rooms/{room}/".
    parameters: the names in it, each with what its value has to match (a regular expression), as far as it is known.
    view: the function that `as_view` made, or the function view itself; decorators are taken off.
    view_class: the class of such a view.
    name: as `reverse` takes it, such as "api:ticket-list".
    is_suffixed: it is a twin of another route, with DRF's format suffix behind.
    """

    address: str
    parameters: Mapping[str, str | None]
    view: Callable[..., Any]
    view_class: type | None = None
    name: str | None = None
    is_suffixed: bool = False
    initkwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dotted_path(self) -> str:
        """What messages call the view."""
        return name_of(self.view_class or self.view)


def name_of(view: Any) -> str:
    """The dotted path of a view or its class: what messages call it, and channels that are its own."""
    return f"{view.__module__}.{getattr(view, '__qualname__', type(view).__qualname__)}"


def find_endpoints(urlconf: Any = None) -> list[Endpoint]:
    """All routes, in the order in which Django tries them; of two with one address the first.

    urlconf: a module or its name; None: the project's.
    """
    found: dict[str, Endpoint] = {}
    for endpoint in _walk(get_resolver(urlconf).url_patterns, "/", {}, ""):
        found.setdefault(endpoint.address, endpoint)
    return _mark_suffixed(list(found.values()))


def find_view(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The view inside its decorators, if they say (by `functools.wraps`) what they have wrapped."""
    while not _class_of(callback):
        inner = callback.func if isinstance(callback, partial) else getattr(callback, "__wrapped__", None)
        if inner is None:
            break
        callback = inner
    return callback


def _class_of(view: Callable[..., Any]) -> type | None:
    """Django's and DRF's as_view() leave the class on the function that they make."""
    found = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return found if isinstance(found, type) else None


def _walk(
    patterns: list[URLPattern | URLResolver], prefix: str, parameters: Mapping[str, str | None], namespace: str
) -> Iterator[Endpoint]:
    for item in patterns:
        address, own = _read_pattern(item.pattern)
        address, known = prefix + address, {**parameters, **own}
        if isinstance(item, URLResolver):
            inner = f"{namespace}{item.namespace}:" if item.namespace else namespace
            yield from _walk(item.url_patterns, address, known, inner)
        else:
            view = find_view(item.callback)
            yield Endpoint(
                address,
                known,
                view,
                view_class=_class_of(view),
                name=f"{namespace}{item.name}" if item.name else None,
                initkwargs=dict(getattr(view, "initkwargs", None) or getattr(view, "view_initkwargs", None) or {}),
            )


def _read_pattern(pattern: Any) -> tuple[str, dict[str, str | None]]:
    """The address of a pattern, and its parameters."""
    if isinstance(pattern, LocalePrefixPattern):
        # That of the language which is active.
        return _escape(pattern.language_prefix), {}
    if isinstance(pattern, RoutePattern):
        parts = re.split(r"<(?:[^<>:]+:)?(\w+)>", str(pattern))
        names = parts[1::2]
        address = "".join(_braced(part) if number % 2 else _escape(part) for number, part in enumerate(parts))
        return address, {name: getattr(pattern.converters.get(name), "regex", None) for name in names}
    return _read_regex(str(pattern.regex.pattern))


def _read_regex(regex: str) -> tuple[str, dict[str, str | None]]:
    """The address of a regular expression: its simplest spelling, as `reverse` makes it."""
    template, names = normalize(regex)[0]
    if not template:
        return _read_alternatives(regex)
    parts = re.split(r"%\((\w+)\)s", template)
    address = "".join(
        _braced(part) if number % 2 else _escape(part.replace("%%", "%")) for number, part in enumerate(parts)
    )
    return address, {name: _group_regex(regex, name) for name in names}


def _read_alternatives(regex: str) -> tuple[str, dict[str, str | None]]:
    """What Django cannot spell, as there are several ways (``a|b``), stays as it is but for its named groups."""
    groups = re.findall(r"\(\?P<(\w+)>", regex)
    address = _escape(re.sub(r"^\^|(\$|\\[zZ])$", "", regex))
    for name in groups:
        if (inner := _group_regex(regex, name)) is not None:
            address = address.replace(_escape(f"(?P<{name}>{inner})"), _braced(name))
    return address, {name: _group_regex(regex, name) for name in groups}


def _group_regex(regex: str, name: str) -> str | None:
    """What a named group has to match, if it has no groups of its own."""
    found = re.search(rf"\(\?P<{re.escape(name)}>((?:\\.|[^()\\])+)\)", regex)
    return found[1] if found else None


def _braced(name: str) -> str:
    return f"{{{name}}}"


def _escape(text: str) -> str:
    """Braces that a URL has in it are no parameters."""
    return text.replace("{", "%7B").replace("}", "%7D")


def _mark_suffixed(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Mark those that are another one with ".json" or the like behind, as `format_suffix_patterns` routes it."""
    # A view need not be hashable.
    plain = {(id(endpoint.view), endpoint.address.rstrip("/")) for endpoint in endpoints}
    return [
        replace(endpoint, is_suffixed=True) if (id(endpoint.view), _strip_suffix(endpoint)) in plain else endpoint
        for endpoint in endpoints
    ]


def _strip_suffix(endpoint: Endpoint) -> str | None:
    """The address without a format suffix; None if it ends in none."""
    found = re.fullmatch(r"(.*?)(/?)(\.?)\{(\w+)\}", endpoint.address.rstrip("/"), re.DOTALL)
    # The dot is part of the address, or of what the parameter has to match.
    has_dot = found is not None and (found[3] or (endpoint.parameters.get(found[4]) or "").startswith("\\."))
    return found[1] if found is not None and has_dot else None
