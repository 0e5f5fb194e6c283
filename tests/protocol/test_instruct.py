from __future__ import annotations

import gripcontrol
import pytest

from django_grip.exceptions import ChannelNameError, HeaderError, InstructError
from django_grip.protocol.channels import Channel
from django_grip.protocol.instruct import Instruct, build_instruct_headers, parse_instruct_headers


def stream(*channels, **fields):
    instruct = Instruct(**fields)
    instruct.set_hold_stream()
    instruct.add_channels(channels)
    return instruct


def test_an_instruction_that_asks_for_nothing_has_no_headers():
    assert build_instruct_headers(Instruct()) == []


def test_a_stream_hold_says_its_channels():
    instruct = stream("a", gripcontrol.Channel("b"), Channel("c", filters=["skip-self"]))
    assert build_instruct_headers(instruct) == [("Grip-Hold", "stream"), ("Grip-Channel", "a, b, c; filter=skip-self")]


def test_a_long_poll_says_its_timeout():
    instruct = Instruct()
    instruct.add_channel(Channel("doc:7", "5"))
    instruct.set_hold_longpoll(25)
    assert build_instruct_headers(instruct) == [
        ("Grip-Hold", "response"),
        ("Grip-Channel", "doc:7; prev-id=5"),
        ("Grip-Timeout", "25"),
    ]


def test_every_part_has_its_header_and_each_header_comes_once():
    instruct = stream("a")
    instruct.set_keep_alive("\n", 20, mode="interval")
    instruct.set_next_link("/next", 30)
    instruct.set_gone_link("/gone")
    instruct.meta["user"] = "5"
    instruct.set_status(304, "Not Modified")
    instruct.expose_headers = ["ETag"]
    assert build_instruct_headers(instruct) == [
        ("Grip-Hold", "stream"),
        ("Grip-Channel", "a"),
        ("Grip-Keep-Alive", "\\n; format=cstring; timeout=20; mode=interval"),
        ("Grip-Set-Meta", 'user="5"'),
        ("Grip-Link", "</next>; rel=next; timeout=30, </gone>; rel=gone"),
        ("Grip-Status", "304 Not Modified"),
        ("Grip-Expose-Headers", "ETag"),
    ]


def test_a_link_needs_no_hold():
    instruct = Instruct()
    instruct.set_next_link("/page/2")
    assert build_instruct_headers(instruct) == [("Grip-Link", "</page/2>; rel=next")]


def test_a_shared_channel_is_never_changed_by_the_prefix():
    shared = gripcontrol.Channel("room")
    instruct = Instruct()
    for _ in range(3):
        instruct.add_channel(shared)
    instruct.set_hold_stream()
    for _ in range(3):
        assert build_instruct_headers(instruct, prefix="app-")[1] == ("Grip-Channel", "app-room")
    assert shared.name == "room"
    assert [channel.name for channel in instruct.channels] == ["room"] * 3


def test_channels_that_were_put_in_by_hand_are_checked_too():
    instruct = Instruct(hold="stream", channels=["room, admin"])
    with pytest.raises(ChannelNameError, match="',' at position 4"):
        build_instruct_headers(instruct)
    instruct.channels = [gripcontrol.Channel("room")]
    assert ("Grip-Channel", "room") in build_instruct_headers(instruct)


@pytest.mark.parametrize("name", ["room, admin", "a;b", 'a"b', "a\r\nX: y", "", " a", "x" * 1025])
def test_a_bad_name_is_refused_where_it_is_added(name):
    with pytest.raises(ChannelNameError):
        Instruct().add_channel(name)
    with pytest.raises(ChannelNameError):
        Instruct().add_channels(["good", name])


def test_the_limit_of_channels_is_an_error_and_not_silence():
    instruct = stream(*(f"c{n}" for n in range(20)))
    build_instruct_headers(instruct)
    instruct.add_channel("one too many")
    with pytest.raises(InstructError) as caught:
        build_instruct_headers(instruct)
    assert str(caught.value) == "21 channels in one hold: the proxy takes 20 and drops the rest without a word"
    assert build_instruct_headers(instruct, max_channels=50)


@pytest.mark.parametrize(
    ("instruct", "message"),
    [
        (stream(), "a hold without a channel would never end: call add_channel()"),
        (stream("a", hold="x"), None),
        (Instruct(hold="Stream", channels=[Channel("a")]), "a hold is 'response' or 'stream', not 'Stream'"),
        (stream(Channel("a", "5")), "channel 'a' has a prev_id, so its stream needs a next link: call set_next_link()"),
        (Instruct(gone_link="/x"), "a gone link without a hold is never followed: call set_hold_stream()"),
        (stream("a", Channel("a", filters=["b"])), "channel 'a' is there twice, with different prev_ids or filters"),
        (stream("a", meta={"x": "1\r\nSet-Cookie: y"}), "has the control character U+000D"),
        (stream("a", meta={"x": 1}), "the meta value for 'x' must be a str, not int"),
        (stream("a", next_link="/a\nb"), "has the control character U+000A"),
        (stream("a", gone_link="//evil.example"), "must not begin with '//'"),
        (stream("a", timeout=-1), "the timeout of a long-poll must be a number of seconds"),
        (stream("a", keep_alive="x", keep_alive_timeout=-1), "the keep-alive timeout must be a number of seconds"),
        (stream("a", keep_alive="x", keep_alive_mode="y"), "the keep-alive mode must be 'idle' or 'interval', not 'y'"),
        (stream("a", status=99), "a status code must be an int from 200 to 599, not 99"),
        (stream("a", status=200, reason="a\r\nb"), "the reason of a status must be printable ASCII"),
        (stream("a", expose_headers=["a\r\nb"]), "a header to expose must be a header name"),
    ],
)
def test_what_the_proxy_would_drop_or_misread_is_refused_when_built(instruct, message):
    if message is None:
        assert build_instruct_headers(instruct)
        return
    with pytest.raises(InstructError) as caught:
        build_instruct_headers(instruct)
    assert message in str(caught.value)


