"""What every test of this project has."""

from __future__ import annotations

import pytest

from .needs import NEEDS, require


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"needs(*names): skip, or in CI fail, unless these are there; known are {', '.join(NEEDS)}"
    )


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name long bytes by their argument: a random key in a test's name would differ between test processes."""
    return argname if isinstance(val, bytes) and len(val) > 64 else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        require(*marker.args)
