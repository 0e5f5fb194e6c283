"""What the realtime views have in common: the check of the class, the course of a request, hooks of either kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import wraps
from inspect import isasyncgenfunction, isawaitable, isroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.utils.functional import classproperty
from django.views import View

from .flow import Course, arun, run
from .publishing import PublishingMixin
from .refusal import Refusal
from .transactions import ExemptDatabases, HookTransaction, find_atomic_databases, find_exempt_databases

if TYPE_CHECKING:
    from django.http import HttpRequest

    from ..request import GripHttpRequest

__all__ = ["GripView"]

T = TypeVar("T")


class GripView(PublishingMixin, View):
    """The ground the realtime views stand on; it has no transport of its own.

    live_recheck: seconds after which the proxy lets an open connection's authority be asked again; None: never.
    """

    live_recheck: int | None = 60

    # The hooks of this kind of view, all sync or all async in a class of the project's.
    hook_names: ClassVar[tuple[str, ...]] = ()
    transport_methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "OPTIONS")
    # Attributes that hold several values, and seconds or sizes; as_view() looks at what they are set to.
    list_names: ClassVar[tuple[str, ...]] = ("channels", "filters")
    number_names: ClassVar[tuple[str, ...]] = ()
    optional_number_names: ClassVar[tuple[str, ...]] = ("live_recheck",)
    # What class methods such as broadcast() read, so that it cannot be another in each route.
    class_names: ClassVar[tuple[str, ...]] = ("channels",)

    if TYPE_CHECKING:
        request: GripHttpRequest

    _hooks_are_async: ClassVar[bool]
    _atomic_databases: Sequence[str]

    # -- the class -------------------------------------------------------------------------------------------------

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """Make the view for a URLconf.

        Raises: TypeError for an unknown argument, ImproperlyConfigured for a class that cannot work; both when the
        URLconf is loaded.
        """
        for name in initkwargs:
            if name in cls.class_names:
                raise TypeError(f"{cls.__name__}.as_view() takes no {name!r}: set it in a subclass, for broadcast().")
            if _is_method(cls, name):
                raise TypeError(f"{cls.__name__}.as_view() takes no {name!r}: define it as a method in a subclass.")
        cls.check_class(initkwargs)
        cls._hooks_are_async = cls._has_async_hooks()
        exempt = ExemptDatabases()
        view = exempt.hand_on(super().as_view(**initkwargs))
        if cls.view_is_async:
            view = _make_async(cls, view)
        # Each hook call has a transaction of its own instead of one around all messages of a request.
        exempt.put_on(view)
        return view

    @classmethod
    def check_class(cls, initkwargs: Mapping[str, Any]) -> None:
        """Refuse a class that cannot work, with what to change. initkwargs: those of `as_view`.

        Raises: ImproperlyConfigured.
        """
        cls._check_hooks()
        for name in cls.list_names:
            value = initkwargs.get(name, getattr(cls, name))
            if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
                raise ImproperlyConfigured(f"{cls.__name__}.{name} must be a list: write [{value!r}].")
        for name in (*cls.number_names, *cls.optional_number_names):
            value = initkwargs.get(name, getattr(cls, name))
            if value is None and name in cls.optional_number_names:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                allowed = "an int above 0 or None" if name in cls.optional_number_names else "an int above 0"
                raise ImproperlyConfigured(f"{cls.__name__}.{name} must be {allowed}, not {value!r}.")
        cls.check_channels()

    @classmethod
    def _check_hooks(cls) -> None:
        for name in dir(cls):
            if name.startswith("on_") and name not in cls.hook_names and not _is_ours(getattr(cls, name)):
                # One that is merely misspelt would never be called, and nobody would know.
                for meant in get_close_matches(name, cls.hook_names, n=1, cutoff=0.8):
                    raise ImproperlyConfigured(f"{cls.__name__}.{name} is no hook: did you mean {meant}?")
        for name in cls.hook_names:
            if not callable(getattr(cls, name)):
                raise ImproperlyConfigured(f"{cls.__name__}.{name} must be a method, not {getattr(cls, name)!r}.")
        kinds = {name: cls._is_async(getattr(cls, name)) for name in cls._own_hooks()}
        if len(set(kinds.values())) > 1:
            mixture = ", ".join(f"{'async ' if is_async else ''}def {name}" for name, is_async in kinds.items())
            raise ImproperlyConfigured(
                f"{cls.__name__} mixes sync and async hooks ({mixture}); make them all the same."
            )

    @staticmethod
    def _is_async(hook: Any) -> bool:
        return iscoroutinefunction(hook) or isasyncgenfunction(hook)

    @classmethod
    def _own_hooks(cls) -> list[str]:
        """The hooks that are not this package's own do-nothing defaults."""
        return [name for name in cls.hook_names if not _is_ours(getattr(cls, name))]

    @classmethod
    def _has_async_hooks(cls) -> bool:
        return any(cls._is_async(getattr(cls, name)) for name in cls._own_hooks())

    @classproperty
    def view_is_async(cls) -> bool:
        """Whether the hooks are async. Django asks this too; as_view() has found it out for every request."""
        known: bool | None = cls.__dict__.get("_hooks_are_async")
        return cls._has_async_hooks() if known is None else known

    # -- one request -----------------------------------------------------------------------------------------------

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(request, "grip"):
            raise ImproperlyConfigured(
                f'{type(self).__name__} needs "django_grip.GripMiddleware" in MIDDLEWARE; put it first.'
            )
        self._atomic_databases = find_atomic_databases(find_exempt_databases(request))
        course = self.course()
        return arun(course) if self.view_is_async else run(course)

    def course(self) -> Course[HttpResponseBase]:
        """Answer the request: the course of events from the first hook to the response."""
        method = self.request.method
        allowed = self._allowed_methods()
        if method not in allowed:
            return HttpResponseNotAllowed(allowed)
        if method == "OPTIONS":
            return HttpResponse(headers={"Allow": ", ".join(allowed), "Content-Length": "0"})
        try:
            return (yield from self.answer())
        except Refusal as refusal:
            return refusal.make_response()

    def answer(self) -> Course[HttpResponseBase]:
        """Answer a request of one of the transport's methods."""
        raise NotImplementedError(f"{type(self).__name__} is no transport: subclass StreamView, LongPollView or so on.")
        yield  # a course even so

    def _allowed_methods(self) -> list[str]:
        # Django's own http_method_names may leave some out.
        return [name for name in self.transport_methods if name.lower() in self.http_method_names]

    # -- hooks -----------------------------------------------------------------------------------------------------

    def call_hook(self, function: Callable[..., Any], *arguments: Any) -> Course[Any]:
        """Call a hook, in a transaction of its own where requests are atomic (DESIGN decision 12)."""
        if not self._atomic_databases:
            result = yield function, arguments
            self.after_hook(function, result)
            return result
        return (yield from self.in_transaction(self._call_and_check(function, arguments)))

    def _call_and_check(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Course[Any]:
        result = yield function, arguments
        self.after_hook(function, result)
        return result

    def in_transaction(self, course: Course[T]) -> Course[T]:
        """Take a course in a transaction of its own, where requests are atomic; what it raises undoes it."""
        if not self._atomic_databases:
            return (yield from course)
        block = HookTransaction(self._atomic_databases)
        try:
            yield block.begin, ()
            result = yield from course
        except BaseException as error:
            yield block.roll_back, (error,)
            raise
        yield block.commit, ()
        return result

    def after_hook(self, function: Callable[..., Any], result: Any) -> None:
        """Look at what a hook did, while its transaction can still be rolled back."""


def _is_method(cls: type, name: str) -> bool:
    value = getattr(cls, name, None)
    return isroutine(value) or isinstance(value, property)


def _is_ours(hook: Any) -> bool:
    return (getattr(hook, "__module__", None) or "").startswith("django_grip.")


def _make_async(cls: type[GripView], view: Callable[..., Any]) -> Callable[..., Any]:
    """Let mixins that know only sync views (LoginRequiredMixin and the like) stand before an async one."""
    overridden = [
        getattr(cls, name) for name in ("setup", "dispatch") if getattr(cls, name) is not getattr(GripView, name)
    ]
    # Such a mixin asks for permissions, hence for the database, before it hands on to our dispatch.
    in_thread = any(not iscoroutinefunction(method) for method in overridden)

    # Django has marked the view itself as a coroutine function, which it is not: it returns what dispatch() returns.
    def call(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    @wraps(view)
    async def async_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if hasattr(request, "auser"):
            # Loaded here, so that hooks and mixins can use request.user as in a sync view.
            request.user = await request.auser()
        answer = await sync_to_async(call)(request, *args, **kwargs) if in_thread else call(request, *args, **kwargs)
        response: HttpResponseBase = await answer if isawaitable(answer) else answer
        return response

    return async_view
