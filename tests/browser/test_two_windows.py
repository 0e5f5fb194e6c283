"""Two windows of the board, by each transport."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from .windows import Window, place_of

pytestmark = pytest.mark.needs("chromium")

OpenWindow = Callable[..., Window]


@pytest.fixture
def two(open_window: OpenWindow) -> tuple[Window, Window]:
    return open_window(), open_window(width=1500, height=900)


def test_they_know_of_each_other_and_talk(two: tuple[Window, Window]) -> None:
    one, other = two
    one.page.locator("#name").fill("Ada")
    one.page.locator("#name").press("Enter")
    expect(other.others).to_have_text(["Ada"])
    said: list[str] = []
    # One after the other: what two say at once may come in either order.
    for speaker, text in ((one, "hello"), (other, "<b>hello</b> <img src=x onerror=alert(1)>"), (one, "what?")):
        speaker.say(text)
        said.append(text)
        for window in two:
            expect(window.said).to_have_text(said)
            expect(window.page.locator("#chat .pending")).to_have_count(0)
    for window in two:
        expect(window.page.locator("#chat p").first.locator("b")).to_have_text("Ada")
    other.page.close()
    expect(one.others).to_have_count(0)


def test_a_note_that_is_dragged_in_one_moves_in_the_other(two: tuple[Window, Window]) -> None:
    one, other = two
    note, same = one.note("Drag me about"), other.note("Drag me about")
    before = place_of(note)
    one.drag(note, 150, 90)
    after = place_of(note)
    assert after[0] > before[0] + 0.1
    assert after[1] > before[1] + 0.1
    expect(same).to_have_css("--x", str(after[0]))
    expect(same).to_have_css("--y", str(after[1]))


def test_a_note_is_written_coloured_taken_away_and_brought_back(two: tuple[Window, Window]) -> None:
    one, other = two
    one.add_note("buy milk")
    expect(other.note("buy milk")).to_be_visible()
    note, same = one.note("buy milk"), other.note("buy milk")
    # Escape has given the note the focus: from here on it is the keys that do it.
    expect(note).to_be_focused()
    before, color = place_of(note), str(note.get_attribute("data-color"))
    one.page.keyboard.press("Shift+ArrowLeft" if before[0] > 0.5 else "Shift+ArrowRight")
    one.page.keyboard.press("c")
    after = place_of(note)
    assert after[0] != before[0]
    expect(same).to_have_css("--x", str(after[0]))
    expect(same).not_to_have_attribute("data-color", color)
    one.page.keyboard.press("Enter")
    one.page.keyboard.type(" and bread")
    one.page.keyboard.press("Enter")
    expect(same.locator(".text")).to_have_text("buy milk and bread")
    one.page.keyboard.press("Delete")
    expect(same).to_have_count(0)
    one.page.get_by_role("button", name="Undo").click()
    expect(same.locator(".text")).to_have_text("buy milk and bread")


def test_what_both_write_into_the_document_stays(two: tuple[Window, Window]) -> None:
    one, other = two
    first = "A document that everybody may edit.\n\nOpen it in two windows and write in both.\n"
    expect(one.document).to_have_value(first)
    other.document.press("Control+End")
    other.document.press_sequentially("at the end")
    expect(one.document).to_have_value(first + "at the end")
    one.document.press("Control+Home")
    one.document.press_sequentially("At the beginning. ", delay=30)
    other.document.press_sequentially(", and on", delay=30)
    for window in two:
        expect(window.document).to_have_value(f"At the beginning. {first}at the end, and on")
        expect(window.document_note).to_contain_text("saved")


def test_both_may_type_at_once_for_a_while(two: tuple[Window, Window]) -> None:
    one, other = two
    for window in two:
        expect(window.document).to_be_enabled()
    first = one.document.input_value()
    type_for_a_while = """([place, text]) => {
        const page = document.getElementById("document");
        page.focus();
        page.setSelectionRange(...(place ? [page.value.length, page.value.length] : [0, 0]));
        const letters = [...text];
        const timer = setInterval(() => {
            document.execCommand("insertText", false, letters.shift());
            if (!letters.length) clearInterval(timer);
        }, 60);
    }"""
    one.page.evaluate(type_for_a_while, [0, "The first writes at the beginning. "])
    other.page.evaluate(type_for_a_while, [1, "The second writes at the end."])
    for window in two:
        expect(window.document).to_have_value(
            f"The first writes at the beginning. {first}The second writes at the end."
        )
        expect(window.document_note).to_contain_text("saved")


def test_the_assistant_speaks_word_by_word_to_one_of_them(two: tuple[Window, Window]) -> None:
    one, other = two
    # Each state of the answer that was ever shown.
    one.page.evaluate(
        """() => {
            window.states = new Set();
            const note = () => document.querySelectorAll(".answer").forEach((row) => states.add(row.textContent));
            const log = document.getElementById("assistant");
            new MutationObserver(note).observe(log, { childList: true, subtree: true });
        }"""
    )
    one.ask("What does a proxy do?")
    expect(one.answers).to_contain_text("and the views stay the same.")
    assert one.page.evaluate("states.size") > 10
    expect(one.page.locator("#assistant .pending")).to_have_count(0)
    one.page.get_by_role("button", name="Put up a note").click()
    for window in two:
        expect(window.notes).to_have_count(5)
    expect(other.answers).to_have_count(0)


def test_a_pointer_over_the_board_shows_in_the_other(two: tuple[Window, Window]) -> None:
    one, other = two
    for window in two:
        expect(window.others).to_have_count(1)
    # Who hears what it says itself hears where the others point, which is said only once.
    other.say("Where are you?")
    expect(other.page.locator("#chat .pending")).to_have_count(0)
    surface: Any = one.page.locator("#board").bounding_box()
    one.page.mouse.move(surface["x"] + surface["width"] / 2, surface["y"] + surface["height"] / 4)
    # At one look: it is not there for long.
    expect(other.page.locator(".pointer")).to_have_attribute("style", re.compile(r"--x: ?0\.5; --y: ?0\.25;"))
    expect(one.page.locator(".pointer")).to_have_count(0)


def test_the_wire_shows_each_transport(two: tuple[Window, Window]) -> None:
    one, other = two
    one.say("look at the wire")
    one.ask("How?")
    one.add_note("seen")
    for window in two:
        came = window.wire.filter(has_text="↓")
        expect(came.filter(has_text="look at the wire").first).to_be_visible()
        show_only(window, "Notes")
        expect(came.filter(has_text='"text":"seen"').first).to_be_visible()
        expect(came.filter(has_text="look at the wire").first).to_be_hidden()
        show_only(window, "Document")
        expect(window.wire.filter(has_text="If-None-Match").first).to_be_visible()
    show_only(one, "Assistant")
    expect(one.wire.filter(has_text='"ask":"How?"').first).to_be_visible()
    one.page.get_by_role("button", name="Pause").click()
    one.page.get_by_role("button", name="Clear").click()
    one.say("unnoticed")
    expect(other.said).to_have_count(2)
    expect(one.wire).to_have_count(0)
    one.page.get_by_role("button", name="Go on").click()
    one.say("noticed")
    show_only(one, "Chat")
    expect(one.wire.filter(has_text='"noticed"').first).to_be_visible()


def show_only(window: Window, line: str) -> None:
    window.page.get_by_role("group", name="Show only").get_by_role("button", name=line).click()
