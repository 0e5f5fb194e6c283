"""Fixtures of the rig. ``site`` is what nearly every end-to-end test takes; see ``tests/e2e/README.md``."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .embedded_site import EmbeddedSite
from .engines import MARKERS, NO_STACK, STACKS, Stack, as_group, as_parameter, stacks_of
from .processes import LOGS
from .pushpin_site import PushpinSite
from .sites import Site, SitePool

# Options of sites that say something on Pushpin and its servers only.
OF_PUSHPIN = {"pushpin", "wsgi", "asgi"}

_LOG_STARTS = pytest.StashKey[dict[int, int]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "site(**options): options of the site for `site`, `own_site` and `make_site`")
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on every stack that its markers leave."""
    if "stack" in metafunc.fixturenames:
        stacks = [as_parameter(stack) for stack in stacks_of(metafunc.definition)]
        # Of the session, so that tests on one stack follow each other, and fixtures of any scope may take it.
        metafunc.parametrize("stack", stacks or [NO_STACK], indirect=True, scope="session")
    if "engine" in metafunc.fixturenames:
        one_each = {stack.engine: stack for stack in reversed(stacks_of(metafunc.definition))}
        engines = [as_parameter(stack) for stack in reversed(one_each.values())]
        metafunc.parametrize("engine", engines or [NO_STACK], indirect=True, scope="session")
    if "sites" in metafunc.fixturenames:
        stacks = stacks_of(metafunc.definition)
        names = dict.fromkeys(stack.engine for stack in stacks)
        groups = [[stack for stack in stacks if stack.engine == name] for name in names]
        metafunc.parametrize("sites", [as_group(group) for group in groups] or [NO_STACK], indirect=True)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    """What the test runs on: an engine and an interface."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Stack:
    """The same with each engine once, for tests that bring an application of their own."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def interface(stack: Stack) -> str:
    """What the application runs on (`Stack.interface`)."""
    return stack.interface


@pytest.fixture(scope="session")
def _sites() -> Iterator[SitePool]:
    pool = SitePool(size=2 * len(STACKS), make=build_site)
    yield pool
    pool.close()


@pytest.fixture
def site(stack: Stack, _sites: SitePool, request: pytest.FixtureRequest) -> Site:
    """A running site, shared with other tests that ask for the same options: take channels from ``channel``."""
    return _sites.get(stack, _options(request))


@pytest.fixture
def sites(request: pytest.FixtureRequest, _sites: SitePool) -> list[Site]:
    """The running sites of an engine, one for each interface: a test that waits for a clock does so once for all."""
    return [_sites.get(stack, _options(request)) for stack in request.param]


@pytest.fixture
def own_site(make_site: Callable[..., Site]) -> Site:
    """A running site of this test's own, for tests that restart or kill a part of it."""
    return make_site()


@pytest.fixture
def make_site(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Callable[..., Site]]:
    """Start sites of this test's own: ``make_site(settings={...}, pushpin={...})``; the marker's options hold, too."""
    made: list[Site] = []

    def make(*, start: bool = True, **options: Any) -> Site:
        site = build_site(stack, **{**_options(request), **options})
        made.append(site)
        if start:
            site.start()
        return site

    yield make
    for site in made:
        site.close()


def build_site(stack: Stack, **options: Any) -> Site:
    """A site on a stack. What is for the sites behind Pushpin is left out elsewhere."""
    if not stack.is_embedded:
        return PushpinSite(stack, **options)
    return EmbeddedSite(stack, **{name: value for name, value in options.items() if name not in OF_PUSHPIN})


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
