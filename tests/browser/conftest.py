"""Fixtures of the tests in a real browser: Debian's Chromium, without a screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from tests.e2e.waiting import PATIENCE

from .boards import RunningBoard, RunningDesk
from .running import RunningExample

E = TypeVar("E", bound=RunningExample)

ENGINES = [
    pytest.param("embedded", marks=pytest.mark.needs("dev")),
    pytest.param("pushpin", marks=pytest.mark.needs("pushpin")),
]
# Nothing but the page's own requests; and as root, as in a container, there is no sandbox.
ARGUMENTS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update", "--disable-sync"],
]


@pytest.fixture(scope="module", params=ENGINES)
def board(request: pytest.FixtureRequest) -> Iterator[RunningBoard]:
    """The board, running on each engine, one after the other."""
    with running(RunningBoard(request.param)) as board:
        yield board


@pytest.fixture(scope="module", params=ENGINES)
def desk(request: pytest.FixtureRequest) -> Iterator[RunningDesk]:
    """The help desk, running on each engine, one after the other."""
    with running(RunningDesk(request.param)) as desk:
        yield desk


@contextmanager
def running(example: E) -> Iterator[E]:
    try:
        example.start()
        yield example
    finally:
        example.close()


@pytest.fixture
def open_window(board: RunningBoard) -> Iterator[Callable[..., Any]]:
    """Open windows that show the board: ``open_window(width=390)``. None may have complained in the end."""
    from .windows import Window

    board.wipe()
    with windows_on(board, Window) as open_one:
        yield open_one


@pytest.fixture
def open_desk(desk: RunningDesk) -> Iterator[Callable[..., Any]]:
    """Open windows that show the help desk: ``open_desk("ada", width=390)``. None may have complained in the end."""
    from .desk_windows import DeskWindow

    desk.wipe()
    with windows_on(desk, DeskWindow) as open_one:
        yield open_one


@pytest.fixture
def open_api(desk: RunningDesk) -> Iterator[Callable[..., Any]]:
    """Open windows that show a page of the browsable API: ``open_api("ada", path="/api/tickets/1/")``."""
    from .desk_windows import ApiWindow

    desk.wipe()
    with windows_on(desk, ApiWindow) as open_one:
        yield open_one


@contextmanager
def windows_on(example: RunningExample, kind: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """What opens windows of a kind, with the arguments of that kind behind the browser and the address."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1000)
    windows: list[Any] = []
    # A browser of each test's own, with a new profile: it leaves no event loop to the tests after it.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=ARGUMENTS, timeout=PATIENCE * 1000
        )

        def open_one(*args: Any, **options: Any) -> Any:
            windows.append(kind(browser, options.pop("url", example.url), *args, **options))
            windows[-1].expect_connected()
            return windows[-1]

        try:
            yield open_one
        finally:
            browser.close()
    assert [window.complaints for window in windows] == [[] for _ in windows]
