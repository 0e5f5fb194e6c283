"""`LiveViewSetMixin`: a viewset whose URLs also answer long-polls, event streams and WebSockets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from ..conf import read_origins
from ..refusals import is_handshake, refuse_plain_request
from ..views.transactions import ExemptDatabases, wrap_requests
from .auth import authentication, credentials
from .changes import signals
from .changes.bulk import changing, publish_changes
from .changes.foreign import publish_invalidate
from .changes.watch import watch
from .channels import list_channel, object_channel, url_channel
from .http import eventstream, longpoll, metadata, representation
from .parsers import live_parsers
from .renderers import live_renderers
from .soundness import check_viewset
from .websocket import socket
from .websocket.routes import find_lookup_name

if TYPE_CHECKING:
    from ..request import GripHttpRequest

__all__ = ["LiveModelViewSet", "LiveViewSetMixin"]


class LiveViewSetMixin:
    """Make a viewset live: its URLs answer plain JSON, long-polls, Server-Sent Events and WebSockets.

    Put it first: ``class TicketViewSet(LiveViewSetMixin, ModelViewSet)``. What its create, update and destroy change
    reaches every subscriber when the transaction commits; an action that saves by itself calls `publish_changes`.

    live_actions: the GET actions whose URLs are live.
    live_public: everybody who may list may know every object's key, and what `live_serializer_class` shows of it.
    live_serializer_class: what is sent of a changed object, to everybody alike; None: its key alone.
    live_signals: also publish what is changed elsewhere (the admin, a shell, many-to-many relations).
    live_recheck: seconds after which an open connection's authority is asked again; None: never.
    live_max_wait: seconds; a longer ``Prefer: wait`` is cut to it.
    live_keep_alive: seconds of silence after which a stream gets a comment, so that nobody takes it for dead.
    live_subprotocols: those its WebSockets speak, the preferred one first.
    live_credential_headers: those that authenticators read. An event stream is asked for them again as it lasts; they
        travel sealed.
    live_headers: others that its answers depend on, by whatever reads them, such as one that names a tenant. An event
        stream's later requests bring them again; they travel sealed.
    live_ticket_parameter: the query parameter that opens an event stream by a ticket; None: there are no tickets.
    allowed_origins: pages of these, besides the site's own, may open its WebSockets (as GRIP_ALLOWED_ORIGINS).
    """

    live_actions: Sequence[str] = ("list", "retrieve")
    live_public: bool = False
    live_serializer_class: type[BaseSerializer] | None = None
    live_signals: bool = False
    live_recheck: int | None = 60
    live_max_wait: int = 60
    live_keep_alive: int | None = 20
    live_subprotocols: Sequence[str] = ("grip.live",)
    live_credential_headers: Sequence[str] = ("Authorization",)
    live_headers: Sequence[str] = ()
    live_ticket_parameter: str | None = "ticket"
    allowed_origins: Iterable[str] = ()

    if TYPE_CHECKING:
        request: Request
        kwargs: dict[str, Any]
        action: str | None
        action_map: Mapping[str, str]
        detail: bool | None
        queryset: QuerySet[Any] | None
        lookup_field: str
        lookup_url_kwarg: str | None

    # The object of a detail route, as get_object() found it in this request.
    live_object: Any = None

    # -- who hears, and what -----------------------------------------------------------------------------------------

    def get_live_channels(self) -> list[str]:
        """The channels that a list's subscriber is on; who opens an object's URL is on the object's own channel."""
        return [list_channel(type(self))]

    def get_publish_channels(self, instance: Any) -> list[str]:
        """The channels where a list's subscribers hear of this object.

        It is asked before and after a change: where the object went from, ``deleted`` is said, where it came to,
        ``created``. For changes made elsewhere ``self.request`` is None.
        """
        return [list_channel(type(self))]

    def get_object_channel(self, instance: Any) -> str:
        """The channel of who has opened the URL of this object. Nothing may go into it that changes with the object.

        It is asked for who opens the URL, and for each change; for those made elsewhere ``self.request`` is None.
        """
        if not isinstance(instance, Model):
            return url_channel(type(self), self.kwargs.get(find_lookup_name(self)))
        return object_channel(type(self), instance)

    def get_live_serializer_context(self) -> dict[str, Any]:
        """The context of `live_serializer_class`. There is no request in it: what it makes is for everybody."""
        return {"request": None, "format": None, "view": self}

    @classmethod
    def publish_changes(cls, queryset: QuerySet[Any], *, action: str = "updated") -> None:
        """Tell the subscribers of objects that were changed in bulk, when the transaction commits.

        What a queryset's methods do does not come by the viewset, and ``update()`` and ``bulk_create()`` send no
        signals either. action: "created", "updated" or "deleted"; call it before deleting. The queryset is asked now:
        after an ``update()`` it may find none of them any more, and where they were nobody knows (see `changing`).

        Of more than 100 objects nobody is told one by one: lists get ``invalidate``.

        Raises: TypeError for what is no queryset, ValueError for another action.
        """
        publish_changes(cls, queryset, action=action)

    @classmethod
    def changing(cls, queryset: QuerySet[Any]) -> AbstractContextManager[None]:
        """Tell the subscribers of objects that are changed in bulk in this block, when the transaction commits.

        ``with TicketViewSet.changing(tickets): tickets.update(group=other)``. Which objects these are and where they
        are is found out at the beginning, so moves from channel to channel are told as such.

        Of more than 100 objects nobody is told one by one: lists get ``invalidate``, where they were and where they
        are. For deletions use `publish_changes`. Raises: TypeError for what is no queryset.
        """
        return changing(cls, queryset)

    @classmethod
    def publish_invalidate(cls, channels: Iterable[str] | None = None) -> None:
        """Tell the subscribers of lists to ask again, when the transaction commits.

        For what is no change of the model's rows: objects that come from elsewhere, or what else a list depends on.
        channels: of those that `get_live_channels` names; None: the default one. It may be an object's own, too.

        Raises: TypeError where there is no default.
        """
        publish_invalidate(cls, channels)

    @classmethod
    def connect_live_signals(cls) -> None:
        """Hear the signals of `live_signals` in this process, which may be one that never loads the URLconf.

        Where it is loaded this happens by itself. For shells and the workers of tasks call it in an AppConfig's
        ready(). Raises: ImproperlyConfigured.
        """
        check_viewset(cls, {})
        signals.connect(cls)

    # -- the class ---------------------------------------------------------------------------------------------------

    @classmethod
    def as_view(cls, actions: Mapping[str, str] | None = None, **initkwargs: Any) -> Callable[..., Any]:
        check_viewset(cls, initkwargs, actions)
        if cls.live_signals:
            signals.connect(cls)
        exempt = ExemptDatabases()
        view: Any = exempt.hand_on(super().as_view(actions, **initkwargs))  # type: ignore[misc]
        # Django's own transaction would be one around all messages of a WebSocket.
        exempt.put_on(view)
        # GripMiddleware reads it before the view is called.
        view.allowed_origins = read_origins(initkwargs.get("allowed_origins", cls.allowed_origins))
        return wrap_requests(view, exempt)

    # -- one request -------------------------------------------------------------------------------------------------

    def dispatch(self, request: GripHttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request, "wscontext", None) is not None:
            return socket.answer(self, request, *args, **kwargs)
        if request.method == "GET" and self.live_action and is_handshake(request) and hasattr(request, "grip"):
            # Its client could make nothing of the plain answer.
            return refuse_plain_request(request)
        with eventstream.recall(request) as recalled:
            credentials.restore(self, request)
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
            eventstream.keep_until_rendered(recalled, response)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        watch(self)

    def check_throttles(self, request: Request) -> None:
        # What the proxy asks for again by itself, its client has asked for once.
        if not (eventstream.is_link(request) or longpoll.is_replay(request)):
            super().check_throttles(request)  # type: ignore[misc]

    def get_object(self) -> Any:
        self.live_object = super().get_object()  # type: ignore[misc]
        return self.live_object

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        return representation.make_live(self, request, response) if self.is_live else response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().options(request, *args, **kwargs)  # type: ignore[misc]
        return metadata.name_transports(self, response)

    # -- what DRF asks for -------------------------------------------------------------------------------------------

    def get_authenticators(self) -> list[BaseAuthentication]:
        return authentication.live_authenticators(self, super().get_authenticators())  # type: ignore[misc]

    def get_renderers(self) -> list[BaseRenderer]:
        return live_renderers(self, super().get_renderers())  # type: ignore[misc]

    def get_parsers(self) -> list[BaseParser]:
        return live_parsers(self, super().get_parsers())  # type: ignore[misc]

    # -- what the transports ask for ---------------------------------------------------------------------------------

    @property
    def live_action(self) -> str | None:
        """The live action of this route: what its GET is mapped to, if that is among `live_actions`."""
        action = (getattr(self, "action_map", None) or {}).get("get")
        return action if action in self.live_actions else None

    @property
    def is_live(self) -> bool:
        """Whether the request that is being answered asks for a live action."""
        return self.action is not None and self.action == self.live_action

    @property
    def is_live_detail(self) -> bool:
        """Whether this route is that of one object."""
        if self.detail is None:
            # Routed by hand: as_view({"get": "retrieve"}).
            return find_lookup_name(self) in self.kwargs
        return self.detail


class LiveModelViewSet(LiveViewSetMixin, ModelViewSet):
    """A `ModelViewSet` that is live."""
