"""The chat room of the README, as a URLconf: its two files, taken from the page and put into one directory."""

from __future__ import annotations

import os
from pathlib import Path

from .pages import run_snippet, snippets

_directory = Path(os.environ.get("GRIP_E2E_DIRECTORY", "."))
_python = next(snippet for snippet in snippets("README.md") if "room.html" in snippet.code)
_html = next(snippet for snippet in snippets("README.md", "html"))

(_directory / "room.html").write_text(_html.code, encoding="utf-8")
__file__ = str(_directory / "urls.py")
run_snippet(_python, globals())
