"""The snippets use what is there: mypy follows every name in them, also in hooks that no test calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import STAND_INS
from .pages import PAGES, ROOT, snippets

pytest.importorskip("mypy_django_plugin")

CONFIG = f"""
[mypy]
# Users of the views need not annotate; their hooks are looked at all the same.
check_untyped_defs = True
mypy_path = {ROOT}:{ROOT / "stubs"}:{STAND_INS}
plugins = mypy_django_plugin.main
# The snippets of a page are one program here, in which a name may come again.
disable_error_code = no-redef, var-annotated
[mypy-rest_framework.*,drf_spectacular.*]
ignore_missing_imports = True
[mypy.plugins.django-stubs]
django_settings_module = "tests.settings"
"""


def write_program(page: str, directory: Path) -> Path | None:
    """Write what a page has to run into one file, each line where it is in the page."""
    text = ""
    for snippet in snippets(page):
        if snippet.how == "run":
            text += "\n" * (snippet.line - 1 - text.count("\n")) + snippet.code
    path = directory / (page.removesuffix(".md").replace("-", "_") + "_page.py")
    path.write_text(text, encoding="utf-8")
    return path if text else None


def test_every_name_in_the_snippets_is_known(tmp_path: Path) -> None:
    programs = [program for page in PAGES if (program := write_program(page, tmp_path))]
    (tmp_path / "mypy.ini").write_text(CONFIG, encoding="utf-8")
    options = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(ROOT / ".mypy_cache" / "docs")]
    command = [sys.executable, "-m", "mypy", *options, *map(str, programs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
