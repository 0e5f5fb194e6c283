"""An event on every transport."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.functional import lazystr

from django_grip import Event
from django_grip.exceptions import ItemError, UsageError
from django_grip.protocol.items import Item, export_item


@pytest.mark.parametrize(
    ("event", "sse", "websocket"),
    [
        (Event({"price": 101}), 'data: {"price":101}\n\n', '{"price":101}'),
        (Event("text"), "data: text\n\n", '"text"'),
        (Event("two\nlines"), "data: two\ndata: lines\n\n", '"two\\nlines"'),
        (Event("häl☃"), "data: häl☃\n\n", '"häl☃"'),
        (Event(None), "data: null\n\n", "null"),
        (Event(1, event="tick"), "event: tick\ndata: 1\n\n", '{"event":"tick","data":1}'),
        (Event(1, event="tick", id="7"), "event: tick\nid: 7\ndata: 1\n\n", '{"event":"tick","data":1,"id":"7"}'),
        (Event(1, id="7"), "id: 7\ndata: 1\n\n", "1"),
        (Event(1, retry=500), "retry: 500\ndata: 1\n\n", "1"),
    ],
)
def test_an_event_is_a_block_on_a_stream_and_json_on_a_websocket(event: Event, sse: str, websocket: str) -> None:
    assert sorted(event.to_sse().split("\n")) == sorted(sse.split("\n"))
    assert event.to_websocket() == websocket


@pytest.mark.parametrize(
    ("data", "encoded"),
    [
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (Decimal("1.50"), '"1.50"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (lazystr("lazy"), '"lazy"'),
    ],
)
def test_what_django_can_encode_an_event_can_carry(data: Any, encoded: str) -> None:
    assert Event(data).to_websocket() == encoded


def test_an_event_is_one_item_with_a_format_for_each_transport() -> None:
    exported = export_item("room", Item(Event({"a": 1}).to_formats()))
    assert exported["formats"] == {
        "http-stream": {"content": 'data: {"a":1}\n\n'},
        "ws-message": {"content": '{"a":1}'},
        "http-response": {"action": "hint"},
    }
    json.dumps(exported)


@pytest.mark.parametrize("event", [Event(1, event="a\nb"), Event(1, id="a\rb"), Event(1, id="a\0b")])
def test_a_name_or_id_that_would_break_the_block_is_refused(event: Event) -> None:
    with pytest.raises(UsageError):
        event.to_formats()


@pytest.mark.parametrize("data", [object(), {1, 2}, float("nan")])
def test_data_that_is_not_json_is_refused(data: Any) -> None:
    with pytest.raises(ItemError, match=r"^An event's data must be JSON: "):
        Event(data).to_formats()


def test_events_are_values() -> None:
    assert Event(1, event="x") == Event(1, event="x") != Event(2, event="x")
    with pytest.raises(AttributeError):
        Event(1).data = 2  # type: ignore[misc]
