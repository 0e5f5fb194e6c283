from __future__ import annotations

import gripcontrol
import pytest

from django_grip.exceptions import ChannelNameError, GripError
from django_grip.protocol.channels import Channel, as_channel, as_channels, channel_name, check_channel_name


@pytest.mark.parametrize(
    "name",
    ["test", "room:1", "a b", "чат", "voilà", "o'brien", "a=b", "<b>", "back\\slash", "100%", "x" * 1024, "é" * 512],
)
def test_a_name_that_a_header_can_carry_is_returned_as_it_is(name):
    assert check_channel_name(name) == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("room, admin", "channel name 'room, admin' has ',' at position 4: GRIP's headers cannot carry it"),
        ("room;admin", "channel name 'room;admin' has ';' at position 4: GRIP's headers cannot carry it"),
        ('a"b', "channel name 'a\"b' has '\"' at position 1: GRIP's headers cannot carry it"),
        ("a\r\nX: y", "channel name 'a\\r\\nX: y' has the control character U+000D at position 1: "),
        ("a\x00", "has the control character U+0000 at position 1: "),
        ("a\tb", "has the control character U+0009 at position 1: "),
        ("a\x7f", "has the control character U+007F at position 1: "),
        ("a\x85b", "has the control character U+0085 at position 1: "),
        ("a\ud800", "has the lone surrogate U+D800 at position 1: "),
        (" a", "channel name ' a' has a blank at position 0: GRIP's headers lose it at either end"),
        ("ab ", "channel name 'ab ' has a blank at position 2: GRIP's headers lose it at either end"),
        (" ", "channel name ' ' has a blank at position 0: "),
        ("", "a channel name must not be empty"),
        ("x" * 1025, "is 1,025 bytes long in UTF-8, prefix included; the limit is 1,024"),
        ("x" * 10_000, "is 10,000 bytes long in UTF-8, prefix included; the limit is 1,024"),
        ("é" * 513, "is 1,026 bytes long in UTF-8, prefix included; the limit is 1,024"),
        (None, "a channel name must be a str, not NoneType"),
        (b"test", "a channel name must be a str, not bytes"),
        (7, "a channel name must be a str, not int"),
    ],
)
def test_a_name_that_no_header_can_carry_is_refused_by_name(name, message):
    with pytest.raises(ChannelNameError) as caught:
        check_channel_name(name)
    assert message in str(caught.value)


def test_a_long_name_is_not_repeated_whole_in_the_message():
    with pytest.raises(ChannelNameError) as caught:
        check_channel_name("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_the_prefix_counts_for_the_length_and_is_checked_too():
    assert check_channel_name("room", prefix="app-") == "app-room"
    with pytest.raises(ChannelNameError, match=r"1,025 bytes"):
        check_channel_name("x" * 1021, prefix="app-")
    with pytest.raises(ChannelNameError, match=r"'a,room' has ',' at position 1: with the prefix: "):
        check_channel_name("room", prefix="a,")


def test_a_refused_name_is_a_value_error_and_a_grip_error():
    with pytest.raises(ValueError, match="','") as caught:
        check_channel_name("a,b")
    assert isinstance(caught.value, GripError)


def test_a_channel_is_gripcontrols_with_filters_equality_and_a_repr():
    channel = Channel("room", prev_id="5", filters=["skip-self"])
    assert isinstance(channel, gripcontrol.Channel)
    assert (channel.name, channel.prev_id, channel.filters) == ("room", "5", ["skip-self"])
    assert channel == Channel("room", "5", ("skip-self",))
    assert channel != Channel("room", "5")
    assert channel != "room"
    assert repr(channel) == "Channel('room', prev_id='5', filters=['skip-self'])"
    assert repr(Channel("room")) == "Channel('room')"


def test_filters_of_two_channels_are_two_lists():
    assert Channel("a").filters is not Channel("b").filters


@pytest.mark.parametrize(
    ("given", "kept"), [(None, None), ("", None), (5, "5"), (0, "0"), ('W/"a, b; c"', 'W/"a, b; c"')]
)
def test_a_prev_id_is_kept_as_text_and_an_empty_one_is_none(given, kept):
    assert Channel("room", given).prev_id == kept


@pytest.mark.parametrize(
    ("prev_id", "message"),
    [
        ("a\nb", "prev_id 'a\\nb' of channel 'room' has the control character U+000A at position 1: Grip-Last cannot"),
        (" a", "has a blank at position 0"),
        ("a ", "has a blank at position 1"),
        ("a, b; last-id=c", "has 'last-id=' at position 6"),
        ("\ud800", "has the lone surrogate U+D800 at position 0"),
        (True, "must be a str, not bool"),
        (b"5", "must be a str, not bytes"),
        ("x" * 1025, "is over 1,024 bytes long"),
    ],
)
def test_a_prev_id_that_grip_last_cannot_bring_back_is_refused(prev_id, message):
    with pytest.raises(ChannelNameError) as caught:
        Channel("room", prev_id)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ("skip-self", "filters of channel 'room' must be a list of names, not 'skip-self'"),
        (["a;b"], "filter 'a;b' of channel 'room' is not a filter name such as 'skip-self'"),
        (["a\r\n"], "is not a filter name"),
        ([""], "is not a filter name"),
        ([7], "is not a filter name"),
        (["a"] * 6, "channel 'room' has 6 filters; the limit is 5"),
    ],
)
def test_filters_that_the_proxy_would_refuse_are_refused(filters, message):
    with pytest.raises(ChannelNameError) as caught:
        Channel("room", filters=filters)
    assert message in str(caught.value)


