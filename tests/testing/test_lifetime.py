"""What a test leaves behind, the next one does not find: with Django's test cases, unittest's, and pytest."""

from __future__ import annotations

import re
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

import pytest
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from django_grip import WebSocketMessageFormat, publish
from django_grip.conf import grip_settings
from django_grip.publisher import get_publisher, publish_to
from django_grip.testing import AsyncGripClient, GripClient, GripTestMixin, NotOpened, capture_publishes
from django_grip.testing.in_process import proxy
from django_grip.views import WebSocketView
from tests.docs.conftest import Recorder

ROOT = Path(__file__).parents[2]


class Told(WebSocketView):
    channels = ["all"]
    log: list = []

    def on_refresh(self):
        self.log.append("refresh")

    def on_close(self, code, reason):
        self.log.append("close")


@pytest.fixture(autouse=True)
def view(route):
    Told.log.clear()
    route("ws/", Told)


def run(case: type[unittest.TestCase]) -> None:
    """Run the tests of a case, in the order of their names."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert not result.errors + result.failures, "\n".join(text for _, text in result.errors + result.failures)
    assert result.testsRun


def is_ended() -> bool:
    return grip_settings().extra_keys == () and proxy.connections == [] and not proxy.captures


class LeavesAConnection:
    client: Any
    left: list = []

    def test_1_leaves_it(self):
        ws = self.client.websocket("/ws/")
        assert ws.accepted
        self.left.append(ws)

    def test_2_does_not_find_it(self):
        self.client.advance(600)
        assert publish("all", WebSocketMessageFormat("x")).done()
        assert Told.log == []
        with pytest.raises(NotOpened, match="The WebSocket /ws/ was dropped when its test ended"):
            self.left[-1].receive()


@pytest.mark.parametrize("kind", [SimpleTestCase, TestCase, TransactionTestCase])
@pytest.mark.django_db(transaction=True)
def test_a_connection_does_not_outlive_its_test(kind):
    class Case(LeavesAConnection, GripTestMixin, kind):
        pass

    run(Case)
    assert is_ended()
    assert Told.log == []


def test_a_plain_test_case_makes_its_client_itself():
    class Case(LeavesAConnection, unittest.TestCase):
        def setUp(self):
            self.client = GripClient()

    run(Case)
    assert is_ended()


@pytest.mark.parametrize("kind", [SimpleTestCase, unittest.IsolatedAsyncioTestCase])
def test_a_client_that_an_async_test_makes_ends_with_it(kind):
    class Case(kind):  # type: ignore[misc, valid-type]
        async def test_1(self):
            async with AsyncGripClient().websocket("/ws/") as ws:
                await ws.receive_nothing()
                await AsyncGripClient().websocket("/ws/")

    run(Case)
    assert is_ended()


def test_a_client_of_the_whole_class_works_in_each_of_its_tests():
    class Case(SimpleTestCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            cls.client_of_class = GripClient()

        def test_1(self):
            with self.client_of_class.websocket("/ws/") as ws:
                publish("all", WebSocketMessageFormat("x"))
                assert ws.receive() == "x"

        test_2 = test_1

    run(Case)
    assert is_ended()


def publishes_to_the_kit() -> bool:
    return [lane.url for lane in get_publisher().lanes] == ["django_grip.testing"]


def test_a_test_without_a_client_publishes_as_ever():
    class Case(SimpleTestCase):
        def test_1(self):
            GripClient()
            assert publishes_to_the_kit()

        def test_2(self):
            assert not publishes_to_the_kit()

    run(Case)
    assert not publishes_to_the_kit()


def test_a_capture_without_a_client_ends_with_its_test():
    class Case(SimpleTestCase):
        @capture_publishes()
        def test_1(self, published):
            publish("x", WebSocketMessageFormat("x"))
            assert published.channels == ["x"]

        def test_2(self):
            capture_publishes().__enter__()

    run(Case)
    assert is_ended()


def test_nothing_leaves_whatever_proxies_are_configured(settings):
    settings.GRIP_PROXIES = [{"control_uri": "http://127.0.0.1:1", "key": "x" * 32}]

    class Case(GripTestMixin, SimpleTestCase):
        def test_1(self):
            with self.client.websocket("/ws/") as ws, self.settings(GRIP_PREFIX="p-"):
                publication = publish("all", WebSocketMessageFormat("x"), blocking=True)
                assert [result.url for result in publication.results] == ["django_grip.testing"]
                ws.receive_nothing()

    run(Case)


def test_a_publisher_of_the_tests_own_comes_first_and_is_left_in_order():
    recorder = Recorder()

    class Case(GripTestMixin, SimpleTestCase):
        def test_1(self):
            with publish_to(recorder):
                publish("x", WebSocketMessageFormat("x"))
            assert recorder.items.pop()["channel"] == "x"
            with capture_publishes() as published:
                publish("y", WebSocketMessageFormat("x"))
            assert published.channels == ["y"]

    run(Case)
    with publish_to(recorder) as publisher:
        run(Case)
        assert get_publisher() is publisher


def test_a_publisher_that_ended_meanwhile_does_not_come_back():
    class Case(SimpleTestCase):
        def test_1(self):
            with publish_to(Recorder()):
                client = GripClient()
            assert client
            assert publishes_to_the_kit()

    run(Case)
    assert not get_publisher().closed
    assert not publishes_to_the_kit()


# -- in processes of their own -----------------------------------------------------------------------------------------

DJANGO_TESTS = """
from django.test import SimpleTestCase
from django.urls import path
from django_grip import publish, WebSocketMessageFormat
from django_grip.conf import grip_settings
from django_grip.testing import GripTestMixin
from django_grip.views import WebSocketView

