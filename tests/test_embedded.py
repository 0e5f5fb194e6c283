"""The project's embedded proxy: made of the settings, and published to from its own process and from others."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.urls import path

from django_grip import (
    Event,
    HttpStreamFormat,
    PublishError,
    apublish,
    embedded,
    embedded_transport,
    publish,
    set_hold_stream,
)
from django_grip.asgi import get_asgi_application
from django_grip.conf import derive_secrets, embedded_keys
from django_grip.embedded import control_token, control_url, curl_line
from django_grip.embedded_transport import server_names, serving
from django_grip.exceptions import ItemRejected, ProxyRefused
from django_grip.handler import GripHandler
from django_grip.protocol.keys import load_key
from django_grip.protocol.signatures import decode_token
from django_grip.proxy.asgi import EmbeddedProxy
from django_grip.publisher import forget_publisher, get_publisher
from django_grip.publishing import lifecycle
from django_grip.registry import UNREACHABLE, Server, find_servers, forget_server, note_server

from .asgi_client import PATIENCE, ask
from .fake_proxy import PROXIES
from .publishing.conftest import MakeServer, dead_port, make_server
from .publishing.servers import answer, hang

__all__ = ["dead_port", "make_server"]


@pytest.fixture(autouse=True)
def project(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project with the embedded proxy on, in a process that is no test, on a machine without other servers."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(embedded_transport, "_is_test_run", lambda: False)
    serving.clear()
    settings.DEBUG = True
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [path("feed/", feed), path("me/", me)]})
    settings.MIDDLEWARE = ["django_grip.GripMiddleware"]
    forget_publisher()
    yield
    forget_publisher()


async def feed(request: Any) -> HttpResponse:
    set_hold_stream(request, "test")
    return HttpResponse("open\n")


async def me(request: Any) -> HttpResponse:
    return HttpResponse(f"{request.grip.proxied} {request.grip.signed} {sorted(request.grip.features)[0]}")


class Client:
    """A client of the feed, within the server's process."""

    def __init__(self, proxy: EmbeddedProxy) -> None:
        self.text = ""
        self.gone, self._changed = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(ask(proxy, "/feed/", gone=self.gone, sent=self._take))

    def _take(self, message: dict[str, Any]) -> None:
        self.text += message.get("body", b"").decode()
        self._changed.set()

    async def read_until(self, text: str) -> None:
        async def read() -> None:
            while text not in self.text:
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(read(), PATIENCE)

    async def close(self) -> None:
        self.gone.set()
        await asyncio.wait_for(self.task, PATIENCE)


class Running:
    """A server of the project on this loop, with one client."""

    async def __aenter__(self) -> Running:
        self.proxy = get_asgi_application()
        self._incoming: asyncio.Queue[Any] = asyncio.Queue()
        self._sent: asyncio.Queue[Any] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._lifespan = asyncio.create_task(self.proxy(scope, self._incoming.get, self._sent.put))
        self._incoming.put_nowait({"type": "lifespan.startup"})
        assert (await self._sent.get())["type"] == "lifespan.startup.complete"
        return self

    async def connect(self) -> Client:
        client = Client(self.proxy)
        await client.read_until("open\n")
        return client

    async def __aexit__(self, *args: object) -> None:
        self._incoming.put_nowait({"type": "lifespan.shutdown"})
        assert (await self._sent.get())["type"] == "lifespan.shutdown.complete"
        await self._lifespan


# ---- the proxy


def test_the_application_is_the_project_behind_the_proxy_or_the_project_alone(settings: Any) -> None:
    assert isinstance(get_asgi_application(), EmbeddedProxy)
    settings.GRIP_EMBEDDED = False
    assert isinstance(get_asgi_application(), GripHandler)
    settings.GRIP_EMBEDDED = True
    assert isinstance(get_asgi_application(), EmbeddedProxy)
    settings.GRIP_PROXIES = PROXIES
    assert isinstance(get_asgi_application(), GripHandler)


async def test_its_requests_are_signed_and_believed() -> None:
    answer = await ask(get_asgi_application(), "/me/", headers=[("Grip-Sig", "forged")])
    assert answer.text == "True True filter:require-sub"


async def test_while_keys_are_changed_either_process_believes_the_other(settings: Any) -> None:
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-" * 8
    settings.SECRET_KEY_FALLBACKS = [old]
    proxy = get_asgi_application()
    assert proxy.engine.options.key == embedded_keys()[0]
    for token in derive_secrets("control"):
        headers = [("Authorization", f"Bearer {token}")]
        answer = await ask(proxy, "/.grip/publish/", method="POST", headers=headers, body=b'{"items": []}')
        assert answer.status == 200


