"""Databases on which transactions are real: a SQLite file, and PostgreSQL.

``pytest_plugins = ["tests.rest.real_databases"]`` gives a module the fixture `database`. As long as a test has it,
``default`` is a database of its own, with all tables, where commits are commits; in its threads, too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import load_backend

if TYPE_CHECKING:
    from ..postgres import Postgres


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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    file: Path = tmp_path_factory.mktemp("sqlite") / "template"
    with django_db_blocker.unblock(), as_database(sqlite_entry(file)):
        create_tables()
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres, django_db_blocker: Any) -> str:
    name = postgres.create_database()
    with django_db_blocker.unblock(), as_database(postgres.entry(name)):
        create_tables()
    return name


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path, django_db_blocker: Any) -> Iterator[None]:
    file = tmp_path / "database"
    shutil.copy(sqlite_template, file)
    with django_db_blocker.unblock(), as_database(sqlite_entry(file)):
        yield


@pytest.fixture
def postgresql(postgres: Postgres, postgres_template: str, django_db_blocker: Any) -> Iterator[None]:
    name = postgres.create_database(postgres_template)
    try:
        with django_db_blocker.unblock(), as_database(postgres.entry(name)):
            yield
    finally:
        postgres.drop_database(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))])
def database(request: pytest.FixtureRequest) -> str:
    """Run the test on each; the vendor's name."""
    name: str = request.param
    request.getfixturevalue(name)
    return name
