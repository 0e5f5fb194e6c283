"""Routes to the seed's sample views."""

from __future__ import annotations

from django.urls import path

from . import seed_views

urlpatterns = [
    path("stream/", seed_views.myendpoint),
    path("echo/", seed_views.echo),
    path("broadcast/", seed_views.broadcast),
]
