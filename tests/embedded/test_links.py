"""Links: where they lead, and what the requests for them carry."""

from __future__ import annotations

import pytest

from django_grip.exceptions import HeaderError
from django_grip.protocol.headers import parse_grip_last
from django_grip.proxy.http.links import Place, build_link_request, place_of, resolve_link
from django_grip.proxy.messages import ClientRequest

from .core import make_engine

BASE = Place(b"example.com:8000", b"/room/5/feed", b"since=3")


@pytest.mark.parametrize(
    ("uri", "path", "query"),
    [
        ("/other/", b"/other/", b""),
        ("/other/?a=1&b=2", b"/other/", b"a=1&b=2"),
        ("?after=5", b"/room/5/feed", b"after=5"),
        ("more", b"/room/5/more", b""),
        ("../6/feed", b"/room/6/feed", b""),
        ("../../../../x", b"/x", b""),
        ("/ä b", b"/%C3%A4%20b", b""),
        ("/a;b", b"/a%3Bb", b""),
        ("http://example.com:8000", b"/", b""),
        ("http://EXAMPLE.com:8000/x?", b"/x", b""),
        ("https://example.com:8000/x", b"/x", b""),
    ],
)
def test_a_link_leads_to_a_place_on_the_same_host(uri: str, path: bytes, query: bytes) -> None:
    assert resolve_link(uri, BASE) == Place(b"example.com:8000", path, query)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("http://example.com/x", "a link must lead to the host that the client asked, not to 'example.com'"),
        ("http://example.com:8000@evil.com/x", "the host that the client asked, not to 'example.com:8000@evil.com'"),
        ("http://[::1/x", "Invalid IPv6 URL"),
        ("//evil.com/x", "must not begin with '//'"),
        ("file:///etc/passwd", "must be a path or begin with http:// or https://"),
        ("/x#y", "must not have a '#'"),
        ("/x\x00", "has the control character U+0000"),
    ],
)
def test_a_link_to_elsewhere_is_refused(uri: str, problem: str) -> None:
    with pytest.raises(HeaderError) as caught:
        resolve_link(uri, BASE)
    assert str(caught.value).startswith("Grip-Link: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize(("path", "expected"), [(b"/a#b/c", b"/a%23b/c"), (b"//evil.com/c", b"//evil.com/c")])
def test_a_clients_own_path_stays_a_path(path: bytes, expected: bytes) -> None:
    assert resolve_link("?x", Place(b"example.com", path, b"")) == Place(b"example.com", expected, b"x")


def test_the_place_of_a_request_is_where_the_client_went() -> None:
    request = ClientRequest("GET", b"/a", b"b", [(b"host", b"one"), (b"host", b"two")])
    assert place_of(request) == Place(b"one", b"/a", b"b")
    assert place_of(ClientRequest("GET", b"/a")).host is None


def test_a_request_says_how_far_the_client_is_on_each_channel() -> None:
    last = {"room": "5", "ä": 'W/"1, 2"'}
    request = build_link_request(make_engine(), BASE, purpose="next", last=last)
    values = [value for name, value in request.headers if name == b"grip-last"]
    assert values[0] == b"room; last-id=5"
    assert parse_grip_last(", ".join(value.decode("latin-1") for value in values)) == last


def test_an_id_that_no_header_can_carry_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    last = {"room": "5\r\nCookie: x", "lobby": "6"}
    request = build_link_request(make_engine(), BASE, purpose="next", last=last)
    assert [value for name, value in request.headers if name == b"grip-last"] == [b"lobby; last-id=6"]
    assert caplog.messages[0].startswith("Grip-Last cannot be said: prev_id ")


def test_a_client_without_a_host_has_links_without_one() -> None:
    request = build_link_request(make_engine(), resolve_link("/x", Place(None, b"/", b"")), purpose="gone")
    assert [name for name, _ in request.headers] == [b"grip-feature"]
