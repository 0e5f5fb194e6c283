from __future__ import annotations

import views
from django.urls import path

urlpatterns = [
    path("", views.index),
    path("stream/", views.stream),
    path("echo/", views.echo),
    path("broadcast/", views.broadcast),
]
