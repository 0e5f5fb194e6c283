"""Windows that show the help desk, and the browsable API of its tickets."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Locator, expect

from .windows import AnyWindow

LIVE = ("socket", "events", "poll")


class DeskWindow(AnyWindow):
    """Somebody at the help desk. `name`: who that is; None: nobody has logged in."""

    def __init__(self, browser: Browser, url: str, name: str | None = None, **options: Any) -> None:
        super().__init__(browser, url, **options)
        self.name = name
        if name is not None:
            self.log_in(name)

    def log_in(self, name: str) -> None:
        self.page.locator(".people").get_by_role("button", name=name).click()
        self.expect_to_be(name)

    def expect_to_be(self, name: str) -> None:
        pressed = self.page.locator('.people [aria-pressed="true"]')
        expect(pressed).to_contain_text(name.title())

    def expect_connected(self) -> None:
        if self.name is not None:
            for line in LIVE:
                expect(self.state_of(line)).to_have_text("live")
            expect(self.health).to_have_text("Connected")
            # Else it might show what comes later.
            expect(self.state_of("json")).to_contain_text("as of")

    @property
    def health(self) -> Locator:
        return self.page.locator("#health-text")

    def state_of(self, line: str) -> Locator:
        """How a connection is: of "socket", "events", "poll" or "json"."""
        return self.page.locator(f'[data-state-of="{line}"]')

    def wire(self, line: str) -> Locator:
        return self.page.locator(f'[data-wire="{line}"] li')

    # -- tickets -------------------------------------------------------------------------------------------------------

    def ticket(self, line: str, title: str) -> Locator:
        """A ticket, as a transport shows it."""
        return self.page.locator(f"#{line} .ticket").filter(
            has=self.page.locator(".title").get_by_text(title, exact=True)
        )

    def create(self, title: str) -> None:
        self.page.locator("#create input").fill(title)
        self.page.locator("#create input").press("Enter")

    @property
    def answer(self) -> Locator:
        return self.page.locator("#answer")

    def edit(self, title: str) -> Locator:
        """Open a ticket's form; what comes is the form."""
        row = self.ticket("socket", title)
        form = row.locator("form")
        # The last one closes when its answer is there, which may be behind what everybody hears.
        expect(form).to_have_count(0)
        row.locator("button").first.click()
        return form

    def ask(self) -> None:
        """Ask for plain JSON."""
        asked = self.wire("json").count()
        self.page.get_by_role("button", name="GET").click()
        expect(self.wire("json")).to_have_count(asked + 2)


class ApiWindow(AnyWindow):
    """Somebody who looks at the browsable API."""

    def __init__(self, browser: Browser, url: str, name: str, path: str = "/api/tickets/", **options: Any) -> None:
        super().__init__(browser, f"{url}/api/auth/login/?next={path}", **options)
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(name)
        self.page.get_by_role("button", name="Log in").click()
        # Not by a pattern: the form's own address ends like this.
        self.page.wait_for_url(f"{url}{path}")

    @property
    def panel(self) -> Locator:
        return self.page.locator("#grip-live")

    @property
    def state(self) -> Locator:
        return self.panel.locator(".grip-live-state")

    @property
    def rows(self) -> Locator:
        return self.panel.locator(".grip-live-events li")

    def row(self, label: str) -> Locator:
        """Those of what has come that are called so, such as "created"."""
        return self.rows.filter(has=self.page.locator(".label").get_by_text(label, exact=True))

    def subscribe(self, by: str) -> None:
        self.panel.get_by_role("button", name=by).click()
        expect(self.state).to_have_text("subscribed")
        if by == "WebSocket":
            # It is open before it has said which actions there are.
            expect(self.action).to_be_visible()

    @property
    def action(self) -> Locator:
        return self.panel.get_by_label("Action")

    @property
    def data(self) -> Locator:
        return self.panel.get_by_label("Data")

    @property
    def answer(self) -> Locator:
        return self.panel.locator(".grip-live-answer")

    def send(self, action: str, *, pk: str | None = None, data: str | None = None) -> None:
        self.action.select_option(action)
        if pk is not None:
            self.panel.get_by_label("pk").fill(pk)
        if data is not None:
            self.data.fill(data)
        self.panel.get_by_role("button", name="Send").click()
