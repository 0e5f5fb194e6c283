"""``make demo`` and its like: what they print works, Ctrl-C ends it all, and what is missing is said."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from .clients import HeldStream, http_client, open_events, open_stream, open_websocket, read_repeated, receive
from .ports import PortLease
from .processes import RigProcess
from .servers import ROOT
from .waiting import growing, wait_until

DEMO = [sys.executable, str(ROOT / "examples" / "demo.py")]

ENGINES = [
    pytest.param([], marks=pytest.mark.needs("dev"), id="embedded"),
    pytest.param(["--pushpin"], marks=pytest.mark.needs("pushpin"), id="pushpin"),
]


@pytest.fixture
def port() -> Iterator[int]:
    lease = PortLease()
    yield lease.port
    lease.close()


@contextmanager
def running_demo(directory: Path, port: int, *arguments: str) -> Iterator[tuple[RigProcess, str]]:
    """Run a demo; what comes is its process and the address it prints."""
    env = {
        "BOARD_DATABASE": str(directory / "board.sqlite3"),
        "TICKETS_DATABASE": str(directory / "tickets.sqlite3"),
    }
    demo = RigProcess("demo", [*DEMO, "--port", str(port), *arguments], log=directory / "log", env=env)
    demo.start()
    try:
        url = wait_until(lambda: printed_address(demo), "the demo prints its address")
        # Pushpin listens before its way back from the application is there, and what was asked meanwhile is lost.
        seconds = growing(2)
        wait_until(lambda: answers(url, next(seconds)), "the demo answers")
        yield demo, url
    finally:
        demo.close()


def printed_address(demo: RigProcess) -> str | None:
    demo.check_alive()
    found = re.search(r"^  (http://127\.0\.0\.1:\d+)/$", demo.log_text(), re.MULTILINE)
    return found[1] if found else None


def answers(url: str, seconds: float) -> bool:
    with http_client(url, timeout=seconds) as client:
        try:
            return client.get("/").status_code == 200
        except httpx.TransportError:
            return False


def end_with_ctrl_c(demo: RigProcess) -> None:
    processes = [psutil.Process(demo.pid), *psutil.Process(demo.pid).children(recursive=True)]
    # A terminal tells every one of them.
    os.killpg(demo.pid, signal.SIGINT)
    wait_until(lambda: not demo.is_alive(), "Ctrl-C ends the demo")
    wait_until(lambda: not any(process.is_running() for process in processes), "its processes end with it")


def read_line(stream: HeldStream, line: str) -> None:
    assert stream.read_until(f"{line}\n").strip(b"\n") == line.encode()


@pytest.mark.parametrize("arguments", ENGINES)
def test_the_board_is_where_it_says_and_ends_with_ctrl_c(tmp_path: Path, port: int, arguments: list[str]) -> None:
    with running_demo(tmp_path, port, "board", *arguments) as (demo, url), http_client(url) as client:
        assert url == f"http://127.0.0.1:{port}"
        assert client.get("/").status_code == 200
        with (
            open_events(client, "/board/") as events,
            open_websocket(url.replace("http:", "ws:") + "/assistant/") as ws,
        ):
            assert next(events).json()["text"] == "Drag me about"
            ws.send('{"ask": "Who is here?", "key": 1}')
            # Its first words may come before the proxy has subscribed the connection to its own channel.
            while receive(ws) != '{"done":true,"key":1}':
                pass
            ws.send('{"ask": "Who is here?", "key": 2}')
            assert receive(ws) == '{"word":"Only","key":2}'
            end_with_ctrl_c(demo)
    said = demo.log_text()
    assert ("Pushpin serves realtime." in said) == bool(arguments)
    assert ("Realtime is served by runserver itself." in said) != bool(arguments)
    assert "Traceback" not in said


@pytest.mark.needs("dev")
def test_the_demo_takes_another_port_where_its_own_is_taken(tmp_path: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), running_demo(tmp_path, port, "board") as (_, url):
        assert url != f"http://127.0.0.1:{port}"
        with http_client(url) as client:
            assert "<title>Board" in client.get("/").text


@pytest.mark.parametrize("arguments", ENGINES)
def test_what_the_function_views_demo_says_works(tmp_path: Path, port: int, arguments: list[str]) -> None:
    with running_demo(tmp_path, port, "function_views", *arguments) as (demo, url), http_client(url) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "Grip" not in " ".join(page.headers)
        token = {"X-CSRFToken": client.cookies["csrftoken"]}
        with open_stream(client, "/stream/") as stream:
            read_line(stream, "[stream open]")
            line = {"data": {"line": "hello"}, "headers": token}
            assert client.post("/stream/", **line).text == "sent\n"
            read = read_repeated(stream, "hello\n", lambda: client.post("/stream/", **line).raise_for_status())
            assert read.strip(b"\n") == b"hello"
        with open_websocket(url.replace("http:", "ws:") + "/echo/") as ws:
            ws.send("hello")
            assert receive(ws) == "hello"
        processes = psutil.Process(demo.pid).children(recursive=True)
        os.kill(demo.pid, signal.SIGTERM)
        wait_until(lambda: not demo.is_alive(), "a plain kill ends the demo")
        wait_until(lambda: not any(process.is_running() for process in processes), "its processes end with it")


@pytest.mark.needs("rest")
@pytest.mark.parametrize("arguments", ENGINES)
def test_what_the_rest_demo_says_works(tmp_path: Path, port: int, arguments: list[str]) -> None:
    with running_demo(tmp_path, port, "rest_tickets", *arguments) as (demo, url), http_client(url) as client:
        assert "<title>Help desk" in client.get("/").text
        assert f"ws://ada:ada@127.0.0.1:{port}/api/tickets/" in demo.log_text()
        client.auth = ("ada", "ada")
        titles = [ticket["title"] for ticket in client.get("/api/tickets/").json()]
        assert "The coffee machine blinks" in titles
        with (
            open_events(client, "/api/tickets/", headers={"Accept": "text/event-stream"}) as events,
            open_websocket(f"ws://ada:ada@127.0.0.1:{port}/api/tickets/") as ws,
        ):
            assert [ticket["title"] for ticket in next(events).json()["data"]] == titles
            ws.send('{"action": "list", "ref": 1}')
            subscribed, answer = (json.loads(message) for message in receive(ws, 2))
            assert subscribed["action"] == "subscribed"
            assert [ticket["title"] for ticket in answer["data"]] == titles
            end_with_ctrl_c(demo)
    assert "Traceback" not in demo.log_text()


def test_without_pushpin_the_demo_says_so_in_one_sentence(tmp_path: Path) -> None:
    command = [*DEMO, "board", "--pushpin"]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "This demo needs Pushpin, which is not installed here: on Debian and Ubuntu, apt-get install pushpin; "
        "elsewhere see https://pushpin.org/docs/install/.\n"
    )
    assert done.stdout == ""