def test_the_settings_say_how_many_channels(settings: Any) -> None:
    settings.GRIP_MAX_CHANNELS = 33
    assert get_asgi_application().engine.options.max_channels == 33


@pytest.mark.parametrize(("debug", "status"), [(True, 200), (False, 401)])
async def test_without_a_token_only_debug_publishes(settings: Any, debug: bool, status: int) -> None:
    settings.DEBUG, settings.GRIP_EMBEDDED = debug, True
    proxy = get_asgi_application()
    answer = await ask(on_loopback(proxy), "/.grip/publish/", method="POST", body=b'{"items": []}')
    assert answer.status == status
    # Another name for this machine may be that of a page elsewhere.
    answer = await ask(proxy, "/.grip/publish/", method="POST", body=b'{"items": []}')
    assert answer.status == 401


def on_loopback(application: Any) -> Callable[..., Any]:
    """An application that is asked by the address of this machine."""

    async def ask_it(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"host", b"127.0.0.1:8000"), *(pair for pair in scope["headers"] if pair[0] != b"host")]
        await application({**scope, "headers": headers}, receive, send)

    return ask_it


@pytest.mark.parametrize("debug", [True, False])
async def test_the_line_for_curl_works(settings: Any, debug: bool) -> None:
    settings.DEBUG, settings.GRIP_EMBEDDED, settings.GRIP_PREFIX = debug, True, ""
    words = shlex.split(curl_line("http://127.0.0.1:8000/.grip"))
    assert ("Authorization" in " ".join(words)) is not debug
    assert (words.pop(0), words[-1]) == ("curl", "http://127.0.0.1:8000/.grip/publish/")
    options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    headers = [tuple(options["-H"].split(": ", 1))] if "-H" in options else []
    async with Running() as server:
        client = await server.connect()
        answer = await ask(
            on_loopback(server.proxy),
            urlsplit(words[-1]).path,
            method="POST",
            body=options["-d"].encode(),
            headers=[*headers, ("Content-Type", "application/x-www-form-urlencoded")],
        )
        assert (answer.status, answer.text) == (200, "Published\n")
        await client.read_until("hello\n")
        await client.close()


def test_the_line_for_curl_has_the_prefix(settings: Any) -> None:
    settings.GRIP_PREFIX = "mine-"
    assert '"channel":"mine-test"' in curl_line("http://127.0.0.1:8000/.grip")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/.grip"),
        ("0.0.0.0", "http://127.0.0.1:80/.grip"),
        ("", "http://127.0.0.1:80/.grip"),
        ("localhost", "http://127.0.0.1:80/.grip"),
        ("192.0.2.7", "http://127.0.0.1:80/.grip"),
        ("::", "http://[::1]:80/.grip"),
        ("[::1]", "http://[::1]:80/.grip"),
        ("::1", "http://[::1]:80/.grip"),
        ("::ffff:127.0.0.1", "http://127.0.0.1:80/.grip"),
        ("2001:db8::1", "http://127.0.0.1:80/.grip"),
        ("fe80::1%eth0", "http://127.0.0.1:80/.grip"),
    ],
)
def test_the_control_url_is_one_of_this_machine(host: str, url: str) -> None:
    assert control_url(host, 80) == url


# ---- publishing in the server's process


async def test_a_publish_in_the_servers_process_is_there_at_once() -> None:
    async with Running() as server:
        client = await server.connect()
        publication = publish("test", HttpStreamFormat("1\n"))
        assert publication.done()
        publish("test", HttpStreamFormat("2\n"), blocking=True)
        await apublish("test", HttpStreamFormat("3\n"))
        await asyncio.to_thread(publish, "test", HttpStreamFormat("4\n"))
        await asyncio.to_thread(publish, "test", HttpStreamFormat("5\n"), blocking=True)
        await client.read_until("5\n")
        assert client.text == "open\n1\n2\n3\n4\n5\n"
        await client.close()


async def test_many_threads_may_publish_at_once() -> None:
    async with Running() as server:
        client = await server.connect()

        def work(number: int) -> None:
            for count in range(50):
                publish("test", HttpStreamFormat(f"<{number}.{count}>"), blocking=bool(count % 2))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            publish("test", HttpStreamFormat("<loop>"), blocking=True)
            await asyncio.sleep(0)
        await apublish("test", HttpStreamFormat("end"))
        await client.read_until("end")
        for number in range(4):
            found = [part for part in client.text.removeprefix("open\n").split(">") if part.startswith(f"<{number}.")]
            assert found == [f"<{number}.{count}" for count in range(50)]
        await client.close()


