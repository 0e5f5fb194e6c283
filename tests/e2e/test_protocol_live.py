"""The builders and parsers of the protocol against the proxies' own, with an application that is not Django."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import httpx
import pytest

from django_grip.protocol.channels import Channel
from django_grip.protocol.formats import HttpResponseFormat, HttpStreamFormat
from django_grip.protocol.headers import parse_grip_feature, parse_grip_last
from django_grip.protocol.instruct import Instruct, build_instruct_headers
from django_grip.protocol.instruct_json import INSTRUCT_CONTENT_TYPE, Response, build_instruct_json
from django_grip.protocol.items import Item, encode_item
from django_grip.protocol.keys import load_key
from django_grip.protocol.signatures import SignatureVerifier, VerifyKey

from .clients import HeldStream, http_client, open_stream, read_repeated
from .engines import Stack
from .origin import Origin, make_origin
from .pushpin import SIG_KEY


@pytest.fixture(scope="module")
def origin(engine: Stack) -> Iterator[Origin]:
    origin = make_origin(engine)
    try:
        origin.start()
        yield origin
    finally:
        origin.close()


@pytest.fixture(scope="module")
def client(origin: Origin) -> Iterator[httpx.Client]:
    with http_client(origin.url) as client:
        yield client


@pytest.fixture
def path() -> str:
    return f"/{uuid.uuid4().hex}"


@pytest.fixture
def publish(origin: Origin, client: httpx.Client) -> Callable[[str, Item], None]:
    def publish(channel: str, item: Item) -> None:
        body = b'{"items":[' + encode_item(channel, item) + b"]}"
        answer = client.post(origin.publish_url, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.text.strip()) == (200, "Published")

    return publish


@pytest.fixture
def hold(origin: Origin, client: httpx.Client, path: str) -> Callable[..., AbstractContextManager[HeldStream]]:
    def hold(instruct: Instruct, *, prefix: str = "") -> AbstractContextManager[HeldStream]:
        origin.answers[path] = (200, build_instruct_headers(instruct, prefix=prefix), b"open\n")
        return open_stream(client, path)

    return hold


def reason(engine: Stack, meant: str, usual: str) -> str:
    """The reason that a client sees beside the status: ASGI has none, so uvicorn says the usual one."""
    return usual if engine.is_embedded else meant


def stream(*channels: str | Channel) -> Instruct:
    instruct = Instruct()
    instruct.set_hold_stream()
    instruct.add_channels(channels)
    return instruct


def publish_until(stream: HeldStream, publish: Callable[[str, Item], None], channel: str, end: str) -> bytes:
    """Publish again and again, until it is read."""
    return read_repeated(stream, end, lambda: publish(channel, Item(HttpStreamFormat(end))))


@pytest.mark.parametrize(
    "name",
    ["test", "a b", "чат", "voilà", "Å", "a=b <c> 'd'", "back\\slash", "100%", "\u2028", "\U0001f600", "x" * 1000],
)
def test_a_name_reaches_the_proxy_and_the_control_port_as_one_and_the_same(hold, publish, name):
    name = uuid.uuid4().hex[:8] + name
    with hold(stream(name, "other"), prefix="präfix:") as held:
        assert publish_until(held, publish, "präfix:" + name, "it came\n").endswith(b"it came\n")


KEPT_ALIVE_BY = [
    "event: keep-alive\ndata:\n\n",
    "back\\slash \\n \\x41 \\t",
    "a; timeout=99; format=raw",
    " padded\t",
    'quote" comma, equals=',
    "größer чат",
    bytes(range(256)),
    b"\x00",
    "\r\nGrip-Hold: response\r\n",
]


def test_keep_alive_data_comes_out_byte_for_byte(origin, client, path):
    # All are silent together, for a second.
    with ExitStack() as stack:
        silent = []
        for number, data in enumerate(KEPT_ALIVE_BY):
            instruct = stream(uuid.uuid4().hex)
            instruct.set_keep_alive(data, 1)
            origin.answers[f"{path}/{number}"] = (200, build_instruct_headers(instruct), b"open\n")
            held = stack.enter_context(open_stream(client, f"{path}/{number}"))
            silent.append((held, data.encode() if isinstance(data, str) else data))
        for held, raw in silent:
            assert held.read_until(b"open\n") == b"open\n"
            assert held.read_until(raw) == raw


@pytest.mark.parametrize("user", ["5", 'a"b', "a\\", 'x", other="y', "a;b,c=d", "é", " padded "])
def test_meta_reaches_the_filters_whole(hold, publish, user):
    channel = uuid.uuid4().hex
    instruct = stream(Channel(channel, filters=["skip-self"]))
    instruct.meta = {"other": "z", "user": user}
    with hold(instruct) as held:
        publish_until(held, publish, channel, "ready\n")
        publish(channel, Item(HttpStreamFormat("mine\n"), meta={"sender": user}))
        publish(channel, Item(HttpStreamFormat("theirs\n"), meta={"sender": "another"}))
        assert b"mine" not in held.read_until("theirs\n")


@pytest.mark.parametrize("last_id", ["5", 'W/"1, 2; 3"', "a\\b", "é", "a=b"])
def test_a_prev_id_comes_back_in_grip_last_on_the_next_link(origin, hold, publish, path, last_id):
    first, second = (f"{path[1:9]}{name}" for name in ("-é", "-b"))
    for channel in (first, second):
        publish(channel, Item(HttpStreamFormat("missed"), id="later"))
    instruct = stream(Channel(first, last_id), Channel(second, "old, older"))
    instruct.set_next_link(f'{path}/next;a,b"<é>?x=1,2')
    again = build_instruct_headers(stream(first))
    origin.answers[f"{path}/next%3Ba%2Cb%22%3C%C3%A9%3E"] = (200, again, b"what was missed\n")
    with hold(instruct) as held:
        held.read_until("what was missed\n")
    headers = origin.headers_of(f"{path}/next")
    assert parse_grip_last(headers["grip-last"]) == {first: last_id, second: "old, older"}


def test_both_links_share_a_header_that_the_proxy_reads(origin, client, path):
    instruct = Instruct()
    instruct.set_next_link(f"{path}/2")
    instruct.set_gone_link(f"{path}/gone")
    origin.answers[path] = (200, build_instruct_headers(instruct), b"one ")
    origin.answers[f"{path}/2"] = (200, [], b"two")
    assert client.get(path).text == "one two"


def test_the_client_sees_the_status_and_the_headers_that_were_meant_for_it(engine, origin, client, path):
    instruct = Instruct(expose_headers=["ETag", "content-type"])
    instruct.set_status(404, reason(engine, 'Nothing; here, "at" all', "Not Found"))
    headers = [
        *build_instruct_headers(instruct),
        ("ETag", '"x"'),
        ("Content-Type", "text/plain"),
        ("X-Inner", "secret"),
    ]
    origin.answers[path] = (200, headers, b"")
    answer = client.get(path)
    assert (answer.status_code, answer.reason_phrase) == (404, reason(engine, 'Nothing; here, "at" all', "Not Found"))
    assert answer.headers["etag"] == '"x"'
    assert not [name for name in answer.headers if name.startswith(("x-inner", "grip-"))]


def test_the_json_form_holds_with_filters_and_keeps_the_response(engine, origin, client, publish, path):
    channel = uuid.uuid4().hex
    instruct = stream(Channel(channel, filters=["skip-self"]))
    instruct.meta["user"] = 'me"\n'
    body = build_instruct_json(instruct, Response(200, "Fine", {"X-Kept": "é"}, b"open\xff\n"), prefix="app-")
    origin.answers[path] = (200, [("Content-Type", INSTRUCT_CONTENT_TYPE)], body)
    with open_stream(client, path) as held:
        assert (held.response.reason_phrase, held.headers["x-kept"]) == (reason(engine, "Fine", "OK"), "é")
        assert held.read_until("\n") == b"open\xff\n"
        publish_until(held, publish, f"app-{channel}", "ready\n")
        publish(f"app-{channel}", Item(HttpStreamFormat("mine\n"), meta={"sender": 'me"\n'}))
        publish(f"app-{channel}", Item(HttpStreamFormat("theirs\n")))
        assert b"mine" not in held.read_until("theirs\n")


def test_an_item_with_an_id_and_no_seq_comes_once_and_a_close_ends_the_stream(hold, publish):
    channel = uuid.uuid4().hex
    with hold(stream(channel)) as held:
        publish_until(held, publish, channel, "ready\n")
        for _ in range(3):
            publish(channel, Item(HttpStreamFormat("once\n"), id="5", no_seq=True))
        publish(channel, Item(HttpStreamFormat(b"\x00\xff\n")))
        publish(channel, Item(HttpStreamFormat(close=True)))
        assert held.read_to_end().replace(b"ready\n", b"") == b"once\n\x00\xff\n"


def test_a_long_poll_is_answered_with_a_patch_of_the_held_body(engine, origin, client, publish, path):
    channel = uuid.uuid4().hex
    instruct = Instruct()
    instruct.add_channel(channel)
    instruct.set_hold_longpoll(20)
    origin.answers[path] = (200, build_instruct_headers(instruct), json.dumps({"a": []}).encode())
    patch = [{"op": "add", "path": "/a/-", "value": "é"}]
    done = threading.Event()

    def go_on() -> None:
        while not done.is_set():
            item = Item(HttpResponseFormat(201, "Patched", [("X-A", "1"), ("X-B", "2")], body_patch=patch))
            publish(channel, item)
            time.sleep(0.1)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        answer = client.get(path)
    finally:
        done.set()
        thread.join()
    assert (answer.status_code, answer.reason_phrase) == (201, reason(engine, "Patched", "Created"))
    assert answer.json() == {"a": ["é"]}
    assert (answer.headers["x-a"], answer.headers["x-b"]) == ("1", "2")


def test_the_proxys_own_signature_and_features_are_read(origin, client, path):
    client.get(path)
    headers = origin.headers_of(path)
    token = headers["grip-sig"]
    assert SignatureVerifier([VerifyKey(load_key(SIG_KEY), "pushpin")]).verify(token, time.time())
    assert not SignatureVerifier([VerifyKey(load_key(SIG_KEY), "pushpin")]).verify(token, time.time() + 3601)
    assert not SignatureVerifier([VerifyKey(load_key(SIG_KEY), "else")]).verify(token, time.time())
    assert {"status", "link:next", "filter:skip-self"} <= parse_grip_feature(headers["grip-feature"])
