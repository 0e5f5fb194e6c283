"""What a test needs beside the package, and what happens when it is not there.

``@pytest.mark.needs("pushpin", "zmq")`` on a test, ``pytestmark`` in a module, or ``require("pushpin")`` in a fixture.
The test is skipped with one sentence that says how to get the part. With ``GRIP_TEST_REQUIRE_ALL=1`` it fails instead:
so runs continuous integration, where everything has to be there.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Need:
    """A part: how to see whether it is there, and how to get it."""

    is_there: Callable[[], bool]
    how_to_get: str


def _programs(*names: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(name) for name in names)


def _modules(*names: str) -> Callable[[], bool]:
    return lambda: all(importlib.util.find_spec(name) for name in names)


def _extra(name: str, *modules: str) -> Need:
    return Need(_modules(*modules), f"pip install django-grip[{name}]")


def _pushpin_is_there() -> bool:
    return _programs("pushpin", "zurl")() and Path("/usr/lib/pushpin/internal.conf").exists()


NEEDS = {
    "pushpin": Need(_pushpin_is_there, "apt-get install pushpin"),
    "rest": _extra("rest", "rest_framework"),
    "dev": _extra("dev", "uvicorn", "websockets"),
    "zmq": _extra("zmq", "zmq", "tnetstring"),
    "crypto": _extra("crypto", "cryptography"),
}


def require(*names: str) -> None:
    """Skip the running test, or module at import, unless every one of ``NEEDS`` so named is there."""
    for name in names:
        if NEEDS[name].is_there():
            continue
        reason = f"needs {name} ({NEEDS[name].how_to_get})"
        if os.environ.get("GRIP_TEST_REQUIRE_ALL") == "1":
            pytest.fail(f"{reason}, and GRIP_TEST_REQUIRE_ALL=1 lets nothing be skipped", pytrace=False)
        pytest.skip(reason, allow_module_level=True)
