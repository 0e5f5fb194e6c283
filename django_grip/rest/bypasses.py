"""Actions of a viewset that save past ``perform_create`` and the like, by which changes are heard of.

What a method does cannot be known without calling it; the names in its code tell enough to warn of the plain cases, and
of nothing else: what only refuses, what calls ``super()`` and what tells by itself is passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from inspect import unwrap
from types import CodeType
from typing import Any

__all__ = ["find_bypasses"]

_HEARD_BY = {
    "create": "perform_create",
    "update": "perform_update",
    "partial_update": "perform_update",
    "destroy": "perform_destroy",
}
_SAVES = {"save", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
# Of a model's manager; alone they may be those of a dict.
_SAVES_OF_OBJECTS = {"create", "update"}
_TELLS = {"super", "publish_changes", "publish_invalidate", "changing"}


def find_bypasses(viewset: type[Any], actions: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The actions, of those given, that save without the method that is heard, each with that method's name."""
    # Who calls an action of a class above by that class's name.
    parents = {base.__name__ for base in viewset.__mro__[1:]}
    for action in actions:
        hook = _HEARD_BY.get(action)
        if hook is None or _find_code(viewset, action) is None:
            continue
        names = set(_names_behind(viewset, action))
        others = (name for name in _HEARD_BY if name in names and name != action)
        # Another action that is the framework's own may be what it calls.
        is_told = (
            hook in names or names & (_TELLS | parents) or any(_find_code(viewset, name) is None for name in others)
        )
        if not is_told and (names & _SAVES or ("objects" in names and names & _SAVES_OF_OBJECTS)):
            yield action, hook


def _names_behind(viewset: type[Any], method: str) -> Iterator[str]:
    """The names in a method's code, and in that of the viewset's own methods which it may call."""
    ahead, seen = [method], {method}
    while ahead:
        code = _find_code(viewset, ahead.pop())
        for name in _names_in(code) if code is not None else ():
            yield name
            if name not in seen:
                seen.add(name)
                ahead.append(name)


def _find_code(viewset: type[Any], name: str) -> CodeType | None:
    """The code of a project's own method; None for what is the framework's, and for what is none."""
    method = unwrap(value) if callable(value := getattr(viewset, name, None)) else None
    if method is None or str(getattr(method, "__module__", "")).startswith(("rest_framework.", "django_grip.")):
        return None
    code = getattr(method, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)
