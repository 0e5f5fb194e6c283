"""``manage.py runserver``: a new project, served as a user would serve it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.e2e.clients import http_client, open_websocket, receive
from tests.e2e.processes import RigProcess
from tests.e2e.waiting import PATIENCE, wait_until

from .project import URLS, Project, interrupt, said

READY = "Quit the server with CONTROL-C."
EMBEDDED = "Realtime: embedded GRIP proxy (WebSockets, streams and long-polls work here)."

pytestmark = pytest.mark.needs("dev")


# Says which files are watched, and from when on.
WATCHING = """
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"watch": {"class": "logging.StreamHandler"}},
    "loggers": {"django.utils.autoreload": {"handlers": ["watch"], "level": "DEBUG"}},
}
"""


class Served:
    """A project that is served on a port."""

    def __init__(self, project: Project, port: int, *options: str) -> None:
        self.project = project
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process: RigProcess = project.start("runserver", f"127.0.0.1:{port}", *options, until=READY)

    def get(self, path: str, **options: Any) -> httpx.Response:
        with http_client(self.url) as client:
            return client.get(path, **options)

    @contextmanager
    def websocket(self) -> Iterator[ClientConnection]:
        with open_websocket(f"ws://127.0.0.1:{self.port}/echo/", compression="deflate") as ws:
            ws.send("hello")
            assert receive(ws) == "echo hello"
            yield ws

    def says(self, text: str, start: int = 0) -> str:
        return said(self.process, text, start)

    def watches(self, file: Path, start: int = 0) -> None:
        """Wait until a change to a file would be noticed."""
        self.says(f"File {file} first seen", start)


@pytest.fixture
def serve(make_project: Callable[..., Project], make_port: Callable[[], int]) -> Callable[..., Served]:
    """Serve a new project: ``serve("--noreload", settings="...")``."""

    def serve(*options: str, **project: Any) -> Served:
        return Served(make_project(**project), make_port(), *options)

    return serve


def closed_with(ws: ClientConnection) -> tuple[int, str]:
    """Wait for the server's close."""
    with pytest.raises(ConnectionClosed) as caught:
        receive(ws)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def test_a_new_project_has_pages_static_files_and_realtime(serve: Callable[..., Served]) -> None:
    site = serve()
    log = site.process.log_text()
    assert re.search(
        rf"System check identified no issues \(0 silenced\)\.\n"
        rf"[\s\S]*Django version \d[\d.]*, using settings 'mysite.settings'\n"
        rf"Starting (ASGI )?development server at http://127\.0\.0\.1:{site.port}/\n"
        rf"{re.escape(READY)}\n",
        log,
    )
    site.says(EMBEDDED)
    assert site.get("/").text == "page one"
    css = site.get("/static/admin/css/base.css")
    assert (css.status_code, css.headers["Content-Type"].partition(";")[0]) == (200, "text/css")
    assert len(css.content) == int(css.headers["Content-Length"]) > 10_000
    again = site.get("/static/admin/css/base.css", headers={"If-Modified-Since": css.headers["Last-Modified"]})
    assert again.status_code == 304
    assert site.get("/static/nothing.css").status_code == 404
    with site.websocket(), http_client(site.url) as client, client.stream("GET", "/feed/") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert "data: first" in response.iter_lines()


