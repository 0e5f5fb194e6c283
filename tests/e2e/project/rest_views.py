"""Live viewsets on tickets of groups and owners, who sees them by token, JWT or session, and what may go wrong."""

from __future__ import annotations

import time
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.decorators import action
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.parsers import FormParser
from rest_framework.permissions import AllowAny, DjangoModelPermissions, IsAuthenticated
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer, SerializerMethodField
from rest_framework.throttling import UserRateThrottle

from django_grip.publisher import flush
from django_grip.rest import LiveModelViewSet, LiveTicketView, close_subscribers
from tests.rest.models import Project, Ticket

from .member_views import make_database

# -- who it is -----------------------------------------------------------------------------------------------------


class JWTAuthentication(BaseAuthentication):
    """A signed token with a user's key and an end."""

    def authenticate(self, request: Any) -> tuple[User, str] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"], options={"require": ["exp"]})
        except jwt.InvalidTokenError as error:
            raise AuthenticationFailed("The token is not valid.") from error
        return User.objects.get(pk=claims["sub"], is_active=True), token

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


def make_jwt(user: User, *, seconds: int = 300) -> str:
    return jwt.encode({"sub": str(user.pk), "exp": int(time.time()) + seconds}, settings.SECRET_KEY, "HS256")


class Permissions(DjangoModelPermissions):
    """To look, one has to be allowed to, too."""

    perms_map = {**DjangoModelPermissions.perms_map, "GET": ["%(app_label)s.view_%(model_name)s"]}


class Authenticated(LiveModelViewSet):
    """What the viewsets share. Who sends ``Settle`` is answered when what the request has published is with the proxy.

    Otherwise who subscribes next may hear of it, and what another process publishes next may come before it.
    """

    authentication_classes = [TokenAuthentication, JWTAuthentication, SessionAuthentication]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().dispatch(request, *args, **kwargs)
        if "Settle" in request.headers:
            flush()
        return response


# -- viewsets ------------------------------------------------------------------------------------------------------


class TicketSerializer(ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "title", "done", "group"]


class LiveTicketSerializer(TicketSerializer):
    """What goes out to a group; it does not work for one title."""

    title = SerializerMethodField()

    def get_title(self, ticket: Ticket) -> str:
        if ticket.title == "unspeakable":
            raise RuntimeError("this one cannot be said")
        return ticket.title


class TicketViewSet(Authenticated):
    """The tickets of one's groups, of which one also hears."""

    serializer_class = TicketSerializer
    live_serializer_class = LiveTicketSerializer
    permission_classes = [Permissions]

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.filter(group__in=self.request.user.groups.all()).order_by("pk")

    def get_live_channels(self) -> list[str]:
        return [f"group:{group.pk}" for group in self.request.user.groups.order_by("pk")]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return [f"group:{instance.group_id}"]

    @action(detail=False, methods=["post"])
    def many(self, request: Any) -> Response:
        """Create tickets of these titles in one transaction; what ``undo`` names is rolled back, "all" or one title."""
        group, undo = request.data["group"], request.data.get("undo")
        try:
            with transaction.atomic():
                for title in request.data["titles"]:
                    self._create(title, group, undone=title == undo)
                if undo == "all":
                    raise _Undo
        except _Undo:
            pass
        return Response(status=204)

    def _create(self, title: str, group: int, *, undone: bool) -> None:
        serializer = self.get_serializer(data={"title": title, "group": group})
        serializer.is_valid(raise_exception=True)
        try:
            with transaction.atomic():
                self.perform_create(serializer)
                if undone:
                    raise _Undo
        except _Undo:
            return
        # The same object again, which is one change with the first.
        self.perform_update(serializer)

    @action(detail=False, methods=["post"])
    def stumble(self, request: Any) -> Response:
        """Create a ticket, and fail behind it."""
        self._create(request.data["title"], request.data["group"], undone=False)
        raise ParseError("stumbled")

    @action(detail=False, methods=["post"])
    def finish(self, request: Any) -> Response:
        """Change all of a group in bulk."""
        rows = Ticket.objects.filter(group=request.data["group"])
        rows.update(done=True)
        type(self).publish_changes(rows)
        return Response(status=204)


class _Undo(Exception):
    pass


class RecheckedTicketViewSet(TicketViewSet):
    """The same on the same channels; whether one may still look is asked every second."""

    live_recheck = 1


class TitledTicketViewSet(TicketViewSet):
    """Those with the title that a header names."""

    live_headers = ["X-Title"]

    def get_queryset(self) -> QuerySet[Ticket]:
        return super().get_queryset().filter(title=self.request.headers.get("X-Title", "none"))


class OwnTicketSerializer(ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "title", "done"]


class OwnTicketViewSet(Authenticated):
    """Everybody sees their own, and nothing is said of who hears: all are told that something has changed."""

    serializer_class = OwnTicketSerializer
    permission_classes = [IsAuthenticated]

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.filter(owner=self.request.user).order_by("pk")

    def perform_create(self, serializer: Any) -> None:
        serializer.save(owner=self.request.user)


