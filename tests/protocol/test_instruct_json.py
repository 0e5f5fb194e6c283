from __future__ import annotations

import json

import gripcontrol
import pytest

from django_grip.exceptions import ChannelNameError, InstructError, ProtocolError
from django_grip.protocol.channels import Channel
from django_grip.protocol.instruct import Instruct
from django_grip.protocol.instruct_json import Response, build_instruct_json, parse_instruct_json


def hold(*channels, mode="stream", **fields):
    return Instruct(hold=mode, channels=[*map(Channel, channels)], **fields)


def test_filters_and_prev_ids_survive_the_json_form():
    instruct = Instruct(
        hold="response", channels=[Channel("a", "5", ["skip-self", "build-id"]), Channel("чат")], timeout=25
    )
    body = build_instruct_json(instruct, prefix="app-")
    assert json.loads(body) == {
        "hold": {
            "mode": "response",
            "channels": [
                {"name": "app-a", "prev-id": "5", "filters": ["skip-self", "build-id"]},
                {"name": "app-чат"},
            ],
            "timeout": 25,
        }
    }


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("hello", {"body": "hello"}),
        (b"hello", {"body": "hello"}),
        (b"\xff", {"body-bin": "/w=="}),
        (gripcontrol.Response(404, "Gone away", {"ETag": '"x"'}, "x"), None),
        (Response(200, None, [("Set-Cookie", "a"), ("Set-Cookie", "b")], ""), None),
    ],
)
def test_a_response_is_a_body_or_an_object(response, expected):
    out = json.loads(build_instruct_json(hold("a"), response))["response"]
    if expected is None:
        expected = {name: getattr(response, name) for name in ("code", "reason", "headers", "body")}
        expected = json.loads(json.dumps({name: value for name, value in expected.items() if value is not None}))
    assert out == expected


def test_no_hold_and_no_response_is_an_empty_object():
    assert build_instruct_json(Instruct()) == b"{}"


def test_a_status_set_on_the_instruction_is_the_responses_code():
    instruct = hold("a")
    instruct.set_status(304, "Not Modified")
    assert json.loads(build_instruct_json(instruct, Response(200, "OK")))["response"] == {
        "code": 304,
        "reason": "Not Modified",
    }


@pytest.mark.parametrize(
    ("instruct", "response", "message"),
    [
        (hold("a", next_link="/x"), None, "the JSON form of an instruction cannot say next_link: use the headers"),
        (hold("a", gone_link="/x"), None, "cannot say gone_link"),
        (hold("a", expose_headers=["ETag"]), None, "cannot say expose_headers"),
        (hold(), None, "a hold without a channel would never end"),
        (hold(*map(str, range(21))), None, "21 channels in one hold"),
        (hold("a", meta={"x": 1}), None, "meta must map str to str, not 'x' to int"),
        (hold("a", meta={"x": "\ud800"}), None, "has a lone surrogate"),
        (hold("a", timeout=-1), None, "the timeout of a long-poll must be a number of seconds"),
        (hold("a"), Response(code=99), "a status code must be an int from 200 to 599, not 99"),
        (hold("a"), Response(reason="a\nb"), "the reason of a status must be printable ASCII"),
        (hold("a"), Response(headers={"X": "a\r\nSet-Cookie: b"}), "the value of header X has U+000D at position 1"),
        (hold("a"), Response(headers={"X\r\n": "a"}), "'X\\r\\n' is no header name"),
        (hold("a"), Response(headers={"X": 1}), "the value of header X must be a str, not int"),
        (hold("a"), Response(headers={"X": " a"}), "the value of header X has U+0020 at position 0"),
        (hold("a"), Response(headers="X: a"), "headers must be a dict or a list of pairs, not str"),
        (hold("a"), Response(headers=["Xa"]), "headers must be pairs of a name and a value, not 'Xa'"),
        (hold("a"), Response(body=5), "the body of a response must be a str or bytes, not int"),
    ],
)
def test_what_the_proxy_would_refuse_is_refused(instruct, response, message):
    with pytest.raises(InstructError) as caught:
        build_instruct_json(instruct, response)
    assert message in str(caught.value)


def test_names_are_those_of_the_header_form_though_json_could_carry_more():
    instruct = hold("a")
    instruct.channels[0].name = "room, admin"
    with pytest.raises(ChannelNameError):
        build_instruct_json(instruct)


def test_what_was_built_is_read_back():
    instruct = hold(
        "a", "чат", keep_alive="x\n", keep_alive_timeout=20, keep_alive_mode="interval", meta={"user": "é\n"}
    )
    instruct.channels[0].filters = ["skip-self"]
    response = Response(200, "OK", {"ETag": "x"}, b"\xff")
    assert parse_instruct_json(build_instruct_json(instruct, response)) == (instruct, response)


def test_a_hold_without_a_mode_is_a_long_poll():
    instruct, response = parse_instruct_json(b'{"hold": {"channels": [{"name": "a"}]}}')
    assert instruct == Instruct(hold="response", channels=[Channel("a")])
    assert response == Response()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the instruction is not JSON"),
        (b"\xff\xff", "the instruction is not JSON"),
        (b"[" * 100_000, "the instruction is not JSON"),
        (b"[]", "the instruction is not a JSON object"),
        (b'{"hold": []}', "the instruction has a 'hold' of the wrong type"),
        (b'{"hold": {}}', "the hold has no 'channels'"),
        (b'{"hold": {"mode": "x", "channels": []}}', "the hold has the unknown mode 'x'"),
        (b'{"hold": {"mode": 1, "channels": []}}', "the hold has a 'mode' of the wrong type"),
        (b'{"hold": {"channels": ["a"]}}', "a channel of the hold is not an object"),
        (b'{"hold": {"channels": [{}]}}', "a channel has no 'name'"),
        (b'{"hold": {"channels": [{"name": "a,b"}]}}', "the hold: channel name 'a,b' has ','"),
        (b'{"hold": {"channels": [{"name": "a", "filters": [1]}]}}', "the hold: filter 1 of channel 'a'"),
        (b'{"hold": {"channels": [], "timeout": true}}', "the hold has a 'timeout' of the wrong type"),
        (
            b'{"hold": {"channels": [], "timeout": -1}}',
            "the hold has a 'timeout' that is not from 0 to 2,147,483 seconds",
        ),
        (b'{"hold": {"channels": [], "meta": {"a": 1}}}', "the meta has a 'a' of the wrong type"),
        (b'{"hold": {"channels": [], "keep-alive": {"content-bin": "*"}}}', "a content-bin that is not base64"),
        (b'{"response": {"code": "200"}}', "the response has a 'code' of the wrong type"),
        (b'{"response": {"code": 1000}}', "the response has the impossible code 1000"),
        (b'{"response": {"headers": [["a"]]}}', "headers that do not parse: headers must be pairs"),
        (b'{"response": {"headers": {"a": "x\\r\\n"}}}', "headers that do not parse: the value of header a has U+000D"),
        (b'{"response": {"body": 1}}', "the response has a 'body' of the wrong type"),
    ],
)
def test_a_body_that_does_not_parse_says_why(body, message):
    with pytest.raises(ProtocolError) as caught:
        parse_instruct_json(body)
    assert message in str(caught.value)


def test_a_responses_repr_shows_no_body():
    assert repr(Response(200, "OK", None, "secret")) == "Response(code=200, reason='OK', body of 6)"