def test_a_chained_channel_in_a_stream_is_fine_with_a_next_link_and_in_a_long_poll_without():
    instruct = stream(Channel("a", "5"))
    instruct.set_next_link("/next")
    assert build_instruct_headers(instruct)[-1] == ("Grip-Link", "</next>; rel=next")
    instruct = Instruct(channels=[Channel("a", "5")])
    instruct.set_hold_longpoll()
    assert len(build_instruct_headers(instruct)) == 2


def test_headers_that_would_not_fit_the_proxys_buffer_are_refused_with_their_size():
    instruct = stream(*(f"{n:02}" + "x" * 1000 for n in range(20)))
    with pytest.raises(InstructError) as caught:
        build_instruct_headers(instruct)
    assert str(caught.value).startswith("the Grip-* headers of this response are 20,")
    assert "(most of it Grip-Channel); the limit is 8,000" in str(caught.value)


@pytest.mark.parametrize(
    ("setter", "arguments"),
    [
        ("set_hold_longpoll", (-1,)),
        ("set_hold_longpoll", ("soon",)),
        ("set_keep_alive", ("", 20)),
        ("set_keep_alive", ("x", -1)),
        ("set_keep_alive", ("x", None, "busy")),
        ("set_next_link", ("",)),
        ("set_next_link", ("ftp://x/",)),
        ("set_next_link", ("/x", -1)),
        ("set_gone_link", ("/a#b",)),
        ("set_status", (1000,)),
        ("set_status", (200, "é")),
    ],
)
def test_setters_refuse_at_once_and_leave_the_instruction_as_it_was(setter, arguments):
    instruct = Instruct()
    options = {"mode": arguments[2]} if len(arguments) > 2 else {}
    with pytest.raises(InstructError):
        getattr(instruct, setter)(*arguments[:2], **options)
    assert instruct == Instruct()


def test_the_attributes_are_those_of_django_grip_3():
    instruct = Instruct()
    names = (
        "hold",
        "channels",
        "timeout",
        "keep_alive",
        "keep_alive_timeout",
        "next_link",
        "next_link_timeout",
        "meta",
    )
    assert [getattr(instruct, name) for name in names] == ["", [], 0, "", 0, "", 0, {}]
    instruct.set_hold_longpoll(timeout="25")
    instruct.set_keep_alive("x", timeout=20)
    instruct.set_next_link("/x", timeout=30)
    assert (instruct.hold, instruct.timeout, instruct.keep_alive_timeout) == ("response", 25, 20)
    assert (instruct.next_link, instruct.next_link_timeout) == ("/x", 30)


def test_a_keep_alive_without_a_timeout_leaves_it_to_the_proxy():
    instruct = stream("a")
    instruct.set_keep_alive("x", None)
    assert instruct.keep_alive_timeout == 0
    assert ("Grip-Keep-Alive", "x; format=cstring") in build_instruct_headers(instruct)


def test_what_was_built_is_read_back():
    instruct = stream(Channel("чат", "5", ["skip-self"]), "b")
    instruct.set_keep_alive("back\\slash; \r\n\x00", 20, mode="interval")
    instruct.set_next_link("/next?a=1", 30)
    instruct.set_gone_link("/gone")
    instruct.meta = {"user": 'a"b\\, c', "имя": "é"}
    instruct.set_status(304)
    instruct.expose_headers = ["ETag", "Vary"]
    assert parse_instruct_headers(build_instruct_headers(instruct)) == instruct


def test_headers_are_found_in_any_case_and_lists_go_on():
    headers = [
        ("Content-Type", "text/plain"),
        ("grip-hold", "response"),
        ("GRIP-CHANNEL", "apple"),
        ("Grip-Channel", "banana, cherry"),
        ("Grip-Timeout", "120"),
        ("Grip-Timeout", "nonsense"),
        ("Grip-Set-Meta", "foo=bar, bar=baz"),
    ]
    assert parse_instruct_headers(headers) == Instruct(
        hold="response",
        channels=[Channel("apple"), Channel("banana"), Channel("cherry")],
        timeout=120,
        meta={"foo": "bar", "bar": "baz"},
    )


def test_keep_alive_data_that_is_no_text_comes_back_as_bytes():
    assert parse_instruct_headers([("Grip-Keep-Alive", "/w==; format=base64")]).keep_alive == b"\xff"


@pytest.mark.parametrize(
    "header",
    [
        ("Grip-Hold", ""),
        ("Grip-Hold", "hold"),
        ("Grip-Channel", 'a"b'),
        ("Grip-Timeout", ""),
        ("Grip-Keep-Alive", ";"),
        ("Grip-Set-Meta", 'a="'),
        ("Grip-Link", "x; rel=next"),
        ("Grip-Status", "OK"),
        ("Grip-Expose-Headers", "a b"),
    ],
)
def test_a_header_that_does_not_parse_is_an_error(header):
    with pytest.raises(HeaderError):
        parse_instruct_headers([header])


def test_its_repr_shows_neither_links_nor_meta():
    instruct = stream("a", next_link="/next-secret/", gone_link="/gone-secret/", meta={"user": "meta-secret"})
    assert repr(instruct).startswith("Instruct(hold='stream', channels=[Channel('a')]")
    assert "secret" not in repr(instruct)
