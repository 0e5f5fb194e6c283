"""The channels of live viewsets and of their subscribers.

Their names hold the viewset's dotted path, never the model alone: two viewsets of one model need not show the same
objects to the same people.
"""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Model
from rest_framework.exceptions import ParseError

from ..conf import grip_settings
from ..endpoints import name_of
from ..exceptions import ChannelNameError
from ..protocol.channels import Channel, as_channels, channel_name
from .objects import family_of, key_of

__all__ = [
    "find_channels",
    "find_user_key",
    "key_channel",
    "list_channel",
    "object_channel",
    "pair_channel",
    "url_channel",
    "user_channel",
]


def find_channels(view: Any) -> list[Channel]:
    """The channels that a live view's connection shall be subscribed to.

    Raises: ParseError, answered with a 400, for a value of the URL that names none; ImproperlyConfigured for more
    than the proxy takes.
    """
    try:
        channels = as_channels(_name_channels(view))
    except ChannelNameError as error:
        if not view.kwargs:
            raise  # the developer's own
        raise ParseError(f"This URL names no channel: {error}") from error
    limit = grip_settings().max_channels
    # One more is of this package's own making: a guard, a channel that nobody publishes to.
    if len(channels) + 1 > limit:
        raise ImproperlyConfigured(
            f"{type(view).__name__}.get_live_channels names too many: with those of its user and one of its own, a "
            f"connection would be on {len(channels) + 1} channels, and the proxy takes {limit}."
        )
    return channels


def _name_channels(view: Any) -> list[str]:
    """Those of what is asked for, and those where `close_subscribers` reaches its user."""
    if view.is_live_detail:
        if view.live_object is None:
            # An action of the project's own has found it in another way, or its get_object() is not ours.
            view.live_object = view.get_object()
        names = [view.get_object_channel(view.live_object)]
    else:
        names = list(view.get_live_channels())
    key = find_user_key(view.request.user)
    return names if key is None else [*names, user_channel(key), *(pair_channel(key, name) for name in names)]


def list_channel(viewset: type) -> str:
    """Where everybody hears that a list of this viewset has changed."""
    return f"live:{name_of(viewset)}"


def object_channel(viewset: type, instance: Model) -> str:
    """Where those hear of an object who have opened its own URL; the database is named where it is not the default.

    It is that which the object is written to, wherever it was read from.
    """
    alias = router.db_for_write(family_of(viewset, type(instance)), instance=instance)
    return key_channel(viewset, alias, key_of(viewset, instance))


def key_channel(viewset: type, alias: str, key: Any) -> str:
    """`object_channel`, of an object whose row is not there. alias: of the database that it is written to."""
    template = list_channel(viewset) + (":{pk}" if alias == DEFAULT_DB_ALIAS else ":{alias}:{pk}")
    return channel_name(template, pk=_spell(key), alias=alias)


def url_channel(viewset: type, name: Any) -> str:
    """As `object_channel`, of what is no row of a model. name: the value of its URL; None where that has none."""
    return list_channel(viewset) if name is None else channel_name(list_channel(viewset) + ":{name}", name=name)


def _spell(key: Any) -> Any:
    """One spelling for keys that are equal: what is saved may be spelt in another way than what is read back."""
    if isinstance(key, Decimal):
        return f"{key.normalize():f}"
    if isinstance(key, datetime) and key.tzinfo is not None:
        return key.astimezone(timezone.utc).isoformat()
    return key


def find_user_key(user: Any) -> Any:
    """What names a user in channels; None for nobody, and for a user of the project's own who has no key."""
    return user.pk if user is not None and user.is_authenticated else None


def user_channel(pk: Any) -> str:
    """What every live connection of a user is on, so that `close_subscribers` finds them."""
    return channel_name("live-user:{pk}", pk=pk)


def pair_channel(pk: Any, channel: str) -> str:
    """What a user's connections to one channel are on. Hashed: a channel's name may be as long as names can be."""
    return channel_name("live-user:{pk}:{digest}", pk=pk, digest=sha256(channel.encode()).hexdigest()[:32])
