"""Users that live in the memory of the test, so that sessions and permissions need no database."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.contrib.sessions.backends.cache import SessionStore

SETTINGS = {
    "AUTHENTICATION_BACKENDS": ["tests.views.users.MemoryBackend"],
    "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
    "LOGIN_URL": "/login/",
}

users: dict[int, User] = {}
permissions: dict[int, set[str]] = {}


class MemoryBackend(BaseBackend):
    def get_user(self, user_id: Any) -> User | None:
        user = users.get(int(user_id))
        return user if user is not None and user.is_active else None

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return permissions.get(user_obj.pk, set())


def make_user(name: str, *, pk: int = 1, may: tuple[str, ...] = ()) -> User:
    user = User(pk=pk, username=name, password=f"!hash of {name}")
    users[pk] = user
    permissions[pk] = set(may)
    return user


def make_session(user: User) -> str:
    """Log a user in; the session's key is what the cookie carries."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "tests.views.users.MemoryBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def end_session(key: str) -> None:
    """Log the user of a session out, on the server's side."""
    SessionStore(key).flush()


@pytest.fixture
def accounts(settings: Any) -> Any:
    """Users by `make_user`, for the length of a test."""
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    yield
    users.clear()
    permissions.clear()
