from __future__ import annotations

import gripcontrol
import pytest

from django_grip.exceptions import ChannelNameError, HeaderError, InstructError
from django_grip.protocol.channels import Channel
from django_grip.protocol.headers import (
    GripLink,
    build_grip_channel,
    build_grip_expose_headers,
    build_grip_feature,
    build_grip_hold,
    build_grip_last,
    build_grip_link,
    build_grip_set_meta,
    build_grip_status,
    build_grip_timeout,
    check_link_uri,
    from_header_value,
    parse_grip_channel,
    parse_grip_expose_headers,
    parse_grip_feature,
    parse_grip_hold,
    parse_grip_last,
    parse_grip_link,
    parse_grip_set_meta,
    parse_grip_status,
    parse_grip_timeout,
    to_header_value,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain", "plain"),
        ("чат", "Ñ\x87Ð°Ñ\x82"),
        ("à", "Ã\xa0"),
        ("☃", "â\x98\x83"),
        ("\U0001f600", "ð\x9f\x98\x80"),
    ],
)
def test_text_travels_in_a_header_as_its_utf8_bytes(text, value):
    assert to_header_value(text) == value
    assert value.encode("latin-1") == text.encode()
    assert from_header_value(value) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\r\nX: y", r"the header value 'a\r\nX: y' has the control character U+000D at position 1"),
        ("a\nb", "has the control character U+000A at position 1"),
        ("\x00", "has the control character U+0000 at position 0"),
        ("a\tb", "has the control character U+0009 at position 1"),
        ("\x7f", "has the control character U+007F at position 0"),
        ("é\x85", "has the control character U+0085 at position 1"),
        ("\udc80", "has the lone surrogate U+DC80 at position 0"),
    ],
)
def test_what_would_end_a_header_never_gets_into_one(text, message):
    with pytest.raises(InstructError) as caught:
        to_header_value(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a\xff", "the header value 'aÿ' is not UTF-8 at byte 1"),
        ("a☃", "the header value 'a☃' holds no bytes at position 1"),
    ],
)
def test_a_header_that_carries_no_utf8_is_refused(value, message):
    with pytest.raises(HeaderError) as caught:
        from_header_value(value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("channels", "value"),
    [
        ("test", "test"),
        (["a", "b"], "a, b"),
        (Channel("a", "5", ["skip-self", "build-id"]), "a; prev-id=5; filter=skip-self; filter=build-id"),
        (Channel("a", 'W/"1, 2; 3\\"'), r'a; prev-id="W/\"1, 2; 3\\\""'),
        (Channel("a", "é"), 'a; prev-id="Ã©"'),
        (gripcontrol.Channel("a", "5"), "a; prev-id=5"),
        ("чат", "Ñ\x87Ð°Ñ\x82"),
        ("a=b <c> 'd'", "a=b <c> 'd'"),
    ],
)
def test_grip_channel_says_what_the_channels_say_and_is_read_back(channels, value):
    assert build_grip_channel(channels) == value
    assert build_grip_channel(parse_grip_channel(value)) == value


@pytest.mark.parametrize("name", ["voilà", "Å", "voilà à"])
def test_a_name_whose_last_byte_looks_blank_is_not_at_the_very_end_of_its_header(name):
    value = build_grip_channel(name)
    assert value == value.strip()
    assert parse_grip_channel(value) == [Channel(name)]


def test_a_shared_channel_used_thrice_under_a_prefix_is_never_changed():
    shared = Channel("room", "5", ["skip-self"])
    values = {build_grip_channel(shared, prefix="app-") for _ in range(3)}
    assert values == {"app-room; prev-id=5; filter=skip-self"}
    assert shared == Channel("room", "5", ["skip-self"])


@pytest.mark.parametrize(
    "name", ["room, admin", "room;prev-id=1", 'a"b', "a\r\nGrip-Hold: stream", "", " a", "x" * 1025]
)
def test_no_name_becomes_a_second_channel_a_parameter_or_a_header(name):
    theirs = gripcontrol.Channel(name)
    with pytest.raises(ChannelNameError):
        build_grip_channel([theirs])


@pytest.mark.parametrize("prev_id", ["a\r\nb", "a\nb", "\x00"])
def test_no_prev_id_becomes_a_header(prev_id):
    with pytest.raises(ChannelNameError, match="control character"):
        build_grip_channel(gripcontrol.Channel("a", prev_id))


