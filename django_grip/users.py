"""Telling whether a user is still the one a link or a WebSocket's state was made for.

The session hash changes with the password (and is absent from users that have none), so a changed password ends what
was opened before. The hash itself never leaves the application: a digest of it does.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.utils.crypto import constant_time_compare

__all__ = ["fingerprint_user", "is_user_unchanged"]


def fingerprint_user(user: Any) -> str:
    """Tell a user, as it is now, in 32 hexadecimal characters; "" for an anonymous or missing one."""
    if user is None or not user.is_authenticated:
        return ""
    session_hash = user.get_session_auth_hash() if hasattr(user, "get_session_auth_hash") else ""
    return _digest(user, session_hash)


def is_user_unchanged(user: Any, fingerprint: str) -> bool:
    """Whether a fingerprint was taken of this user; SECRET_KEY_FALLBACKS are honoured."""
    if constant_time_compare(fingerprint_user(user), fingerprint):
        return True
    if not getattr(user, "is_authenticated", False) or not hasattr(user, "get_session_auth_fallback_hash"):
        return False
    return any(constant_time_compare(_digest(user, old), fingerprint) for old in user.get_session_auth_fallback_hash())


def _digest(user: Any, session_hash: str) -> str:
    return sha256(f"django_grip.user:{user.pk}:{session_hash}".encode()).hexdigest()[:32]
