"""What importing costs: the root is lazy, the lower floors know no Django, nothing is set up before it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(script: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "", **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_by(statement: str, **env: str) -> set[str]:
    """The top packages, and this package's own modules, that a statement loads."""
    script = f"{statement}\nimport sys; print(*sys.modules)"
    names = run(script, **env).split()
    return {name if name.startswith("django_grip") else name.split(".")[0] for name in names}


def test_the_root_loads_nothing():
    loaded = loaded_by("import django_grip")
    assert {name for name in loaded if name.startswith("django_grip")} == {"django_grip"}
    assert not {"django", "gripcontrol", "pubcontrol", "jwt"} & loaded


@pytest.mark.parametrize("module", ["protocol.session", "protocol.signatures", "protocol.links", "publishing"])
def test_the_lower_floors_load_no_django(module):
    assert "django" not in loaded_by(f"import django_grip.{module}")


def test_a_name_of_the_protocol_is_had_without_django():
    assert "django" not in loaded_by("from django_grip import channel_name, Channel, HttpStreamFormat")


@pytest.mark.parametrize(
    "statement",
    [
        "from django_grip import GripMiddleware, set_hold_stream, set_hold_longpoll, websocket_only, Event",
        "import django_grip.request, django_grip.links, django_grip.conf, django_grip.origins",
    ],
)
def test_importing_needs_no_settings(statement):
    run(statement)


def test_naming_the_middleware_loads_nothing_of_djangos_http():
    script = "import sys, django_grip.middleware; print(*[name for name in sys.modules if name.startswith('django')])"
    assert run(script).split() == ["django_grip", "django_grip.middleware"]


def test_using_it_loads_neither_models_nor_views_nor_the_sender():
    loaded = run("import sys, django_grip.exchange; print(*sys.modules)").split()
    unwanted = (
        "rest_framework",
        "django_grip.views",
        "django_grip.rest",
        "django_grip.publish",
        "django.contrib.auth.m",
    )
    assert not [name for name in loaded if name.startswith(unwanted)]


def test_setting_up_django_starts_no_thread_and_reads_no_grip_setting():
    script = """
import threading, django
django.setup()
from django_grip.conf import grip_settings
print(threading.active_count(), grip_settings.cache_info().currsize)
"""
    assert run(script, DJANGO_SETTINGS_MODULE="tests.settings") == "1 0"


def test_the_type_of_the_request_can_be_imported_for_annotations():
    assert run("from django_grip.request import GripHttpRequest; print(GripHttpRequest.__name__)") == "GripHttpRequest"


# Finds no Django REST framework, as if it were not installed.
_WITHOUT_REST = """
import importlib.util, sys
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "rest_framework" else find_spec(name, *rest)
sys.modules["rest_framework"] = None
"""


def test_without_django_rest_framework_its_room_says_what_to_install():
    script = f"""{_WITHOUT_REST}
try:
    import django_grip.rest
except ImportError as error:
    print(error)
"""
    assert run(script) == 'django_grip.rest needs Django REST framework: pip install "django-grip[rest]"'


def test_without_django_rest_framework_a_project_runs():
    script = f"""{_WITHOUT_REST}
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x" * 50,
    ROOT_URLCONF="__main__",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_grip"],
    MIDDLEWARE=["django_grip.GripMiddleware"],
)
django.setup()
from django.core.management import call_command
from django.test import Client
from django.urls import path
from django_grip.views import WebSocketView

class Room(WebSocketView):
    channels = ["room"]

urlpatterns = [path("room/", Room.as_view())]
call_command("check")
print(Client().get("/room/").status_code)
"""
    assert run(script).splitlines()[-1] == "400"
