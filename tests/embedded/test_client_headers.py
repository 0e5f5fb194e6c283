"""What a client may not send, in every spelling; what of the application's headers a client never sees."""

from __future__ import annotations

import logging

import pytest

from django_grip.proxy.client_headers import clean_headers, clean_response_headers, refuse_client
from django_grip.proxy.messages import ClientRequest

FORGED = ["Grip-Sig", "Grip-Feature", "Grip-Last", "Grip-Hold", "Meta-User", "Meta-Grip-State", "Connection-Id"]
HOP_BY_HOP = ["Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "TE", "Trailer", "Proxy-Connection"]
NOT_FOR_THE_APPLICATION = [*FORGED, *HOP_BY_HOP, "Accept-Encoding", "Expect", "Content-Bytes-Replayed"]
SPELLINGS = [str.lower, str.upper, str.title, lambda name: name.replace("-", "_"), lambda name: name.replace("-", ".")]


@pytest.mark.parametrize("spell", SPELLINGS, ids=["lower", "upper", "title", "underscores", "dots"])
@pytest.mark.parametrize("name", NOT_FOR_THE_APPLICATION)
def test_the_application_never_sees_a_clients(name, spell):
    kept = (b"host", b"localhost")
    assert clean_headers([kept, (spell(name).encode(), b"x"), kept]) == [kept, kept]


@pytest.mark.parametrize(
    "name",
    [
        b"cookie",
        b"authorization",
        b"origin",
        b"x-forwarded-for",
        b"content-encoding",
        b"grip",
        b"metadata",
        b"x-meta-a",
    ],
)
def test_other_headers_reach_the_application_as_they_came(name):
    headers = [(name, b"\xff one"), (b"host", b"localhost"), (name, b"two")]
    assert clean_headers(headers) == headers


def test_a_clients_headers_are_not_changed_themselves():
    headers = [(b"grip-sig", b"x"), (b"host", b"localhost")]
    clean_headers(headers)
    assert len(headers) == 2


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "Grip-Hold", "Grip-Channel", "Grip-Anything"])
def test_a_client_never_sees_the_applications(name):
    assert clean_response_headers([(name.encode(), b"x"), (b"Set-Cookie", b"a=1")]) == [(b"set-cookie", b"a=1")]


@pytest.mark.parametrize(
    "header",
    [(b"x-a", b"1\r\nx-b: 2"), (b"x-a", b"1\n"), (b"x-a", b"\0"), (b"x a", b"1"), (b"", b"1"), (b"x-a:", b"1")],
)
def test_a_response_header_that_would_break_the_response_is_left_out(header, caplog):
    assert clean_response_headers([header, (b"x-b", b"2")]) == [(b"x-b", b"2")]
    assert [record.getMessage() for record in caplog.records] == [
        f"The application's response header {header[0]!r} is not well formed; it is left out."
    ]


def post(*headers: tuple[bytes, bytes], method: str = "POST") -> ClientRequest:
    return ClientRequest(method, b"/chat/", headers=list(headers))


NEAR_SPELLINGS = [
    b"application/websocket-events",
    b"Application/websocket-events",
    b"APPLICATION/WEBSOCKET-EVENTS",
    b"application/websocket-events;",
    b"application/websocket-events ; a=b",
    b" application/websocket-events",
    b"application / websocket-events",
    b'"application/websocket-events"',
    b"application/websocket-events,text/plain",
    b"text/plain, application/websocket-events",
    b"application/websocket-events\t",
]


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
@pytest.mark.parametrize("name", [b"content-type", b"Content-Type", b"content_type"])
@pytest.mark.parametrize("value", NEAR_SPELLINGS)
def test_a_client_that_plays_the_proxy_is_refused(value, name, method, caplog):
    refusal = refuse_client(post((b"host", b"localhost"), (name, value), method=method))
    assert refusal is not None
    assert refusal.status == 403
    assert refusal.body == b"WebSocket events come from the GRIP proxy only, not from its clients.\n"
    assert refusal.headers == [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    [record] = caplog.records
    assert (record.name, record.levelno) == ("django_grip", logging.WARNING)
    assert record.getMessage() == (
        f"Refused with 403: {method} /chat/: WebSocket events come from the GRIP proxy only, not from its clients."
    )


@pytest.mark.parametrize("first", [b"text/plain", b"application/websocket-events", b""])
@pytest.mark.parametrize("name", [b"content-type", b"content_type"])
def test_a_content_type_given_twice_is_read_in_both(first, name):
    assert refuse_client(post((b"content-type", first), (name, b"application/websocket-events"))).status == 403


@pytest.mark.parametrize(
    "header",
    [
        (b"x-a", b"1\r\ngrip-sig: 2"),
        (b"x-a", b"1\n2"),
        (b"x-a", b"1\0"),
        (b"grip sig", b"1"),
        (b"grip-sig ", b"1"),
        (b"grip-sig:", b"1"),
        (b"", b"1"),
        (b"gr\xffip", b"1"),
    ],
)
def test_a_header_that_is_none_is_refused(header):
    refusal = refuse_client(post(header))
    assert refusal is not None
    assert (refusal.status, refusal.body) == (400, b"The request has a header that is not well formed.\n")


@pytest.mark.parametrize(
    "value",
    [b"text/plain", b"application/json", b"application/websocket-event", b"text/websocket-events", b""],
)
def test_other_requests_go_on(value):
    assert refuse_client(post((b"host", b"localhost"), (b"content-type", value), (b"x-a", b"\xe4"))) is None


def test_the_log_shows_a_path_in_one_line_and_no_links_token(caplog):
    refuse_client(ClientRequest("POST", b"/a\n\xff/.grip/secret", headers=[(b"x y", b"1")]))
    assert caplog.messages == ["Refused with 400: POST /a\\n\\xff: The request has a header that is not well formed."]
