"""The peers, each in an environment of its own beside this one."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

__all__ = ["PEER_PACKAGES", "make_environment", "peer_python"]

ROOT = Path(__file__).resolve().parent.parent
PEER_PACKAGES = ["django-grip==3.5.2", "gripcontrol==4.4.0", "pubcontrol==3.5.0"]


def peer_python() -> str:
    """The Python of the predecessors: django-grip 3.5.2 on gripcontrol 4.4.0 and pubcontrol 3.5.0."""
    return make_environment(".venv-peer", PEER_PACKAGES, same=["Django"])


def make_environment(name: str, packages: Sequence[str], *, same: Sequence[str]) -> str:
    """Make an environment if it is not there yet; return its Python. same: packages in the versions of this one."""
    directory = ROOT / name
    python = directory / "bin" / "python"
    ready = directory / ".ready"
    packages = [*packages, *[f"{package}=={version(package)}" for package in same]]
    if not ready.exists() or ready.read_text() != "\n".join(packages):
        print(f"Making {directory.name} with {', '.join(packages)} …", file=sys.stderr)
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True
        )
        ready.write_text("\n".join(packages))
    return str(python)
