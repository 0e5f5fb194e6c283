"""Ending the live connections of a user, or of a channel, at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models.manager import BaseManager
from pubcontrol import Format

from ...protocol.formats import HttpResponseFormat, HttpStreamFormat, WebSocketMessageFormat
from ...publisher import Publication, apublish, publish
from ..channels import pair_channel, user_channel

__all__ = ["aclose_subscribers", "close_subscribers"]

_AUTHENTICATE = (4401, "log in again")
_FORBID = (4403, "not permitted")


def close_subscribers(*, user: Any = None, channel: str | None = None, on_commit: bool | str = True) -> Publication:
    """End live connections now: all of a user, all of a channel, or those of a user to a channel.

    Who may still come in, comes back: a client that connects again is asked for its authority like any other. Without
    this, what is revoked ends a connection when that is next asked, within `live_recheck` seconds.

    user: an instance or its primary key. channel: one of `get_live_channels` or `get_publish_channels`.
    on_commit: wait for the transaction that does the revoking, lest they come back before it commits. It may be the
    alias of a database; False is at once, whatever becomes of the transaction.

    A WebSocket is closed with 4401 where a user alone is given, else with 4403; an event stream ends; a long-poll is
    made to ask again.

    Raises: TypeError if neither is given, or the user is none; ChannelNameError; NoProxy.
    """
    return publish(_find_channel(user, channel), _make_formats(channel), on_commit=on_commit)


async def aclose_subscribers(*, user: Any = None, channel: str | None = None) -> Publication:
    """`close_subscribers` at once, awaiting the proxies' answers. Raises: also PublishError."""
    return await apublish(_find_channel(user, channel), _make_formats(channel))


def _find_channel(user: Any, channel: str | None) -> str:
    """The channel that exactly those connections are on."""
    if user is None:
        if channel is None:
            raise TypeError("close_subscribers() needs user=, channel=, or both: whose connections shall end?")
        return channel
    is_instance = hasattr(user, "pk") and not isinstance(user, type)
    pk = user.pk if is_instance else user
    if pk is None or isinstance(pk, bool) or pk == "" or not (is_instance or _is_key(pk)):
        # Nearly anything can name a channel. Nobody would be on it, and nobody's connection would end.
        raise TypeError("close_subscribers() takes for user= one that is stored, or its primary key.")
    return user_channel(pk) if channel is None else pair_channel(pk, channel)


def _is_key(value: Any) -> bool:
    """Whether a value may be a primary key, rather than a class, or several users."""
    return isinstance(value, str) or not isinstance(value, (type, BaseManager, Iterable))


def _make_formats(channel: str | None) -> list[Format]:
    code, reason = _AUTHENTICATE if channel is None else _FORBID
    return [
        HttpStreamFormat(action="close"),
        WebSocketMessageFormat(action="close", code=code, reason=reason),
        HttpResponseFormat(action="hint"),
    ]
