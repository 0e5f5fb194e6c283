"""A project without ``django.contrib.auth``: Django REST framework does without its users, and so do live viewsets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROJECT = """
from types import SimpleNamespace

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x" * 50,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=["rest_framework", "django_grip"],
    MIDDLEWARE=["django_grip.GripMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
)
django.setup()

from django.db import connection, models
from django.test.utils import setup_test_environment
from rest_framework.authentication import BaseAuthentication
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import ModelSerializer

from django_grip.rest import LiveModelViewSet
from django_grip.testing import GripClient


class Note(models.Model):
    text = models.CharField(max_length=50)

    class Meta:
        app_label = "notes"


class NoteSerializer(ModelSerializer):
    class Meta:
        model = Note
        fields = ["id", "text"]


class Machines(BaseAuthentication):
    def authenticate(self, request):
        if request.META.get("HTTP_AUTHORIZATION") == "Key 1234":
            return SimpleNamespace(pk="m1", is_authenticated=True), None


class NoteViewSet(LiveModelViewSet):
    queryset = Note.objects.all()
    serializer_class = NoteSerializer


class MachineViewSet(NoteViewSet):
    authentication_classes = [Machines]


router = SimpleRouter()
router.register("notes", NoteViewSet)
router.register("machines", MachineViewSet, basename="machine")
urlpatterns = router.urls

setup_test_environment()
with connection.schema_editor() as editor:
    editor.create_model(Note)
client = GripClient()
"""


def run(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROJECT + script],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_all_transports_serve_nobody() -> None:
    script = """
with client.websocket("/notes/") as ws, client.stream("/notes/", headers={"Accept": "text/event-stream"}) as stream:
    print(stream.receive_event().data, ws.receive_json()["action"])
    etag = client.get("/notes/").headers["ETag"]
    poll = client.longpoll("/notes/", headers={"If-None-Match": etag, "Prefer": "wait=20"})
    ws.send_json({"action": "create", "ref": 1, "data": {"text": "hi"}})
    for message in ws.receive_json(), ws.receive_json():
        print(message.get("action", message.get("data")))
    print(stream.receive_event().data, poll.receive().json())
"""
    assert run(script) == [
        '{"action":"snapshot","data":[]} subscribed',
        "invalidate",
        "{'id': 1, 'text': 'hi'}",
        "{\"action\":\"invalidate\"} [{'id': 1, 'text': 'hi'}]",
    ]


def test_users_of_the_projects_own_are_authenticated_again() -> None:
    script = """
client.defaults["HTTP_AUTHORIZATION"] = "Key 1234"
streams = {"Accept": "text/event-stream"}
with client.websocket("/machines/") as ws, client.stream("/machines/", headers=streams) as stream:
    print(ws.receive_json()["action"], stream.receive_event().data)
    ws.send_json({"action": "list", "ref": 1})
    print(ws.receive_json()["status"])
    client.advance(70)
    print(ws.closed, stream.ended)
    Machines.authenticate = lambda self, request: None
    client.advance(70)
    print(ws.close_code, stream.ended)
"""
    assert run(script) == ['subscribed {"action":"snapshot","data":[]}', "200", "False False", "4401 True"]
