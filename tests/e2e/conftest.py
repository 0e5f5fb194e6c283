"""Fixtures of the rig. ``site`` is what nearly every end-to-end test takes; see ``tests/e2e/README.md``."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.needs import require

from .processes import LOGS
from .sites import Site, SitePool

# The two interfaces an application may run on. uvicorn comes with the extra `dev`.
INTERFACES = ["wsgi", pytest.param("asgi", marks=pytest.mark.needs("dev"))]

_LOG_STARTS = pytest.StashKey[dict[int, int]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "site(**options): options of tests.e2e.sites.Site for `site` and `own_site`")


@pytest.fixture(scope="session")
def _sites() -> Iterator[SitePool]:
    pool = SitePool(size=4)
    yield pool
    pool.close()


@pytest.fixture(params=INTERFACES)
def interface(request: pytest.FixtureRequest) -> str:
    """``"wsgi"``, then ``"asgi"``."""
    return str(request.param)


@pytest.fixture
def site(interface: str, request: pytest.FixtureRequest) -> Site:
    """A running site, shared with other tests that ask for the same options: take channels from ``channel``."""
    require("pushpin")
    pool: SitePool = request.getfixturevalue("_sites")
    return pool.get(interface, _options(request))


@pytest.fixture
def own_site(interface: str, make_site: Callable[..., Site], request: pytest.FixtureRequest) -> Site:
    """A running site of this test's own, for tests that restart or kill a part of it."""
    return make_site(interface, **_options(request))


@pytest.fixture
def make_site() -> Iterator[Callable[..., Site]]:
    """Start sites of this test's own: ``make_site("gunicorn-threads", settings={...}, pushpin={...})``."""
    require("pushpin")
    made: list[Site] = []

    def make(server: str, *, start: bool = True, **options: Any) -> Site:
        site = Site(server, **options)
        made.append(site)
        if start:
            site.start()
        return site

    yield make
    for site in made:
        site.close()


@pytest.fixture
def channel() -> str:
    """A channel name no other test uses."""
    return f"test-{uuid.uuid4().hex}"


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The keywords of all ``site`` markers, the nearest to the test winning."""
    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("site"):
        options = {**marker.kwargs, **options}
    return options


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_LOG_STARTS] = {id(process): process.log_size() for process in LOGS}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what the rig's processes logged during a test that failed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed and report.when in ("setup", "call"):
        starts = item.stash.get(_LOG_STARTS, {})
        for process in LOGS:
            text = process.log_text(starts.get(id(process), 0))
            if text.strip():
                report.sections.append((f"log of {process.name}", text[-8000:]))
    return report