@pytest.mark.parametrize(
    ("value", "channels"),
    [
        ("", []),
        ("a,b ,\tc", [Channel("a"), Channel("b"), Channel("c")]),
        ("a,,b,", [Channel("a"), Channel("b")]),
        ("a;", [Channel("a")]),
        ("a; Prev-ID=5; prev-id=6; other=7", [Channel("a", "5")]),
        ('a; prev-id="x, y"; filter="skip-self" ;filter=build-id', [Channel("a", "x, y", ["skip-self", "build-id"])]),
        ("a; Filter=skip-self", [Channel("a")]),
        ("a; prev-id", [Channel("a")]),
        (r'a; prev-id="\q\"\\"', [Channel("a", 'q"\\')]),
    ],
)
def test_grip_channel_is_read_as_pushpin_reads_it(value, channels):
    assert parse_grip_channel(value) == channels


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('a; prev-id="x', "has a quote that does not end"),
        ('a; prev-id="x\\', "has a quote that does not end"),
        ('a; prev-id="x"y', "goes on behind a quoted value"),
        ('"a", b', "Grip-Channel: channel name '\"a\"' has '\"' at position 0"),
        ("; prev-id=5", "Grip-Channel: a channel name must not be empty"),
        ("a; =5", "has a parameter without a name"),
        ("a\xff", "is not UTF-8"),
        ("☃", "holds no bytes"),
    ],
)
def test_a_grip_channel_that_does_not_parse_says_why(value, message):
    with pytest.raises(HeaderError) as caught:
        parse_grip_channel(value)
    assert message in str(caught.value)


def test_grip_hold_knows_two_modes():
    assert [parse_grip_hold(build_grip_hold(mode)) for mode in ("response", "stream")] == ["response", "stream"]
    with pytest.raises(InstructError, match=r"a hold is 'response' or 'stream', not 'Stream'"):
        build_grip_hold("Stream")
    with pytest.raises(HeaderError, match="Grip-Hold must be either 'response' or 'stream'"):
        parse_grip_hold("Stream")


@pytest.mark.parametrize(("given", "value"), [(0, "0"), (25, "25"), (25.0, "25"), ("25", "25"), (2_147_483, "2147483")])
def test_a_timeout_is_whole_seconds(given, value):
    assert build_grip_timeout(given) == value
    assert parse_grip_timeout(value) == int(value)


@pytest.mark.parametrize("seconds", [-1, 2_147_484, None, "soon", True, float("nan"), float("inf"), "5; x"])
def test_a_timeout_that_the_proxy_would_misread_is_refused(seconds):
    with pytest.raises(
        InstructError, match=r"the timeout of a long-poll must be a number of seconds from 0 to 2,147,483"
    ):
        build_grip_timeout(seconds)


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.5", "1_0", "٣", "2147484", "9" * 5000, "5;x"])
def test_a_timeout_header_that_is_no_number_is_refused(value):
    with pytest.raises(HeaderError, match="is not a number of seconds from 0 to 2,147,483"):
        parse_grip_timeout(value)


@pytest.mark.parametrize(
    ("meta", "value"),
    [
        ({}, ""),
        ({"user": "5"}, 'user="5"'),
        ({"user": "a b", "id_format": "%(x)s"}, 'user="a b", id_format="%(x)s"'),
        ({"user": 'x", admin="1'}, 'user="x\\", admin=\\"1"'),
        ({"user": "a\\"}, 'user="a\\\\"'),
        ({"user": "a;b,c=d"}, 'user="a;b,c=d"'),
        ({"ключ": "é"}, 'Ðº\xd0\xbb\xd1\x8e\xd1\x87="Ã©"'),
        ({"empty": ""}, 'empty=""'),
    ],
)
def test_meta_is_quoted_so_that_no_value_adds_another(meta, value):
    assert build_grip_set_meta(meta) == value
    assert parse_grip_set_meta(value) == meta


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({'a="1", b': "x"}, "meta name 'a=\"1\", b' has '=' at position 1"),
        ({"a;b": "x"}, "meta name 'a;b' has ';' at position 1"),
        ({"a,b": "x"}, "meta name 'a,b' has ',' at position 1"),
        ({" a": "x"}, "meta name ' a' has ' ' at position 0"),
        ({"": "x"}, "a meta name must be a str with something in it, not ''"),
        ({5: "x"}, "a meta name must be a str with something in it, not 5"),
        ({"a\n": "x"}, "has the control character U+000A"),
        ({"a": "x\r\nSet-Cookie: y"}, "has the control character U+000D"),
        ({"a": 5}, "the meta value for 'a' must be a str, not int"),
        ({"a": None}, "the meta value for 'a' must be a str, not NoneType"),
    ],
)
def test_meta_that_cannot_be_carried_is_refused(meta, message):
    with pytest.raises(InstructError) as caught:
        build_grip_set_meta(meta)
    assert message in str(caught.value)


