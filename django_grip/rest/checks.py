"""System checks of the live viewsets that the URLconf routes. ``docs/settings.md`` lists the ids.

Importing this imports nothing of Django REST framework: a project may have it installed and never use it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register

from ..conf import has_urlconf
from ..endpoints import find_endpoints

__all__ = ["check_live_viewsets"]


@register("grip")
def check_live_viewsets(**kwargs: Any) -> list[CheckMessage]:
    """grip.E007, grip.E008, grip.E009, grip.W010: what would be told to whom, and would anybody hear it?"""
    if not has_urlconf():
        return []
    endpoints = find_endpoints()
    # Whoever has a live viewset has imported it by now.
    module = sys.modules.get(f"{__package__}.viewsets")
    if module is None:
        return []
    mixin = module.LiveViewSetMixin
    viewsets = dict.fromkeys(
        endpoint.view_class
        for endpoint in endpoints
        if endpoint.view_class is not None and issubclass(endpoint.view_class, mixin)
    )
    return [
        *_twins(viewsets),
        *(message for viewset in viewsets for message in _check(viewset, mixin)),
    ]


def _check(viewset: type[Any], mixin: type[Any]) -> Iterator[CheckMessage]:
    from .changes.asking import is_overridden, may_tell, name_of

    name = name_of(viewset)
    if not _calls_ours(viewset, mixin):
        yield Error(
            f"{name} is not live: another class stands before LiveViewSetMixin and takes its place.",
            hint=f"Put it first: class {viewset.__name__}(LiveViewSetMixin, ModelViewSet).",
            id="grip.E008",
        )
    if viewset.live_serializer_class is not None and not may_tell(viewset):
        yield Error(
            f"{name} has a live_serializer_class, but nothing says that who listens may see what it shows.",
            hint="Override get_live_channels() and get_publish_channels(), so that only those who may see an object "
            "hear of it; or set live_public = True, if everybody who may list may see every object.",
            id="grip.E007",
        )
    own = [method for method in ("get_live_channels", "get_publish_channels") if is_overridden(viewset, method)]
    if len(own) == 1:
        places = ("its own channels", "the default channel")
        heard, told = places if own == ["get_live_channels"] else places[::-1]
        yield Warning(
            f"{name} overrides {own[0]}() only: lists listen on {heard}, and changes are told on {told}.",
            hint="Override both, so that they name the same channels.",
            id="grip.W010",
        )


def _calls_ours(viewset: type[Any], mixin: type[Any]) -> bool:
    """Whether DRF's own as_view, which calls no other, comes behind the mixin's."""
    owners = [base for base in viewset.__mro__ if "as_view" in vars(base)]
    ends = [place for place, base in enumerate(owners) if base.__module__ == "rest_framework.viewsets"]
    return mixin in owners and owners.index(mixin) < min(ends, default=len(owners))


def _twins(viewsets: Iterable[type[Any]]) -> Iterator[CheckMessage]:
    from .changes.asking import name_of

    names: dict[str, int] = {}
    for viewset in viewsets:
        names[name_of(viewset)] = names.get(name_of(viewset), 0) + 1
    for name, number in names.items():
        if number > 1:
            yield Error(
                f"{number} live viewsets are called {name}, so the subscribers of one hear of the others' objects.",
                hint="Give each class a name of its own in its module; one made in a function may set __qualname__.",
                id="grip.E009",
            )
