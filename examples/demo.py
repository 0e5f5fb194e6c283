"""Run an example behind Pushpin, on this machine only: ``make demo``, ``make demo-functions``. Ctrl-C ends it all.

In a project of your own you would install Pushpin as a service and point its routes at Django; here it runs with a
configuration of its own, on free ports, and what it writes is removed at the end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.ports import PortLease, accepts  # noqa: E402 - found only now
from tests.e2e.pushpin import Pushpin  # noqa: E402
from tests.e2e.waiting import wait_until  # noqa: E402
from tests.needs import NEEDS  # noqa: E402

NO_PUSHPIN = (
    "This demo needs Pushpin, which is not installed here: on Debian and Ubuntu, apt-get install pushpin; "
    "elsewhere see https://pushpin.org/docs/install/."
)

CLASS_VIEWS = """
The example runs behind Pushpin. Open it in two windows (by two names, as a browser allows each six connections):

  {url}/
  {other_url}/

or try it from a second terminal:

  curl -N {url}/ticker/                       # Server-Sent Events
  curl -N {url}/log/                          # a stream of text
  curl -i {url}/documents/notes/              # a long-poll: send its ETag back as If-None-Match
  {python} -m websockets {ws_url}/assistant/  # type {{"ask": "Who are you?"}}

Django itself is at {app_url}/, Pushpin's control port at {control_url}/.
What follows are the requests that Django gets. Ctrl-C ends it all.
"""

FUNCTION_VIEWS = """
The example runs behind Pushpin. Open it in two windows:

  {url}/

or try it from a second terminal:

  curl -N {url}/stream/                       # stays open; now, from a third one:

  curl -s -c cookies.txt -o token.html {url}/
  curl -b cookies.txt -H "X-CSRFToken: $(awk '/csrftoken/ {{print $7}}' cookies.txt)" -d line=hello {url}/stream/

  {python} -m websockets {ws_url}/echo/       # type, and it comes back

Django itself is at {app_url}/, Pushpin's control port at {control_url}/.
What follows are the requests that Django gets. Ctrl-C ends it all.
"""

WELCOMES = {"class_views": CLASS_VIEWS, "function_views": FUNCTION_VIEWS}
# What runs beside the server.
COMMANDS = {"class_views": [["tick"]], "function_views": []}


def main() -> int:
    example = sys.argv[1] if len(sys.argv) == 2 else ""
    if example not in WELCOMES:
        print(f"Say which example: {' or '.join(WELCOMES)}.", file=sys.stderr)
        return 2
    if not NEEDS["pushpin"].is_there():
        print(NO_PUSHPIN, file=sys.stderr)
        return 1
    # A plain kill shall clean up as a Ctrl-C does.
    signal.signal(signal.SIGTERM, interrupt)
    app_port = PortLease(8000)
    pushpin = Pushpin(app_port.port, http_port=7999)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        server = ["runserver", "--noreload", f"127.0.0.1:{app_port.port}"]
        processes.extend(manage(example, pushpin, *command) for command in [server, *COMMANDS[example]])
        app = processes[0]
        pushpin.start()
        wait_until(lambda: app.poll() is not None or accepts(app_port.port), "Django listens")
        if app.poll() is None:
            welcome(example, app_port.port, pushpin)
        return app.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        # A second Ctrl-C shall not leave anything behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in processes:
            stop(process)
        pushpin.close()
        app_port.close()


def manage(example: str, pushpin: Pushpin, *command: str) -> subprocess.Popen[bytes]:
    """Start one of the example's management commands, told where its proxy is."""
    env = {
        **os.environ,
        "PUSHPIN_CONTROL_URI": pushpin.control_url,
        "PUSHPIN_KEY": pushpin.sig_key,
        "EXAMPLE_CACHE": str(pushpin.directory / "cache"),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    env.pop("DJANGO_SETTINGS_MODULE", None)
    line = [sys.executable, str(HERE / example / "manage.py"), *command]
    return subprocess.Popen(line, cwd=HERE / example, env=env, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command


def stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def welcome(example: str, app_port: int, pushpin: Pushpin) -> None:
    text = WELCOMES[example].format(
        url=pushpin.url,
        other_url=pushpin.url.replace("127.0.0.1", "localhost"),
        ws_url=pushpin.url.replace("http:", "ws:"),
        app_url=f"http://127.0.0.1:{app_port}",
        control_url=pushpin.control_url,
        python=min(os.path.relpath(sys.executable), sys.executable, key=len),
    )
    print(text, flush=True)


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
