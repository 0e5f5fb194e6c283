"""A transaction for each call of a hook, where the project asks for one around each request (DESIGN decision 12).

Several messages share a request, so one transaction around it would undo the earlier messages with the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest

from .flow import blocking

__all__ = [
    "ExemptDatabases",
    "HookTransaction",
    "atomic_requests",
    "find_atomic_databases",
    "find_exempt_databases",
    "wrap_requests",
]

# Of a request. An argument of the view's class would be one that a project's own __init__() may not take.
_ATTRIBUTE = "_grip_exempt_databases"


class ExemptDatabases(set[str]):
    """What a view has as its ``_non_atomic_requests`` that makes its transactions by itself.

    To Django, which asks whether an alias is in it, they all are. Its elements are those that the project exempts, by
    ``transaction.non_atomic_requests`` of ``dispatch`` or of the view that ``as_view()`` has made.
    """

    def __contains__(self, alias: object) -> bool:
        return True

    def put_on(self, view: Callable[..., Any]) -> None:
        """Let the view have it, and what `dispatch` is exempt from."""
        self.update(getattr(view, "_non_atomic_requests", ()))
        view._non_atomic_requests = self  # type: ignore[attr-defined]

    def hand_on(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """The view, whose requests tell by `find_exempt_databases` what it is exempt from."""

        @wraps(view)
        def call(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            setattr(request, _ATTRIBUTE, self)
            return view(request, *args, **kwargs)

        return call


def find_exempt_databases(request: HttpRequest) -> Iterable[str]:
    """The aliases of the databases that the view of this request exempts."""
    exempt: Iterable[str] = getattr(request, _ATTRIBUTE, ())
    return exempt


def find_atomic_databases(exempt: Iterable[str] = ()) -> list[str]:
    """The aliases of the databases with ``ATOMIC_REQUESTS``, without those that a view exempts."""
    named = set(exempt)
    return [
        alias for alias, database in connections.settings.items() if database["ATOMIC_REQUESTS"] and alias not in named
    ]


def wrap_requests(view: Callable[..., Any], exempt: Iterable[str]) -> Callable[..., Any]:
    """The view, called in the transactions that Django would put around it, but for WebSocket events.

    Of several in one request, each is to have one of its own.
    """

    @wraps(view)
    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if getattr(request, "wscontext", None) is not None:
            return view(request, *args, **kwargs)
        with atomic_requests(exempt):
            return view(request, *args, **kwargs)

    return call


@contextmanager
def atomic_requests(exempt: Iterable[str] = ()) -> Iterator[None]:
    """The transactions that Django would put around a view, for one that it has been told to leave alone."""
    with ExitStack() as blocks:
        for alias in find_atomic_databases(exempt):
            blocks.enter_context(transaction.atomic(using=alias))
        yield


class HookTransaction:
    """``atomic()`` on several databases, in steps.

    On an async stack each step runs in the request's one thread for sync code. The hook's own queries run there too,
    whether it calls the ORM's async methods or `sync_to_async`, so they are in the transaction.
    """

    def __init__(self, aliases: Iterable[str]) -> None:
        self._aliases = aliases
        self._blocks = ExitStack()

    @blocking
    def begin(self) -> None:
        for alias in self._aliases:
            self._blocks.enter_context(transaction.atomic(using=alias))

    @blocking
    def commit(self) -> None:
        self._blocks.close()

    @blocking
    def roll_back(self, error: BaseException) -> None:
        self._blocks.__exit__(type(error), error, error.__traceback__)
