"""By whose authority a request is answered, as it may travel where no header of the client goes: links and tickets.

What travels is sealed: a proxy, whoever reads its log, and the client of a ticket learn nothing from it. It is not the
answer of the view's authenticators that travels but what they were asked: at every fetch they are asked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import APIException

from ...conf import derive_keys
from ...protocol.seal import seal, unseal
from ...users import claim_user, make_nobody, set_user

__all__ = [
    "HEADERS",
    "MAX_CREDENTIAL",
    "OTHER",
    "TOKENLESS_SCHEMES",
    "USER",
    "Authority",
    "CredentialTooLong",
    "bring_authority",
    "find_authority",
    "find_carried",
    "find_claim",
    "put_header",
    "seal_authority",
    "unseal_authority",
]

MAX_CREDENTIAL = 1500
"""Characters of the headers that travel: sealed, in a link's token with path and query, they must stay under 4,096."""

HEADERS, USER, OTHER = "headers", "user", "other"

# What a browser or a server in front adds by itself to all requests, or what answers to one request only. Whom such a
# header has told, is remembered as a user: neither is a password good to have in an address.
TOKENLESS_SCHEMES = ("basic", "digest", "negotiate", "ntlm")
_DEFAULT_HEADERS = ("Authorization",)

# Where a Django request keeps it.
_ATTRIBUTE = "_grip_authority"


class CredentialTooLong(APIException):
    """The client's credential does not fit the address of a link or ticket."""

    status_code = 431
    default_code = "credential_too_long"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"The request's credential takes {size:,} characters; event streams and tickets carry {MAX_CREDENTIAL:,} "
            "at the most. Open a WebSocket instead, or use a shorter token."
        )


@dataclass(frozen=True, slots=True)
class Authority:
    """What says who asks. It is no more than a claim until the authenticators have judged it.

    kind: HEADERS: the view's own authenticators judge them, and one of them must say who it is.
        USER: a user of ours, as `users.claim_user` has it: still the same, and the session not ended.
        OTHER: the same, told by an authenticator whose credential is not known here: the view's own are asked first.
    values: the headers by name, or the claim.
    """

    kind: str
    values: dict[str, str] = field(repr=False)


@sensitive_variables()
def seal_authority(authority: Authority, purpose: str, **facts: Any) -> str:
    """Seal an authority with what else shall be known of it. purpose: names the key; nothing else opens it.

    Raises: CredentialTooLong.
    """
    size = sum(map(len, authority.values.values()))
    if size > MAX_CREDENTIAL:
        raise CredentialTooLong(size)
    # Equal authorities have equal seals, so that clients with one credential share a link and its fetch.
    text = json.dumps({**facts, "k": authority.kind, "v": authority.values}, sort_keys=True, separators=(",", ":"))
    return seal(text, derive_keys(purpose)[0])


@sensitive_variables()
def unseal_authority(sealed: str, purpose: str) -> tuple[Authority, dict[str, Any]] | None:
    """The authority and the facts of a seal; None for what is not our seal, or another version's."""
    text = unseal(sealed, derive_keys(purpose))
    if text is None:
        return None
    facts = json.loads(text)
    kind, values = facts.pop("k", None), facts.pop("v", None)
    if kind not in (HEADERS, USER, OTHER) or not isinstance(values, dict):
        return None
    return Authority(kind, values), facts


@sensitive_variables()
def find_authority(request: Any) -> Authority | None:
    """By whose authority a DRF request is answered; None for a session's, whom a link itself names, and for nobody's.

    What came by a link or ticket goes on as it came.
    """
    carried = find_carried(request)
    if carried is not None:
        return carried
    authenticator = getattr(request, "successful_authenticator", None)
    if authenticator is None or isinstance(authenticator, SessionAuthentication):
        return None
    headers = _find_headers(request)
    if headers:
        return Authority(HEADERS, headers)
    claim = find_claim(request)
    return None if claim is None else Authority(OTHER, claim)


def _find_headers(request: Any) -> dict[str, str]:
    """The headers that may have told the user, by the view's `live_credential_headers`."""
    view = (request.parser_context or {}).get("view")
    names: Iterable[str] = getattr(view, "live_credential_headers", _DEFAULT_HEADERS)
    found = {name: value for name in names if (value := request.META.get(_meta_name(name)))}
    return {name: value for name, value in found.items() if not _is_ambient(name, value)}


def _is_ambient(name: str, value: str) -> bool:
    return name.lower() == "authorization" and value.partition(" ")[0].lower() in TOKENLESS_SCHEMES


def find_claim(request: Any) -> dict[str, str] | None:
    """A request's user as one of ours, with the session that it came by, if any; None for nobody."""
    claim = claim_user(request, getattr(request, "user", None))
    return None if claim is None else dict(claim)


def find_carried(request: Any) -> Authority | None:
    """The authority that a link or ticket has brought to a request, DRF's or Django's."""
    return getattr(getattr(request, "_request", request), _ATTRIBUTE, None)


@sensitive_variables()
def bring_authority(request: Any, authority: Authority) -> None:
    """Let a Django request be answered by this authority and no other."""
    setattr(request, _ATTRIBUTE, authority)
    # Who is named by a cookie that came as well, or by the link itself, is not who asks.
    set_user(request, make_nobody())
    if authority.kind == HEADERS:
        for name, value in authority.values.items():
            put_header(request, name, value)


def put_header(request: Any, name: str, value: str) -> None:
    """Let a Django request have come with a header."""
    request.META[_meta_name(name)] = value
    # Somebody may have looked already; Django keeps what was seen.
    for cache in ("headers", "COOKIES"):
        request.__dict__.pop(cache, None)


def _meta_name(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")
