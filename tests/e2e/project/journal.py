"""A journal in a file: what the views of several worker processes remember together."""

from __future__ import annotations

import fcntl
import json
from typing import Any

from django.conf import settings


def append(name: str, entry: Any) -> int:
    """Write an entry at the end of a journal, and return its number, from 1 on."""
    with _open(name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        number = len(file.readlines()) + 1
        file.write(json.dumps(entry) + "\n")
    return number


def entries(name: str, *, after: int = 0) -> list[Any]:
    """Return the entries behind a number."""
    with _open(name) as file:
        return [json.loads(line) for line in file.readlines()[after:]]


def _open(name: str) -> Any:
    file = (settings.DIRECTORY / f"journal-{name}").open("a+", encoding="utf-8")
    file.seek(0)
    return file
