"""The server restarts: both windows say so, come back by themselves, and nothing is lost or doubled."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .boards import RunningBoard
from .windows import AnyWindow, Window, place_of

pytestmark = pytest.mark.needs("chromium")

OpenWindow = Callable[..., Window]


def test_both_windows_come_back_by_themselves(board: RunningBoard, open_window: OpenWindow) -> None:
    one, other = open_window(), open_window()
    one.say("before")
    expect(other.said).to_have_text(["before"])
    board.stop()
    for window in (one, other):
        expect(window.health).to_have_text("Connection lost")
        for line in ("board", "room", "document", "assistant"):
            expect(window.state_of(line)).to_contain_text("again in")
    # What is done meanwhile is done when the server is there again.
    one.say("meanwhile")
    other.say("meanwhile, too")
    expect(one.page.locator("#chat .pending")).to_have_count(1)
    one.add_note("while it was away")
    one.document.press("Control+Home")
    one.document.press_sequentially("Meanwhile. ")
    one.ask("What does a proxy do?")
    board.start()
    for window in (one, other):
        window.expect_connected()
        expect(window.page.locator("#chat .pending")).to_have_count(0)
        expect(window.said).to_have_count(3)
        assert sorted(window.said.all_text_contents()) == ["before", "meanwhile", "meanwhile, too"]
        expect(window.others).to_have_count(1)
        expect(window.note("while it was away")).to_have_count(1)
        expect(window.notes).to_have_count(5)
    expect(other.document).to_have_value("Meanwhile. " + one.document.input_value().removeprefix("Meanwhile. "))
    expect(one.answers).to_contain_text("and the views stay the same.")
    expect(one.answers).to_have_count(1)
    assert place_of(other.note("while it was away")) == place_of(one.note("while it was away"))
    # They are as they were: what is said now arrives once.
    other.say("after")
    for window in (one, other):
        expect(window.said).to_have_count(4)
        expect(window.said.last).to_have_text("after")


def test_no_word_is_lost_or_doubled_when_the_server_is_killed_in_mid_talk(
    board: RunningBoard, open_window: OpenWindow
) -> None:
    one, other = open_window(), open_window()
    words = [f"word {number}" for number in range(60)]
    one.page.evaluate(
        """(words) => {
            const form = document.getElementById("say");
            const timer = setInterval(() => {
                form.elements.text.value = words.shift();
                form.requestSubmit();
                if (!words.length) clearInterval(timer);
            }, 50);
        }""",
        words,
    )
    expect(other.said.filter(has_text="word 9")).to_have_count(1)
    board.kill()
    expect(other.health).to_have_text("Connection lost")
    board.start()
    for window in (one, other):
        expect(window.page.locator("#chat .pending")).to_have_count(0)
        expect(window.said).to_have_count(len(words))
        assert sorted(window.said.all_text_contents()) == sorted(words)
        # The others are who they were, and nobody is here twice.
        expect(window.others).to_have_count(1)


def test_a_window_nobody_looks_at_rests_and_catches_up(open_window: OpenWindow) -> None:
    one, other = open_window(), open_window()
    set_hidden(one, True)
    for line in ("board", "document"):
        expect(one.state_of(line)).to_have_text("paused")
    other.add_note("unseen")
    other.say("unheard?")
    # The WebSocket is not one of the six connections that a browser has for a host.
    expect(one.said).to_have_text(["unheard?"])
    expect(other.wire.filter(has_text="POST 204").first).to_be_attached()
    expect(one.note("unseen")).to_have_count(0)
    set_hidden(one, False)
    expect(one.note("unseen")).to_have_count(1)
    one.expect_connected()


def set_hidden(window: AnyWindow, hidden: bool) -> None:
    """Let a window believe that another one is in front of it, or no longer."""
    window.page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_one_may_ask_to_try_at_once(board: RunningBoard, open_window: OpenWindow) -> None:
    window = open_window()
    window.page.clock.install()
    board.stop()
    expect(window.page.get_by_role("button", name="Try now")).to_be_visible()
    # The pauses grow.
    expect(window.state_of("room")).to_have_text(re.compile("again in ([3-9]|10) s"))
    # From now on no pause ends by itself.
    now = window.page.evaluate("Date.now()")
    window.page.clock.pause_at(now / 1000 + 3600)
    board.start()
    expect(window.health).to_have_text("Connection lost")
    window.page.get_by_role("button", name="Try now").click()
    window.expect_connected()
    expect(window.page.get_by_role("button", name="Try now")).to_be_hidden()


@pytest.mark.parametrize("board", ["pushpin"], indirect=True, scope="module")
@pytest.mark.needs("pushpin")
def test_behind_pushpin_a_restart_of_django_drops_nobody(board: RunningBoard, open_window: OpenWindow) -> None:
    one, other = open_window(), open_window()
    board.stop_django()
    one.add_note("kept")
    expect(one.health).to_have_text("Connection lost")
    expect(one.wire.filter(has_text="POST 502").first).to_be_attached()
    board.start_django()
    expect(other.note("kept")).to_be_visible()
    one.say("still here")
    expect(other.said).to_have_text(["still here"])
    for window in (one, other):
        window.expect_connected()
        # The WebSocket is the one that was opened first.
        expect(window.wire.filter(has_text="open").filter(has_text="/room/")).to_have_count(1)
