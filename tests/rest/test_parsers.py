"""NDJSONParser and the parser of WebSocket actions."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from django_grip.rest import NDJSONParser
from django_grip.rest.parsers import WebSocketActionParser, live_parsers

from .serving import Routes


def parse(body: bytes, parser: Any = None) -> Any:
    return (parser or NDJSONParser()).parse(BytesIO(body), "application/x-ndjson", {})


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\n{"a":2}', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\r\n{"a":2}\r\n', [{"a": 1}, {"a": 2}]),
        (b"\n\n[1]\n \t\n[2]\n\n", [[1], [2]]),
        (b'1\n"x"\nnull\ntrue\n', [1, "x", None, True]),
        ('"ü\u2028ü"\n'.encode(), ["ü\u2028ü"]),
        (b'  {"a": 1}  \n', [{"a": 1}]),
        (b'"\\u2028 \\n"\n', ["\u2028 \n"]),
        (b"", []),
        (b"\n\n", []),
    ],
)
def test_every_line_is_an_item_of_the_list(body: bytes, data: Any) -> None:
    assert parse(body) == data


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a":1}\n{"a":\n', "Line 2 is not JSON: "),
        (b"[1]\n\n[2]\nx\n", "Line 4 is not JSON: "),
        (b"{'a': 1}\n", "Line 1 is not JSON: "),
        (b"[1] [2]\n", "Line 1 is not JSON: something follows the JSON, at 3."),
        (b"[1,\n2]\n", "Line 1 is not JSON: "),
        (b"1\nNaN\n", "Line 2 is not JSON: NaN is not JSON."),
        (b"1e999\n", "Line 1 is not JSON: 1e999 is too large a number."),
        (b"9" * 5_000 + b"\n", "Line 1 is not JSON: "),
        (b'"\\ud800"\n', "Line 1 is not JSON: "),
        (b'1\n"\xff"\n', "Line 2 is not UTF-8, at byte 1."),
        ("[1]\n".encode("utf-16"), "Line 1 is not UTF-8, at byte 0."),
        (b"\xef\xbb\xbf[1]\n", "Line 1 is not JSON: "),
        (b"[" * 200_000 + b"\n", "Line 1 is not JSON: the nesting is too deep."),
        (b"\x00\n", "Line 1 is not JSON: "),
        (b"[1]\r[2]\n", "Line 1 is not JSON: something follows the JSON, at 3."),
    ],
)
def test_a_bad_line_is_named(body: bytes, text: str) -> None:
    with pytest.raises(ParseError) as error:
        parse(body)
    assert str(error.value.detail).startswith(text)


class SmallParser(NDJSONParser):
    max_lines = 3
    max_line_size = 10
    max_size = 20


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"1\n" * 4, "There are too many lines: a body may have 3."),
        (b"\n" * 4, "There are too many lines: a body may have 3."),
        (b'1\n"' + b"x" * 9 + b'"\n', "Line 2 is too long: a line may have 10 bytes."),
        (b'"' + b"x" * 100_000, "Line 1 is too long: a line may have 10 bytes."),
        (b'"123456"\n' * 3, "The body is too big, at line 3: it may have 20 bytes."),
    ],
)
def test_nonsense_has_limits(body: bytes, text: str) -> None:
    with pytest.raises(ParseError) as error:
        parse(body, SmallParser())
    assert error.value.detail == text


@pytest.mark.parametrize("body", [b"1\n2\n3", b"1\n2\n3\n", b'"12345678"\r\n', b'"12345678"'])
def test_up_to_the_limits_all_is_well(body: bytes) -> None:
    assert len(parse(body, SmallParser())) == len(body.splitlines())


def test_no_more_than_the_limit_is_read_of_a_line() -> None:
    stream = BytesIO(b"x" * 1_000)
    with pytest.raises(ParseError):
        SmallParser().parse(stream)
    assert stream.tell() == 11


class Upload(APIView):
    parser_classes = [NDJSONParser]
    permission_classes = [AllowAny]

    def post(self, request: Any) -> Response:
        return Response(request.data)


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "application/x-ndjson; charset=utf-8"])
def test_in_a_view_the_data_is_the_list(client: Any, routes: Routes, content_type: str) -> None:
    url = routes.add_view("upload/", Upload.as_view())
    assert client.post(url, b'{"a":1}\n{"a":2}\n', content_type=content_type).json() == [{"a": 1}, {"a": 2}]


def test_in_a_view_a_bad_line_is_a_400(client: Any, routes: Routes) -> None:
    url = routes.add_view("upload/", Upload.as_view())
    response = client.post(url, b"1\nx\n", content_type="application/x-ndjson")
    assert response.status_code == 400
    assert response.json()["detail"].startswith("Line 2 is not JSON: ")
    assert client.post(url, b"1\n", content_type="application/json").status_code == 415


# -- WebSocket actions -------------------------------------------------------------------------------------------------


class UpperCaseParser(JSONParser):
    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        assert media_type == "application/json"
        return {key.upper(): value for key, value in super().parse(stream, media_type, parser_context).items()}


@pytest.mark.parametrize(
    ("own", "data"), [([], {"a": 1}), ([NDJSONParser()], {"a": 1}), ([UpperCaseParser()], {"A": 1})]
)
def test_an_action_is_read_as_the_viewset_reads_json(own: list[Any], data: Any) -> None:
    parsers = live_parsers(None, own)
    assert parsers[:-1] == own
    assert isinstance(parsers[-1], WebSocketActionParser)
    assert parsers[-1].media_type == "application/websocket-events"
    assert parsers[-1].parse(BytesIO(json.dumps({"a": 1}).encode()), "application/websocket-events", {}) == data


def test_nobody_gets_at_it_from_outside(client: Any) -> None:
    response = client.post("/api/tickets/", b"{}", content_type="application/websocket-events")
    assert response.status_code == 403
