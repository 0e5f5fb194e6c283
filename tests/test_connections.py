"""send_to and close_to: one client is spoken to from outside of its requests."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pytest

from django_grip import Event, aclose_to, asend_to, close_to, embedded_transport, send_to
from django_grip.connections import make_connection_name
from django_grip.exceptions import ItemError, NoProxy, UsageError
from django_grip.publisher import forget_publisher, publish_to
from django_grip.publishing import Parcel

# As make_connection_name() makes them.
TEXT, BYTES, JSON = (f"grip:connection:{kind}:0123456789-ABCDEFGHI_k" for kind in "tbj")

SENDS = [send_to, lambda *args, **kwargs: asyncio.run(asend_to(*args, **kwargs))]
CLOSES = [close_to, lambda *args, **kwargs: asyncio.run(aclose_to(*args, **kwargs))]
sends = pytest.mark.parametrize("send", SENDS, ids=["send_to", "asend_to"])
closes = pytest.mark.parametrize("end", CLOSES, ids=["close_to", "aclose_to"])


class Recorder:
    """A transport that keeps what it gets, as it would go to a proxy."""

    url = "recorder"
    max_bytes = 1_000_000

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def send(self, parcels: Sequence[Parcel], *, deadline: float) -> None:
        self.items += [json.loads(parcel.body) for parcel in parcels]

    def close(self) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with publish_to(kept := Recorder()):
        yield kept


@sends
@pytest.mark.parametrize(
    ("connection", "message", "format"),
    [
        (TEXT, "hello", {"content": "hello"}),
        (TEXT, "", {"content": ""}),
        (BYTES, b"\xff", {"content-bin": "/w=="}),
        (BYTES, bytearray(b"\xff"), {"content-bin": "/w=="}),
        (JSON, "hello", {"content": '"hello"'}),
        (JSON, {"on": date(2026, 1, 2)}, {"content": '{"on":"2026-01-02"}'}),
        (JSON, None, {"content": "null"}),
        (TEXT, Event({"a": 1}), {"content": '{"a":1}'}),
        (JSON, Event(1, event="tick"), {"content": '{"event":"tick","data":1}'}),
    ],
)
def test_a_message_goes_as_the_connections_view_sends_it(recorder, send, connection, message, format):
    assert send(connection, message).done()
    (item,) = recorder.items
    assert item["channel"] == connection
    assert item["formats"]["ws-message"] == format


@sends
@pytest.mark.parametrize(
    ("connection", "message", "complaint"),
    [
        (TEXT, {"a": 1}, "This connection's view takes str, not dict, as a message."),
        (TEXT, b"x", "This connection's view takes str, not bytes, as a message."),
        (BYTES, "x", "This connection's view takes bytes, not str, as a message."),
        (JSON, {1, 2}, "Object of type set is not JSON serializable"),
    ],
)
def test_a_message_of_another_kind_is_refused(recorder, send, connection, message, complaint):
    with pytest.raises(TypeError, match=re.escape(complaint)):
        send(connection, message)
    assert recorder.items == []


@pytest.mark.parametrize(
    "connection",
    ["", "room:5", "grip:connection:", TEXT + "x", TEXT[:-1], TEXT.upper(), f" {TEXT}", f"{TEXT}\n", None, b"x", 5],
)
@pytest.mark.parametrize("call", [send_to, close_to])
def test_what_is_no_connections_address_is_refused(recorder, call, connection):
    with pytest.raises(UsageError) as caught:
        call(connection, *(["x"] if call is send_to else []))
    assert str(caught.value) == f"A connection is addressed by its view's self.connection, not by {connection!r}."
    assert recorder.items == []


@closes
def test_a_connection_is_closed_with_a_code_and_a_reason(recorder, end):
    end(TEXT)
    end(JSON, 4001, "log in again")
    assert [item["formats"]["ws-message"] for item in recorder.items] == [
        {"action": "close", "code": 1000},
        {"action": "close", "code": 4001, "reason": "log in again"},
    ]
    assert [item["channel"] for item in recorder.items] == [TEXT, JSON]


@closes
@pytest.mark.parametrize(("code", "reason"), [(1005, ""), (0, ""), (5000, ""), (1000, "x" * 124)])
def test_a_close_that_may_not_be_sent_is_refused(recorder, end, code, reason):
    with pytest.raises(ItemError):
        end(TEXT, code, reason)
    assert recorder.items == []


def test_options_are_those_of_publish(recorder):
    send_to(TEXT, "x", id="7", blocking=True)
    close_to(TEXT, 1000, "", meta={"a": "b"})
    assert recorder.items[0]["id"] == "7"
    assert recorder.items[1]["meta"] == {"a": "b"}


def test_without_a_proxy_it_raises(monkeypatch, request):
    monkeypatch.setattr(embedded_transport, "_is_test_run", lambda: False)
    request.addfinalizer(forget_publisher)
    forget_publisher()
    with pytest.raises(NoProxy):
        send_to(TEXT, "x")


def test_an_address_cannot_be_guessed_and_is_a_name_that_travels():
    names = {make_connection_name("text") for _ in range(1000)}
    assert len(names) == 1000
    assert all(re.fullmatch(r"grip:connection:t:[A-Za-z0-9_-]{22}", name) for name in {*names, TEXT})
