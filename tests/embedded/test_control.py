"""The control path: who may publish, what is answered, and that the application never sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from django_grip.protocol.keys import load_key
from django_grip.protocol.signatures import encode_token
from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.proxy.messages import AppResponse, Headers
from django_grip.proxy.options import ProxyOptions
from django_grip.proxy.shell.authority import Authority
from django_grip.proxy.shell.control import find_endpoint

from .asgi import Http, Origin, WebSocket, response

TOKEN = b"the-token-of-this-project-which-nobody-guesses"
NOW = 1_800_000_000
ITEM = {"channel": "c", "http-stream": {"content": "x"}}
BODY = json.dumps({"items": [ITEM]}).encode()
HOST = (b"host", b"127.0.0.1:8000")


def jwt(secret: bytes = TOKEN, **claims: Any) -> bytes:
    return encode_token(claims, load_key(secret)).encode()


def refuse(
    *headers: tuple[bytes, bytes],
    client: Any = ("127.0.0.1", 1),
    token: bytes | None = TOKEN,
    local: bool = True,
    version: str = "1.1",
) -> Any:
    authority = Authority(token, allow_local=local, wall_clock=lambda: NOW)
    return authority.refuse({"headers": list(headers), "client": client, "http_version": version})


# Who may publish


@pytest.mark.parametrize(
    "value",
    [b"Bearer " + TOKEN, b"bearer " + TOKEN, b"Bearer " + jwt(exp=NOW + 1), b"Bearer " + jwt(exp=NOW + 1, iss="me")],
)
@pytest.mark.parametrize("local", [True, False])
def test_who_has_the_token_may_publish_from_anywhere(value: bytes, local: bool) -> None:
    headers = [(b"authorization", value), (b"origin", b"https://x"), (b"host", b"example.com")]
    assert refuse(*headers, client=("203.0.113.9", 1), local=local) is None


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        (b"Bearer " + TOKEN[:-1], 403, "The token is not this project's."),
        (b"Bearer ", 403, "The token is not this project's."),
        (b"Bearer \xff", 403, "The token is not this project's."),
        (b"Bearer " + b"x" * 100_000, 403, "The token is not this project's."),
        (
            b"Bearer " + jwt(b"another-secret-that-is-not-ours-at-all", exp=NOW + 1),
            403,
            "The token is not this project's.",
        ),
        (b"Bearer " + jwt(exp=NOW), 403, "The token has expired."),
        (b"Bearer " + jwt(), 403, "The token has no expiry."),
        (b"Bearer " + jwt(exp="tomorrow"), 403, "The token has no expiry."),
        (b"Bearer " + jwt(exp=True), 403, "The token has no expiry."),
        (b"Bearer " + jwt(exp=float("nan")), 403, "The token has expired."),
        (b"Basic dTpw", 401, "Publishing needs the token of this project: Authorization: Bearer <token>."),
    ],
)
def test_a_wrong_token_is_refused_even_from_this_machine(value: bytes, status: int, text: str) -> None:
    assert refuse((b"authorization", value), HOST) == (status, text)


def test_two_tokens_are_refused() -> None:
    header = (b"authorization", b"Bearer " + TOKEN)
    assert refuse(header, header, HOST) == (400, "The request has two Authorization headers.")


@pytest.mark.parametrize(
    "host", [b"127.0.0.1:8000", b"127.8.9.1", b"localhost", b"LOCALHOST:1", b"[::1]:8000", b"[::1]"]
)
@pytest.mark.parametrize("client", ["127.0.0.1", "127.3.4.5", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_programs_on_this_machine_may_publish(host: bytes, client: str) -> None:
    assert refuse((b"host", host), (b"user-agent", b"curl"), client=(client, 1)) is None


@pytest.mark.parametrize(
    "client", [("192.168.1.5", 1), ("::ffff:10.0.0.1", 1), ("fe80::1%eth0", 1), ("", 0), None, ("@", 1)]
)
def test_without_a_token_nobody_else_may(client: Any) -> None:
    assert refuse(HOST, client=client) == (401, "Publishing from another machine needs the token of this project.")


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [b"evil.example"],
        [b"127.0.0.1.evil.example"],
        [b"localhost.evil"],
        [b"127.0.0.1", b"evil"],
        [b"127.0.0.1:x"],
    ],
)
def test_without_a_token_the_host_must_be_loopback(hosts: list[bytes]) -> None:
    refusal = refuse(*((b"host", host) for host in hosts))
    assert refusal == (401, "Publishing without a token needs a loopback address as Host, such as 127.0.0.1.")


@pytest.mark.parametrize(
    "name",
    [
        b"Origin",
        b"Sec-Fetch-Site",
        b"sec_fetch_mode",
        b"Forwarded",
        b"X-Forwarded-For",
        b"x_forwarded_proto",
        b"X-Real-Ip",
        b"Via",
        b"Referer",
        b"CDN-Loop",
        b"Cf-Ray",
        b"X-Envoy-Internal",
        b"Grip-Sig",
    ],
)
def test_without_a_token_nothing_of_a_browser_or_a_tunnel_may_be_there(name: bytes) -> None:
    shown = name.decode().replace("_", "-").title()
    text = f"A request with {shown} comes from a web page or through a tunnel: it needs the token."
    assert refuse(HOST, (name, b"null")) == (403, text)


def test_without_a_token_nginx_may_not_that_passes_on_everything_unmarked() -> None:
    connection = (b"connection", b"close")
    text = "A request with Connection comes from a web page or through a tunnel: it needs the token."
    assert refuse(HOST, connection, version="1.0") == (403, text)
    assert refuse(HOST, connection, version="1.1") is None
    # As Pushpin's own tool publishes.
    assert refuse(HOST, version="1.0") is None


def test_without_a_token_nobody_may_where_that_is_not_allowed() -> None:
    text = "Publishing needs the token of this project: Authorization: Bearer <token>."
    assert refuse(HOST, local=False) == (401, text)
    assert refuse(HOST, local=False, token=None) == (403, "Publishing over HTTP is turned off here.")
    credentials = (b"authorization", b"Bearer x")
    assert refuse(credentials, HOST, token=None) == (403, "Publishing with a token is turned off here.")
    assert refuse(credentials, HOST, token=b"") == (403, "Publishing with a token is turned off here.")


# Which paths it has


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/.grip/publish/", "publish"),
        ("/.grip/publish", "publish"),
        ("//.grip//publish//", "publish"),
        ("/./.grip/./publish", "publish"),
        ("/x/../.grip/publish", "publish"),
        ("/.grip/x/../publish", "publish"),
        ("/../.grip/publish", "publish"),
        ("/.GRIP/Publish/", "publish"),
        ("/.grip/subscribers/", "subscribers"),
        ("/.grip", ""),
        ("/.grip/", ""),
        ("/.grip/publish/x", ""),
        ("/.grip/eyJ0.eyJw.c2ln/", None),
        ("/room/.grip/publish/", None),
        ("/room/.grip/eyJ0.eyJw.c2ln/", None),
        ("/.gripes/publish", None),
        ("/", None),
    ],
)
def test_every_spelling_of_the_control_path_is_known(path: str, endpoint: str | None) -> None:
    assert find_endpoint(path) == endpoint


def test_the_control_path_is_below_the_root_path() -> None:
    assert find_endpoint("/app/.grip/publish/", "/app") == "publish"


# What is answered


def make_proxy(**options: Any) -> EmbeddedProxy:
    return EmbeddedProxy(Origin(response(b"the application's")), control_token=TOKEN, allow_local=True, **options)


async def ask(proxy: EmbeddedProxy, path: str = "/.grip/publish/", **options: Any) -> AppResponse:
    return await Http(proxy, path, **{"method": "POST", "body": BODY, **options}).answer()


def text_of(answer: AppResponse) -> tuple[int, str]:
    assert (b"cache-control", b"no-store") in answer.headers
    assert dict(answer.headers)[b"content-length"] == str(len(answer.body)).encode()
    return answer.status, answer.body.decode()


async def test_what_is_published_is_taken_whole_and_in_order() -> None:
    proxy = make_proxy()
    taken: list[Any] = []
    proxy.engine.publish = lambda items, now: taken.extend(items)  # type: ignore[method-assign]
    body = json.dumps({"items": [{**ITEM, "id": str(number)} for number in range(5)]}).encode()
    call = Http(proxy, "/.grip/publish/", method="POST", body=None)
    for part in (body[:7], body[7:20], body[20:]):
        call.put("http.request", body=part, more_body=True)
    call.put("http.request", body=b"")
    assert text_of(await call.answer()) == (200, "Published\n")
    assert [item.id for item in taken] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "path", ["/.grip/publish", "//.grip/publish/", "/%2Egrip/publish/", "/.grip%2Fpublish", "/.GRIP/publish"]
)
async def test_no_spelling_reaches_the_application(path: str) -> None:
    assert text_of(await ask(make_proxy(), path)) == (200, "Published\n")


async def test_a_link_of_the_applications_does_reach_it() -> None:
    for path in ("/room/.grip/eyJ0.eyJw.c2ln/", "/.grip/eyJ0.eyJw.c2ln/"):
        assert (await ask(make_proxy(), path)).body == b"the application's"


@pytest.mark.parametrize(
    ("path", "options", "status", "text"),
    [
        ("/.grip/publish/?a=b", {}, 404, "There is nothing here but publish/ and subscribers/, without a query.\n"),
        ("/.grip/", {}, 404, "There is nothing here but publish/ and subscribers/, without a query.\n"),
        ("/.grip/publish/", {"method": "GET"}, 405, "Only POST is answered here.\n"),
        ("/.grip/publish/", {"method": "OPTIONS"}, 405, "Only POST is answered here.\n"),
        ("/.grip/subscribers/", {}, 405, "Only GET, HEAD is answered here.\n"),
        ("/.grip/publish/", {"body": b"{"}, 400, "Invalid format: the body is not valid JSON\n"),
        ("/.grip/publish/", {"body": b"x" * 1_000_001}, 413, "A publish body has 1,000,000 bytes at most.\n"),
        (
            "/.grip/publish/",
            {"client": ("10.0.0.1", 1)},
            401,
            "Publishing from another machine needs the token of this project.\n",
        ),
    ],
)
async def test_refusals_are_plain_and_one_line_in_the_log(
    path: str, options: dict[str, Any], status: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(make_proxy(), path, **options)
    assert text_of(answer) == (status, text)
    (record,) = caplog.records
    method, shown = options.get("method", "POST"), path.partition("?")[0]
    assert record.getMessage() == f"Refused with {status}: {method} {shown}: {text.strip()}"


async def test_a_refusal_names_what_is_allowed_or_needed() -> None:
    headers: Headers = [(b"allow", b"POST")]
    assert headers[0] in (await ask(make_proxy(), method="PUT")).headers
    assert (b"www-authenticate", b"Bearer") in (await ask(make_proxy(), client=("10.0.0.1", 1))).headers


async def test_of_a_body_that_says_it_is_too_long_nothing_is_read() -> None:
    for length in (b"1000001", b"9" * 5000):
        call = Http(
            make_proxy(), "/.grip/publish", method="POST", headers=[HOST, (b"content-length", length)], body=None
        )
        answer = await call.answer()
        assert answer.status == 413
        assert (b"connection", b"close") in answer.headers
        assert call.reads == 0


async def test_a_publisher_that_goes_away_publishes_nothing_and_gets_nothing(caplog: pytest.LogCaptureFixture) -> None:
    proxy = make_proxy()
    mark = proxy.engine.hub.mark()
    call = Http(proxy, "/.grip/publish/", method="POST", body=None)
    call.put("http.request", body=BODY, more_body=True)
    call.leave()
    await call.end()
    assert call.sent == []
    assert proxy.engine.hub.mark() == mark
    assert caplog.records == []


async def test_publishing_behind_the_end_is_refused() -> None:
    proxy = make_proxy()
    assert (await ask(proxy)).status == 200
    proxy.part_with_clients()
    text = "the embedded proxy has ended; nothing can be published to it\n"
    assert text_of(await ask(proxy)) == (503, text)


async def test_subscribers_are_told_to_who_may_publish() -> None:
    proxy = EmbeddedProxy(
        Origin(response(b"[open]\n", grip_hold="stream", grip_channel="é")), options=ProxyOptions(), allow_local=True
    )
    stream = Http(proxy, "/stream")
    await stream.get(2)
    answer = await ask(proxy, "/.grip/subscribers/", method="GET", body=b"")
    assert json.loads(answer.body) == {"ws": {}, "stream": {"é": 1}, "response": {}}
    assert (await ask(proxy, "/.grip/subscribers/", method="HEAD", body=b"")).body == b""
    assert (await ask(proxy, "/.grip/subscribers/", method="GET", body=b"", client=("10.0.0.1", 1))).status == 401
    stream.leave()
    await stream.end()


async def test_the_control_path_takes_no_websockets(caplog: pytest.LogCaptureFixture) -> None:
    socket = WebSocket(make_proxy(), "/.grip/publish/")
    await socket.end()
    start, body = socket.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert body["body"] == b"The control path takes no WebSockets.\n"
    assert [record.getMessage() for record in caplog.records] == [
        "Refused with 404: WebSocket /.grip/publish/: The control path takes no WebSockets."
    ]


def test_no_token_shows_in_a_repr() -> None:
    assert TOKEN.decode() not in repr(vars(Authority(TOKEN))["_keys"])
