"""Fixtures of the tests in a real browser: Debian's Chromium, without a screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .boards import RunningBoard

ENGINES = [
    pytest.param("embedded", marks=pytest.mark.needs("dev")),
    pytest.param("pushpin", marks=pytest.mark.needs("pushpin")),
]
# Nothing but the page's own requests; and as root, as in a container, there is no sandbox.
ARGUMENTS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update", "--disable-sync"],
]
# Milliseconds. Generous: it is only ever spent when something is broken.
PATIENCE = 60_000


@pytest.fixture(scope="module", params=ENGINES)
def board(request: pytest.FixtureRequest) -> Iterator[RunningBoard]:
    """The board, running on each engine, one after the other."""
    running = RunningBoard(request.param)
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture
def open_window(board: RunningBoard) -> Iterator[Callable[..., Any]]:
    """Open windows that show the board: ``open_window(width=390)``. None may have complained in the end."""
    from playwright.sync_api import expect, sync_playwright

    from .windows import Window

    expect.set_options(timeout=PATIENCE)
    windows: list[Window] = []
    board.wipe()
    # A browser of each test's own, with a new profile: it leaves no event loop to the tests after it.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)

        def open_one(**options: Any) -> Window:
            windows.append(Window(browser, board.url, **options))
            windows[-1].expect_connected()
            return windows[-1]

        try:
            yield open_one
        finally:
            browser.close()
    assert [window.complaints for window in windows] == [[] for _ in windows]
