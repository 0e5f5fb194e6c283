"""The page on a phone, by keyboard, in the dark; and whether its text can be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from .windows import Window

OpenWindow = Callable[..., Window]

PHONE = {"width": 360, "height": 700, "has_touch": True, "is_mobile": True}
PARTS = ["Notes", "Chat", "Document", "Assistant", "Wire"]

# The looks do not depend on the engine.
pytestmark = [
    pytest.mark.needs("chromium", "dev"),
    pytest.mark.parametrize("board", ["embedded"], indirect=True, scope="module"),
]

# [contrast, text] of each text that shows, by WCAG 2's formula.
CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const light = (color) => {
        const [r, g, b] = [...rgba(color)].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        return rgba(color)[3] === 255 ? color : paper(element.parentElement);
    };
    return [...document.body.querySelectorAll("*")]
        .filter((element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
        .filter((element) => element.matches("input, textarea")
            || [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
        .map((element) => {
            const lights = [light(getComputedStyle(element).color), light(paper(element))].sort((a, b) => b - a);
            return [(lights[0] + 0.05) / (lights[1] + 0.05), element.textContent.trim() || element.id];
        });
}"""


def tab(window: Window, name: str) -> Any:
    return window.page.get_by_role("navigation").get_by_role("button", name=name)


def test_a_phone_shows_one_part_at_a_time_and_nothing_runs_off(open_window: OpenWindow) -> None:
    phone, other = open_window(**PHONE), open_window()
    for name in PARTS:
        tab(phone, name).tap()
        expect(phone.page.locator(".panel:visible")).to_have_count(1)
        expect(tab(phone, name)).to_have_attribute("aria-current", "true")
        width, height = phone.page.evaluate("[document.body.scrollWidth, document.body.scrollHeight]")
        assert (width, height) == (PHONE["width"], PHONE["height"])
    other.say("look here")
    expect(tab(phone, "Chat")).to_have_class("news")
    tab(phone, "Chat").tap()
    expect(tab(phone, "Chat")).not_to_have_class("news")
    expect(phone.said).to_have_text(["look here"])
    phone.say("I see")
    expect(other.said.last).to_have_text("I see")
    tab(phone, "Notes").tap()
    for note in phone.notes.all():
        box = note.bounding_box()
        assert box is not None
        assert box["x"] > 0
        assert box["x"] + box["width"] < PHONE["width"]


def test_a_note_is_tapped_to_be_written_on(open_window: OpenWindow) -> None:
    phone, other = open_window(**PHONE), open_window()
    phone.note("Drag me about").tap()
    expect(phone.note("Drag me about").locator("textarea")).to_be_focused()
    phone.page.keyboard.type(", please")
    expect(other.note("Drag me about, please")).to_be_visible()


def test_everything_can_be_reached_by_keyboard(open_window: OpenWindow) -> None:
    window = open_window()
    reached: set[str] = set()
    for _ in range(40):
        window.page.keyboard.press("Tab")
        name, outline = window.page.evaluate(
            """() => {
                const element = document.activeElement;
                return [element.id || element.className || element.tagName, getComputedStyle(element).outlineStyle];
            }"""
        )
        reached.add(name)
        # Behind the last of them it is the page's turn.
        assert outline != "none" or name == "BODY", f"{name} does not show that it has the focus"
    assert reached >= {"name", "another", "add", "note", "document", "assistant", "chat", "hold", "clear", "wire"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, PHONE], ids=["desktop", "phone"])
def test_all_text_can_be_read(open_window: OpenWindow, scheme: str, size: dict[str, Any]) -> None:
    window, other = open_window(color_scheme=scheme, **size), open_window()
    other.say("hello")
    other.add_note("hello")
    expect(window.others).to_have_count(1)
    expect(window.said).to_have_text(["hello"])
    expect(window.note("hello")).to_have_count(1)
    light = window.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(238, 234, 225)"
    assert light == (scheme == "light")
    for name in PARTS if "is_mobile" in size else [""]:
        if name:
            tab(window, name).tap()
        found = window.page.evaluate(CONTRASTS)
        assert len(found) > 10
        assert [text for contrast, text in found if contrast < 4.5] == []
