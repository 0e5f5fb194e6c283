"""URLs of the rig's project: every file of views brings its own."""

from __future__ import annotations

from django.urls import include, path

from . import views

urlpatterns = [
    path("ready/", views.ready),
    path("csrf/", views.csrf),
    path("seed/", include("tests.e2e.project.seed_urls")),
    path("three/", include("tests.e2e.project.three_x_views")),
    path("newer/", include("tests.e2e.project.newer_views")),
    path("views/", include("tests.e2e.project.class_views")),
]
