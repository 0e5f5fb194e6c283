"""Where the tickets are kept, by one setting: the path of a SQLite file, or the URL of a PostgreSQL database."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def read_database(where: str) -> dict[str, Any]:
    """One of Django's DATABASES. where: a path, or ``postgresql://user:password@host:port/name?sslmode=require``.

    A host that is a directory, as that of PostgreSQL's socket, goes into the query: ``postgresql:///name?host=/tmp``.
    """
    if not where.startswith(("postgresql://", "postgres://")):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": where,
            # Many short requests at once: readers and the one writer do not wait for each other.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    url = urlsplit(where)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.removeprefix("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": dict(parse_qsl(url.query)),
    }
