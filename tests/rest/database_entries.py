"""Databases that stand in, for a time, for those of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import load_backend


def sqlite_entry(file: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(file),
        # Writers wait for each other, from the beginning of their transactions.
        "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE"},
    }


@contextmanager
def as_database(entry: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Have an alias stand for another database, on this thread and on those that begin now."""
    settings = connections.settings
    before, own = settings.get(alias), getattr(connections._connections, alias, None)
    settings[alias] = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: dict(entry)})[alias]
    connections[alias] = load_backend(entry["ENGINE"]).DatabaseWrapper(settings[alias], alias)
    try:
        yield
    finally:
        connections[alias].close()
        if before is None:
            del settings[alias], connections[alias]
        else:
            settings[alias], connections[alias] = before, own


def create_tables() -> None:
    """The tables of every model, without the way that migrations take."""
    with connection.schema_editor() as editor:
        for model in apps.get_models():
            if not model._meta.proxy:
                editor.create_model(model)
