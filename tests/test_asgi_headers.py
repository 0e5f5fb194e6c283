"""A request has in ``META`` what it has under Django's own handler, whatever the headers."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest

from django_grip.asgi_headers import _MAX_NAME
from django_grip.handler import GripHandler

HEADERS: list[Any] = [
    pytest.param([], id="none"),
    pytest.param([(b"host", b"example.com"), (b"x-a-b", b"1"), (b"content-length", b"3")], id="plain"),
    pytest.param([(b"content-type", b"text/plain; charset=latin-1"), (b"accept", b"*/*")], id="a charset"),
    pytest.param([(b"cookie", b"a=1; "), (b"cookie", b"b=2"), (b"accept", b"*/*")], id="two cookies"),
    pytest.param([(b"cookie", b"a=1; "), (b"accept", b"*/*")], id="a cookie"),
    pytest.param([(b"cookie", b"a=1"), (b"Cookie", b"b=2")], id="cookies in two cases"),
    pytest.param([(b"x-a", b"1"), (b"accept", b"*/*"), (b"x-a", b"2")], id="a header twice"),
    pytest.param([(b"x_a", b"forged"), (b"x-a", b"1"), (b"_", b"2")], id="underscores"),
    pytest.param([(b"x-a", b"\xe9"), (b"x-\xe9", b"1"), (b"X-Upper", b"2")], id="not ASCII, and upper case"),
    pytest.param([(b"x" * _MAX_NAME, b"1"), (b"x" * (_MAX_NAME + 1), b"2")], id="long names"),
    pytest.param([(b"content_type", b"text/html"), (b"content-type-", b"1")], id="nearly Content-Type"),
]


def make_scope(headers: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/a/",
        "query_string": b"q=1",
        "headers": headers,
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
    }


def make_request(scope: dict[str, Any]) -> ASGIRequest:
    request, error = GripHandler().create_request(scope, io.BytesIO(b"abc"))
    assert error is None
    return request


@pytest.mark.parametrize("headers", HEADERS)
def test_meta_is_that_of_djangos_handler(headers: list[tuple[bytes, bytes]]) -> None:
    theirs = ASGIRequest(make_scope(headers), io.BytesIO(b"abc"))
    ours = make_request(make_scope(iter(headers)))
    assert ours.META == theirs.META
    assert dict(ours.headers) == dict(theirs.headers)
    assert (ours.encoding, ours.content_type, ours.content_params, ours.COOKIES) == (
        theirs.encoding,
        theirs.content_type,
        theirs.content_params,
        theirs.COOKIES,
    )


def test_the_scope_of_a_request_is_the_servers_own() -> None:
    scope = make_scope([(b"x-a", b"1")])
    assert make_request(scope).scope is scope


def test_a_scope_without_headers_is_one_with_none() -> None:
    scope = make_scope([])
    del scope["headers"]
    assert make_request(scope).headers == {}