def test_meta_without_quotes_is_read_too():
    assert parse_grip_set_meta("foo=bar, bar = baz ; x=y, solo") == {"foo": "bar", "bar": "baz", "solo": ""}


@pytest.mark.parametrize(("value", "message"), [('a="x', "a quote that does not end"), (";, a=1", "without a name")])
def test_meta_that_does_not_parse_says_why(value, message):
    with pytest.raises(HeaderError, match=message):
        parse_grip_set_meta(value)


@pytest.mark.parametrize(
    ("link", "value"),
    [
        (GripLink("/next"), "</next>; rel=next"),
        (GripLink("/next?after=5", "next", 30), "</next?after=5>; rel=next; timeout=30"),
        (GripLink("/gone/", "gone"), "</gone/>; rel=gone"),
        (GripLink("?after=5"), "<?after=5>; rel=next"),
        (GripLink("https://example.com/a"), "<https://example.com/a>; rel=next"),
    ],
)
def test_a_link_says_where_what_and_when(link, value):
    assert build_grip_link([link]) == value
    assert parse_grip_link(value) == [link]


def test_two_links_share_a_header():
    links = [GripLink("/a", "next", 5), GripLink("/b", "gone")]
    assert parse_grip_link(build_grip_link(links)) == links


@pytest.mark.parametrize(
    ("uri", "encoded"),
    [
        ("/a,b;c", "/a%2Cb%3Bc"),
        ('/a"<>b', "/a%22%3C%3Eb"),
        ("/a b\\c", "/a%20b%5Cc"),
        ("/чат?q=é", "/%D1%87%D0%B0%D1%82?q=%C3%A9"),
        ("/a%2Cb%", "/a%2Cb%"),
        ("/>; rel=gone, </x", "/%3E%3B%20rel=gone%2C%20%3C/x"),
    ],
)
def test_what_would_break_out_of_a_link_is_percent_encoded(uri, encoded):
    assert check_link_uri(uri) == encoded
    assert parse_grip_link(build_grip_link([GripLink(uri)])) == [GripLink(encoded)]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "the URL of a link must be a str with something in it, not ''"),
        (None, "the URL of a link must be a str with something in it, not None"),
        ("javascript:alert(1)", "must be a path or begin with http:// or https://, not 'javascript:'"),
        ("http:path", "must be a path or begin with http:// or https://, not 'http:'"),
        ("//evil.example/x", "must not begin with '//', which names another host"),
        ("/a#b", "must not have a '#'"),
        ("/a\r\nX: y", "has the control character U+000D at position 2"),
    ],
)
def test_a_link_that_the_proxy_could_not_follow_is_refused(uri, message):
    with pytest.raises(InstructError) as caught:
        build_grip_link([GripLink(uri)])
    assert message in str(caught.value)


def test_a_link_of_another_kind_or_a_gone_link_with_a_timeout_is_refused():
    with pytest.raises(InstructError, match="a link is 'next' or 'gone', not 'prev'"):
        build_grip_link([GripLink("/a", "prev")])
    with pytest.raises(InstructError, match="a gone link has no timeout"):
        build_grip_link([GripLink("/a", "gone", 5)])


def test_links_that_are_neither_next_nor_gone_are_left_out():
    assert parse_grip_link('</a>; rel=prev, </b>; rel="next", </c>') == [GripLink("/b")]


@pytest.mark.parametrize("value", ["/a; rel=next", "<>; rel=next", "<; rel=next", "</a>; rel=next; timeout=x", '"'])
def test_a_link_that_does_not_parse_is_refused(value):
    with pytest.raises(HeaderError):
        parse_grip_link(value)


