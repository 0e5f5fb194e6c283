"""What is missing skips a test by name, and fails it where everything is required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import needs
from .needs import Need

HERE = Path(__file__).parent
MISSING = Need("pip install nothing", modules=("nothing_at_all",))

# A project of one package `tests`, with this project's machinery and one need more.
SUITE = {
    "test_marked.py": """
        import pytest

        @pytest.mark.needs("nothing")
        def test_marked(): ...

        def test_free(): ...
    """,
    "test_importing.py": """
        import nothing_at_all

        def test_of_it(): ...
    """,
    "test_skipping.py": """
        import pytest

        def test_importorskip():
            pytest.importorskip("nothing_at_all")
    """,
    # As `django_grip.rest` does.
    "test_told.py": """
        raise ImportError("django_grip.rest needs Django REST framework")
    """,
    "test_broken.py": """
        import something_else_that_is_not_there
    """,
}


def run_suite(directory: Path, *, require_all: bool, only: str) -> str:
    package = directory / "tests"
    package.mkdir()
    for name in ("__init__.py", "conftest.py", "needs.py"):
        (package / name).write_text((HERE / name).read_text())
    with (package / "needs.py").open("a") as file:
        file.write('\nNEEDS["nothing"] = Need("pip install nothing", modules=("nothing_at_all",))\n')
    lines = SUITE[only].splitlines()
    (package / only).write_text("\n".join(line.removeprefix(" " * 8) for line in lines))
    (directory / "pytest.ini").write_text(
        "[pytest]\naddopts = -ra --no-fold-skipped --strict-markers -p no:cacheprovider\n"
    )
    env = {**os.environ, "GRIP_TEST_REQUIRE_ALL": "1" if require_all else "", "COLUMNS": "300"}
    # The plugins of the tests around this one have nothing to do here, and take seconds to load.
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    env.pop("DJANGO_SETTINGS_MODULE", None)
    # conftest.py loads the package's own plugin, installed or not.
    env["PYTHONPATH"] = str(HERE.parent)
    command = [sys.executable, "-m", "pytest", "tests"]
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.parametrize(
    ("only", "skipped", "summary"),
    [
        (
            "test_marked.py",
            "SKIPPED tests/test_marked.py::test_marked - Skipped: needs nothing (pip install nothing)",
            "1 passed, 1 skipped",
        ),
        (
            "test_importing.py",
            "SKIPPED tests/test_importing.py - Skipped: needs nothing (pip install nothing)",
            "1 skipped",
        ),
        (
            "test_told.py",
            "SKIPPED tests/test_told.py - Skipped: needs rest (pip install django-grip[rest])",
            "1 skipped",
        ),
        (
            "test_skipping.py",
            "SKIPPED tests/test_skipping.py::test_importorskip - Skipped: could not import",
            "1 skipped",
        ),
    ],
)
def test_what_is_missing_skips_by_name(tmp_path: Path, only: str, skipped: str, summary: str) -> None:
    output = run_suite(tmp_path, require_all=False, only=only)
    assert skipped in output
    assert summary in output.splitlines()[-1]


@pytest.mark.parametrize(
    ("only", "failed", "summary"),
    [
        (
            "test_marked.py",
            "ERROR tests/test_marked.py::test_marked - Failed: needs nothing (pip install nothing), "
            "and GRIP_TEST_REQUIRE_ALL=1 lets nothing be skipped",
            "1 passed, 1 error",
        ),
        ("test_importing.py", "ERROR tests/test_importing.py", "1 error"),
        ("test_told.py", "ERROR tests/test_told.py", "1 error"),
        ("test_skipping.py", "FAILED tests/test_skipping.py::test_importorskip", "1 failed"),
    ],
)
def test_where_all_is_required_what_is_missing_fails(tmp_path: Path, only: str, failed: str, summary: str) -> None:
    output = run_suite(tmp_path, require_all=True, only=only)
    assert failed in output
    assert summary in output.splitlines()[-1]


@pytest.mark.parametrize("require_all", [False, True])
def test_a_module_that_is_nobody_s_extra_is_an_error(tmp_path: Path, require_all: bool) -> None:
    output = run_suite(tmp_path, require_all=require_all, only="test_broken.py")
    assert "ERROR tests/test_broken.py" in output


def test_require_in_a_fixture_skips_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(needs.NEEDS, "nothing", MISSING)
    monkeypatch.delenv("GRIP_TEST_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"needs nothing \(pip install nothing\)"):
        needs.require("nothing")
    monkeypatch.setenv("GRIP_TEST_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="lets nothing be skipped"):
        needs.require("nothing")


@pytest.mark.parametrize(
    ("need", "is_there"),
    [
        (Need("", programs=("sh",)), True),
        (Need("", programs=("sh", "no-such-program")), False),
        (Need("", modules=("json",)), True),
        (Need("", modules=("nothing_at_all",)), False),
        (Need("", files=("/",)), True),
        (Need("", files=("/no/such/file",)), False),
        (Need("", files=("/usr/*/env",)), True),
        (Need("", files=("/usr/*/no-such-file",)), False),
    ],
)
def test_a_need_is_seen_by_its_programs_modules_and_files(need: Need, is_there: bool) -> None:
    assert need.is_there() is is_there
