"""The help desk in a real browser: four transports at one URL, and nobody sees what is not theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from .boards import RunningDesk
from .desk_windows import LIVE, DeskWindow
from .test_coming_back import set_hidden
from .test_looks import CONTRASTS, PHONE

pytestmark = pytest.mark.needs("chromium", "rest")

OpenDesk = Callable[..., DeskWindow]


def test_a_ticket_of_one_appears_by_all_four_transports_of_the_other(open_desk: OpenDesk) -> None:
    ada, cy, ben = open_desk("ada"), open_desk("cy"), open_desk("ben")
    ada.create("No coffee")
    expect(ada.answer).to_have_text("create: 201")
    for window in (ada, cy):
        for line in LIVE:
            expect(window.ticket(line, "No coffee")).to_be_visible()
    expect(cy.ticket("json", "No coffee")).to_have_count(0)
    cy.ask()
    expect(cy.ticket("json", "No coffee")).to_be_visible()
    # The traffic is what it was.
    expect(cy.wire("events").filter(has_text="No coffee").first).to_contain_text("data:")
    expect(cy.wire("socket").filter(has_text='{"action":"created","pk":')).to_have_count(1)
    expect(cy.wire("poll").filter(has_text="Prefer: wait=25").first).to_be_attached()
    cy.ask()
    expect(cy.wire("json").last).to_contain_text("304")
    # The other group has a ticket of its own to hear of, and nothing before that.
    ben.create("No tea")
    for line in LIVE:
        expect(ben.ticket(line, "No tea")).to_be_visible()
        expect(ben.wire(line).filter(has_text="No coffee")).to_have_count(0)
    ada.create("No milk")
    for line in LIVE:
        expect(cy.ticket(line, "No milk")).to_be_visible()
        expect(cy.wire(line).filter(has_text="No tea")).to_have_count(0)
    ben.ask()
    expect(ben.ticket("json", "No coffee")).to_have_count(0)


def test_a_ticket_that_moves_vanishes_here_and_appears_there(open_desk: OpenDesk) -> None:
    ada, cy, ben = open_desk("ada"), open_desk("cy"), open_desk("ben")
    title = "The coffee machine blinks"
    for window in (ada, cy):
        for line in LIVE:
            expect(window.ticket(line, title)).to_be_visible()
    ada.edit(title).get_by_role("button", name="Move to sales").click()
    for line in LIVE:
        expect(ben.ticket(line, title)).to_be_visible()
        for window in (ada, cy):
            expect(window.ticket(line, title)).to_have_count(0)
    assert ben.page.locator("#socket .ticket").count() == 3


def test_tickets_are_edited_and_closed_and_deleted(open_desk: OpenDesk) -> None:
    ada, cy = open_desk("ada"), open_desk("cy")
    form = ada.edit("Cannot log in from the train")
    form.get_by_label("Title").fill("Cannot log in at all")
    form.get_by_label("Priority").select_option("high")
    form.get_by_label("For").select_option("cy")
    form.get_by_role("button", name="Save").click()
    for line in LIVE:
        expect(cy.ticket(line, "Cannot log in at all").locator(".meta")).to_have_text("high · cy")
    ada.edit("Cannot log in at all").get_by_role("button", name="Close").click()
    for line in LIVE:
        expect(cy.ticket(line, "Cannot log in at all").locator(".status")).to_have_text("closed")
    ada.edit("Cannot log in at all").get_by_role("button", name="Delete").click()
    for line in LIVE:
        expect(cy.ticket(line, "Cannot log in at all")).to_have_count(0)


def test_who_may_only_look_is_told_so(open_desk: OpenDesk) -> None:
    cy = open_desk("cy")
    cy.create("May I?")
    expect(cy.answer).to_have_text("create: 403 You do not have permission to perform this action.")
    cy.edit("The coffee machine blinks").get_by_role("button", name="Close").click()
    expect(cy.answer).to_have_text("close: 403 You do not have permission to perform this action.")
    expect(cy.ticket("socket", "The coffee machine blinks").locator(".status")).to_have_text("open")


def test_a_form_tells_what_is_wrong(open_desk: OpenDesk) -> None:
    ada = open_desk("ada")
    ada.create("x" * 121)
    expect(ada.answer).to_have_text("create: 400 title: Ensure this field has no more than 120 characters.")


def test_what_people_type_is_never_html(open_desk: OpenDesk) -> None:
    ada, cy = open_desk("ada"), open_desk("cy")
    title = "<img src=/none onerror=alert(1)> <script>alert(2)</script>"
    ada.create(title)
    for line in LIVE:
        expect(cy.ticket(line, title)).to_be_visible()
    assert cy.page.locator("main img, main script").count() == 0


def test_all_connections_come_back_after_a_restart(desk: RunningDesk, open_desk: OpenDesk) -> None:
    ada, cy = open_desk("ada"), open_desk("cy")
    desk.stop()
    for window in (ada, cy):
        expect(window.health).to_have_text("Connection lost")
        for line in LIVE:
            expect(window.state_of(line)).to_contain_text("again in")
    ada.create("Is anybody there?")
    expect(ada.answer).to_have_text("create: lost Not connected.")
    desk.start()
    for window in (ada, cy):
        window.expect_connected()
    ada.page.get_by_role("button", name="Create").click()
    for line in LIVE:
        expect(cy.ticket(line, "Is anybody there?")).to_have_count(1)


def test_a_tab_learns_that_somebody_else_has_logged_in(open_desk: OpenDesk) -> None:
    ada = open_desk("ada")
    # As a tab behind another one. A long-poll with the old session's cookie, answered now, would take the new one away.
    set_hidden(ada, True)
    for line in ("events", "poll"):
        expect(ada.state_of(line)).to_have_text("paused")
    other = ada.context.new_page()
    other.goto(ada.page.url)
    other.locator(".people").get_by_role("button", name="ben").click()
    expect(other.locator('.people [aria-pressed="true"]')).to_contain_text("Ben")
    ada.page.bring_to_front()
    set_hidden(ada, False)
    ada.create("As whom?")
    ada.expect_to_be("ben")
    ada.expect_connected()
    expect(ada.ticket("socket", "An offer for 300 umbrellas")).to_be_visible()
    expect(ada.ticket("socket", "As whom?")).to_have_count(0)


def tab(window: DeskWindow, name: str) -> Any:
    return window.page.get_by_role("navigation", name="Transports").get_by_role("button", name=name)


@pytest.mark.parametrize("desk", ["embedded"], indirect=True, scope="module")
@pytest.mark.needs("dev")
def test_a_phone_shows_one_transport_at_a_time_and_nothing_runs_off(open_desk: OpenDesk) -> None:
    phone, ada = open_desk("cy", **PHONE), open_desk("ada")
    for name in ("EventSource", "Long-poll", "JSON", "WebSocket"):
        tab(phone, name).tap()
        expect(phone.page.locator(".panel:visible")).to_have_count(1)
        expect(tab(phone, name)).to_have_attribute("aria-current", "true")
        width, height = phone.page.evaluate("[document.body.scrollWidth, document.body.scrollHeight]")
        assert (width, height) == (PHONE["width"], PHONE["height"])
    ada.create("Look here")
    expect(tab(phone, "EventSource")).to_have_class("news")
    expect(phone.ticket("socket", "Look here")).to_be_visible()


@pytest.mark.parametrize("desk", ["embedded"], indirect=True, scope="module")
@pytest.mark.needs("dev")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_of_the_desk_can_be_read(open_desk: OpenDesk, scheme: str) -> None:
    ada = open_desk("ada", color_scheme=scheme, reduced_motion="reduce")
    ada.edit("The manual ends at page 12")
    ada.create("x" * 121)
    expect(ada.answer).to_contain_text("400")
    # What has changed is marked for a moment.
    expect(ada.page.locator(".changed")).to_have_count(0)
    found = ada.page.evaluate(CONTRASTS)
    assert len(found) > 30
    assert [(round(contrast, 1), text[:20]) for contrast, text in found if contrast < 4.5] == []
