from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.exceptions import ItemError
from django_grip.protocol.sse import encode_sse


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"data": "hello"}, "data: hello\n\n"),
        ({"data": ""}, "data:\n\n"),
        ({"data": "a\nb\r\nc\rd"}, "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ({"data": "a\n\nb\n"}, "data: a\ndata:\ndata: b\ndata:\n\n"),
        ({"data": " padded "}, "data:  padded \n\n"),
        ({"data": "a\u2028b\x0bc\x0cd\x85e"}, "data: a\u2028b\x0bc\x0cd\x85e\n\n"),
        ({"data": "id: 5\n\nevent: x"}, "data: id: 5\ndata:\ndata: event: x\n\n"),
        (
            {"data": "x", "event": "message", "id": "5", "retry": 3000},
            "event: message\nid: 5\nretry: 3000\ndata: x\n\n",
        ),
        ({"data": "", "event": "ping"}, "event: ping\ndata:\n\n"),
        ({"data": "x", "id": ""}, "id\ndata: x\n\n"),
        ({"data": None, "id": "5"}, "id: 5\n\n"),
        ({"data": None, "retry": 0}, "retry: 0\n\n"),
        ({"data": None, "comment": "keep-alive"}, ": keep-alive\n\n"),
        ({"data": None, "comment": ""}, ":\n\n"),
        ({"data": "x", "comment": "a\nb"}, ": a\n: b\ndata: x\n\n"),
    ],
)
def test_an_event_is_written_as_the_standard_says(arguments, text):
    assert encode_sse(**arguments) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": None}, "an event needs data, an id, a retry or a comment"),
        ({"data": None, "event": "x"}, "an event without data is never seen by the client; send data=''"),
        ({"data": "x", "event": "a\nb"}, "event of an event has U+000A at position 1"),
        ({"data": "x", "event": "a\rdata: y"}, "event of an event has U+000D at position 1"),
        ({"data": "x", "id": "a\nb"}, "id of an event has U+000A at position 1"),
        ({"data": "x", "id": "\x00"}, "id of an event has U+0000 at position 0"),
        ({"data": "x", "id": 5}, "id of an event must be a str, not int"),
        ({"data": b"x"}, "data of an event must be a str, not bytes"),
        ({"data": {"a": 1}}, "data of an event must be a str, not dict"),
        ({"data": "x", "comment": 5}, "comment of an event must be a str, not int"),
        ({"data": "x", "retry": -1}, "retry of an event must be a number of milliseconds, not -1"),
        ({"data": "x", "retry": 1.5}, "retry of an event must be a number of milliseconds, not 1.5"),
        ({"data": "x", "retry": True}, "retry of an event must be a number of milliseconds, not True"),
    ],
)
def test_an_event_that_would_be_another_or_none_is_refused(arguments, message):
    with pytest.raises(ItemError) as caught:
        encode_sse(**arguments)
    assert message in str(caught.value)


def parse_sse(text):
    """The standard's algorithm (9.2.6), for one event."""
    fields = {"data": []}
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, colon, value = line.partition(":")
        if not line or (colon and not name):
            continue
        value = value.removeprefix(" ")
        if name == "data":
            fields["data"].append(value)
        else:
            fields[name] = value
    return {**fields, "data": "\n".join(fields["data"])}


inline = st.text(st.characters(exclude_characters="\r\n\x00"))


@given(st.text(), inline, inline, st.text())
def test_whatever_an_event_holds_a_client_reads_it_back(data, event, id, comment):
    read = parse_sse(encode_sse(data, event=event, id=id, comment=comment))
    assert read == {"data": data.replace("\r\n", "\n").replace("\r", "\n"), "event": event, "id": id}
