"""What the package promises to export is there."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import django_grip
from tests.needs import require

# DESIGN.md, 2. A name leaves this list only with a deprecation.
PROMISED = {
    "Event",
    "GripMiddleware",
    "Publication",
    "PublishError",
    "apublish",
    "channel_name",
    "close_to",
    "get_pubcontrol",
    "publish",
    "send_to",
    "set_hold_longpoll",
    "set_hold_stream",
    "websocket_only",
}

PROMISED_REST = {"EventStreamRenderer", "LiveModelViewSet", "LiveViewSetMixin", "WebSocketAPIView"}


@pytest.mark.parametrize("name", django_grip.__all__)
def test_everything_in_all_can_be_imported(name: str) -> None:
    assert getattr(django_grip, name) is not None


def test_all_has_no_name_twice_and_is_what_dir_shows() -> None:
    assert len(set(django_grip.__all__)) == len(django_grip.__all__)
    assert set(django_grip.__all__) <= set(dir(django_grip))


def test_all_has_every_promised_name() -> None:
    assert set(django_grip.__all__) >= PROMISED


@pytest.mark.needs("rest")
def test_the_rest_room_has_every_promised_name() -> None:
    assert set(import_module("django_grip.rest").__all__) >= PROMISED_REST


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'django_grip' has no attribute 'nonsense'"):
        _ = django_grip.nonsense


@pytest.mark.parametrize("name", ["views", "rest", "protocol", "publishing", "exceptions", "testing"])
def test_what_a_module_lists_in_all_it_has(name: str) -> None:
    if name == "rest":
        require("rest")
    module = import_module(f"django_grip.{name}")
    for exported in getattr(module, "__all__", []):
        assert getattr(module, exported) is not None


def test_the_root_imports_nothing_until_it_is_asked() -> None:
    script = "import sys, django_grip; print([m for m in sys.modules if m.split('.')[0] in ('django', 'gripcontrol')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
