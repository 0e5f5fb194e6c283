"""The signals at the beginning and the end of a request, cheap where Django alone hears them.

Django looks up their receivers anew each time, and each receiver goes through all connections by itself. For a message
of a WebSocket that is a tenth of what its request costs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, cast

from django.core import signals
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.db import close_old_connections, connections, reset_queries
from django.http.response import HttpResponseBase

__all__ = ["age_connections", "close_response", "is_closed_unseen", "send_finished", "send_started"]

Receiver = Callable[..., object]


class _Audience:
    """Who hears a signal, remembered until somebody connects to it or disconnects."""

    def __init__(self, signal: Any) -> None:
        self._signal = signal
        self._listed: list[Any] | None = None
        self._receivers: list[Receiver] | None = None

    def djangos_own(self) -> list[Receiver] | None:
        """The receivers if all are Django's own, none of which waits for anything, else None."""
        listed = self._signal.receivers
        # The list is changed in place; but its entries never are.
        if listed != self._listed:
            listed = list(listed)
            self._receivers = self._find_djangos_own()
            self._listed = listed
        return self._receivers

    def _find_djangos_own(self) -> list[Receiver] | None:
        receivers, async_receivers = self._signal._live_receivers(ASGIHandler)
        if async_receivers or any(not getattr(each, "__module__", "").startswith("django.") for each in receivers):
            return None
        return cast("list[Receiver]", receivers)


_started = _Audience(signals.request_started)
_finished = _Audience(signals.request_finished)


def send_started(scope: Any) -> bool:
    """Tell Django that a request begins, if nobody else hears of it. If not, nothing is done."""
    receivers = _started.djangos_own()
    if receivers is None:
        return False
    if receivers == [reset_queries, close_old_connections]:
        age_connections()
    else:
        for receiver in receivers:
            receiver(signal=signals.request_started, sender=ASGIHandler, scope=scope)
    return True


def age_connections() -> None:
    """What the signal at the beginning of a request does in this thread: `reset_queries`, `close_old_connections`."""
    for connection in connections.all(initialized_only=True):
        connection.queries_log.clear()
        connection.close_if_unusable_or_obsolete()


def is_closed_unseen(response: Any) -> bool:
    """Whether nothing of the project's happens when a response is closed: no closer, no receiver of the signal.

    None stands for a request that has none.
    """
    if response is not None:
        if type(response).close is not HttpResponseBase.close:
            return False
        for closer in response._resource_closers:
            if getattr(closer, "__func__", None) is not ASGIRequest.close:
                return False
    return _finished.djangos_own() is not None


def close_response(response: HttpResponseBase | None) -> None:
    """Close a response, or tell that a request without one is finished."""
    if not is_closed_unseen(response):
        if response is None:
            send_finished()
        else:
            response.close()
        return
    if response is not None:
        # What HttpResponseBase.close() does.
        for closer in response._resource_closers:  # type: ignore[attr-defined]
            with contextlib.suppress(Exception):
                closer()
        response._resource_closers.clear()  # type: ignore[attr-defined]
        response.closed = True
    for receiver in _finished.djangos_own() or ():
        receiver(signal=signals.request_finished, sender=ASGIHandler)


def send_finished() -> None:
    """Tell that a request is finished."""
    signals.request_finished.send(sender=ASGIHandler)
