"""Viewsets and a URLconf that the tests share: ``@override_settings(ROOT_URLCONF="tests.rest.project")``."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import include, path
from rest_framework.permissions import AllowAny, DjangoModelPermissions
from rest_framework.routers import DefaultRouter
from rest_framework.serializers import ModelSerializer

from django_grip.rest import LiveModelViewSet

from .models import Project, Ticket


class TicketSerializer(ModelSerializer):
    class Meta:
        model = Ticket
        fields = ["id", "title", "done", "project"]


class TicketViewSet(LiveModelViewSet):
    """As little as one writes: lists hear ``invalidate``."""

    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    permission_classes = [AllowAny]


class OwnTicketViewSet(LiveModelViewSet):
    """Everybody sees their own, and hears of their own only."""

    serializer_class = TicketSerializer
    live_serializer_class = TicketSerializer

    def get_queryset(self) -> QuerySet[Ticket]:
        return Ticket.objects.filter(owner=self.request.user)

    def get_live_channels(self) -> list[str]:
        return [f"owner:{self.request.user.pk}"]

    def get_publish_channels(self, instance: Ticket) -> list[str]:
        return [f"owner:{instance.owner_id}"]

    def perform_create(self, serializer: Any) -> None:
        # Without super(), as most write it.
        serializer.save(owner=self.request.user)


class PermittedTicketViewSet(LiveModelViewSet):
    queryset = Ticket.objects.all()
    serializer_class = TicketSerializer
    permission_classes = [DjangoModelPermissions]


class ProjectSerializer(ModelSerializer):
    class Meta:
        model = Project
        fields = ["name", "slug"]


class ProjectViewSet(LiveModelViewSet):
    """Found by its slug; public."""

    queryset = Project.objects.all()
    serializer_class = ProjectSerializer
    lookup_field = "slug"
    live_public = True
    live_serializer_class = ProjectSerializer
    permission_classes = [AllowAny]


router = DefaultRouter()
router.register("tickets", TicketViewSet, basename="ticket")
router.register("own", OwnTicketViewSet, basename="own")
router.register("permitted", PermittedTicketViewSet, basename="permitted")
router.register("projects", ProjectViewSet, basename="project")

nested = DefaultRouter()
nested.register("tickets", TicketViewSet, basename="nested-ticket")

urlpatterns = [
    path("api/", include(router.urls)),
    path("api/of/<int:project_pk>/", include(nested.urls)),
]
