"""Users of links and WebSockets: telling whether one is still the same, and loading one that no cookie names.

The session hash changes with the password (and is absent from users that have none), so a changed password ends what
was opened before. The hash itself never leaves the application: a digest of it does. Nor does the key of the session
that a link's user was logged in by, but sealed: with it a log-out ends the link.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY, get_backends, get_user_model, load_backend
from django.core.exceptions import ValidationError
from django.utils.crypto import constant_time_compare

from .conf import derive_keys
from .protocol.seal import seal, unseal
from .read_only_session import open_read_only

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import AbstractUser
    from django.http import HttpRequest

__all__ = [
    "aload_user",
    "claim_user",
    "fingerprint_user",
    "is_user_unchanged",
    "load_user",
    "make_nobody",
    "open_session",
    "set_user",
]

# Characters. A longer one is the session itself, in a cookie (signed_cookies): that cannot be revoked.
_MAX_SESSION_KEY = 64


def fingerprint_user(user: Any) -> str:
    """Tell a user, as it is now, in 32 hexadecimal characters; "" for an anonymous or missing one."""
    if user is None or not user.is_authenticated:
        return ""
    # Asked for so because there are users, of tokens, who have every attribute, and None in it.
    get_hash = getattr(user, "get_session_auth_hash", None)
    return _digest(user, get_hash() if callable(get_hash) else "")


def is_user_unchanged(user: Any, fingerprint: str) -> bool:
    """Whether a fingerprint was taken of this user; SECRET_KEY_FALLBACKS are honoured."""
    if constant_time_compare(fingerprint_user(user), fingerprint):
        return True
    get_old = getattr(user, "get_session_auth_fallback_hash", None)
    if not getattr(user, "is_authenticated", False) or not callable(get_old):
        return False
    return any(constant_time_compare(_digest(user, old), fingerprint) for old in get_old())


def _digest(user: Any, session_hash: str) -> str:
    # Not every principal is a row of the user model, and two of them may have one key.
    kind = getattr(getattr(user, "_meta", None), "label", None) or user.__class__.__qualname__
    return sha256(f"django_grip.user:{kind}:{user.pk}:{session_hash}".encode()).hexdigest()[:32]


def claim_user(request: HttpRequest, user: Any) -> tuple[tuple[str, str], ...] | None:
    """What a link says of a user, as pairs: whom to load, and how to tell that the password is still the same."""
    if user is None or not user.is_authenticated:
        return None
    claim = {"pk": str(user.pk), "hash": fingerprint_user(user)}
    if len(get_backends()) > 1 and (backend := _find_backend(request, user)):
        # A user whom one backend has locked out may still be known to another.
        claim["via"] = backend
    if session := _find_session(request, user):
        claim["session"] = session
    return tuple(claim.items())


def _find_backend(request: HttpRequest, user: Any) -> str:
    """Which backend vouches for a user: the one that logged it in, in this request or in its session."""
    backend: str = getattr(user, "backend", None) or ""
    if not backend and (session := _session_of(request, user)) is not None:
        backend = session.get(BACKEND_SESSION_KEY, "")
    return backend


def _find_session(request: HttpRequest, user: Any) -> str:
    """The sealed key of the session that a user is logged in by, be it that of the link which this request came by."""
    link = getattr(getattr(request, "grip", None), "link", None)
    if link is not None and link.user is not None and link.user["pk"] == str(user.pk):
        return str(link.user.get("session", ""))
    session = _session_of(request, user)
    key = None if session is None else session.session_key
    return seal(key, derive_keys("session")[0]) if key and len(key) <= _MAX_SESSION_KEY else ""


def _session_of(request: HttpRequest, user: Any) -> Any:
    """The request's session, if it is this user's."""
    session: Any = getattr(request, "session", None)
    # One that is not loaded yet is not what told this user.
    is_its = getattr(session, "accessed", False) and session.get(SESSION_KEY) == str(user.pk)
    return session if is_its else None


def load_user(claim: Mapping[str, str], session: Any = None) -> AbstractUser | None:
    """Load the user of a claim, if its session lasts and its backend still vouches for it.

    Whether it is unchanged is another question. session: that of the claim, if it is open already.
    """
    pk = _read_pk(claim)
    session = open_session(claim) if session is None else session
    if pk is None or (session is not None and session.get(SESSION_KEY) != claim["pk"]):
        return None
    users = (_remember(backend.get_user(pk), claim) for backend in _find_backends(claim))
    return next((user for user in users if user is not None), None)


async def aload_user(claim: Mapping[str, str], session: Any = None) -> AbstractUser | None:
    """`load_user` on an async stack."""
    pk = _read_pk(claim)
    session = open_session(claim) if session is None else session
    if pk is None or (session is not None and await session.aget(SESSION_KEY) != claim["pk"]):
        return None
    for backend in _find_backends(claim):
        get_user: Callable[[Any], Any] = getattr(backend, "aget_user", None) or sync_to_async(backend.get_user)
        user = _remember(await get_user(pk), claim)
        if user is not None:
            return user
    return None


def open_session(claim: Mapping[str, str] | None) -> Any:
    """The session of a claim, to be read; one that is no more is empty. None: the claim names none."""
    if claim is None or "session" not in claim:
        return None
    return open_read_only(unseal(claim["session"], derive_keys("session")))


def _read_pk(claim: Mapping[str, str]) -> Any:
    try:
        return get_user_model()._meta.pk.to_python(claim["pk"])
    except ValidationError:
        return None  # a pk of another user model, which the project had before


def _find_backends(claim: Mapping[str, str]) -> list[Any]:
    """The backends that may vouch for a user: the one that did, if it is still configured; else any."""
    backends = [backend for backend in get_backends() if hasattr(backend, "get_user")]
    if "via" not in claim:
        return backends
    try:
        via = type(load_backend(claim["via"]))
    except ImportError:
        return []
    return [backend for backend in backends if type(backend) is via]


def _remember(user: AbstractUser | None, claim: Mapping[str, str]) -> AbstractUser | None:
    if user is not None and "via" in claim:
        # As authenticate() does; the next link of this stream names it again.
        user.backend = claim["via"]
    return user


def make_nobody() -> Any:
    """Django's anonymous user; in a project without ``django.contrib.auth``, what answers the same questions."""
    if apps.is_installed("django.contrib.auth"):
        # Its module has models, which cannot be imported where the app is not installed.
        from django.contrib.auth.models import AnonymousUser

        return AnonymousUser()
    return SimpleNamespace(pk=None, is_authenticated=False, is_anonymous=True, is_active=False)


def set_user(request: HttpRequest, user: AbstractUser) -> None:
    """Let a request be this user's, wherever Django's AuthenticationMiddleware stands."""

    async def auser() -> Any:
        return user

    request.user = user  # type: ignore[assignment]
    request.auser = auser
    # AuthenticationMiddleware sets both again if it stands behind ours, from these.
    request._cached_user = request._acached_user = user  # type: ignore[attr-defined]