class Socket(WebSocketView):
    channels = ["all"]

urlpatterns = [path("ws/", Socket.as_view())]

class A(GripTestMixin, SimpleTestCase):
    def test_1(self):
        with self.settings(ROOT_URLCONF=__name__):
            self.client.websocket("/ws/")
            publish("all", WebSocketMessageFormat("x"))

class B(SimpleTestCase):
    def test_2(self):
        assert grip_settings().extra_keys == ()
"""

PYTEST_TESTS = """
import pytest
from django.urls import path
from django_grip import publish, WebSocketMessageFormat
from django_grip.conf import grip_settings
from django_grip.views import WebSocketView

class Socket(WebSocketView):
    channels = ["all"]

urlpatterns = [path("ws/", Socket.as_view())]
left = []

@pytest.mark.urls(__name__)
def test_1(grip_client, async_grip_client, published):
    left.append(grip_client.websocket("/ws/"))
    publish("all", WebSocketMessageFormat("x"))
    assert left[0].receive() == published[0].websocket == "x"

@pytest.fixture
def fails_at_its_end(grip_client):
    yield
    raise RuntimeError

def test_2(fails_at_its_end):
    pass

def test_3():
    assert grip_settings().extra_keys == ()
    with pytest.raises(AssertionError, match="was dropped when its test ended"):
        left[0].receive()
"""


def run_python(*arguments: str, directory: Path) -> str:
    """Run Python there, and return what it wrote."""
    command = [sys.executable, *arguments]
    environment = {"PYTHONPATH": f"{directory}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def test_djangos_own_test_runner(tmp_path):
    (tmp_path / "test_kit.py").write_text(DJANGO_TESTS)
    told = run_python("-m", "django", "test", "test_kit", "--settings", "tests.settings", directory=tmp_path)
    assert re.search(r"Ran 2 tests in .*\n\nOK\n", told), told


PLUGIN = "-pdjango_grip.testing.pytest_plugin"


def test_pytests_own_functions(tmp_path):
    (tmp_path / "test_kit.py").write_text(PYTEST_TESTS)
    # The third looks at what the first has left.
    options = ["-q", PLUGIN, "-pno:randomly", "--ds", "tests.settings"]
    told = run_python("-m", "pytest", *options, "test_kit.py", directory=tmp_path)
    assert "3 passed, 1 error" in told, told


def test_the_plugin_is_harmless_where_there_is_no_django(tmp_path):
    (tmp_path / "test_other.py").write_text(
        'import sys\n\ndef test_it():\n    assert not {"django", "gripcontrol"} & set(sys.modules)\n'
    )
    plugins = [PLUGIN, "-pno:django", "-pno:django_grip"]
    told = run_python("-m", "pytest", "-q", *plugins, "test_other.py", directory=tmp_path)
    assert "1 passed" in told, told


def test_the_plugin_is_found_by_the_name_of_its_module():
    source = (ROOT / "setup.py").read_text(encoding="utf-8")
    (entry,) = re.findall(r'"pytest11": \["([\w.]+) = ([\w.]+)"\]', source)
    assert entry == ("django_grip.testing.pytest_plugin",) * 2
