"""Places where a view stops until its test lets it go on, and notes by which the test knows that it has come there.

Both are files in the application's directory, so they work whatever process a view runs in.
"""

from __future__ import annotations

import time

from django.conf import settings

# Seconds. Longer than any test waits for anything: a test that forgets a gate fails by itself.
_PATIENCE = 120.0


def pass_through(name: str) -> None:
    """Go on once the test has opened the gate (``Backstage.open_gate``)."""
    deadline = time.monotonic() + _PATIENCE
    while not (settings.DIRECTORY / f"gate-{name}").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody opened the gate {name!r}")
        time.sleep(0.005)
