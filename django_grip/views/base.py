"""What the realtime views have in common: the check of the class, hooks of either kind, channels, publishing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import wraps
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import BadRequest, ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.utils.functional import cached_property, classproperty
from django.views import View

from ..event import Event
from ..exceptions import ChannelNameError, UsageError
from ..protocol.channels import Channel, as_channels, channel_name
from ..publisher import apublish, publish
from .flow import Call, Course, arun, run

if TYPE_CHECKING:
    from django.http import HttpRequest
    from pubcontrol import Format

    from ..publishing import Publication
    from ..request import GripHttpRequest

__all__ = ["GripView"]


class GripView(View):
    """The ground the realtime views stand on; it has no transport of its own.

    channels: templates such as ``"room:{room}"``, filled in with the URL's kwargs; or override `get_channels`.
    filters: names of filters for each of these channels, such as ``"require-sub"`` (GRIP.md, 5).
    live_recheck: seconds after which the proxy lets an open connection's authority be asked again; None: never.
    """

    channels: Sequence[str] = ()
    filters: Sequence[str] = ()
    live_recheck: int | None = 60

    # What a class of the project's defines of `hook_names`.
    own_hooks: ClassVar[frozenset[str]] = frozenset()
    _is_async: ClassVar[bool] = False

    # The hooks of this kind of view, all sync or all async in a class of the project's.
    hook_names: ClassVar[tuple[str, ...]] = ()
    allowed_methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "OPTIONS")

    if TYPE_CHECKING:
        request: GripHttpRequest

    # -- the class -------------------------------------------------------------------------------------------------

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """Make the view for a URLconf.

        Raises: TypeError for an unknown argument, ImproperlyConfigured for a class that cannot work; both when the
        URLconf is loaded.
        """
        for name in initkwargs:
            if name in cls.hook_names:
                raise TypeError(f"{cls.__name__}.as_view() takes no {name!r}: define it as a method in a subclass.")
        cls.check_class()
        view = super().as_view(**initkwargs)
        if cls.view_is_async:
            view = _make_async(cls, view)
        # Each hook call has a transaction of its own instead of one around all messages of a request.
        view._non_atomic_requests = set(connections.settings)  # type: ignore[attr-defined]
        return view

    @classmethod
    def check_class(cls) -> None:
        """Refuse a class that cannot work, with what to change. Raises: ImproperlyConfigured."""
        kinds = {name: iscoroutinefunction(getattr(cls, name)) for name in cls.find_own_hooks()}
        if len(set(kinds.values())) > 1:
            mixture = ", ".join(f"{'async ' if is_async else ''}def {name}" for name, is_async in kinds.items())
            raise ImproperlyConfigured(
                f"{cls.__name__} mixes sync and async hooks ({mixture}); make them all the same."
            )
        if isinstance(cls.channels, (str, bytes)):
            raise ImproperlyConfigured(f"{cls.__name__}.channels must be a list: write [{cls.channels!r}].")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Found once: both are asked for with every request, the second with every message.
        cls.own_hooks = frozenset(cls.find_own_hooks())
        cls._is_async = any(iscoroutinefunction(getattr(cls, name)) for name in cls.own_hooks)

    @classmethod
    def find_own_hooks(cls) -> list[str]:
        """The hooks that are not this package's own do-nothing defaults."""
        return [name for name in cls.hook_names if not getattr(cls, name).__module__.startswith("django_grip.")]

    @classproperty
    def view_is_async(cls) -> bool:
        return cls._is_async

    # -- one request -----------------------------------------------------------------------------------------------

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(request, "grip"):
            raise ImproperlyConfigured(
                f'{type(self).__name__} needs "django_grip.GripMiddleware" in MIDDLEWARE; put it first.'
            )
        course = self.course()
        return arun(course) if self.view_is_async else run(course)

    def course(self) -> Course[HttpResponseBase]:
        """Answer the request: the course of events from the first hook to the response."""
        method = self.request.method or ""
        if method not in self.allowed_methods:
            return HttpResponseNotAllowed(self.allowed_methods)
        if method == "OPTIONS":
            return HttpResponse(headers={"Allow": ", ".join(self.allowed_methods), "Content-Length": "0"})
        return (yield from self.answer())

    def answer(self) -> Course[HttpResponseBase]:
        raise NotImplementedError(f"{type(self).__name__} is no transport: subclass StreamView, LongPollView or so on.")
        yield  # a course even so

    def hook(self, function: Callable[..., Any], *arguments: Any) -> Call:
        """The call of a hook, in a transaction of its own where requests are atomic (DESIGN decision 12)."""
        if self._is_async:
            return self._acall_hook, (function, arguments)
        return self._call_hook, (function, arguments)

    def _call_hook(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if not self._atomic_databases:
            return self.after_hook(function(*arguments))
        with ExitStack() as blocks:
            for alias in self._atomic_databases:
                blocks.enter_context(transaction.atomic(using=alias))
            return self.after_hook(function(*arguments))

    @cached_property
    def _atomic_databases(self) -> list[str]:
        return [alias for alias, database in connections.settings.items() if database["ATOMIC_REQUESTS"]]

    async def _acall_hook(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        result = function(*arguments)
        return self.after_hook(await result if isawaitable(result) else result)

    def after_hook(self, result: Any) -> Any:
        """Look at what a hook did, while its transaction can still be rolled back."""
        return result

    # -- channels and publishing -----------------------------------------------------------------------------------

    def get_channels(self) -> Iterable[str | Channel] | Awaitable[Iterable[str | Channel]]:
        """The channels of this connection; the default fills in `channels`. May be async."""
        return self.fill_channels(self.kwargs)

    @classmethod
    def fill_channels(cls, url_kwargs: Mapping[str, Any]) -> list[str]:
        """Fill in the templates in `channels`. Raises: ChannelNameError."""
        return [channel_name(template, **url_kwargs) for template in cls.channels]

    def find_channels(self) -> Course[list[Channel]]:
        """Ask for this connection's channels, as they shall be subscribed to."""
        try:
            given = yield self.get_channels, ()
        except ChannelNameError as error:
            if self._computes_channels():
                raise
            raise BadRequest(f"This URL names no channel: {error}") from error
        channels = as_channels(given)
        for channel in channels:
            channel.filters = [*self.filters, *channel.filters]
        return channels

    @classmethod
    def get_format(cls, message: Any) -> Format | Event:
        """How a message of this view's transport is published; an `Event` goes out in every transport's format."""
        raise NotImplementedError(f"{cls.__name__} is no transport.")

    def publish(
        self, message: Any, *, channel: str | None = None, exclude_self: bool = False, **options: Any
    ) -> Publication:
        """Publish to everybody on this view's channel.

        message: what the view's transport sends; an `Event` reaches every transport.
        channel: required if the view has several. exclude_self: leave out the client this request comes from.
        options: as for `django_grip.publish`: ``blocking``, ``callback``, ``id``, ``prev_id``, ``meta``, ``on_commit``.
        """
        return publish(*self._publish_arguments(message, channel), **self._publish_options(exclude_self, options))

    async def apublish(
        self, message: Any, *, channel: str | None = None, exclude_self: bool = False, **options: Any
    ) -> Publication:
        """`publish`, awaiting the proxies' answers."""
        return await apublish(
            *self._publish_arguments(message, channel), **self._publish_options(exclude_self, options)
        )

    def _publish_arguments(self, message: Any, channel: str | None) -> tuple[str, Any]:
        return channel or self._only_channel(), self.get_format(message)

    def _only_channel(self) -> str:
        channels = self.get_channels()
        if isawaitable(channels):
            getattr(channels, "close", lambda: None)()
            raise UsageError(f"{type(self).__name__}.get_channels is async: say channel= when publishing.")
        return _pick_only(type(self), [channel.name for channel in as_channels(channels)])

    def _publish_options(self, exclude_self: bool, options: dict[str, Any]) -> dict[str, Any]:
        if exclude_self:
            options["meta"] = {**(options.get("meta") or {}), "sender": self.sender_id()}
        return options

    def sender_id(self) -> str:
        """What tells this client from the others on its channels, for ``exclude_self``."""
        raise UsageError(f"{type(self).__name__} cannot tell who publishes, so it has no exclude_self.")

    @classmethod
    def broadcast(
        cls, message: Any, /, *, channel: str | None = None, options: Mapping[str, Any] | None = None, **url_kwargs: Any
    ) -> Publication:
        """Publish from anywhere (a task, a signal, a shell) to everybody on a channel of this view.

        url_kwargs: what fills in the templates in `channels`, as the URL would.
        channel: a whole name instead; required if the view has several, or computes them in `get_channels`.
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
        return cls.get_channels is not GripView.get_channels


def _pick_only(view: type[GripView], names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError(f'{view.__name__} has no channel to publish to: set channels = ["..."], or say channel=.')
    raise UsageError(f"{view.__name__} has {len(names)} channels: say channel= when publishing.")


def _make_async(cls: type[GripView], view: Callable[..., Any]) -> Callable[..., Any]:
    """Let mixins that know only sync views (LoginRequiredMixin and the like) stand before an async one."""
    overridden = [
        getattr(cls, name) for name in ("setup", "dispatch") if getattr(cls, name) is not getattr(GripView, name)
    ]
    # Such a mixin asks for permissions, hence for the database, before it hands on to our dispatch.
    in_thread = any(not iscoroutinefunction(method) for method in overridden)

    @wraps(view)
    async def async_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if hasattr(request, "auser"):
            # Loaded here, so that hooks and mixins can use request.user as in a sync view.
            request.user = await request.auser()
        answer = await sync_to_async(view)(request, *args, **kwargs) if in_thread else view(request, *args, **kwargs)
        response: HttpResponseBase = await answer if isawaitable(answer) else answer
        return response

    return async_view
