"""A URLconf with serializers of all kinds, for schemas."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import include, path
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.decorators import action
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework_simplejwt.authentication import JWTAuthentication

from django_grip.rest import LiveModelViewSet, LiveTicketView, WebSocketAPIView, ws_action
from django_grip.views import EventStreamView

from ..models import Project, Ticket
from ..project import ProjectSerializer


class CommentSerializer(serializers.Serializer):
    """It holds itself, as answers to comments are comments."""

    text = serializers.CharField(help_text=gettext_lazy("What is said."))

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "answers": CommentSerializer(many=True, required=False)}


class TicketSerializer(serializers.ModelSerializer):
    project = ProjectSerializer(read_only=True, allow_null=True)
    comments = CommentSerializer(many=True, required=False, write_only=True)
    urgency = serializers.ChoiceField(choices=[("low", gettext_lazy("Low")), ("high", "High")], allow_null=True)
    effort = serializers.FloatField(min_value=0, max_value=10, required=False)
    labels = serializers.ListField(child=serializers.CharField(max_length=5), required=False)
    age = serializers.SerializerMethodField()

    class Meta:
        model = Ticket
        fields = ["id", "title", "done", "project", "comments", "urgency", "effort", "labels", "age"]

    def get_age(self, ticket: Ticket) -> int:
        return 0


class ShownSerializer(serializers.ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "title"]


class NoteSerializer(serializers.Serializer):
    text = serializers.CharField()


class Pages(PageNumberPagination):
    page_size = 10


class TicketViewSet(LiveModelViewSet):
    """Tickets, page by page."""

    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    pagination_class = Pages
    authentication_classes = [SessionAuthentication, TokenAuthentication]
    permission_classes = [IsAuthenticated]

    @action(detail=True, methods=["post"], serializer_class=NoteSerializer)
    def note(self, request: Any, pk: Any = None) -> Response:
        return Response()

    @action(detail=False)
    def recent(self, request: Any) -> Response:
        return Response()


class ProjectViewSet(LiveModelViewSet):
    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    live_serializer_class = ProjectSerializer
    live_public = True
    lookup_field = "slug"
    authentication_classes = []
    permission_classes = [AllowAny]


class MineViewSet(LiveModelViewSet):
    """Those of one user."""

    queryset = Ticket.objects.all()
    serializer_class = ShownSerializer
    live_serializer_class = ShownSerializer
    live_actions = ["list"]
    live_subprotocols = ["grip.live", "v2"]
    live_max_wait = 30
    authentication_classes = [JWTAuthentication, BasicAuthentication]
    permission_classes = [IsAuthenticated]
    http_method_names = ["get", "patch", "head", "options"]

    def get_queryset(self) -> QuerySet[Ticket]:
        if getattr(self, "swagger_fake_view", False):
            return Ticket.objects.none()
        return Ticket.objects.filter(owner=self.request.user)

    def get_live_channels(self) -> list[str]:
        return [f"owner:{self.request.user.pk}"]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return [f"owner:{instance.owner_id}"]


class Room(WebSocketAPIView):
    """A room to talk in."""

    serializer_class = NoteSerializer
    subprotocols = ["chat"]
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]

    def on_message(self, data: Any) -> None: ...

    @ws_action("rename", serializer_class=ShownSerializer)
    def rename(self, data: Any) -> None: ...

    @ws_action("say")
    def say(self, data: Any) -> None: ...

    @ws_action("wave", serializer_class=None)
    def wave(self, data: Any) -> None: ...


class Ticker(EventStreamView):
    channels = ["ticker"]


router = DefaultRouter()
router.register("tickets", TicketViewSet, basename="ticket")
router.register("projects", ProjectViewSet, basename="project")
router.register("mine", MineViewSet, basename="mine")

urlpatterns = [
    path("api/", include(router.urls)),
    path("api/ticket/", LiveTicketView.as_view()),
    path("rooms/<slug:room>/", Room.as_view()),
    path("ticker/", Ticker.as_view()),
]
