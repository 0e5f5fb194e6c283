from __future__ import annotations

from board import views
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import path

urlpatterns = [
    path("", views.page),
    path("board/", views.Board.as_view()),
    path("board/notes/", views.notes),
    path("room/", views.Room.as_view()),
    path("document/", views.Document.as_view()),
    path("document/save/", views.save_document),
    path("assistant/", views.Assistant.as_view()),
    # runserver serves the static files by itself; this is for any other server on one's own machine.
    *staticfiles_urlpatterns(),
]
