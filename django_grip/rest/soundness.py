"""What a live viewset's class has to be: what cannot work is refused when the URLconf is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from inspect import iscoroutinefunction
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.generics import GenericAPIView
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ViewSetMixin

from ..guard import MIN_TIMEOUT
from .auth.bearer import BEARER, is_subprotocol

__all__ = ["check_viewset"]

# What the class method publish_changes() and signals go by, which know no route.
_CLASS_NAMES = ("live_public", "live_serializer_class", "live_signals")
_WATCHED = ("perform_create", "perform_update", "perform_destroy")
_METHODS = ("get_live_channels", "get_publish_channels", "get_object_channel", "get_live_serializer_context")


def check_viewset(viewset: type[Any], initkwargs: Mapping[str, Any], actions: Mapping[str, str] | None = None) -> None:
    """Refuse a class that cannot work, with what to change. initkwargs, actions: those of ``as_view``.

    Raises: ImproperlyConfigured; TypeError for an argument that is no route's own.
    """
    name = viewset.__name__
    if not issubclass(viewset, ViewSetMixin) or not issubclass(viewset, GenericAPIView):
        raise ImproperlyConfigured(
            f"{name} must be a viewset with a queryset: class {name}(LiveViewSetMixin, ModelViewSet)."
        )
    for given in initkwargs:
        if given in _CLASS_NAMES:
            raise TypeError(f"{name}.as_view() takes no {given!r}: set it in a subclass, for publish_changes().")
    _check_spelling(viewset)
    for attribute, check in _CHECKS.items():
        value = initkwargs.get(attribute, getattr(viewset, attribute))
        wanted = check(value)
        if wanted is not None:
            raise ImproperlyConfigured(f"{name}.{attribute} must be {wanted}, not {value!r}.")
    _check_actions(viewset, initkwargs.get("live_actions", viewset.live_actions))
    _check_methods(viewset)
    _check_sync(viewset, (actions or {}).values())


def _check_spelling(viewset: type[Any]) -> None:
    """Refuse what is merely misspelt: nothing would ever read it."""
    known = sorted({name for base in viewset.__mro__ if _is_ours(base) for name in vars(base) if "live" in name})
    for base in viewset.__mro__:
        if _is_ours(base) or not any(_is_ours(above) for above in base.__mro__):
            continue
        for name in vars(base):
            if name.startswith(("live_", "get_live_", "get_publish_", "get_object_")) and name not in (
                *known,
                *_METHODS,
            ):
                for meant in get_close_matches(name, (*known, *_METHODS), n=1, cutoff=0.85):
                    raise ImproperlyConfigured(f"{base.__name__}.{name} means nothing: did you mean {meant}?")


def _is_ours(base: type) -> bool:
    return base.__module__ == "django_grip.rest.viewsets"


def _check_actions(viewset: type[Any], actions: Iterable[str]) -> None:
    for action in actions:
        if action in ("list", "retrieve") or callable(getattr(viewset, action, None)):
            continue
        near = get_close_matches(action, ["list", "retrieve", *dir(viewset)], n=1, cutoff=0.7)
        hint = f": did you mean {near[0]!r}?" if near else "."
        raise ImproperlyConfigured(f"{viewset.__name__}.live_actions has {action!r}, which is no method of it{hint}")


def _check_methods(viewset: type[Any]) -> None:
    for name in _METHODS:
        method = getattr(viewset, name)
        if not callable(method):
            raise ImproperlyConfigured(f"{viewset.__name__}.{name} must be a method, not {method!r}.")


def _check_sync(viewset: type[Any], actions: Iterable[str]) -> None:
    for name in (*_METHODS, *_WATCHED, "dispatch", *actions):
        if iscoroutinefunction(getattr(viewset, name, None)):
            raise ImproperlyConfigured(f"{viewset.__name__}.{name} must not be async: nothing here awaits it.")
    # Django says so of a view's handlers, and packages for async viewsets (adrf) of theirs.
    if getattr(viewset, "view_is_async", False):
        raise ImproperlyConfigured(f"{viewset.__name__} must not be async: nothing here awaits what it does.")


# -- what each attribute has to be; None when it is ------------------------------------------------------------------


def _names(value: Any) -> str | None:
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return None
    return "a list of names"


def _subprotocols(value: Any) -> str | None:
    if _names(value) or not all(is_subprotocol(name) for name in value):
        return "a list of subprotocols, each a name without blanks"
    if any(name.lower().startswith(BEARER) for name in value):
        return "a list of subprotocols without bearer.…, which carries a token"
    return None


def _parameter(value: Any) -> str | None:
    return None if value is None or (isinstance(value, str) and value) else "the name of a query parameter or None"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "True or False"


def _serializer(value: Any) -> str | None:
    is_one = isinstance(value, type) and issubclass(value, BaseSerializer)
    return None if value is None or is_one else "a serializer class or None"


def _seconds(value: Any, least: int = 1) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return None if is_number and value >= least else f"an int, {least} or more"


def _optional_seconds(value: Any) -> str | None:
    return None if value is None or _seconds(value) is None else "an int above 0 or None"


def _waiting_seconds(value: Any) -> str | None:
    return _seconds(value, MIN_TIMEOUT)


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "live_actions": _names,
    "live_public": _flag,
    "live_serializer_class": _serializer,
    "live_signals": _flag,
    "live_recheck": _optional_seconds,
    "live_max_wait": _waiting_seconds,
    "live_keep_alive": _optional_seconds,
    "live_subprotocols": _subprotocols,
    "live_credential_headers": _names,
    "live_headers": _names,
    "live_ticket_parameter": _parameter,
}
