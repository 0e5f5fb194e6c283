"""The browsable API of a live URL in a real browser: it subscribes, shows what comes, and sends actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from .boards import RunningDesk
from .desk_windows import ApiWindow
from .test_looks import CONTRASTS, PHONE

pytestmark = pytest.mark.needs("chromium", "rest")

OpenApi = Callable[..., ApiWindow]

TITLE = "<script>alert(1)</script><b>No coffee</b>"


def create_by_socket(window: ApiWindow, **fields: Any) -> None:
    window.send("create", data=json.dumps({"title": TITLE, "group": "support", **fields}))
    expect(window.answer).to_contain_text("status 201")


def test_an_event_stream_shows_what_another_one_creates_by_websocket(open_api: OpenApi) -> None:
    reader, writer = open_api("cy"), open_api("ada")
    reader.subscribe("Event stream")
    expect(reader.row("snapshot")).to_contain_text("The coffee machine blinks")
    writer.subscribe("WebSocket")
    expect(writer.row("subscribed")).to_contain_text('"partial_update"')
    create_by_socket(writer)
    # As text, in both windows; an alert would be a complaint, and never be answered.
    expect(reader.rows.filter(has_text=TITLE).first).to_be_visible()
    expect(writer.row("created")).to_contain_text(TITLE)
    expect(writer.row("response")).to_contain_text("ref 1 · status 201")
    expect(writer.answer).to_contain_text(TITLE)
    for window in (reader, writer):
        assert window.panel.locator("script:not([type='application/json']), b").count() == 0


def test_the_form_offers_what_the_url_can_do_and_shows_each_answer(open_api: OpenApi) -> None:
    ada = open_api("ada")
    ada.subscribe("WebSocket")
    offered = ada.action.locator("option").all_text_contents()
    assert set(offered) >= {"list", "create", "retrieve", "update", "partial_update", "destroy", "close"}
    ada.action.select_option("create")
    # Filled in with the fields of the serializer.
    assert json.loads(ada.data.input_value())["title"] == ""
    expect(ada.panel.get_by_label("pk")).to_be_hidden()
    ada.panel.get_by_role("button", name="Send").click()
    expect(ada.answer).to_contain_text("400")
    expect(ada.answer).to_contain_text("This field may not be blank.")
    ada.send("create", data="{title: 1}")
    expect(ada.answer).to_contain_text("not JSON")
    expect(ada.row("response")).to_have_count(0)
    ada.send("close", pk="1", data="")
    expect(ada.answer).to_contain_text("200")
    expect(ada.answer).to_contain_text('"status": "closed"')
    expect(ada.row("updated")).to_contain_text("pk 1")
    ada.send("list")
    expect(ada.data).to_be_hidden()
    expect(ada.answer).to_contain_text("Cannot log in from the train")
    ada.send("retrieve", pk="4")
    expect(ada.answer).to_contain_text("404")


def test_who_may_not_is_told_in_the_panel(open_api: OpenApi) -> None:
    cy = open_api("cy")
    cy.subscribe("WebSocket")
    cy.send("destroy", pk="1")
    expect(cy.answer).to_contain_text("You do not have permission to perform this action.")


def test_a_long_poll_shows_each_version(open_api: OpenApi) -> None:
    reader, writer = open_api("cy"), open_api("ada")
    reader.subscribe("Long-poll")
    expect(reader.row("answer")).to_have_count(1)
    writer.subscribe("WebSocket")
    create_by_socket(writer, title="Another version")
    expect(reader.row("answer").first).to_contain_text("Another version")


def test_the_page_of_an_object_hears_its_end(open_api: OpenApi) -> None:
    reader, writer = open_api("cy", path="/api/tickets/1/"), open_api("ada", path="/api/tickets/1/")
    reader.subscribe("Event stream")
    writer.subscribe("WebSocket")
    offered = writer.action.locator("option").all_text_contents()
    assert "create" not in offered
    writer.action.select_option("partial_update")
    expect(writer.panel.get_by_label("pk")).to_be_hidden()
    writer.send("partial_update", data='{"title": "Still blinks"}')
    expect(writer.answer).to_contain_text("Still blinks")
    expect(writer.row("updated")).to_contain_text("pk 1")
    # A stream that looks again at that very moment shows the object anew.
    expect(reader.row("updated").or_(reader.row("reset")).first).to_be_visible()
    writer.send("destroy")
    expect(reader.row("closed").last).to_contain_text("the stream has ended")
    expect(writer.row("deleted")).to_contain_text("pk 1")
    # The address is gone, so nobody tries it again.
    expect(writer.state).to_contain_text("ended: 4404")
    expect(writer.panel.locator("form")).to_be_hidden()


def test_one_subscribes_by_another_transport_and_ends_it(open_api: OpenApi) -> None:
    ada = open_api("ada")
    ada.subscribe("Event stream")
    ada.subscribe("WebSocket")
    stream, socket = (ada.panel.get_by_role("button", name=name) for name in ("Event stream", "WebSocket"))
    expect(stream).to_have_attribute("aria-pressed", "false")
    create_by_socket(ada)
    # One of the two only heard it.
    expect(ada.row("created")).to_have_count(1)
    socket.click()
    expect(ada.state).to_have_text("not subscribed")
    expect(ada.panel.locator("form")).to_be_hidden()
    ada.panel.get_by_role("button", name="Clear").click()
    expect(ada.rows).to_have_count(0)


def test_the_panel_comes_back_after_a_restart(desk: RunningDesk, open_api: OpenApi) -> None:
    stream, socket = open_api("cy"), open_api("ada")
    stream.subscribe("Event stream")
    socket.subscribe("WebSocket")
    desk.stop()
    for window in (stream, socket):
        expect(window.state).to_contain_text("again in")
    desk.start()
    for window in (stream, socket):
        expect(window.state).to_have_text("subscribed")
    create_by_socket(socket)
    expect(stream.rows.filter(has_text=TITLE).first).to_be_visible()


@pytest.mark.parametrize("desk", ["pushpin"], indirect=True, scope="module")
@pytest.mark.needs("pushpin")
def test_past_the_proxy_the_panel_says_what_is_missing(desk: RunningDesk, open_api: OpenApi) -> None:
    ada = open_api("ada", url=desk.direct_url)
    expect(ada.panel).to_contain_text("This page came straight from Django, which holds no connection open")
    expect(ada.panel.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("desk", ["embedded"], indirect=True, scope="module")
@pytest.mark.needs("dev")
def test_the_panel_fits_on_a_phone_and_can_be_read(open_api: OpenApi) -> None:
    phone = open_api("ada", **PHONE)
    phone.subscribe("WebSocket")
    create_by_socket(phone, title="x" * 100)
    expect(phone.row("created")).to_have_count(1)
    for element in phone.panel.locator("*:visible").all():
        box = element.bounding_box()
        assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"])
    found = phone.panel.evaluate(CONTRASTS.replace("document.body", 'document.getElementById("grip-live")'))
    assert len(found) > 10
    assert [text for contrast, text in found if contrast < 4.5] == []
