"""What a test needs beside the package, and what happens when it is not there.

``@pytest.mark.needs("pushpin", "zmq")`` on a test, ``pytestmark`` in a module, or ``require("pushpin")`` in a fixture;
a module that imports an extra at its top needs that extra without being told. What is needed and not there skips the
test with one sentence that says how to get it. With ``GRIP_TEST_REQUIRE_ALL=1`` the test fails instead: so runs
continuous integration, where everything has to be there.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

# The official schema of AsyncAPI documents, where `make asyncapi-schema` puts it.
ASYNCAPI_SCHEMA = Path(__file__).parents[1] / "var" / "asyncapi" / "package" / "schemas" / "3.0.0.json"


@dataclass(frozen=True)
class Need:
    """A part, how to get it, and the programs, modules and files by which one sees that it is there.

    files: paths, in which ``*`` stands for what differs from one machine to the next.
    """

    how_to_get: str
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def is_there(self) -> bool:
        return (
            all(shutil.which(program) for program in self.programs)
            and all(importlib.util.find_spec(module) for module in self.modules)
            and all(glob.glob(file) for file in self.files)
        )


def _extra(name: str, *modules: str) -> Need:
    return Need(f"pip install django-grip[{name}]", modules=modules)


NEEDS = {
    "pushpin": Need("apt-get install pushpin", programs=("pushpin", "zurl"), files=("/usr/lib/pushpin/internal.conf",)),
    "chromium": Need(
        "apt-get install chromium; pip install -r tests/requirements.txt",
        programs=("chromium",),
        modules=("playwright",),
    ),
    "postgresql": Need(
        "apt-get install postgresql; pip install -r tests/requirements.txt",
        modules=("psycopg",),
        files=("/usr/lib/postgresql/*/bin/initdb",),
    ),
    "rest": _extra("rest", "rest_framework"),
    "dev": _extra("dev", "uvicorn", "websockets"),
    "zmq": _extra("zmq", "zmq", "tnetstring"),
    "crypto": _extra("crypto", "cryptography"),
    "spectacular": Need("pip install -r tests/requirements-rest.txt", modules=("drf_spectacular",)),
    "simplejwt": Need("pip install -r tests/requirements-rest.txt", modules=("rest_framework_simplejwt",)),
    "asyncapi-schema": Need("make asyncapi-schema", modules=("jsonschema",), files=(str(ASYNCAPI_SCHEMA),)),
    "mypy": Need("pip install -r tests/requirements-tools.txt", modules=("mypy", "mypy_django_plugin")),
    "mkdocs": Need("pip install -r tests/requirements-tools.txt", modules=("mkdocs", "pygments")),
}


def all_required() -> bool:
    """Tell whether nothing may be skipped for a missing part."""
    return os.environ.get("GRIP_TEST_REQUIRE_ALL") == "1"


def reason_for(name: str) -> str:
    return f"needs {name} ({NEEDS[name].how_to_get})"


def need_of_module(module: str) -> str | None:
    """The need that brings a module."""
    return next((name for name, need in NEEDS.items() if module in need.modules), None)


def require(*names: str) -> None:
    """Skip the running test, or module at import, unless every one of ``NEEDS`` so named is there."""
    for name in names:
        if NEEDS[name].is_there():
            continue
        if all_required():
            pytest.fail(f"{reason_for(name)}, and GRIP_TEST_REQUIRE_ALL=1 lets nothing be skipped", pytrace=False)
        pytest.skip(reason_for(name), allow_module_level=True)
