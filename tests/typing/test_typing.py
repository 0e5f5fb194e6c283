"""Type hints are good enough for what users write, and tell their mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs("mypy")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

# Nothing of this project's own configuration: users have the package, and their own.
CONFIG = f"""
[mypy]
strict = {{strict}}
check_untyped_defs = True
warn_unused_ignores = True
mypy_path = {ROOT}:{ROOT / "stubs"}
plugins = mypy_django_plugin.main
[mypy.plugins.django-stubs]
django_settings_module = "tests.settings"
[mypy-rest_framework.*]
ignore_missing_imports = True
[mypy-django_grip.rest.*]
disallow_subclassing_any = False
"""


@pytest.mark.parametrize(
    ("names", "strict"),
    [(["annotated", "api", "testing", "mistakes", "rest_sockets"], True), (["plain"], False)],
    ids=["strict", "plain"],
)
def test_mypy_has_nothing_to_say(names: list[str], strict: bool, tmp_path: Path) -> None:
    # Several files at once: most of the time goes into Django's own types.
    config = tmp_path / "mypy.ini"
    config.write_text(CONFIG.format(strict=strict), encoding="utf-8")
    options = ["--config-file", str(config), "--cache-dir", str(ROOT / ".mypy_cache" / f"typing-{names[0]}")]
    command = [sys.executable, "-m", "mypy", *options, *[str(HERE / f"{name}.py") for name in names]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
