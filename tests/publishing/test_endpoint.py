"""Control URLs, taken apart and shown without secrets."""

from __future__ import annotations

import pytest

from django_grip.exceptions import GripUrlError
from django_grip.publishing.endpoint import parse_endpoint, redact_url


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "target"),
    [
        ("http://localhost:5561", "localhost", 5561, False, "/publish/"),
        ("http://localhost:5561/", "localhost", 5561, False, "/publish/"),
        ("http://LOCALHOST", "localhost", 80, False, "/publish/"),
        ("https://api.fastly.com/service/ID", "api.fastly.com", 443, True, "/service/ID/publish/"),
        ("https://api.fastly.com/service/ID/", "api.fastly.com", 443, True, "/service/ID/publish/"),
        ("http://proxy/a?realm=x&zone=1", "proxy", 80, False, "/a/publish/?realm=x&zone=1"),
        ("http://[::1]:5561", "::1", 5561, False, "/publish/"),
    ],
)
def test_a_control_url_says_where_to_publish(url: str, host: str, port: int, tls: bool, target: str) -> None:
    endpoint = parse_endpoint(url)
    assert (endpoint.host, endpoint.port, endpoint.tls, endpoint.target("/publish/")) == (host, port, tls, target)


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("http://h", "h"),
        ("http://h:80", "h"),
        ("http://h:8080", "h:8080"),
        ("https://h:443", "h"),
        ("https://h:80", "h:80"),
        ("http://[::1]:5561", "[::1]:5561"),
    ],
)
def test_the_host_header_names_the_port_if_it_is_not_the_usual_one(url: str, header: str) -> None:
    assert parse_endpoint(url).host_header == header


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@h:1/p?key=secret#secret", "http://h:1/p"),
        ("https://h/service/ID/", "https://h/service/ID"),
        ("tcp://127.0.0.1:5563", "tcp://127.0.0.1:5563"),
        ("ipc:///run/pushpin", "/run/pushpin"),
        ("http://[::1]:5/", "http://[::1]:5"),
        ("http://h:port/secret", "(unreadable URL)"),
        ("secret", "(unreadable URL)"),
        ("", "(unreadable URL)"),
    ],
)
def test_what_may_be_secret_in_a_url_is_not_shown(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_user_and_password_are_decoded() -> None:
    endpoint = parse_endpoint("http://us%40er:p%3Aw@h")
    assert (endpoint.userinfo, endpoint.name) == (("us@er", "p:w"), "http://h")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://h", "The control URL ftp://h is not http://HOST or https://HOST."),
        ("http://", "The control URL (unreadable URL) is not http://HOST or https://HOST."),
        ("http://h/\r\nX: y", "has a blank, a control character or one beyond ASCII"),
        ("http://h/ä", "has a blank, a control character or one beyond ASCII"),
        ("http://h:99999", "The control URL does not parse: Port out of range 0-65535."),
    ],
)
def test_a_url_that_is_no_control_url_is_refused_without_showing_it_whole(url: str, text: str) -> None:
    with pytest.raises(GripUrlError) as caught:
        parse_endpoint(url)
    assert text in str(caught.value)
