"""What every test of this project has."""

from __future__ import annotations

import re
import signal
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from .needs import NEEDS, all_required, need_of_module, reason_for, require

if TYPE_CHECKING:
    from .postgres import Postgres

# What users of an installed package have by itself.
pytest_plugins = ["django_grip.testing.pytest_plugin"]


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what it runs in the background so, and the servers that the tests end by Ctrl-C inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line(
        "markers", f"needs(*names): skip, or in CI fail, unless these are there; known are {', '.join(NEEDS)}"
    )


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name long bytes by their argument: a random key in a test's name would differ between test processes."""
    return argname if isinstance(val, bytes) and len(val) > 64 else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        require(*marker.args)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, for this test process."""
    require("postgresql")
    from .postgres import Postgres

    server = Postgres()
    yield server
    server.stop()


# What Python says, and what this package does.
_MISSING = r"ModuleNotFoundError: No module named '(\w+)|ImportError: django_grip\.(rest) needs "


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip, by name, a test module that cannot be imported for want of an extra."""
    report = yield
    missing = re.search(_MISSING, str(report.longrepr)) if report.failed else None
    need = (missing[2] or need_of_module(missing[1])) if missing else None
    if need is not None and not all_required():
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: {reason_for(need)}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, a failed ``importorskip`` is a failure too."""
    report = yield
    if report.skipped and all_required() and "could not import" in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"{report.longrepr[2]}, and GRIP_TEST_REQUIRE_ALL=1 lets nothing be skipped"
    return report