class HastyTicketViewSet(OwnTicketViewSet):
    """Nobody waits for long."""

    live_max_wait = 5


class FormTicketViewSet(OwnTicketViewSet):
    """Over HTTP it takes forms and shows pages."""

    parser_classes = [FormParser]
    renderer_classes = [StaticHTMLRenderer]


class ProjectTicketViewSet(OwnTicketViewSet):
    """Those of the project whose URL theirs is below."""

    def get_queryset(self) -> QuerySet[Ticket]:
        return super().get_queryset().filter(project__slug=self.kwargs["project"])

    def perform_create(self, serializer: Any) -> None:
        project = Project.objects.get(slug=self.kwargs["project"])
        serializer.save(owner=self.request.user, project=project)


class TwiceAMinute(UserRateThrottle):
    rate = "2/min"


class ThrottledTicketViewSet(OwnTicketViewSet):
    """The opening of a WebSocket is one of the two."""

    throttle_classes = [TwiceAMinute]


class ShortProjectSerializer(ModelSerializer):
    class Meta:
        model = Project
        fields = ["name", "slug"]


class ProjectSerializer(ShortProjectSerializer):
    padding = SerializerMethodField()

    class Meta(ShortProjectSerializer.Meta):
        fields = ["name", "slug", "padding"]

    def get_padding(self, project: Project) -> str:
        return "x" * 150_000 if project.name.startswith("big") else ""


class ProjectViewSet(Authenticated):
    """For everybody, found by a slug. A name that begins with "big" makes it more than a hold can carry."""

    queryset = Project.objects.order_by("pk")
    serializer_class = ProjectSerializer
    live_serializer_class = ShortProjectSerializer
    permission_classes = [AllowAny]
    lookup_field = "slug"
    live_public = True
    live_signals = True


# -- backstage -----------------------------------------------------------------------------------------------------


# Tables cannot be made within a transaction.
@transaction.non_atomic_requests
@csrf_exempt
def member(request: HttpRequest, name: str) -> HttpResponse:
    """POST: a user with these groups and permissions and no others, who may be new; says by what they are known."""
    make_database()
    user, _ = User.objects.get_or_create(username=name)
    groups = [Group.objects.get_or_create(name=group)[0] for group in request.POST.getlist("group")]
    user.groups.set(groups)
    codenames = [f"{what}_ticket" for what in request.POST.getlist("may")]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="rest"))
    token, _ = Token.objects.get_or_create(user=user)
    return JsonResponse(
        {
            "pk": user.pk,
            "token": token.key,
            "jwt": make_jwt(user),
            "stale_jwt": make_jwt(user, seconds=-1),
            "groups": [group.pk for group in groups],
        }
    )


@csrf_exempt
def revoke(request: HttpRequest, name: str) -> HttpResponse:
    """POST: take a user's token away."""
    Token.objects.filter(user__username=name).delete()
    return HttpResponse("revoked\n")


@csrf_exempt
def end(request: HttpRequest) -> HttpResponse:
    """POST: end live connections of a ``user``, of a ``channel``, or of both."""
    close_subscribers(user=request.POST.get("user"), channel=request.POST.get("channel"))
    return HttpResponse("ended\n")


@csrf_exempt
def silently(request: HttpRequest, pk: int) -> HttpResponse:
    """POST: change a ticket's title so that nobody is told."""
    Ticket.objects.filter(pk=pk).update(title=request.POST["title"])
    return HttpResponse("changed\n")


@csrf_exempt
def rename(request: HttpRequest, slug: str) -> HttpResponse:
    """POST: change a project's name past the viewset; with ``?silent`` so that not even signals tell of it."""
    if "silent" in request.GET:
        Project.objects.filter(slug=slug).update(name=request.POST["name"])
        return HttpResponse("renamed\n")
    project = Project.objects.get(slug=slug)
    project.name = request.POST["name"]
    project.save()
    return HttpResponse("renamed\n")


router = DefaultRouter()
router.register("tickets", TicketViewSet, basename="ticket")
router.register("titled", TitledTicketViewSet, basename="titled")
router.register("rechecked", RecheckedTicketViewSet, basename="rechecked")
router.register("own", OwnTicketViewSet, basename="own")
router.register("hasty", HastyTicketViewSet, basename="hasty")
router.register("throttled", ThrottledTicketViewSet, basename="throttled")
router.register("forms", FormTicketViewSet, basename="form")
router.register("projects", ProjectViewSet, basename="project")
router.register(r"projects/(?P<project>[^/.]+)/tickets", ProjectTicketViewSet, basename="project-ticket")

urlpatterns = [
    path("", include("tests.e2e.project.urls")),
    path("rest/", include(router.urls)),
    path("rest/rooms/", include("tests.e2e.project.rest_rooms")),
    path("rest/ticket/", LiveTicketView.as_view(authentication_classes=Authenticated.authentication_classes)),
    path("members/<name>/", member),
    path("revoke/<name>/", revoke),
    path("end/", end),
    path("silently/<int:pk>/", silently),
    path("rename/<slug>/", rename),
]
