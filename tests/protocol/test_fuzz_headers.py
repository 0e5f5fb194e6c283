"""What is built is read back; what is random only ever raises what the parsers promise."""

from __future__ import annotations

import json
from contextlib import suppress

import gripcontrol
import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_grip.exceptions import ChannelNameError, HeaderError, InstructError, ProtocolError
from django_grip.protocol import headers as h
from django_grip.protocol.channels import Channel, channel_name, check_channel_name
from django_grip.protocol.header_values import MAX_SECONDS
from django_grip.protocol.instruct import MAX_HEADERS_SIZE, Instruct, build_instruct_headers, parse_instruct_headers
from django_grip.protocol.instruct_json import Response, build_instruct_json, parse_instruct_json

CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))

# Anything at all, with a liking for what has a meaning in a header.
anything = st.text(st.characters() | st.sampled_from('",;=<>\\ \t\r\n\x00%:à'), max_size=60)
printable = st.text(st.characters(exclude_characters=CONTROLS, exclude_categories=["Cs"]), max_size=40)
names = st.text(
    st.characters(exclude_characters=CONTROLS + '",;', exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name == name.strip(" "))
ids = printable.filter(lambda text: text == text.strip(" ") and "last-id=" not in text)
tokens = st.text("abcXYZ019-_.!#$%&'*+^`|~", min_size=1, max_size=12)
channels = st.builds(Channel, names, st.none() | ids, st.lists(tokens, max_size=5))
distinct_channels = st.lists(channels, min_size=1, max_size=4, unique_by=lambda channel: channel.name)
meta_names = printable.filter(lambda name: name and name == name.strip(" ") and not set(name) & set('=;,"'))
metas = st.dictionaries(meta_names, printable, max_size=3)
seconds = st.integers(1, MAX_SECONDS)
paths = printable.filter(lambda text: "#" not in text).map(lambda text: "/x" + text)
keep_alives = st.binary(min_size=1, max_size=60) | printable.filter(bool)


def travels(value):
    """A header value as a server hands it on: latin-1 bytes, no line ends, trimmed at both ends."""
    assert value.encode("latin-1").decode("latin-1") == value
    assert not set(value) & set("\r\n\x00")
    return value.strip()


@given(anything)
def test_any_text_is_carried_whole_or_refused(text):
    try:
        value = h.to_header_value(text)
    except InstructError:
        assert any(character in CONTROLS or "\ud800" <= character <= "\udfff" for character in text)
    else:
        assert h.from_header_value(value) == text


@given(st.lists(channels, max_size=5), st.sampled_from(["", "app-", "präfix:"]))
def test_channels_come_back_out_of_their_header_under_any_prefix(wanted, prefix):
    value = travels(h.build_grip_channel(wanted, prefix=prefix))
    expected = [Channel(prefix + channel.name, channel.prev_id, channel.filters) for channel in wanted]
    assert h.parse_grip_channel(value) == expected


@given(anything, st.none() | anything, st.lists(anything, max_size=2))
def test_any_channel_is_carried_whole_or_refused_and_never_becomes_two(name, prev_id, filters):
    theirs = gripcontrol.Channel(name, prev_id)
    theirs.filters = filters
    try:
        value = travels(h.build_grip_channel(theirs))
    except ChannelNameError:
        return
    (read,) = h.parse_grip_channel(value)
    assert (read.name, read.prev_id, read.filters) == (name, prev_id or None, filters)


@given(metas)
def test_meta_comes_back_out_of_its_header(meta):
    assert h.parse_grip_set_meta(travels(h.build_grip_set_meta(meta))) == meta


@given(st.dictionaries(anything, anything, max_size=3))
def test_any_meta_is_carried_whole_or_refused(meta):
    try:
        value = travels(h.build_grip_set_meta(meta))
    except InstructError:
        return
    assert h.parse_grip_set_meta(value) == meta


@given(keep_alives, st.none() | seconds, st.sampled_from(["idle", "interval"]))
def test_keep_alive_data_comes_back_byte_for_byte(data, timeout, mode):
    value = travels(h.build_grip_keep_alive(data, timeout=timeout, mode=mode))
    raw = data.encode() if isinstance(data, str) else data
    assert h.parse_grip_keep_alive(value) == h.KeepAlive(raw, timeout or 55, mode)


@given(st.lists(st.tuples(anything, st.sampled_from(["next", "gone"])), min_size=1, max_size=3))
def test_any_link_is_carried_encoded_or_refused_and_never_becomes_two(links):
    try:
        value = travels(h.build_grip_link(h.GripLink(uri, rel) for uri, rel in links))
    except InstructError:
        return
    read = h.parse_grip_link(value)
    assert read == [h.GripLink(h.check_link_uri(uri), rel) for uri, rel in links]
    assert all(h.check_link_uri(link.uri) == link.uri for link in read)


@given(st.integers(), st.none() | anything)
def test_any_status_is_carried_whole_or_refused(code, reason):
    try:
        value = travels(h.build_grip_status(code, reason))
    except InstructError:
        return
    assert h.parse_grip_status(value) == (code, reason or "")


@given(st.lists(anything, max_size=3))
def test_any_exposed_headers_are_names_or_refused(exposed):
    try:
        value = travels(h.build_grip_expose_headers(exposed))
    except InstructError:
        return
    assert h.parse_grip_expose_headers(value) == exposed


@given(st.dictionaries(names, ids, max_size=4))
def test_last_ids_come_back_out_of_their_header(last):
    assert h.parse_grip_last(h.build_grip_last(last)) == last


@given(st.sets(tokens, max_size=5))
def test_features_come_back_out_of_their_header(features):
    assert h.parse_grip_feature(travels(h.build_grip_feature(features))) == features


PARSERS = [getattr(h, name) for name in h.__all__ if name.startswith("parse_")] + [h.from_header_value]


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(value=anything | st.text(st.characters(max_codepoint=255)) | st.text(st.sampled_from('ab",;=<>\\ 15')))
def test_random_text_is_parsed_or_a_header_error(parse, value):
    with suppress(HeaderError):
        parse(value)


@given(
    st.builds(
        Instruct,
        hold=st.sampled_from(["stream", "response"]),
        channels=distinct_channels,
        timeout=st.just(0) | seconds,
        keep_alive=keep_alives,
        keep_alive_timeout=seconds,
        keep_alive_mode=st.sampled_from(["idle", "interval"]),
        next_link=paths,
        next_link_timeout=st.just(0) | seconds,
        gone_link=st.just("") | paths,
        meta=metas,
        status=st.none() | st.integers(200, 599),
        expose_headers=st.lists(tokens, max_size=3),
    )
)
def test_an_instruction_comes_back_out_of_its_headers(instruct):
    headers = [(name, travels(value)) for name, value in build_instruct_headers(instruct)]
    assert len({name for name, _ in headers}) == len(headers)
    assert sum(len(name) + len(value) for name, value in headers) < MAX_HEADERS_SIZE
    read = parse_instruct_headers(headers)
    instruct.next_link = h.check_link_uri(instruct.next_link)
    instruct.gone_link = h.check_link_uri(instruct.gone_link) if instruct.gone_link else ""
    for side in (instruct, read):
        side.keep_alive = side.keep_alive.encode() if isinstance(side.keep_alive, str) else side.keep_alive
    assert read == instruct


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "Grip-Hold",
                    "grip-channel",
                    "Grip-Timeout",
                    "Grip-Keep-Alive",
                    "Grip-Set-Meta",
                    "Grip-Link",
                    "Grip-Status",
                    "Grip-Expose-Headers",
                    "X-Other",
                ]
            ),
            anything,
        )
    )
)
def test_random_headers_are_parsed_or_a_header_error(headers):
    with suppress(HeaderError):
        parse_instruct_headers(headers)


