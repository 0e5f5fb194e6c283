"""A URLconf with extra actions of all kinds, and routes that no router has made."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from ..project import TicketViewSet
from ..socket_project import ExtraTicketViewSet

router = DefaultRouter()
router.register("extra", ExtraTicketViewSet, basename="extra")

urlpatterns = [
    path("api/", include((router.urls, "api"), namespace="v1")),
    path("by-hand/", TicketViewSet.as_view({"get": "list", "post": "create"})),
    path("by-hand/<int:pk>/", TicketViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("no-get/", TicketViewSet.as_view({"post": "create"})),
    path("closed/", TicketViewSet.as_view({"get": "list"}, http_method_names=["post"])),
]
