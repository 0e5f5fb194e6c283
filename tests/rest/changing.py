"""Requests that change something, and what was told of it."""

from __future__ import annotations

from typing import Any

from rest_framework.test import APIRequestFactory, force_authenticate

from django_grip.testing import Captured

ACTIONS = {"post": "create", "put": "update", "patch": "partial_update", "delete": "destroy"}
CLOSED = {"stream": "close", "websocket": "close"}
HINTED = {"stream": "hint"}


def ask(viewset: Any, method: str, pk: Any = None, data: Any = None, *, user: Any = None, **kwargs: Any) -> Any:
    """Have a viewset answer a request; raises if it says it cannot."""
    request = getattr(APIRequestFactory(), method)("/", data, format="json")
    if user is not None:
        force_authenticate(request, user)
    if pk is not None:
        kwargs[viewset.lookup_url_kwarg or viewset.lookup_field] = pk
    response = viewset.as_view({method: ACTIONS[method]})(request, **kwargs)
    assert response.status_code < 300, response.data
    return response.data


def told(published: Captured, *, of: Any = None) -> list[tuple[str, Any]]:
    """What was published: the message, or what the transports are to do. of: channels of this viewset only, shortened.

    The list's channel is then "list" and an object's its key.
    """
    found = [(item.channel, item.actions if item.websocket is None else item.json()) for item in published]
    if of is None:
        return found
    name = f"live:{of.__module__}.{of.__qualname__}"
    ours = [(channel, said) for channel, said in found if channel == name or channel.startswith(f"{name}:")]
    return [(channel.removeprefix(name).lstrip(":") or "list", said) for channel, said in ours]


def event(action: str, pk: Any, data: Any = None) -> dict[str, Any]:
    return {"action": action, "pk": pk} if data is None else {"action": action, "pk": pk, "data": data}


INVALIDATE = {"action": "invalidate"}