async def test_what_the_proxy_does_for_a_publish_has_none_of_the_requests_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import contextvars

    mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="nobody's")
    seen: list[str] = []
    async with Running() as server:
        monkeypatch.setattr(server.proxy, "publish", lambda items: seen.append(mine.get()))
        mine.set("a request's")
        publish("test", HttpStreamFormat("x"))
    assert seen == ["nobody's"]


async def test_a_bad_item_is_refused_by_the_proxy_in_the_same_process() -> None:
    async with Running():
        publication = publish("test", Event({"a": 1}))
        assert publication.result()[0].url == "the embedded proxy"
        with pytest.raises(PublishError) as raised:
            publish("test", BadFormat(), blocking=True)  # type: ignore[arg-type]
    assert isinstance(raised.value.results[0].error, ItemRejected)


class BadFormat(HttpStreamFormat):
    def export(self) -> dict[str, Any]:  # type: ignore[override]
        return {"action": "no such action"}

    def __init__(self) -> None:
        super().__init__("x")


async def test_publish_servers_are_published_to_as_well(settings: Any, make_server: MakeServer) -> None:
    server = make_server()
    settings.PUBLISH_SERVERS = [{"uri": server.url}]
    async with Running() as running:
        client = await running.connect()
        results = await asyncio.to_thread(lambda: publish("test", HttpStreamFormat("x\n")).result(PATIENCE))
        assert {result.url for result in results} == {server.url, "the embedded proxy"}
        await client.read_until("x\n")
        await client.close()
    assert server.contents() == ["x\n"]


async def test_behind_the_servers_end_nobody_is_published_to() -> None:
    async with Running():
        publish("test", HttpStreamFormat("x"), blocking=True)
    with pytest.raises(PublishError, match="no server of this project is running"):
        publish("test", HttpStreamFormat("x"), blocking=True)


async def test_a_child_of_the_servers_process_is_another_process() -> None:
    async with Running():
        lifecycle._Process.pid = 0  # as after a fork
        lifecycle.notice_fork()
        note_server(names(), "http://127.0.0.1:1/.grip")
        with pytest.raises(PublishError, match="does not listen on"):
            await asyncio.to_thread(publish, "test", HttpStreamFormat("x"), blocking=True)
        forget_server(names())


# ---- publishing from another process


def names() -> tuple[str, ...]:
    return server_names()


async def test_a_server_notes_where_it_is_and_takes_the_note_away() -> None:
    async with Running() as server:
        assert find_servers(names()) == [Server(names()[0], os.getpid(), None)]
        await ask(server.proxy, "/me/")
        assert find_servers(names()) == [Server(names()[0], os.getpid(), "http://127.0.0.1:8000/.grip")]
    assert find_servers(names()) == []


async def test_a_server_without_a_lifespan_is_found_too() -> None:
    proxy = get_asgi_application()
    await ask(proxy, "/me/", server=("0.0.0.0", 9))
    assert [server.url for server in find_servers(names())] == ["http://127.0.0.1:9/.grip"]
    embedded._end_all()
    assert find_servers(names()) == []


async def test_a_server_on_a_unix_socket_is_published_to_in_its_own_process_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Running() as server:
        await ask(server.proxy, "/me/", server=("/run/app.sock", None))
        assert [server.url for server in find_servers(names())] == [UNREACHABLE]
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(embedded_transport, "serving", [])
            forget_publisher()
            text = f"process {os.getpid()}) listens on no port, so only it can publish to its clients"
            with pytest.raises(PublishError, match=re.escape(text)):
                await apublish("test", HttpStreamFormat("a\n"))
        forget_publisher()
        client = await server.connect()
        await apublish("test", HttpStreamFormat("b\n"))
        await client.read_until("b\n")
        await client.close()


def test_when_no_server_runs_it_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    with pytest.raises(PublishError) as raised:
        publish("test", HttpStreamFormat("x"), blocking=True)
    assert str(raised.value) == ("Not published to the proxy: the embedded proxy: no server of this project is running")
    assert isinstance(raised.value.results[0].error, ProxyRefused)
    assert time.monotonic() - began < get_publisher().policy.timeout / 2
    assert [record.getMessage() for record in caplog.records] == [
        "1 item was not published to the embedded proxy: no server of this project is running."
    ]


def test_a_server_that_no_client_has_come_to_has_nobody_to_miss_anything() -> None:
    note_server(names(), None)
    assert publish("test", HttpStreamFormat("x"), blocking=True).results[0].error is None


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    """The running servers, as a test wants them."""
    found: list[Server] = []
    monkeypatch.setattr(embedded_transport, "find_servers", lambda names: list(found))
    return found


