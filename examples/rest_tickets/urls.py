from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path
from rest_framework.routers import DefaultRouter
from tickets import views

router = DefaultRouter()
router.register("tickets", views.TicketViewSet)

urlpatterns = [
    path("api/", include(router.urls)),
    path("api/auth/", include("rest_framework.urls")),
    path("admin/", admin.site.urls),
    path("", views.Page.as_view()),
    path("logout/", LogoutView.as_view()),
    # runserver serves the static files by itself; this is for any other server on one's own machine.
    *staticfiles_urlpatterns(),
]
