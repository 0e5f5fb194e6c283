"""Run an example on this machine: ``make demo``, ``make demo-rest``, ``make demo-functions``. Ctrl-C ends it all.

It is what you would type yourself: ``manage.py migrate`` and ``manage.py runserver``, which serves realtime by itself.
With ``--pushpin`` the same code runs behind Pushpin: then ``manage.py pushpin`` runs beside it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# Seconds. A slow machine takes its time to start; and what was asked to end is then ended by force.
STARTS_IN, ENDS_IN = 60, 10

NO_PUSHPIN = (
    "This demo needs Pushpin, which is not installed here: on Debian and Ubuntu, apt-get install pushpin; "
    "elsewhere see https://pushpin.org/docs/install/."
)

BOARD = """
The board is at

  {url}/

Open it in two windows, move a note, say something, then change a file in examples/board: both come back by themselves.
From a terminal you can watch it, too:

  curl -N {url}/board/                        # Server-Sent Events
  curl -i {url}/document/                     # a long-poll: send its ETag back as If-None-Match
  {python} -m websockets {ws_url}/assistant/  # type {{"ask": "Who is here?", "key": 1}}
"""

FUNCTION_VIEWS = """
The example is at

  {url}/

Open it in two windows, or try it from a second terminal:

  curl -N {url}/stream/                       # stays open; now, from a third one:

  curl -s -c cookies.txt -o token.html {url}/
  curl -b cookies.txt -H "X-CSRFToken: $(awk '/csrftoken/ {{print $7}}' cookies.txt)" -d line=hello {url}/stream/

  {python} -m websockets {ws_url}/echo/       # type, and it comes back
"""

REST_TICKETS = """
The help desk is at

  {url}/

Log in as Ada, open a second window as Ben or Cy, create a ticket, move it; then change one in the admin, as Ada.
{url}/api/tickets/ is one URL for all of it; in a browser it has a panel to try it out. From a terminal:

  curl -u ada:ada {url}/api/tickets/
  curl -u ada:ada -N -H "Accept: text/event-stream" {url}/api/tickets/
  {python} -m websockets {ws_url_of_ada}/api/tickets/    # type {{"action": "list", "ref": 1}}
"""

WELCOMES = {"board": BOARD, "function_views": FUNCTION_VIEWS, "rest_tickets": REST_TICKETS}
# What has to be done once before an example is served; it does no harm a second time.
PREPARATIONS = {
    "board": [["migrate", "--verbosity", "0"]],
    "rest_tickets": [["migrate", "--verbosity", "0"], ["demo_data"]],
}
EMBEDDED = "Realtime is served by runserver itself."
BEHIND_PUSHPIN = "Pushpin serves realtime. Django itself is at http://127.0.0.1:{port}/, where it holds nothing open."
GOODBYE = "What follows is what Django logs. Ctrl-C ends it all."


def main() -> int:
    options = read_options()
    if options.pushpin and not (shutil.which("pushpin") and shutil.which("zurl")):
        print(NO_PUSHPIN, file=sys.stderr)
        return 1
    # A plain kill shall clean up as a Ctrl-C does.
    signal.signal(signal.SIGTERM, interrupt)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        return run(options.example, processes, port=options.port, behind_pushpin=options.pushpin)
    except KeyboardInterrupt:
        return 0
    finally:
        # A second Ctrl-C shall not leave anything behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in processes:
            stop(process)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs an example on this machine.")
    parser.add_argument("example", choices=WELCOMES)
    parser.add_argument("--pushpin", action="store_true", help="behind Pushpin, in place of the embedded proxy")
    parser.add_argument("--port", type=int, default=8000, help="another is taken if this one is (default: 8000)")
    return parser.parse_args()


def run(example: str, processes: list[subprocess.Popen[bytes]], *, port: int, behind_pushpin: bool) -> int:
    """Start what is needed, say where it is, and wait for its end; what was started is in `processes`."""
    port = public_port = find_port(port)
    env = {}
    if behind_pushpin:
        port, control_port = find_port(0), find_port(0)
        env = {"PUSHPIN_CONTROL_URI": f"http://127.0.0.1:{control_port}", "PUSHPIN_KEY": secrets.token_urlsafe(32)}
    for command in PREPARATIONS.get(example, []):
        preparing = manage(example, env, *command)
        if preparing.wait():
            return preparing.returncode
    processes.append(manage(example, env, "runserver", f"127.0.0.1:{port}"))
    if behind_pushpin:
        target = f"127.0.0.1:{port}"
        processes.append(manage(example, env, "pushpin", f"127.0.0.1:{public_port}", "--target", target))
    if wait_for_ports(processes, {port, public_port}):
        serves = BEHIND_PUSHPIN.format(port=port) if behind_pushpin else EMBEDDED
        welcome(example, f"http://127.0.0.1:{public_port}", serves)
    # The end of one is the end of all.
    while all(process.poll() is None for process in processes):
        time.sleep(0.2)
    return max(process.poll() or 0 for process in processes)


def manage(example: str, env: Mapping[str, str], *command: str) -> subprocess.Popen[bytes]:
    """Start one of the example's management commands."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **env}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    line = [sys.executable, str(HERE / example / "manage.py"), *command]
    return subprocess.Popen(line, cwd=HERE / example, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - ours


def wait_for_ports(processes: list[subprocess.Popen[bytes]], ports: set[int]) -> bool:
    """Wait until somebody listens on each port; False if a process has ended instead, or time is up."""
    end = time.monotonic() + STARTS_IN
    while time.monotonic() < end and all(process.poll() is None for process in processes):
        if all(map(accepts, ports)):
            return True
        time.sleep(0.1)
    return False


def find_port(preferred: int) -> int:
    """The preferred port, or any other if that is taken."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", preferred))
        except OSError:
            free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def welcome(example: str, url: str, serves: str) -> None:
    python = min(os.path.relpath(sys.executable), sys.executable, key=len)
    ws_url = url.replace("http:", "ws:")
    ws_url_of_ada = ws_url.replace("//", "//ada:ada@")
    text = WELCOMES[example].format(url=url, ws_url=ws_url, ws_url_of_ada=ws_url_of_ada, python=python)
    print(f"{text}\n{serves}\n{GOODBYE}\n", flush=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(timeout=ENDS_IN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
