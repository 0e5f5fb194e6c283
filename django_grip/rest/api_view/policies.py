"""Django REST framework's policies for what comes over a WebSocket: its request, its checks, its errors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from django.db import connections, transaction
from django.utils.datastructures import MultiValueDict
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from ...users import set_user
from ...views.flow import blocking
from ..auth import credentials
from ..auth.authentication import live_authenticators

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["SocketPolicies"]


class SocketPolicies(GenericAPIView):
    """What an API view does before and after its handler, in steps that a WebSocket's view takes.

    To the policies an opening, and whatever keeps the connection, is a GET; a message is a POST with its data. So
    whom ``IsAuthenticatedOrReadOnly`` lets only read may listen, and not speak.
    """

    if TYPE_CHECKING:
        request: Request

    # No path of OpenAPI: nobody can POST to it.
    schema = None

    # What is asked for: the name of a hook or of an action; None: a message that is neither.
    action: str | None = None

    # Whether throttles count what is being asked.
    _counts: bool = True

    _http_request: HttpRequest

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        view = super().as_view(**initkwargs)
        # Of csrf_exempt(), whose wrapper would hide from an async stack what of the view is sync. WebSocket events are
        # exempt of themselves (their Origin was looked at), and there is nothing else that such a view answers.
        inner: Callable[..., Any] = getattr(view, "__wrapped__", view)
        return inner

    # -- the steps ---------------------------------------------------------------------------------------------------

    @blocking
    def _begin(self, http_request: HttpRequest, opening: bool) -> None:
        """Make DRF's request, and ask whether its user may open this WebSocket, or keep it.

        Raises: what DRF's own checks do.
        """
        self._http_request = http_request
        self.action, self._counts = "on_open", opening
        credentials.restore(self, http_request)
        self.request = self.initialize_request(http_request, *self.args, **self.kwargs)
        self.headers = self.default_response_headers
        self._stand_for("GET", {})
        self.initial(self.request, *self.args, **self.kwargs)
        # For async hooks that ask for auser(); and so that nothing authenticates later, where it must not block.
        set_user(http_request, self.request.user)

    @blocking
    def _check_message(self, action: str | None, data: Any) -> None:
        """Ask whether a message is permitted, and count it. Raises: what DRF's own checks do."""
        self.action, self._counts = action, True
        self._stand_for("POST", data)
        self.check_permissions(self.request)
        self.check_throttles(self.request)

    @blocking
    def _explain(self, error: Exception) -> Response | None:
        """The answer that DRF, or the project's EXCEPTION_HANDLER, has to an error; None: it has none."""
        if not isinstance(self.request, Request):
            return None
        with ExitStack() as blocks:
            # The handler marks what transaction it stands in to be rolled back. That of the message is over, so it
            # would be one around other messages too: it gets one that has nothing in it.
            for connection in connections.all(initialized_only=True):
                if connection.in_atomic_block:
                    blocks.enter_context(transaction.atomic(using=connection.alias))
            try:
                response: Response = self.handle_exception(error)
            except Exception as raised:
                if raised is not error:
                    raise
                return None
            return response

    @blocking
    def _finish(self, response: Any) -> Any:
        """Make an HTTP response ready, as DRF does with what a handler returns."""
        return self.finalize_response(self.request, response, *self.args, **self.kwargs)

    @staticmethod
    def _is_unauthenticated(error: Exception) -> bool:
        """Whether an error says who is asking is not known. DRF's status tells so only of some authenticators."""
        return isinstance(error, (NotAuthenticated, AuthenticationFailed))

    def _stand_for(self, method: str, data: Any) -> None:
        """Let the request be what policies shall take it for; its own body is of events, and no parser's."""
        request = self.request
        request.method = method
        # As DRF's clone_request() hands them on.
        request._data, request._files, request._full_data = data, MultiValueDict(), data

    # -- what DRF asks for -------------------------------------------------------------------------------------------

    def get_authenticators(self) -> list[BaseAuthentication]:
        return live_authenticators(self, super().get_authenticators())

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """A refused opening is answered in JSON: the Accept of the request is the proxy's."""
        renderers = [renderer for renderer in self.get_renderers() if renderer.media_type == JSONRenderer.media_type]
        renderer = renderers[0] if renderers else JSONRenderer()
        return renderer, renderer.media_type

    def check_throttles(self, request: Request) -> None:
        # An opening and each message count. What the proxy asks by itself does not.
        if self._counts:
            super().check_throttles(request)
