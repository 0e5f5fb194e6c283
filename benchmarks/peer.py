"""The predecessors, in an environment of their own: django-grip 3.5.2 on gripcontrol 4.4.0 and pubcontrol 3.5.0."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

__all__ = ["PEER_PACKAGES", "peer_python"]

ROOT = Path(__file__).resolve().parent.parent
PEER_PACKAGES = ["django-grip==3.5.2", "gripcontrol==4.4.0", "pubcontrol==3.5.0"]


def peer_python() -> str:
    """Make the environment if it is not there yet, with the Django of this one; return its Python."""
    import django

    directory = ROOT / ".venv-peer"
    python = directory / "bin" / "python"
    ready = directory / ".ready"
    packages = [*PEER_PACKAGES, f"Django=={django.get_version()}"]
    if not ready.exists() or ready.read_text() != "\n".join(packages):
        print(f"Making {directory.name} with {', '.join(packages)} …", file=sys.stderr)
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True
        )
        ready.write_text("\n".join(packages))
    return str(python)