def test_every_running_server_is_published_to_also_those_that_come_later(
    servers: list[Server], make_server: MakeServer
) -> None:
    first, second = make_server(), make_server()
    servers.append(Server(names()[0], 1, first.url))
    publish("test", HttpStreamFormat("1"), blocking=True)
    servers.append(Server(names()[0], 2, second.url))
    publish("test", HttpStreamFormat("2"), blocking=True)
    servers.pop(0)
    publish("test", HttpStreamFormat("3"), blocking=True)
    assert (first.contents(), second.contents()) == (["1", "2"], ["2", "3"])


def test_the_token_is_good_for_a_minute_and_made_of_the_servers_secret(
    servers: list[Server], make_server: MakeServer, settings: Any
) -> None:
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-" * 8
    settings.SECRET_KEY_FALLBACKS = [old]
    server = make_server()
    servers.append(Server(names()[1], 1, server.url))
    publish("test", HttpStreamFormat("1"), blocking=True)
    header = server.requests[0].headers["authorization"]
    token = header.removeprefix("Bearer ")
    claims = decode_token(token, load_key(derive_secrets("control")[1]))
    assert claims is not None
    assert 0 < claims["exp"] - time.time() <= 60
    assert control_token() not in header


def test_a_server_that_has_closed_its_doors_is_named(servers: list[Server], dead_port: int) -> None:
    url = f"http://127.0.0.1:{dead_port}"
    servers.append(Server(names()[0], 4711, url))
    with pytest.raises(PublishError, match=rf"\(process 4711\) does not listen on {url}$"):
        publish("test", HttpStreamFormat("1"), blocking=True)


def test_another_users_server_on_the_port_gets_nothing(
    servers: list[Server], make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    anothers, ours = make_server(), make_server()
    monkeypatch.setattr(embedded_transport, "is_another_users", lambda url: url == anothers.url)
    servers += [Server(names()[0], 1, anothers.url), Server(names()[0], 2, ours.url)]
    with pytest.raises(PublishError, match=f"another user's process listens on {anothers.url}; nothing is sent there"):
        publish("test", HttpStreamFormat("1"), blocking=True)
    assert (anothers.requests, ours.contents()) == ([], ["1"])


def test_a_server_that_comes_after_another_on_its_port_is_looked_at_anew(
    servers: list[Server], make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(embedded_transport, "is_another_users", lambda url: looks.append(url))
    server = make_server()
    for pid, times in ((1, 2), (2, 2)):
        servers[:] = [Server(names()[0], pid, server.url)]
        for _ in range(times):
            publish("test", HttpStreamFormat(f"{pid}"), blocking=True)
    assert (server.contents(), looks) == (["1", "1", "2", "2"], [server.url] * 2)


def test_one_server_that_fails_does_not_keep_an_item_from_the_others(
    servers: list[Server], make_server: MakeServer, settings: Any
) -> None:
    settings.GRIP_PUBLISH_TIMEOUT = 0.3
    bad, good = make_server(answer(500)), make_server()
    servers += [Server(names()[0], 1, bad.url), Server(names()[0], 2, good.url)]
    with pytest.raises(PublishError, match="it answered 500"):
        publish("test", HttpStreamFormat("1"), blocking=True)
    assert good.contents() == ["1"]


def test_a_bad_item_is_refused_by_a_server_elsewhere(servers: list[Server], make_server: MakeServer) -> None:
    servers.append(Server(names()[0], 1, make_server(answer(400, "Invalid format: no")).url))
    with pytest.raises(PublishError) as raised:
        publish("test", HttpStreamFormat("1"), blocking=True)
    assert isinstance(raised.value.results[0].error, ItemRejected)


def test_a_server_that_hangs_does_not_hold_up_who_does_not_wait(servers: list[Server], make_server: MakeServer) -> None:
    server = make_server(hang)
    servers.append(Server(names()[0], 1, server.url))
    assert not publish("test", HttpStreamFormat("1")).done()
    server.released.set()


def test_two_projects_do_not_find_each_other(settings: Any) -> None:
    note_server(names(), "http://127.0.0.1:8000/.grip")
    mine = names()
    settings.SECRET_KEY = "another-" * 8
    assert (find_servers(names()), len(find_servers(mine))) == ([], 1)
    forget_server(mine)


# ---- tests of users


def test_under_djangos_test_runner_items_are_taken_in_and_reach_nobody(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    forget_publisher()
    settings.DEBUG = False
    publication = publish("test", HttpStreamFormat("x"))
    assert [result.error for result in publication.results] == [None]
    with pytest.raises(PublishError, match="Not published"):
        publish("test", BadFormat(), blocking=True)  # type: ignore[arg-type]
