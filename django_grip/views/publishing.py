"""The channels of a view, and publishing to them: from its hooks, and from anywhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from inspect import isawaitable
from string import Formatter
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from ..event import Event
from ..exceptions import ChannelNameError, UsageError
from ..protocol.channels import Channel, as_channels, channel_name
from ..publisher import apublish, publish
from .flow import Course, arun
from .refusal import Refusal

if TYPE_CHECKING:
    from pubcontrol import Format

    from ..publishing import Publication

__all__ = ["PublishingMixin"]

# What broadcast() has of its own: a template's field of that name could not be told from it.
_RESERVED_FIELDS = frozenset({"channel", "options"})


class PublishingMixin:
    """A view's channels and what is published to them.

    channels: templates such as ``"room:{room}"``, filled in with the URL's kwargs; or override `get_channels`.
    filters: names of filters for each of these channels, such as ``"require-sub"`` (GRIP.md, 5).
    """

    channels: Sequence[str] = ()
    filters: Sequence[str] = ()

    if TYPE_CHECKING:
        kwargs: Any

    # What get_channels returned for this request, as names.
    _channel_names: list[str] | None = None

    # -- channels --------------------------------------------------------------------------------------------------

    def get_channels(self) -> Iterable[str | Channel] | Awaitable[Iterable[str | Channel]]:
        """The channels of this connection; the default fills in `channels`. May be async."""
        return self.fill_channels(self.kwargs)

    @classmethod
    def fill_channels(cls, url_kwargs: Mapping[str, Any]) -> list[str]:
        """Fill in the templates in `channels`. Raises: ChannelNameError."""
        return [channel_name(template, **url_kwargs) for template in cls.channels]

    @classmethod
    def check_channels(cls) -> None:
        """Refuse templates that no kwargs could fill in. Raises: ImproperlyConfigured."""
        for template in cls.channels:
            try:
                fields = _fields_of(template)
                channel_name(template, **dict.fromkeys(fields, "x"))
            except (ChannelNameError, TypeError, ValueError) as error:
                raise ImproperlyConfigured(f"{cls.__name__}.channels: {error}") from error
            for name in sorted(fields & _RESERVED_FIELDS):
                raise ImproperlyConfigured(
                    f"{cls.__name__}.channels: the field {{{name}}} cannot be told from broadcast()'s {name}=; "
                    "give the URL's kwarg another name."
                )

    def find_channels(self) -> Course[list[Channel]]:
        """Ask for this connection's channels, as they shall be subscribed to. Raises: Refusal, for a URL's values."""
        try:
            given = yield self.get_channels, ()
            channels = as_channels(given)
        except ChannelNameError as error:
            self._check_kwargs(error)
            raise Refusal(f"This URL names no channel: {error}") from error
        self._channel_names = [channel.name for channel in channels]
        for channel in channels:
            channel.filters = [*self.filters, *channel.filters]
        return channels

    def _check_kwargs(self, error: ChannelNameError) -> None:
        """Tell a route that lacks a kwarg, which is the developer's mistake, from a value that is a client's."""
        if self._computes_channels():
            return
        for template in self.channels:
            missing = sorted(_fields_of(template) - self.kwargs.keys())
            if missing:
                raise ImproperlyConfigured(
                    f"{type(self).__name__}.channels has {template!r}, but its route has no <{missing[0]}>."
                ) from error

    # -- publishing from a hook ------------------------------------------------------------------------------------

    @classmethod
    def get_format(cls, message: Any) -> Format | Event:
        """How a message of this view's transport is published; an `Event` goes out in every transport's format."""
        raise NotImplementedError(f"{cls.__name__} is no transport.")

    def publish(
        self, message: Any, *, channel: str | None = None, exclude_self: bool = False, **options: Any
    ) -> Publication:
        """Publish to everybody on this view's channel.

        message: what the view's transport sends; an `Event` reaches every transport.
        channel: required if the view has several; a name, or a template as it stands in `channels`.
        exclude_self: leave out the client this request comes from.
        options: as for `django_grip.publish`: ``blocking``, ``callback``, ``id``, ``prev_id``, ``meta``, ``on_commit``.
        """
        name = self._only_channel() if channel is None else self._name_channel(channel)
        return publish(name, self.get_format(message), **self._publish_options(exclude_self, options))

    async def apublish(
        self, message: Any, *, channel: str | None = None, exclude_self: bool = False, **options: Any
    ) -> Publication:
        """`publish`, awaiting the proxies' answers. Here `get_channels` may be async."""
        if channel is None and self._channel_names is None:
            await arun(self.find_channels())
        name = self._only_channel() if channel is None else self._name_channel(channel)
        return await apublish(name, self.get_format(message), **self._publish_options(exclude_self, options))

    def _name_channel(self, channel: str) -> str:
        return channel_name(channel, **self.kwargs) if channel in self.channels else channel

    def _only_channel(self) -> str:
        if self._channel_names is None:
            channels = self.get_channels()
            if isawaitable(channels):
                getattr(channels, "close", lambda: None)()
                raise UsageError(
                    f"{type(self).__name__}.get_channels is async: await self.apublish(), or say channel= to publish()."
                )
            self._channel_names = [channel.name for channel in as_channels(channels)]
        return _pick_only(type(self), self._channel_names)

    def _publish_options(self, exclude_self: bool, options: dict[str, Any]) -> dict[str, Any]:
        if exclude_self:
            options["meta"] = {**(options.get("meta") or {}), "sender": self.sender_id()}
        return options

    def sender_id(self) -> str:
        """What tells this client from the others on its channels, for ``exclude_self``."""
        raise UsageError(f"{type(self).__name__} cannot tell who publishes, so it has no exclude_self.")

    # -- publishing from anywhere ----------------------------------------------------------------------------------

    @classmethod
    def broadcast(
        cls, message: Any, /, *, channel: str | None = None, options: Mapping[str, Any] | None = None, **url_kwargs: Any
    ) -> Publication:
        """Publish from anywhere (a task, a signal, a shell) to everybody on a channel of this view.

        url_kwargs: what fills in the templates in `channels`, as the URL would.
        channel: required if the view has several, or computes them in `get_channels`; a name, or one of the templates.
        options: as for `django_grip.publish`.
        """
        return publish(cls._broadcast_channel(channel, url_kwargs), cls.get_format(message), **(options or {}))

    @classmethod
    async def abroadcast(
        cls, message: Any, /, *, channel: str | None = None, options: Mapping[str, Any] | None = None, **url_kwargs: Any
    ) -> Publication:
        """`broadcast`, awaiting the proxies' answers."""
        name = cls._broadcast_channel(channel, url_kwargs)
        return await apublish(name, cls.get_format(message), **(options or {}))

    @classmethod
    def _broadcast_channel(cls, channel: str | None, url_kwargs: Mapping[str, Any]) -> str:
        if channel is not None:
            # One of several templates may be named as it stands in the class.
            return channel_name(channel, **url_kwargs) if channel in cls.channels else channel
        if cls._computes_channels():
            raise UsageError(f"{cls.__name__} computes its channels in get_channels: say channel= when broadcasting.")
        return _pick_only(cls, cls.fill_channels(url_kwargs))

    @classmethod
    def _computes_channels(cls) -> bool:
        return cls.get_channels is not PublishingMixin.get_channels


def _fields_of(template: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(template) if field is not None}


def _pick_only(view: type, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(f'{view.__name__} has no channel to publish to: set channels = ["..."], or say channel=.')
    raise UsageError(f"{view.__name__} has {len(names)} channels: say channel= when publishing.")
