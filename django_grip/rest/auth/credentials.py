"""Credentials that come by other ways than a header, put where authenticators look for them.

The subprotocol ``bearer.<token>`` of a WebSocket becomes the request's Authorization; what a link carries, as the
proxy fetches it without the client's headers, becomes those headers again; a ticket is taken out of the URL. What is
wrong with them is an answer like any other of DRF's: the first authenticator raises it (`authentication`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework.exceptions import APIException, AuthenticationFailed

from ...users import make_nobody
from .authority import Authority, bring_authority, find_authority, seal_authority, unseal_authority
from .bearer import restore_bearer
from .tickets import Ticket, find_ticket

__all__ = ["Restored", "find_restored", "link_user", "restore", "seal_for_link"]

_ATTRIBUTE = "_grip_restored"
# In a link's data.
_KEY = "auth"
_PURPOSE = "credential"


@dataclass(frozen=True)
class Restored:
    """What came with a request, for its authenticators.

    authority: by which it is to be answered, and no other. ticket: that of its URL, if there is one.
    refusal: what is wrong with what came.
    """

    authority: Authority | None = None
    ticket: Ticket | None = None
    refusal: APIException | None = field(default=None, repr=False)


def find_restored(request: Any) -> Restored | None:
    """What `restore` found in a request, DRF's or Django's; None for most."""
    return getattr(getattr(request, "_request", request), _ATTRIBUTE, None)


@sensitive_variables()
def restore(view: Any, request: Any) -> None:
    """Give a Django request back the credentials that it came with by another way than a header.

    view: its ``get_authenticators()`` tells of which scheme a token is, and ends in
    `authentication.live_authenticators`: nothing is raised here, the first of them tells what is wrong. So it comes
    before DRF's request is made. A second call changes nothing.
    """
    restored = _restore(view, request)
    if restored is None:
        return
    setattr(request, _ATTRIBUTE, restored)
    if restored.authority is not None:
        bring_authority(request, restored.authority)


@sensitive_variables()
def _restore(view: Any, request: Any) -> Restored | None:
    grip = getattr(request, "grip", None)
    if grip is not None and grip.link is not None:
        return _open_link(grip.link)
    ticket = find_ticket(view, request)
    refusal = None if ticket is None else ticket.refusal
    # Beside what only has the name of a ticket, such as a filter, a WebSocket may bring its token.
    if getattr(request, "wscontext", None) is not None and (ticket is None or not ticket.is_marked):
        refusal = restore_bearer(view, request)
    if ticket is None:
        return None if refusal is None else Restored(refusal=refusal)
    return Restored(ticket.authority, ticket, refusal)


@sensitive_variables()
def _open_link(link: Any) -> Restored | None:
    sealed = (link.data or {}).get(_KEY)
    if sealed is None:
        # The link's own user, whom the middleware has restored; or nobody.
        return None
    opened = unseal_authority(sealed, _PURPOSE)
    if opened is None:
        return Restored(refusal=AuthenticationFailed("The link's credential does not open with this SECRET_KEY."))
    return Restored(opened[0])


def seal_for_link(request: Any) -> dict[str, str]:
    """What a link's ``data`` has to carry so that its fetches are authenticated as this DRF request is.

    It is empty for who came by a session, whom the link itself names (see `link_user`), and for nobody.

    Raises: CredentialTooLong, an APIException.
    """
    authority = find_authority(request)
    return {} if authority is None else {_KEY: seal_authority(authority, _PURPOSE)}


def link_user(request: Any) -> Any:
    """The user for a link to name: nobody, where `seal_for_link` says it all.

    A token's user need not be one that Django's backends can load.
    """
    return request.user if find_authority(request) is None else make_nobody()
