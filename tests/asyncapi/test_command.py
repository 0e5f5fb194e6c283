"""``manage.py asyncapi``: its options, its formats, and what it says of what it cannot describe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import CommandError
from django.urls import path

from django_grip.views import WebSocketView

from .documents import check, make, write

URLCONF = ("--urlconf", "tests.asyncapi.project")
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_same_project_gives_the_same_text() -> None:
    assert write(*URLCONF) == write(*URLCONF)


def test_channels_are_in_the_order_of_their_addresses() -> None:
    addresses = [channel["address"] for channel in make(*URLCONF)["channels"].values()]
    assert addresses == sorted(addresses)


def test_title_and_version_are_those_that_are_given() -> None:
    assert make(*URLCONF)["info"] | {"description": ""} == {
        "title": "Realtime endpoints",
        "version": "1.0.0",
        "description": "",
    }
    info = make(*URLCONF, "--title", "Chat — «ours»", "--api-version", "2.1")["info"]
    assert (info["title"], info["version"]) == ("Chat — «ours»", "2.1")
    assert "Chat — «ours»" in write(*URLCONF, "--title", "Chat — «ours»")


def test_each_server_is_one_for_http_and_one_for_websockets() -> None:
    document = make(*URLCONF, "--server", "https://example.com/app/", "--server", "http://[::1]:8000")
    assert document["servers"] == {
        "http": {"host": "example.com", "pathname": "/app", "protocol": "https"},
        "websocket": {"host": "example.com", "pathname": "/app", "protocol": "wss"},
        "http2": {"host": "[::1]:8000", "protocol": "http"},
        "websocket2": {"host": "[::1]:8000", "protocol": "ws"},
    }
    assert document["channels"]["clock_websocket"]["servers"] == [
        {"$ref": "#/servers/websocket"},
        {"$ref": "#/servers/websocket2"},
    ]
    check(document)


def test_without_a_server_there_is_none() -> None:
    document = make(*URLCONF)
    assert "servers" not in document
    assert "servers" not in document["channels"]["clock_websocket"]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("example.com", "'example.com' is no URL of a server; write one such as https://example.com."),
        ("ftp://example.com", "'ftp://example.com' is no URL of a server; write one such as https://example.com."),
        ("https://", "'https://' is no URL of a server; write one such as https://example.com."),
        ("https://{host}/", "'https://{host}/' is no URL of a server; write one such as https://example.com."),
        ("https://a:b", "'https://a:b' is no URL of a server: Port could not be cast to integer value as 'b'."),
        (
            "https://me:secret@example.com",
            "The URL of a server has no user, password, query or fragment; write https://example.com.",
        ),
        (
            "https://example.com/?a=b",
            "The URL of a server has no user, password, query or fragment; write https://example.com.",
        ),
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url: str, text: str) -> None:
    with pytest.raises(CommandError) as caught:
        write(*URLCONF, "--server", url)
    assert str(caught.value) == text


def test_yaml_says_the_same_as_json() -> None:
    yaml = pytest.importorskip("yaml")
    text = write(*URLCONF, "--format", "yaml")
    assert text.startswith("asyncapi: 3.0.0\ninfo:\n")
    assert yaml.safe_load(text) == make(*URLCONF)


def test_yaml_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = util.find_spec
    target = "django_grip.management.commands.asyncapi.find_spec"
    monkeypatch.setattr(target, lambda name: None if name == "yaml" else find_spec(name))
    with pytest.raises(CommandError, match=r"^--format yaml needs PyYAML: pip install PyYAML$"):
        write(*URLCONF, "--format", "yaml")


def test_the_document_goes_into_a_file(tmp_path: Path) -> None:
    file = tmp_path / "asyncapi.json"
    assert write(*URLCONF, "--output", str(file)) == ""
    assert file.read_text(encoding="utf-8") == write(*URLCONF)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"/nowhere/a\.json: No such file or directory$"):
        write(*URLCONF, "--output", str(tmp_path / "nowhere" / "a.json"))


def test_a_urlconf_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match=r"^There is no module 'tests\.nothing\.at_all'\.$"):
        write("--urlconf", "tests.nothing.at_all")


def test_without_an_option_it_is_the_urlconf_of_the_project(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.asyncapi.project"
    assert write() == write(*URLCONF)


class Broken(WebSocketView):
    channels = ["broken"]

    @classmethod
    def _own_hooks(cls) -> list[str]:
        raise RuntimeError("no hooks today")


def test_a_view_that_cannot_be_described_is_named_and_the_others_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from . import project

    urlconf: Any = ModuleType("broken_urlconf")
    urlconf.urlpatterns = [*project.urlpatterns]
    monkeypatch.setitem(sys.modules, "broken_urlconf", urlconf)
    working = Broken.__dict__["_own_hooks"]
    monkeypatch.setattr(Broken, "_own_hooks", WebSocketView._own_hooks)
    urlconf.urlpatterns.append(path("broken/", Broken.as_view()))
    monkeypatch.setattr(Broken, "_own_hooks", working)
    file = tmp_path / "asyncapi.json"
    with pytest.raises(CommandError) as caught:
        write("--urlconf", "broken_urlconf", "--output", str(file))
    assert str(caught.value).splitlines() == [
        "These are missing in the document:",
        "/broken/ (tests.asyncapi.test_command.Broken): RuntimeError: no hooks today",
    ]
    document = json.loads(file.read_text())
    assert document == make(*URLCONF)


@pytest.mark.parametrize("example", ["board", pytest.param("rest_tickets", marks=pytest.mark.needs("rest"))])
def test_the_document_of_an_example_is_valid(example: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "asyncapi", "--server", "https://example.com"],
        cwd=EXAMPLES / example,
        env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "DJANGO_SETTINGS_MODULE": "settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert len(document["channels"]) >= 4
    check(document)


def test_without_django_rest_framework_the_other_views_are_documented() -> None:
    script = """
import sys
for name in ("rest_framework", "drf_spectacular"):
    sys.modules[name] = None
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["django_grip"], ROOT_URLCONF="tests.asyncapi.project", GRIP_URL="http://127.0.0.1:1/")
django.setup()
from django.core.management import call_command
call_command("asyncapi")
"""
    root = EXAMPLES.parent
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert json.loads(done.stdout) == make(*URLCONF)
