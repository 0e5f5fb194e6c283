"""Actions of a viewset that save past ``perform_create`` and the like, by which changes are heard of.

What a method does cannot be known without calling it; the names in its code tell enough to warn of the plain cases, and
of nothing else: what only refuses, what calls ``super()``, what tells by itself or by a function that it calls, and
what saves something else than the viewset's objects is passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import getattr_static, unwrap
from types import CodeType, FunctionType
from typing import Any

__all__ = ["find_bypasses"]

_HEARD_BY = {
    "create": "perform_create",
    "update": "perform_update",
    "partial_update": "perform_update",
    "destroy": "perform_destroy",
}
# A session, a cache and a storage save and delete, too: one of these says that it is about the viewset's objects.
_OF_OBJECTS = {"get_serializer", "serializer_class", "get_object", "get_queryset", "queryset", "objects"}
_SAVES = {"save", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
# Of a model's manager; alone they may be those of a dict.
_SAVES_OF_OBJECTS = {"create", "update"}
_TELLS = {"publish_changes", "publish_invalidate", "changing"}


def find_bypasses(viewset: type[Any], actions: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The actions, of those given, that save without the method that is heard, each with that method's name."""
    # Who calls an action of a class above by that class's name.
    parents = {base.__name__ for base in viewset.__mro__[1:]} | {"super"}
    of_objects = _OF_OBJECTS | {getattr(viewset.serializer_class, "__name__", "")}
    for action in actions:
        hook = _HEARD_BY.get(action)
        if hook is None or _find_method(viewset, action) is None:
            continue
        methods = list(_methods_behind(viewset, action))
        names = {name for method in methods for name in _names_in(method.__code__)}
        others = (name for name in _HEARD_BY if name in names and name != action)
        # Another action that is the framework's own may be what it calls.
        is_told = names & (_TELLS | parents | {hook}) or any(_find_method(viewset, name) is None for name in others)
        saves = names & of_objects and (names & _SAVES or ("objects" in names and names & _SAVES_OF_OBJECTS))
        if saves and not is_told and not any(_calls_one_who_tells(method, hook) for method in methods):
            yield action, hook


def _methods_behind(viewset: type[Any], action: str) -> Iterator[FunctionType]:
    """An action's method, and the viewset's own methods which it may call."""
    ahead, seen = [action], {action}
    while ahead:
        method = _find_method(viewset, ahead.pop())
        if method is None:
            continue
        yield method
        for name in _names_in(method.__code__):
            if name not in seen:
                seen.add(name)
                ahead.append(name)


def _find_method(viewset: type[Any], name: str) -> FunctionType | None:
    """A project's own method; None for what is the framework's, and for what is none."""
    method: Any = unwrap(value) if callable(value := getattr(viewset, name, None)) else None
    if method is None or str(getattr(method, "__module__", "")).startswith(("rest_framework.", "django_grip.")):
        return None
    method = getattr(method, "__func__", method)
    return method if isinstance(method, FunctionType) else None


def _calls_one_who_tells(method: FunctionType, hook: str) -> bool:
    """Whether a function tells that a method may call: by its module's names, or of a module, class or object there."""
    names = set(_names_in(method.__code__))
    for name in names & method.__globals__.keys():
        owner = method.__globals__[name]
        # Statically: what is lazy stays so.
        for value in (owner, *(getattr_static(owner, other, None) for other in names)):
            function = value.__func__ if type(value) in (staticmethod, classmethod) else value
            function = unwrap(function) if type(function) is FunctionType else None
            if type(function) is FunctionType and not (_TELLS | {hook}).isdisjoint(_names_in(function.__code__)):
                return True
    return False


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)
