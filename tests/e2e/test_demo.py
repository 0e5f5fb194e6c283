"""``make demo``: what it prints works, it ends with Ctrl-C, and without Pushpin it says what is missing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from .clients import HeldStream, http_client, open_stream, open_websocket, receive
from .processes import RigProcess
from .servers import ROOT
from .waiting import wait_until

DEMO = [sys.executable, str(ROOT / "examples" / "demo.py"), "function_views"]


@contextmanager
def running_demo(log: Path) -> Iterator[tuple[RigProcess, str]]:
    """Run the demo; what comes is its process and the address it prints."""
    demo = RigProcess("demo", DEMO, log=log)
    demo.start()
    try:
        yield demo, wait_until(lambda: printed_address(demo), "the demo prints its address")
    finally:
        demo.close()


def printed_address(demo: RigProcess) -> str | None:
    demo.check_alive()
    found = re.search(r"curl -N (http://127\.0\.0\.1:\d+)/stream/", demo.log_text())
    return found[1] if found else None


def read_line(stream: HeldStream, line: str) -> None:
    assert stream.read_until(f"{line}\n").strip(b"\n") == line.encode()


@pytest.mark.needs("pushpin")
def test_the_demo_runs_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    with running_demo(tmp_path / "log") as (demo, url), http_client(url) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "Grip" not in " ".join(page.headers)
        token = {"X-CSRFToken": client.cookies["csrftoken"]}
        with open_stream(client, "/stream/") as stream:
            read_line(stream, "[stream open]")
            assert client.post("/stream/", data={"line": "hello"}, headers=token).text == "sent\n"
            read_line(stream, "hello")
        with open_websocket(url.replace("http:", "ws:") + "/echo/") as ws:
            ws.send("hello")
            assert receive(ws) == "hello"
        processes = psutil.Process(demo.pid).children(recursive=True)
        assert {"pushpin", "zurl"} <= {process.name() for process in processes}
        os.kill(demo.pid, signal.SIGINT)
        wait_until(lambda: not demo.is_alive(), "Ctrl-C ends the demo")
        wait_until(lambda: not any(process.is_running() for process in processes), "its processes end with it")


def test_without_pushpin_the_demo_says_so_in_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(DEMO, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == (
        "This demo needs Pushpin, which is not installed here: on Debian and Ubuntu, apt-get install pushpin; "
        "elsewhere see https://pushpin.org/docs/install/.\n"
    )
    assert done.stdout == ""
