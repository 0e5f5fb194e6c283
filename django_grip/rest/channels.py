"""The channels of live viewsets and of their subscribers.

Their names hold the viewset's dotted path, never the model alone: two viewsets of one model need not show the same
objects to the same people.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import ParseError

from ..conf import grip_settings
from ..exceptions import ChannelNameError
from ..protocol.channels import Channel, as_channels, channel_name

__all__ = ["find_channels", "find_user_key", "list_channel", "object_channel", "pair_channel", "user_channel"]


def find_channels(view: Any) -> list[Channel]:
    """The channels that a live view's connection shall be subscribed to.

    Raises: ParseError, answered with a 400, for a value of the URL that names none; ImproperlyConfigured for more
    than the proxy takes.
    """
    try:
        channels = as_channels(view.find_live_channels())
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


def list_channel(viewset: type) -> str:
    """Where everybody hears that a list of this viewset has changed."""
    return f"live:{viewset.__module__}.{viewset.__qualname__}"


def object_channel(viewset: type, pk: Any) -> str:
    """Where those hear of an object who have opened its own URL."""
    return channel_name(list_channel(viewset) + ":{pk}", pk=pk)


def find_user_key(user: Any) -> Any:
    """What names a user in channels; None for nobody, and for a user of the project's own who has no key."""
    return user.pk if user is not None and user.is_authenticated else None


def user_channel(pk: Any) -> str:
    """What every live connection of a user is on, so that `close_subscribers` finds them."""
    return channel_name("live-user:{pk}", pk=pk)


def pair_channel(pk: Any, channel: str) -> str:
    """What a user's connections to one channel are on. Hashed: a channel's name may be as long as names can be."""
    return channel_name("live-user:{pk}:{digest}", pk=pk, digest=sha256(channel.encode()).hexdigest()[:32])
