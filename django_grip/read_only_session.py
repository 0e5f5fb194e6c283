"""The session of a request that the proxy makes by itself, for a client whose cookie it does not send: to be read only.

What is written there stays in this one request. A client could not be given a new cookie by it, and the session of a
user who is away shall not be kept from ending by a stream that is still open.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .conf import make_session

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["open_read_only", "set_session"]


def open_read_only(key: str | None) -> Any:
    """The session of a key; one that is no more is empty."""
    session = make_session(key)
    for name in ("save", "create", "delete"):
        setattr(session, name, _do_nothing)
        setattr(session, f"a{name}", _ado_nothing)
    # Then Django's SessionMiddleware neither saves it nor sets a cookie, and there is none that it could delete.
    session.is_empty = lambda: True
    return session


def _do_nothing(*args: Any, **kwargs: Any) -> None:
    pass


async def _ado_nothing(*args: Any, **kwargs: Any) -> None:
    pass


def set_session(request: HttpRequest, session: Any) -> None:
    """Let a request have a session, wherever SessionMiddleware stands: without a cookie it would set an empty one."""
    request.__dict__["session"] = session
    request.__class__ = _with_fixed_session(type(request))  # type: ignore[arg-type]


@lru_cache(maxsize=16)
def _with_fixed_session(request_class: type[HttpRequest]) -> type[HttpRequest]:
    if isinstance(getattr(request_class, "session", None), property):
        return request_class
    session = property(lambda request: request.__dict__["session"], lambda request, other: None)
    return type(request_class.__name__, (request_class,), {"__module__": request_class.__module__, "session": session})