@pytest.mark.parametrize(
    ("code", "reason", "value"),
    [(304, None, "304"), (200, "", "200"), (404, 'Nothing; here, "at" all', '404 Nothing; here, "at" all')],
)
def test_a_status_is_a_code_and_perhaps_a_reason(code, reason, value):
    assert build_grip_status(code, reason) == value
    assert parse_grip_status(value) == (code, reason or "")


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (99, None, "must be an int from 200 to 599, not 99"),
        (600, None, "must be an int from 200 to 599, not 600"),
        ("304", None, "must be an int from 200 to 599, not '304'"),
        (True, None, "must be an int from 200 to 599, not True"),
        (200, "a\r\nX: y", "the reason of a status must be printable ASCII"),
        (200, " a", "without blanks at its ends, not ' a'"),
        (200, "é", "the reason of a status must be printable ASCII"),
        (200, 5, "the reason of a status must be printable ASCII"),
    ],
)
def test_a_status_that_cannot_be_sent_is_refused(code, reason, message):
    with pytest.raises(InstructError) as caught:
        build_grip_status(code, reason)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", ["", "abc", "20", "2000", "200OK", "٢٠٠"])
def test_a_status_header_that_does_not_parse_is_refused(value):
    with pytest.raises(HeaderError, match="Grip-Status does not begin with a status code of three digits"):
        parse_grip_status(value)


def test_expose_headers_is_a_list_of_header_names():
    assert build_grip_expose_headers(["ETag", "Content-Type"]) == "ETag, Content-Type"
    assert build_grip_expose_headers("ETag") == "ETag"
    assert parse_grip_expose_headers("ETag,Content-Type") == ["ETag", "Content-Type"]


@pytest.mark.parametrize("name", ["", "a,b", "a;b", "a\r\nb", 'a"b', "<a>", "a b", "é", 5])
def test_what_is_no_header_name_is_not_exposed(name):
    with pytest.raises(InstructError, match="a header to expose must be a header name"):
        build_grip_expose_headers([name])
    if isinstance(name, str) and name.strip() and "," not in name:
        with pytest.raises(HeaderError):
            parse_grip_expose_headers(name)


def test_features_are_a_set():
    value = "status, session, link:next, link:gone, filter:skip-self"
    assert parse_grip_feature(value) == {"status", "session", "link:next", "link:gone", "filter:skip-self"}
    assert parse_grip_feature("status,session ,") == {"status", "session"}
    assert parse_grip_feature("") == frozenset()
    assert build_grip_feature(["status", "session"]) == "status, session"
    with pytest.raises(HeaderError, match="Grip-Feature has characters that no feature has"):
        parse_grip_feature("status\x00")


@pytest.mark.parametrize(
    ("value", "last"),
    [
        ("", {}),
        ("room:1; last-id=5", {"room:1": "5"}),
        ("a; last-id=1,b; last-id=2", {"a": "1", "b": "2"}),
        ("a; last-id=1, b;last-id=2", {"a": "1", "b": "2"}),
        ('a; last-id=W/"x, y; z", b; last-id=2', {"a": 'W/"x, y; z"', "b": "2"}),
        ("a; last-id=", {"a": ""}),
        ("Ñ\x87Ð°Ñ\x82; last-id=Ã©", {"чат": "é"}),
    ],
)
def test_grip_last_gives_back_the_ids_as_they_were_sent(value, last):
    assert parse_grip_last(value) == last
    assert parse_grip_last(build_grip_last(last)) == last


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("room", "Grip-Last has a channel without last-id"),
        ("room; id=5", "Grip-Last has a channel without last-id"),
        ("; last-id=5", "Grip-Last: a channel name must not be empty"),
        ("a\xff; last-id=5", "is not UTF-8"),
    ],
)
def test_a_grip_last_that_does_not_parse_says_why(value, message):
    with pytest.raises(HeaderError) as caught:
        parse_grip_last(value)
    assert message in str(caught.value)


def test_a_very_long_header_is_parsed_in_linear_time():
    # A quadratic parser would take minutes here.
    parse_grip_channel(",".join(f"c{n}" for n in range(100_000)))
    parse_grip_set_meta("a;" * 100_000)
    with pytest.raises(HeaderError):
        parse_grip_channel('a; prev-id="' + '""' * 100_000)
