"""Fixtures of the commands' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.ports import PortLease

from .project import Project


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Make a project: ``make_project(settings="DEBUG = False")``. What it has started ends with the test."""
    made: list[Project] = []

    def make(**options: Any) -> Project:
        directory = tmp_path / f"project{len(made)}"
        directory.mkdir()
        made.append(Project(directory, **options))
        return made[-1]

    yield make
    for project in made:
        project.close()


@pytest.fixture
def make_port() -> Iterator[Callable[[], int]]:
    """Give out free loopback ports."""
    leases: list[PortLease] = []

    def make() -> int:
        leases.append(PortLease())
        return leases[-1].port

    yield make
    for lease in leases:
        lease.close()