json_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    st.builds(
        Instruct,
        hold=st.sampled_from(["response"]),
        channels=distinct_channels,
        timeout=st.just(0) | seconds,
        keep_alive=keep_alives,
        keep_alive_timeout=seconds,
        keep_alive_mode=st.just("interval"),
        meta=st.dictionaries(json_texts, json_texts, max_size=3),
    ),
    st.builds(Response, code=st.none() | st.integers(200, 599), body=st.none() | st.binary() | json_texts),
)
def test_an_instruction_comes_back_out_of_its_json(instruct, response):
    read, read_response = parse_instruct_json(build_instruct_json(instruct, response))
    for side in (instruct, read):
        side.keep_alive = side.keep_alive.encode() if isinstance(side.keep_alive, str) else side.keep_alive
    for side in (response, read_response):
        side.body = side.body.encode() if isinstance(side.body, str) else side.body
    assert (read, read_response) == (instruct, response)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "hold",
                    "response",
                    "mode",
                    "channels",
                    "name",
                    "prev-id",
                    "filters",
                    "timeout",
                    "keep-alive",
                    "content",
                    "content-bin",
                    "meta",
                    "code",
                    "reason",
                    "headers",
                    "body",
                    "body-bin",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(json_values | st.fixed_dictionaries({"hold": json_values, "response": json_values}))
def test_random_json_is_parsed_or_a_protocol_error(value):
    with suppress(ProtocolError):
        parse_instruct_json(json.dumps(value).encode())


@given(st.binary())
def test_random_bytes_are_no_instruction(body):
    with suppress(ProtocolError):
        parse_instruct_json(body)


@given(anything)
def test_any_name_is_accepted_exactly_if_a_header_carries_it(name):
    try:
        check_channel_name(name)
    except ChannelNameError:
        return
    assert h.parse_grip_channel(travels(h.build_grip_channel(name))) == [Channel(name)]
    assert h.parse_grip_last(h.build_grip_last({name: "5"})) == {name: "5"}


@given(anything, anything, anything, anything)
def test_two_fillings_of_a_template_are_one_name_only_if_the_values_are_the_same(a, b, c, d):
    first, second = channel_name("r:{x}:{y}", x=a, y=b), channel_name("r:{x}:{y}", x=c, y=d)
    assert (first == second) == ((a, b) == (c, d))
    check_channel_name(first)
