"""Server-Sent Events are read as a browser reads them."""

from __future__ import annotations

import pytest

from django_grip.protocol.sse import encode_sse
from django_grip.testing import ReceivedEvent
from django_grip.testing.events import take_event


@pytest.mark.parametrize(
    ("text", "event", "rest"),
    [
        ("", None, ""),
        ("data: a", None, "data: a"),
        ("data: a\n", None, "data: a\n"),
        ("data: a\n\n", ReceivedEvent("a"), ""),
        ("data:a\n\ndata: b\n\n", ReceivedEvent("a"), "data: b\n\n"),
        ("data:  a\n\n", ReceivedEvent(" a"), ""),
        ("data: a\r\n\r\nx", ReceivedEvent("a"), "x"),
        ("data: a\rdata: b\r\rx", ReceivedEvent("a\nb"), "x"),
        ("data: a\ndata\ndata: b\n\n", ReceivedEvent("a\n\nb"), ""),
        (":\n\n", None, ":\n\n"),
        (":\n\n: still there\n\ndata: a\n\n", ReceivedEvent("a"), ""),
        ("event: e\n\n", None, "event: e\n\n"),
        ("event: e\nid: 7\nretry: 10\ndata: a: b\n\n", ReceivedEvent("a: b", "e", "7", 10), ""),
        ("event\ndata: a\n\n", ReceivedEvent("a"), ""),
        ("id\ndata: a\n\n", ReceivedEvent("a", id=""), ""),
        ("retry: soon\ndata: a\n\n", ReceivedEvent("a"), ""),
        ("unknown: x\ndata: a\n\n", ReceivedEvent("a"), ""),
        ("data\n\n", ReceivedEvent(""), ""),
    ],
)
def test_the_first_event_is_taken(text: str, event: ReceivedEvent | None, rest: str) -> None:
    assert take_event(text) == (event, rest)


@pytest.mark.parametrize("data", ["", "a", "a\nb", "\n", " a ", "ünï ☃", "data: x", ":"])
def test_what_the_package_writes_is_read(data: str) -> None:
    text = encode_sse(data, event="e", id="1", retry=5, comment="c")
    assert take_event(text + "more") == (ReceivedEvent(data, "e", "1", 5), "more")


def test_the_data_is_decoded() -> None:
    assert ReceivedEvent('{"a": 1}').json() == {"a": 1}
