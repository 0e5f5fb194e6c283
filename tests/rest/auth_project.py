"""Viewsets for the tests of authentication, each with other authenticators."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.urls import include, path
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.routers import DefaultRouter
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication

from django_grip.rest import LiveModelViewSet, LiveTicketView, WebSocketAPIView

from .models import Ticket
from .project import TicketSerializer


class QueryKeyAuthentication(BaseAuthentication):
    """Knows a user by ``?key=<username>``; of links and tickets it knows nothing."""

    revoked: set[str] = set()

    def authenticate(self, request: Any) -> tuple[Any, None] | None:
        key = request.GET.get("key")
        if key is None:
            return None
        if key in self.revoked:
            raise AuthenticationFailed("The key is revoked.")
        return User.objects.get(username=key), None


class ClientCertificateAuthentication(BaseAuthentication):
    """Knows a user by a header that a server in front sets."""

    def authenticate(self, request: Any) -> tuple[Any, None] | None:
        name = request.META.get("HTTP_X_CLIENT_NAME")
        return None if name is None else (User.objects.get(username=name), None)


class AuthenticatedViewSet(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    permission_classes = [IsAuthenticated]


class SessionViewSet(AuthenticatedViewSet):
    authentication_classes = [SessionAuthentication]


class TokenViewSet(AuthenticatedViewSet):
    authentication_classes = [SessionAuthentication, TokenAuthentication]


class JWTViewSet(AuthenticatedViewSet):
    authentication_classes = [JWTAuthentication]


class StatelessViewSet(AuthenticatedViewSet):
    authentication_classes = [JWTStatelessUserAuthentication]


class EitherViewSet(AuthenticatedViewSet):
    authentication_classes = [BasicAuthentication, TokenAuthentication, JWTAuthentication, SessionAuthentication]


class QueryKeyViewSet(AuthenticatedViewSet):
    authentication_classes = [SessionAuthentication, QueryKeyAuthentication]


class CertificateViewSet(AuthenticatedViewSet):
    authentication_classes = [ClientCertificateAuthentication]


class BasicViewSet(AuthenticatedViewSet):
    authentication_classes = [BasicAuthentication]


class PublicViewSet(AuthenticatedViewSet):
    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [AllowAny]


class KeyHeaderViewSet(AuthenticatedViewSet):
    authentication_classes = [ClientCertificateAuthentication]
    live_credential_headers = ["Authorization", "X-Client-Name"]


class MayView(BasePermission):
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user.has_perm("rest.view_ticket"))


class PermittedViewSet(AuthenticatedViewSet):
    authentication_classes = EitherViewSet.authentication_classes
    permission_classes = [MayView]


class TicketView(LiveTicketView):
    authentication_classes = EitherViewSet.authentication_classes


class Room(WebSocketAPIView):
    subprotocols = ["x"]
    authentication_classes = [SessionAuthentication, JWTAuthentication]
    channels = ["room:{name}"]

    def on_message(self, data: Any) -> None:
        {"join": self.subscribe, "leave": self.unsubscribe}[data["do"]](data["channel"])


router = DefaultRouter()
for name, viewset in {
    "session": SessionViewSet,
    "token": TokenViewSet,
    "jwt": JWTViewSet,
    "stateless": StatelessViewSet,
    "either": EitherViewSet,
    "query": QueryKeyViewSet,
    "certificate": CertificateViewSet,
    "basic": BasicViewSet,
    "keyheader": KeyHeaderViewSet,
    "permitted": PermittedViewSet,
    "public": PublicViewSet,
}.items():
    router.register(name, viewset, basename=name)

urlpatterns = [
    path("api/ticket/", TicketView.as_view()),
    path("api/", include(router.urls)),
    path("room/<str:name>/", Room.as_view()),
]
