from __future__ import annotations

import pkgutil
import subprocess
import sys

import django_grip.protocol

CODE = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    for loaded in sys.modules:
        if loaded.partition(".")[0] in ("django", "asgiref", "rest_framework"):
            sys.exit(f"{name} imports {loaded}")
"""


def test_importing_the_protocol_never_imports_django():
    modules = [f"django_grip.protocol.{module.name}" for module in pkgutil.iter_modules(django_grip.protocol.__path__)]
    assert len(modules) > 15
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, *modules], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
