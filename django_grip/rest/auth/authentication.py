"""Authentication of what has no header of its own: links that the proxy fetches, and tickets."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed

from ...users import is_user_unchanged, load_user
from ..media_types import EVENT_STREAM_TYPE
from .authority import HEADERS, USER, Authority
from .credentials import find_restored
from .tickets import Ticket

__all__ = ["ClaimAuthentication", "RefusedAuthentication", "TicketAuthentication", "live_authenticators"]


def live_authenticators(view: Any, authenticators: list[Any]) -> list[Any]:
    """The authenticators of a live view for its request: its own, and those of links and tickets where one came.

    Where `credentials.restore` found nothing there are the view's own alone; so a plain request is answered, and
    refused, as everywhere else.
    """
    restored = find_restored(getattr(view, "request", None))
    if restored is None:
        return authenticators
    if restored.refusal is not None:
        return [RefusedAuthentication(restored.refusal, authenticators), *authenticators]
    found = list(authenticators)
    authority = restored.authority
    if authority is not None:
        claim = ClaimAuthentication(authority)
        found = [claim, *found] if authority.kind == USER else [*found, claim]
    if restored.ticket is not None:
        found.insert(0, TicketAuthentication(restored.ticket, authenticators))
        if not restored.ticket.is_marked:
            found.append(NoTicketAuthentication(restored.ticket.parameter))
    return found


class RefusedAuthentication(BaseAuthentication):
    """Refuses a request whose credentials were found wrong before DRF had it."""

    def __init__(self, refusal: APIException, others: list[Any]) -> None:
        self._refusal = refusal
        self._others = others

    def authenticate(self, request: Any) -> None:
        raise self._refusal

    def authenticate_header(self, request: Any) -> str:
        return _find_challenge(self._others, request)


class TicketAuthentication(BaseAuthentication):
    """Lets a ticket open an event stream, and nothing else. Who asks, others say."""

    def __init__(self, ticket: Ticket, others: list[Any]) -> None:
        self._ticket = ticket
        self._others = others

    def authenticate(self, request: Any) -> None:
        self._ticket.check(is_stream=_asks_for_stream(request))

    def authenticate_header(self, request: Any) -> str | None:
        if not self._ticket.is_marked and not _asks_for_stream(request):
            # An ordinary parameter of an ordinary request, which is refused as the view's own authenticators have it.
            return self._others[0].authenticate_header(request) if self._others else None
        return _find_challenge(self._others, request)


class NoTicketAuthentication(BaseAuthentication):
    """Comes last: where nobody else knows who asks for a stream, what is no ticket was perhaps meant as one.

    Else it is a parameter of the view's own, such as a filter.
    """

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter

    def authenticate(self, request: Any) -> None:
        if _asks_for_stream(request):
            raise AuthenticationFailed(
                f"The ticket is malformed. If {self._parameter!r} is no ticket but a parameter of the view's own, "
                "name another in its live_ticket_parameter."
            )


class ClaimAuthentication(BaseAuthentication):
    """Believes the user of a link or ticket as long as nothing has changed; nobody is no answer to either."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    def authenticate(self, request: Any) -> tuple[Any, None]:
        if self._authority.kind == HEADERS:
            raise AuthenticationFailed("The credential that this stream was opened with is no longer accepted.")
        claim = self._authority.values
        user = load_user(claim)
        if user is None or not getattr(user, "is_active", True) or not is_user_unchanged(user, claim["hash"]):
            raise AuthenticationFailed("The user who opened this stream is no longer logged in.")
        return user, None

    def authenticate_header(self, request: Any) -> str:
        return _CHALLENGE


_CHALLENGE = "Ticket"


def _asks_for_stream(request: Any) -> bool:
    """Whether DRF's negotiation, which comes before authentication, has found that an event stream is asked for."""
    return getattr(getattr(request, "accepted_renderer", None), "media_type", None) == EVENT_STREAM_TYPE


def _find_challenge(authenticators: list[Any], request: Any) -> str:
    """A WWW-Authenticate, which turns DRF's answer into a 401: that of the view's own, if it has one."""
    own = authenticators[0].authenticate_header(request) if authenticators else None
    return own or _CHALLENGE
