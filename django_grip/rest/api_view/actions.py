"""`ws_action`: a method that answers one kind of message of a `WebSocketAPIView`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import getattr_static, isclass, isfunction, signature
from typing import Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured
from rest_framework.serializers import BaseSerializer

__all__ = ["INHERITED", "WSAction", "check_serializer_class", "find_ws_actions", "ws_action"]

F = TypeVar("F", bound=Callable[..., Any])

# What a view has while it answers, not as a class.
_OF_INSTANCES = frozenset(
    ("args", "connection", "format_kwarg", "headers", "kwargs", "request", "response", "state", "subprotocol")
)

# Where the decorator leaves its note on a method.
_NOTE = "grip_ws_action"


class _Inherited:
    def __repr__(self) -> str:
        return "the view's serializer_class"


INHERITED: Final[Any] = _Inherited()
"""For an action without a serializer of its own: the view's is meant."""


@dataclass(frozen=True)
class WSAction:
    """An action of a view.

    name: what clients call it by. method: the name of the method. serializer_class: what validates the message's data;
    None: nothing does; INHERITED: the view's.
    """

    name: str
    method: str
    serializer_class: Any = INHERITED


def ws_action(name: str, *, serializer_class: type[BaseSerializer] | None = INHERITED) -> Callable[[F], F]:
    """Answer ``{"action": name, "ref": ..., "data": ...}`` with this method of a `WebSocketAPIView`.

    The method gets the data, validated, and what it returns (anything that is JSON, a DRF ``Response``, or nothing) is
    answered with the ref. serializer_class: instead of the view's; None: the data is taken as it comes.

    Raises: TypeError for a name that is no str, or a serializer that is none; both when the class is made.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f'ws_action() takes the name that clients use: write @ws_action("rename"), not {name!r}.')
    if serializer_class is not INHERITED:
        try:
            check_serializer_class(serializer_class, f"@ws_action({name!r}): serializer_class")
        except ImproperlyConfigured as error:
            raise TypeError(str(error)) from None

    def note(method: F) -> F:
        if not isfunction(method):
            raise TypeError(f"@ws_action({name!r}) is for a method of a view, not for {method!r}.")
        method.__dict__[_NOTE] = (name, serializer_class)
        return method

    return note


def check_serializer_class(value: Any, what: str) -> None:
    """Refuse what cannot validate messages. what: how to call it. Raises: ImproperlyConfigured."""
    if value is not None and not (isclass(value) and issubclass(value, BaseSerializer)):
        raise ImproperlyConfigured(f"{what} must be a serializer class or None, not {value!r}.")


def find_ws_actions(view: type, base: type, *, reserved: tuple[str, ...]) -> dict[str, WSAction]:
    """The actions of a view class by name, in that order.

    base: the class whose own methods an action must not hide. reserved: names that no action can have.
    Raises: ImproperlyConfigured for an action that cannot work.
    """
    actions: dict[str, WSAction] = {}
    for action in sorted(_noted_methods(view), key=lambda action: action.name):
        where = f"{view.__name__}.{action.method}"
        if hasattr(base, action.method) or action.method in _OF_INSTANCES:
            raise ImproperlyConfigured(
                f"{where} hides the {action.method} that {base.__name__} has: call the method otherwise, the action "
                "may keep its name."
            )
        if action.name in reserved:
            raise ImproperlyConfigured(f"{where}: an action cannot be called {action.name!r}, as that is a hook.")
        if action.name in actions:
            other = actions[action.name].method
            raise ImproperlyConfigured(f"{where} and {other} are both the action {action.name!r}; rename one of them.")
        _check_arguments(getattr(view, action.method), where)
        actions[action.name] = action
    return actions


def _noted_methods(view: type) -> Iterator[WSAction]:
    for method in dir(view):
        # Not by getattr(): it would ask properties of the class, some of which ask for the actions.
        value = getattr_static(view, method, None)
        note = getattr(value, "__dict__", {}).get(_NOTE)
        if note is not None:
            yield WSAction(note[0], method, note[1])
        elif value is not None and (hidden := _hidden_note(view, method)):
            raise ImproperlyConfigured(
                f"{view.__name__}.{method} hides the action {hidden!r}: decorate it with @ws_action too, or set it to "
                "None to offer the action no more."
            )


def _hidden_note(view: type, method: str) -> str | None:
    """The name of the action that a method of this name was further up."""
    for cls in view.__mro__[1:]:
        note = getattr(cls.__dict__.get(method), "__dict__", {}).get(_NOTE)
        if note is not None:
            return str(note[0])
    return None


def _check_arguments(method: Callable[..., Any], where: str) -> None:
    try:
        signature(method).bind("self", "data")
    except TypeError as error:
        raise ImproperlyConfigured(
            f"{where} must take the message's data: def {method.__name__}(self, data)."
        ) from error
