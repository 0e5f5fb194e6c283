"""Databases on which transactions are real: a SQLite file, and PostgreSQL.

``pytest_plugins = ["tests.rest.real_databases"]`` gives a module the fixture `database`. As long as a test has it,
``default`` is a database of its own, with all tables, where commits are commits; in its threads, too.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .database_entries import as_database, create_tables, sqlite_entry

if TYPE_CHECKING:
    from ..postgres import Postgres


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