def test_one_name_one_channel_or_any_mixture_become_new_channels():
    theirs = gripcontrol.Channel("b", "7")
    theirs.filters.append("skip-self")
    assert as_channels("a") == [Channel("a")]
    assert as_channels(theirs) == [Channel("b", "7", ["skip-self"])]
    assert as_channels(["a", "b"]) == [Channel("a"), Channel("b")]
    assert as_channels(("a", theirs)) == [Channel("a"), Channel("b", "7", ["skip-self"])]
    assert as_channels(name for name in ("a", "b")) == [Channel("a"), Channel("b")]
    assert as_channels([]) == []


def test_a_new_channel_shares_nothing_with_the_one_it_was_made_from():
    shared = Channel("room", "5", ["skip-self"])
    copy = as_channel(shared)
    copy.name = "other"
    copy.filters.append("build-id")
    assert shared == Channel("room", "5", ["skip-self"])


@pytest.mark.parametrize("channels", [None, 7, b"room", [b"room"], [None], [["room"]]])
def test_what_is_no_channel_is_refused(channels):
    with pytest.raises(ChannelNameError, match=r"a channel must be a str or a Channel, not \w+"):
        as_channels(channels)


def test_a_channel_changed_into_nonsense_is_refused_when_it_is_used():
    channel = Channel("room")
    channel.name = "room, admin"
    with pytest.raises(ChannelNameError, match="',' at position 4"):
        as_channels([channel])


@pytest.mark.parametrize(
    ("template", "values", "name"),
    [
        ("room:{room}", {"room": "lobby"}, "room:lobby"),
        ("doc:{pk}", {"pk": 7, "unused": 1}, "doc:7"),
        ("plain", {}, "plain"),
        ("a:{x}:{y}", {"x": "1:2", "y": "3"}, "a:1%3A2:3"),
        ("a:{x}:{y}", {"x": "1", "y": "2:3"}, "a:1:2%3A3"),
        ("r:{x}", {"x": "100%"}, "r:100%25"),
        ("r:{x}", {"x": 'a,b;c"d\n\x00\x85'}, "r:a%2Cb%3Bc%22d%0A%00%C2%85"),
        ("r:{x}", {"x": "a/b ü'<>"}, "r:a/b ü'<>"),
        ("r:{x}", {"x": " a  "}, "r: a %20"),
        ("{x}", {"x": " a"}, "%20a"),
        ("{x}", {"x": " "}, "%20"),
        ("{x}:r", {"x": "a "}, "a :r"),
        ("r:{x}{y}", {"x": "a ", "y": ""}, "r:a%20"),
        ("r:{x}", {"x": ""}, "r:"),
        ("r:{x}", {"x": "\ud800"}, "r:%ED%A0%80"),
        ("{{literal}}:{x}", {"x": "1"}, "{literal}:1"),
    ],
)
def test_a_template_is_filled_in_so_that_no_value_reaches_into_another(template, values, name):
    assert channel_name(template, **values) == name


@pytest.mark.parametrize(
    ("template", "values", "message"),
    [
        ("room:{room}", {}, "channel template 'room:{room}': no value for 'room'"),
        ("room:{room}", {"room": None}, "channel template 'room:{room}': the value for 'room' is None"),
        ("room:{room.pk}", {"room": 1}, "a field must be a plain name, such as {room}"),
        ("room:{room[0]}", {"room": "a"}, "a field must be a plain name"),
        ("room:{room!r}", {"room": "a"}, "a field must be a plain name"),
        ("room:{room:>5}", {"room": "a"}, "a field must be a plain name"),
        ("room:{}", {}, "a field must be a plain name"),
        ("room:{0}", {}, "a field must be a plain name"),
        ("room:{", {}, "channel template 'room:{': "),
        ("a,{x}", {"x": 1}, "channel name 'a,1' has ',' at position 1"),
        ("{x}", {"x": ""}, "a channel name must not be empty"),
        ("{x} ", {"x": "a"}, "has a blank at position 1"),
        ("r:{x}", {"x": "é" * 600}, "is 1,202 bytes long in UTF-8"),
    ],
)
def test_a_template_that_cannot_be_filled_in_says_why(template, values, message):
    with pytest.raises(ChannelNameError) as caught:
        channel_name(template, **values)
    assert message in str(caught.value)
