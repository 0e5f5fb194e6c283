"""A browser's windows, as somebody uses them who sees, types and points: one that shows anything, and the board's."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.e2e.waiting import PATIENCE

# What a browser itself writes when a server is not there; no page can keep it from doing so.
_of_the_network = re.compile(
    r"Failed to load resource: (net::ERR_|the server responded with a status of 50[234])|WebSocket connection to "
)


class AnyWindow:
    """One window, with cookies of its own. `complaints` is what its console says of errors in the page."""

    def __init__(self, browser: Browser, url: str, *, width: int = 1280, height: int = 800, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def expect_connected(self) -> None:
        """Wait until it shows that all its connections are there."""

    def _note(self, message: ConsoleMessage) -> None:
        # A page that is not ours has none.
        if message.location["url"].endswith("/favicon.ico"):
            return
        if message.type in ("error", "warning") and not _of_the_network.match(message.text):
            self.complaints.append(message.text)


class Window(AnyWindow):
    """A window that shows the board."""

    # -- connections ---------------------------------------------------------------------------------------------------

    @property
    def health(self) -> Locator:
        return self.page.locator("#health-text")

    def state_of(self, line: str) -> Locator:
        """How a connection is: of "board", "room", "document" or "assistant"."""
        return self.page.locator(f'[data-state-of="{line}"]')

    def expect_connected(self) -> None:
        for line in ("board", "room", "document", "assistant"):
            expect(self.state_of(line)).to_have_text("live")
        expect(self.health).to_have_text("Connected")
        # It has asked what it has missed, which is not to come later and again.
        expect(self.page.locator('#wire [data-kind="room,↓,messages"]').first).to_be_attached()

    # -- what one does -------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        self._send("#say", text)

    def ask(self, question: str) -> None:
        self._send("#ask", question)

    def _send(self, form: str, text: str) -> None:
        self.page.locator(f"{form} input").fill(text)
        self.page.locator(f"{form} input").press("Enter")

    def add_note(self, text: str) -> None:
        self.page.get_by_role("button", name="Add a note").click()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Escape")

    def drag(self, note: Locator, right: int, down: int) -> None:
        box = note.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + right, y + down, steps=8)
        self.page.mouse.up()

    # -- what one sees -------------------------------------------------------------------------------------------------

    @property
    def said(self) -> Locator:
        return self.page.locator("#chat p span")

    @property
    def others(self) -> Locator:
        return self.page.locator("#people li")

    @property
    def notes(self) -> Locator:
        return self.page.locator(".note")

    def note(self, text: str) -> Locator:
        return self.notes.filter(has_text=text)

    @property
    def document(self) -> Locator:
        return self.page.locator("#document")

    @property
    def document_note(self) -> Locator:
        return self.page.locator("#document-note")

    @property
    def answers(self) -> Locator:
        return self.page.locator("#assistant .answer")

    @property
    def wire(self) -> Locator:
        return self.page.locator("#wire li")


def place_of(note: Locator) -> tuple[float, float]:
    """Where a note lies: shares of the way across the board."""
    x, y = note.evaluate("(note) => [note.style.getPropertyValue('--x'), note.style.getPropertyValue('--y')]")
    return float(x), float(y)
