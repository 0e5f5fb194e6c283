"""Tickets: how a page without a cookie opens an ``EventSource``, which takes no headers from it.

The page posts the address it wants to `LiveTicketView`, with its token, and opens the address with ``?ticket=...``
within a minute. A ticket is sealed: it cannot be read or changed, and it says who, what path, and until when. It opens
event streams by GET and nothing else, and is taken out of the URL before anybody else sees it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, unquote_plus

from django.core.exceptions import PermissionDenied
from django.views.decorators.debug import sensitive_variables
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import CharField, IntegerField, Serializer, ValidationError
from rest_framework.views import APIView

from ...exceptions import UsageError
from ...links import rewrite_query
from ...protocol.links import LINK_MARK
from ...protocol.tickets import TICKET_MARK
from .authority import OTHER, USER, Authority, find_authority, find_claim, seal_authority, unseal_authority

__all__ = ["MAX_PATH", "TICKET_AGE", "LiveTicketView", "Ticket", "find_ticket", "make_ticket"]

TICKET_AGE = 60
"""Seconds in which a ticket opens a stream. How long the stream stays open is another question."""

MAX_PATH = 1000
"""Characters of the path that a ticket is for."""

_PURPOSE = "ticket"
_DEFAULT_PARAMETER = "ticket"

_not_in_a_path = re.compile(r"[?#\\\x00-\x20\x7f]")


@dataclass(frozen=True)
class Ticket:
    """A ticket as it came.

    authority: of whom it is; None if it is refused. refusal: why. is_marked: whether it is one of ours by its looks,
    and not a parameter of the view's own that happens to have the same name. parameter: that name.
    """

    authority: Authority | None = None
    refusal: AuthenticationFailed | None = field(default=None, repr=False)
    is_marked: bool = True
    parameter: str = _DEFAULT_PARAMETER

    def check(self, *, is_stream: bool) -> None:
        """Raises: AuthenticationFailed, for what is not to be answered with this."""
        if self.refusal is not None:
            raise self.refusal
        if self.is_marked and not is_stream:
            raise AuthenticationFailed("A ticket opens an event stream (Accept: text/event-stream), and nothing else.")


@sensitive_variables()
def make_ticket(request: Any, path: str) -> str:
    """Make a ticket for the user of a request, Django's or DRF's: the value of ``?ticket=`` for `TICKET_AGE` seconds.

    path: of the stream, as its URL has it, without a query; such as ``reverse("ticket-list")``.

    Raises: PermissionDenied for an anonymous user, UsageError for a path that is none, CredentialTooLong.
    """
    path = _read_path(path)
    authority = find_authority(request)
    if authority is None:
        claim = find_claim(request)
        if claim is None:
            raise PermissionDenied("A ticket is made for a user, and this request has none.")
        authority = Authority(USER, claim)
    if authority.kind == OTHER:
        # The stream's request does not bring what this one was told by.
        authority = replace(authority, kind=USER)
    return TICKET_MARK + seal_authority(authority, _PURPOSE, p=_digest(path), x=int(time.time()) + TICKET_AGE)


def _read_path(path: str) -> str:
    """Check the path of a URL, and decode it as servers do. Raises: UsageError."""
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise UsageError("The path of a ticket is one of this site, such as '/api/tickets/'.")
    if len(path) > MAX_PATH:
        raise UsageError(f"The path of a ticket has {len(path):,} characters; {MAX_PATH:,} is the most.")
    if _not_in_a_path.search(path):
        raise UsageError(
            "The path of a ticket is a path alone: no query, no fragment, no blanks or control characters."
        )
    if LINK_MARK in path:
        raise UsageError(f"The path of a ticket must not have {LINK_MARK!r} in it.")
    return unquote(path)


def _digest(path: str) -> str:
    """What stands for a path in a ticket, which travels with the path itself in one line of limited length."""
    return sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@sensitive_variables()
def find_ticket(view: Any, request: Any) -> Ticket | None:
    """Look for a ticket in a Django request's query, judge it, and take it out; None if there is none."""
    name, query = getattr(view, "live_ticket_parameter", _DEFAULT_PARAMETER), request.META.get("QUERY_STRING", "")
    if not name or not query:
        return None
    values, others = [], []
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if unquote_plus(key) == name:
            values.append(unquote_plus(value))
        else:
            others.append(part)
    if not values:
        return None
    if not any(value.startswith(TICKET_MARK) for value in values):
        return Ticket(is_marked=False, parameter=name)
    _take_out(request, "&".join(others))
    if len(values) > 1:
        return Ticket(refusal=AuthenticationFailed("There is more than one ticket."))
    return _open_ticket(values[0], request)


def _take_out(request: Any, query: str) -> None:
    rewrite_query(request, query)
    scope = getattr(request, "scope", None)
    if scope is not None:
        # The server's own: its access log writes what stands there when the answer begins.
        scope["query_string"] = query.encode("latin-1", "replace")


@sensitive_variables()
def _open_ticket(value: str, request: Any) -> Ticket:
    opened = unseal_authority(value.removeprefix(TICKET_MARK), _PURPOSE)
    if opened is None:
        return Ticket(refusal=AuthenticationFailed("The ticket is forged or damaged."))
    authority, facts = opened
    fault = _find_fault(facts, request)
    return Ticket(authority) if fault is None else Ticket(refusal=AuthenticationFailed(fault))


def _find_fault(facts: dict[str, Any], request: Any) -> str | None:
    if time.time() >= facts["x"]:
        return f"The ticket is stale: it opens a stream for {TICKET_AGE} seconds. Get another one."
    if facts["p"] != _digest(request.path):
        return "The ticket is for another path."
    if request.method != "GET":
        return f"A ticket opens an event stream by GET, not by {request.method}."
    return None


class LiveTicketSerializer(Serializer):
    path = CharField(write_only=True, max_length=MAX_PATH, trim_whitespace=False)
    ticket = CharField(read_only=True)
    expires_in = IntegerField(read_only=True)

    def validate_path(self, path: str) -> str:
        try:
            _read_path(path)
        except UsageError as error:
            raise ValidationError(str(error)) from None
        return path


class LiveTicketView(APIView):
    """Give the user of a request a ticket: POST ``{"path": "/api/tickets/"}``, and open that path with ``?ticket=...``.

    Route it where pages find it: ``path("api/ticket/", LiveTicketView.as_view())``. Its authenticators should be those
    of the streams: they judge at the opening, and at every `live_recheck`, what came here.
    """

    permission_classes = [IsAuthenticated]
    serializer_class = LiveTicketSerializer

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        serializer = self.serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        ticket = make_ticket(request, serializer.validated_data["path"])
        return Response({"ticket": ticket, "expires_in": TICKET_AGE}, headers={"Cache-Control": "no-store"})
