"""From an action's HTTP response to the message that answers it."""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from typing import Any

from django.http.response import HttpResponseBase

from ...encoding import decode_json
from ...exceptions import ResponseTooLarge
from ..media_types import is_json
from .messages import error_answer, response_answer

__all__ = ["UNSENDABLE", "make_answer", "name_errors", "name_too_large", "read_wait"]

UNSENDABLE = 406
"""The status of an answer that no WebSocket can carry. The action has run."""


_CANNOT_TRAVEL = "The action's answer cannot travel over a WebSocket"


class _NotJSON(Exception):
    pass


def make_answer(ref: str | int | None, response: Any) -> dict[str, Any]:
    """Make the answer of a response, rendered or not. Raises: what its renderer raises."""
    if not isinstance(response, HttpResponseBase):
        raise TypeError(f"An action returns a response, not {type(response).__name__}.")
    if callable(getattr(response, "render", None)):
        response = response.render()  # type: ignore[attr-defined]
    status = response.status_code
    if 300 <= status < 400:
        return _cannot_send(ref, f"it is a redirect ({status})")
    if response.streaming:
        _close_resources(response)
        return _cannot_send(ref, "it is a stream or a file")
    try:
        data = _read(response)
    except _NotJSON as error:
        if status < 400:
            return _cannot_send(ref, str(error))
        data = None
    if status < 400:
        return response_answer(ref, status, data)
    return error_answer(ref, status, name_errors(status, data), read_wait(response))


def _cannot_send(ref: str | int | None, why: str) -> dict[str, Any]:
    return error_answer(ref, UNSENDABLE, {"detail": f"{_CANNOT_TRAVEL}: {why}. Ask for it over HTTP."})


def name_too_large(error: ResponseTooLarge) -> dict[str, Any]:
    """What the client is told in place of an answer that is more than the proxy takes."""
    return {"detail": f"{_CANNOT_TRAVEL}: {error}. Ask for it over HTTP, or for less."}


def _read(response: Any) -> Any:
    if not response.content:
        return None
    kind = response.headers.get("Content-Type", "")
    if not is_json(kind):
        raise _NotJSON(f"it is {kind.partition(';')[0] or 'of no media type'}, not JSON")
    try:
        return decode_json(response.content.decode())
    except ValueError:
        raise _NotJSON("its JSON is malformed") from None


def name_errors(status: int, data: Any) -> dict[str, Any]:
    """What an error's response says, as an object; where it says nothing, its status in words."""
    if isinstance(data, dict):
        return data
    if data is None:
        with contextlib.suppress(ValueError):
            data = HTTPStatus(status).phrase
    return {"detail": data}


def read_wait(response: HttpResponseBase) -> int | None:
    """The seconds of Retry-After; where it is a date, the client does without."""
    wait = response.headers.get("Retry-After", "")
    # DRF rounds down, and who comes back at once would be throttled again.
    return max(1, int(wait)) if wait.isascii() and wait.isdigit() and len(wait) < 10 else None


def _close_resources(response: Any) -> None:
    # Not close(): it tells that the whole request is finished.
    for close in response._resource_closers:
        with contextlib.suppress(Exception):
            close()
