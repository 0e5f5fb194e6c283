"""The public names have types that a project can be checked against, and that an editor completes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

WRONG = """
from django_grip import Event, publish, send_to
from django_grip.views import WebSocketView

class Room(WebSocketView):
    def on_message(self, message: str) -> None:
        self.sned(message)
        self.close("1000")
        self.state.append("x")

publish(5, Event("x"))
publish("room", "just text")
send_to(5, "x")
"""


def run_mypy(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.needs("mypy")
def test_what_a_project_writes_passes_strict_mypy() -> None:
    assert run_mypy(str(HERE / "api.py")) == (0, "")


@pytest.mark.needs("mypy")
def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    status, output = run_mypy(str(wrong))
    assert status == 1
    told = [line.split("error: ")[1] for line in output.splitlines() if "error: " in line]
    assert len(told) == 6, output
    assert '"Room" has no attribute "sned"' in told[0]
    assert 'Argument 1 to "close" of "WebSocketView" has incompatible type "str"; expected "int"' in told[1]
    assert 'has no attribute "append"' in told[2]
    assert 'Argument 1 to "publish" has incompatible type "int"; expected "str"' in told[3]
    assert 'Argument 2 to "publish" has incompatible type "str"' in told[4]
    assert 'Argument 1 to "send_to" has incompatible type "int"; expected "str"' in told[5]