def test_the_line_it_prints_publishes(serve: Callable[..., Served]) -> None:
    urls = URLS.replace('channels = ["log"]', 'channels = ["test"]')
    site = serve("--noreload", urls=urls)
    line = re.search(r"Publish to the channel test: (.*)", site.says("/.grip/publish/"))
    assert line is not None
    with http_client(site.url) as client, client.stream("GET", "/log/") as response:
        lines = response.iter_lines()
        assert next(lines) == "[open]"
        command = ["sh", "-c", line[1].replace("curl ", "curl --silent --noproxy '*' ", 1)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert next(lines) == "hello"


def test_another_process_publishes_to_it(serve: Callable[..., Served]) -> None:
    site = serve("--noreload")
    with http_client(site.url) as client, client.stream("GET", "/log/") as response:
        lines = response.iter_lines()
        assert next(lines) == "[open]"
        code = "from django_grip import publish; from gripcontrol import HttpStreamFormat as F;"
        done = site.project.run("shell", "-c", f"{code} publish('log', F('news\\n')).result({PATIENCE})")
        assert (done.returncode, done.stderr) == (0, "")
        assert next(lines) == "news"


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reload", "noreload"])
def test_ctrl_c_ends_it_at_once_and_properly(serve: Callable[..., Served], options: list[str]) -> None:
    site = serve(*options)
    with http_client(site.url) as client, site.websocket() as ws, client.stream("GET", "/log/") as response:
        parts = response.iter_raw()
        assert next(parts) == b"[open]\n"
        assert interrupt(site.process) == 0
        assert closed_with(ws)[0] == 1001
        assert list(parts) == []
    log = site.process.log_text()
    assert "Traceback" not in log
    assert "Exception" not in log


def test_a_plain_kill_parts_with_clients_too(serve: Callable[..., Served]) -> None:
    site = serve()
    with site.websocket() as ws:
        os.kill(site.process.pid, signal.SIGTERM)
        assert closed_with(ws)[0] == 1001
    assert site.process._process is not None
    assert site.process._process.wait(timeout=PATIENCE) == 0


async def test_the_proxy_parts_with_its_clients_before_uvicorn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the signal comes in the very moment in which uvicorn looks whether one came."""
    import uvicorn

    from django_grip.devserver.server import _make_server

    happened: list[str] = []
    tasks: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()

    async def shutdown(server: Any, sockets: Any = None) -> None:
        happened.append("uvicorn")

    async def write() -> None:
        happened.append("a close is written")

    def part() -> None:
        tasks.append(loop.create_task(write()))

    monkeypatch.setattr(uvicorn.Server, "shutdown", shutdown)
    server = _make_server(uvicorn.Config(cast(Any, None)), cast(Any, SimpleNamespace(on_end=lambda: None)))
    loop.call_soon_threadsafe(part)
    await server.shutdown()
    assert happened == ["a close is written", "uvicorn"]


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reload", "noreload"])
def test_a_view_that_takes_its_time_does_not_keep_it(serve: Callable[..., Served], options: list[str]) -> None:
    slow = "import threading\nhang = lambda request: print('it hangs', flush=True) or threading.Event().wait(100)\n"
    urls = f'{slow}{URLS}\nurlpatterns.append(path("hang/", hang))\n'
    site = serve(*options, urls=urls)

    def ask() -> None:
        with pytest.raises(httpx.TransportError):
            site.get("/hang/")

    client = threading.Thread(target=ask)
    client.start()
    site.says("it hangs")
    assert interrupt(site.process) == 0
    client.join(PATIENCE)
    assert not client.is_alive()


def test_a_changed_file_restarts_it_and_clients_are_told(serve: Callable[..., Served]) -> None:
    site = serve(settings=WATCHING)
    with site.websocket() as ws:
        site.watches(site.project.urls_file)
        site.project.urls_file.write_text(URLS.replace("page one", "page two"))
        assert closed_with(ws) == (1012, "service restart")
    wait_until(lambda: answers(site) == "page two", "the new code answers")
    with site.websocket():
        pass
    assert "Traceback" not in site.process.log_text()


def answers(site: Served) -> str:
    try:
        return site.get("/").text
    except httpx.TransportError:
        return ""


def test_bad_code_is_told_and_mended_code_is_served(serve: Callable[..., Served]) -> None:
    site = serve(settings=WATCHING)
    site.watches(site.project.urls_file)
    restart = site.process.log_size()
    site.project.urls_file.write_text("this is no Python\n" + URLS)
    site.says("SyntaxError: invalid syntax", restart)
    site.watches(site.project.urls_file, restart)
    site.project.urls_file.write_text(URLS.replace("page one", "page three"))
    wait_until(lambda: answers(site) == "page three", "the mended code answers")
    with site.websocket():
        pass


def test_code_that_is_bad_from_the_start_is_waited_for(make_project: Any, make_port: Callable[[], int]) -> None:
    project = make_project(settings=f'INSTALLED_APPS.append("shop")\n{WATCHING}')
    app = project.directory / "shop" / "__init__.py"
    app.parent.mkdir()
    app.write_text("this is no Python\n")
    port = make_port()
    process = project.start("runserver", f"127.0.0.1:{port}", until="SyntaxError: invalid syntax")
    said(process, f"File {app} first seen")
    app.write_text("")
    said(process, EMBEDDED)
    assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=PATIENCE).text == "page one"


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reload", "noreload"])
def test_a_port_that_is_taken_is_told_as_by_django(
    make_project: Any, make_port: Callable[[], int], options: list[str]
) -> None:
    port = make_port()
    with socket.create_server(("127.0.0.1", port)):
        done = make_project().run("runserver", f"127.0.0.1:{port}", *options)
    assert done.returncode == 1
    assert "Error: That port is already in use.\n" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("addrport", "text"),
    [
        ("192.0.2.1:8000", "Error: That IP address can't be assigned to.\n"),
        ("nonsense", 'CommandError: "nonsense" is not a valid port number or address:port pair.\n'),
        ("127.0.0.1:x", 'CommandError: "127.0.0.1:x" is not a valid port number or address:port pair.\n'),
        ("no-such-host.invalid:8000", "Error: [Errno"),
    ],
)
def test_an_address_that_cannot_be_is_told_as_by_django(make_project: Any, addrport: str, text: str) -> None:
    done = make_project().run("runserver", "--noreload", addrport)
    assert done.returncode == 1
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may listen on every port")
def test_a_privileged_port_is_told_as_by_django(make_project: Any) -> None:
    done = make_project().run("runserver", "--noreload", "127.0.0.1:1")
    assert "Error: You don't have permission to access that port.\n" in done.stderr


def test_it_listens_on_ipv6(make_project: Any, make_port: Callable[[], int]) -> None:
    port = make_port()
    process = make_project().start("runserver", "--noreload", "-6", str(port), until=READY)
    assert f"development server at http://[::1]:{port}/\n" in process.log_text()
    assert httpx.get(f"http://[::1]:{port}/", trust_env=False, timeout=PATIENCE).text == "page one"


def test_requests_are_logged_once_each(serve: Callable[..., Served]) -> None:
    site = serve("--noreload")
    site.get("/?x=%0a")
    site.get("/missing")
    with site.websocket(), http_client(site.url) as client, client.stream("GET", "/feed/") as response:
        lines = response.iter_lines()
        assert next(lines)
        site.says('"GET /feed/ HTTP/1.1" 200 -\n')
    assert interrupt(site.process) == 0
    stamp = r"\[\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d\] "
    lines = [line for line in site.process.log_text().splitlines() if "HTTP/1.1" in line]
    assert len(lines) == 4
    for line, expected in zip(
        lines,
        [
            r'"GET /\?x=%0a HTTP/1\.1" 200 8',
            r'"GET /missing HTTP/1\.1" 404 \d+',
            r'"WEBSOCKET /echo/ HTTP/1\.1" 101 -',
            r'"GET /feed/ HTTP/1\.1" 200 -',
        ],
        strict=True,
    ):
        assert re.fullmatch(stamp + expected, line)


def test_nostatic_leaves_static_files_to_the_project(serve: Callable[..., Served]) -> None:
    site = serve("--noreload", "--nostatic")
    assert site.get("/static/admin/css/base.css").status_code == 404


def test_without_the_static_files_app_there_are_none(make_project: Any, make_port: Callable[[], int]) -> None:
    project = make_project(settings='INSTALLED_APPS.remove("django.contrib.staticfiles")')
    site = Served(project, make_port(), "--noreload")
    assert site.get("/static/admin/css/base.css").status_code == 404
    assert "unrecognized arguments: --nostatic" in project.run("runserver", "--nostatic").stderr


PROXY = 'GRIP_PROXIES = [{"control_uri": "http://127.0.0.1:5561", "key": "x" * 40}]'


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            PROXY,
            "Realtime: through the GRIP proxy published to at http://127.0.0.1:5561. Clients go to it, not here.",
        ),
        (
            "GRIP_EMBEDDED = False",
            "Realtime: none, as there is no GRIP proxy (GRIP_PROXIES) and the embedded one is off (GRIP_EMBEDDED).",
        ),
    ],
)
def test_it_stands_back_where_another_serves_realtime(serve: Callable[..., Served], settings: str, line: str) -> None:
    site = serve("--noreload", settings=settings)
    site.says(f"{line}\n")
    answer = site.get("/")
    assert answer.text == "page one"
    # Django's own server, and WSGI.
    assert answer.headers["Server"].startswith("WSGIServer/")
    assert site.get("/static/admin/css/base.css").status_code == 200
    assert interrupt(site.process) == 0


def test_without_uvicorn_it_is_django_s_own_and_says_so(serve: Callable[..., Served]) -> None:
    hide = "import sys\nsys.modules['uvicorn'] = None"
    site = serve("--noreload", settings=hide)
    site.says('Realtime: none, as uvicorn or websockets is not installed: pip install "django-grip[dev]"\n')
    assert site.get("/").headers["Server"].startswith("WSGIServer/")


ASGI = """
from django.core.asgi import get_asgi_application as stock
from django_grip.asgi import get_asgi_application

{application}
"""
FOREIGN = """
django = stock()
told = []

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print("foreign", message["type"], flush=True)
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/foreign/":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"foreign"})
        return
    await django(scope, receive, send)
"""
# It has no lifespan: Django's stock handler raises.
PLAIN = """
django = stock()

async def application(scope, receive, send):
    await django(scope, receive, send)
"""


@pytest.mark.parametrize(
    "application",
    ["application = stock()", "application = get_asgi_application()", PLAIN],
    ids=["stock", "ours", "plain"],
)
def test_an_asgi_application_of_the_project_s_is_served(
    make_project: Any, make_port: Callable[[], int], application: str
) -> None:
    project = make_project(settings='ASGI_APPLICATION = "mysite.asgi.application"')
    asgi = project.directory / "mysite" / "asgi.py"
    asgi.write_text(ASGI.format(application=application))
    site = Served(project, make_port(), "--noreload")
    with site.websocket() as ws:
        assert interrupt(site.process) == 0
        assert closed_with(ws)[0] == 1001


def test_another_framework_s_application_is_put_behind_the_proxy(
    make_project: Any, make_port: Callable[[], int]
) -> None:
    project = make_project(settings='ASGI_APPLICATION = "mysite.asgi.application"')
    (project.directory / "mysite" / "asgi.py").write_text(ASGI.format(application=FOREIGN))
    site = Served(project, make_port(), "--noreload")
    site.says("foreign lifespan.startup\n")
    assert site.get("/foreign/").text == "foreign"
    with site.websocket():
        pass
    assert interrupt(site.process) == 0
    assert "foreign lifespan.shutdown\n" in site.process.log_text()


def test_an_asgi_application_that_is_not_there_is_told(make_project: Any) -> None:
    project = make_project(settings='ASGI_APPLICATION = "mysite.nowhere.application"')
    done = project.run("runserver", "--noreload", "0")
    assert done.returncode == 1
    assert "ASGI application 'mysite.nowhere.application' could not be loaded; Error importing module." in done.stderr


def test_help_has_django_s_options(make_project: Any) -> None:
    text = make_project().run("runserver", "--help").stdout
    for option in ("addrport", "--ipv6", "--nothreading", "--noreload", "--nostatic", "--insecure", "--skip-checks"):
        assert option in text
