"""Long-polls: who has the present representation, and would wait (RFC 7240), waits for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...guard import MIN_TIMEOUT, Guard, find_guard, make_guard, renew_guard
from ..channels import find_channels
from .caching import keep_out_of_cache
from .prefer import build_preference_applied, parse_wait

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from ...protocol.channels import Channel
    from ...request import GripData

__all__ = ["LongPoll", "is_replay", "read"]


class LongPoll(NamedTuple):
    """A request that may wait.

    wait_seconds: in all. guard: of the hold, if the request was held before. channels: where it hears of changes.
    """

    grip: GripData
    wait_seconds: int
    guard: Guard | None
    channels: list[Channel]

    @property
    def was_held(self) -> bool:
        return self.guard is not None

    def wait(self, response: Response) -> None:
        """Hold the answer, which is a 304, if the time is not over."""
        guard = renew_guard(self.guard) if self.guard else make_guard()
        timeout = guard.find_timeout(self.wait_seconds)
        if timeout:
            instruct = self.grip.start_instruct()
            instruct.add_channels([*self.channels, guard.as_channel()])
            instruct.set_hold_longpoll(timeout)
            self.tell(response)

    def tell(self, response: Response) -> None:
        """Say how long the client may wait, or has waited at the most."""
        response.headers["Preference-Applied"] = build_preference_applied(self.wait_seconds)


def read(view: Any, request: Request) -> LongPoll | None:
    """The long-poll that a request asks for; None for one that is answered at once.

    That are also direct clients, whose preference nobody can follow, and who names no version (``*``), which none could
    ever replace.

    Raises: what the view raises for an object that it does not show, ParseError for a URL that names no channel.
    """
    grip: GripData | None = getattr(request._request, "grip", None)
    if request.method != "GET" or grip is None or not grip.proxied or grip.instruct is not None:
        return None
    wait = parse_wait(request.META.get("HTTP_PREFER", ""))
    known = request.META.get("HTTP_IF_NONE_MATCH", "").strip(" \t")
    if not wait or known in ("", "*"):
        return None
    keep_out_of_cache(request)
    # Nobody can be held for less, so that is what is promised.
    seconds = max(min(wait, view.live_max_wait), MIN_TIMEOUT)
    return LongPoll(grip, seconds, find_guard(grip.last), find_channels(view))


def is_replay(request: Request) -> bool:
    """Whether the proxy asks again for what it holds, which is the answer to a GET."""
    grip: GripData | None = getattr(request._request, "grip", None)
    return request.method == "GET" and grip is not None and find_guard(grip.last) is not None
