"""One course of events for sync and async views: a generator that names its calls, and a driver for either stack.

A course yields ``(function, arguments)`` and is sent what the call returned; an exception of the call is raised at
the ``yield``. So the order of things (what is asked, what is done when it fails) is written once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from inspect import isawaitable
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async

__all__ = ["Call", "Course", "arun", "blocking", "run"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Call = tuple[Callable[..., Any], tuple[Any, ...]]
Course = Generator[Call, Any, T]


def run(course: Course[T]) -> T:
    """Drive a course on a sync stack; an async function in it runs in an event loop of its own."""
    try:
        function, arguments = next(course)
        while True:
            try:
                value = function(*arguments)
                # Most hooks return nothing, and to ask a value whether it is awaitable is not cheap.
                if value is not None and isawaitable(value):
                    value = async_to_sync(_wait_for)(value)
            except BaseException as error:  # noqa: BLE001 - the course decides, and raises what it does not handle
                function, arguments = course.throw(error)
            else:
                function, arguments = course.send(value)
    except StopIteration as end:
        result: T = end.value
        return result


async def arun(course: Course[T]) -> T:
    """Drive a course on an async stack; a sync function of the project's (it may use the database) runs in a thread."""
    try:
        function, arguments = next(course)
        while True:
            try:
                if _may_block(function):
                    value = await sync_to_async(_call)(function, arguments)
                else:
                    value = function(*arguments)
                if value is not None and isawaitable(value):
                    value = await value
            except BaseException as error:  # noqa: BLE001 - as above
                function, arguments = course.throw(error)
            else:
                function, arguments = course.send(value)
    except StopIteration as end:
        result: T = end.value
        return result


def blocking(function: F) -> F:
    """Mark a function of this package's that may wait for a database, so that an async stack runs it in a thread."""
    function.__dict__["may_block"] = True
    return function


def _may_block(function: Callable[..., Any]) -> bool:
    if iscoroutinefunction(function):
        return False
    is_ours = (getattr(function, "__module__", None) or "").startswith("django_grip.")
    return not is_ours or getattr(function, "may_block", False)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except StopIteration as error:
        # In the future between the thread and the event loop it would hang the request, for ever.
        raise RuntimeError("a function of the project raised StopIteration") from error


async def _wait_for(awaitable: Awaitable[T]) -> T:
    return await awaitable
