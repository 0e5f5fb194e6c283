"""Run this example behind Pushpin, on this machine only: ``make demo``. Ctrl-C ends both.

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
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from tests.e2e.ports import PortLease, accepts  # noqa: E402 - found only now
from tests.e2e.pushpin import Pushpin  # noqa: E402
from tests.e2e.waiting import wait_until  # noqa: E402
from tests.needs import NEEDS  # noqa: E402

NO_PUSHPIN = (
    "This demo needs Pushpin, which is not installed here: on Debian and Ubuntu, apt-get install pushpin; "
    "elsewhere see https://pushpin.org/docs/install/."
)

WELCOME = """
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


def main() -> int:
    if not NEEDS["pushpin"].is_there():
        print(NO_PUSHPIN, file=sys.stderr)
        return 1
    # A plain kill shall clean up as a Ctrl-C does.
    signal.signal(signal.SIGTERM, interrupt)
    app_port = PortLease(8000)
    pushpin = Pushpin(app_port.port, http_port=7999)
    app: subprocess.Popen[bytes] | None = None
    try:
        app = start_app(app_port.port, pushpin)
        pushpin.start()
        wait_until(lambda: app.poll() is not None or accepts(app_port.port), "Django listens")
        if app.poll() is None:
            welcome(app_port.port, pushpin)
        return app.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        # A second Ctrl-C shall not leave anything behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if app is not None:
            stop_app(app)
        pushpin.close()
        app_port.close()


def start_app(port: int, pushpin: Pushpin) -> subprocess.Popen[bytes]:
    """Start Django's own server, told where its proxy is."""
    env = {
        **os.environ,
        "PUSHPIN_CONTROL_URI": pushpin.control_url,
        "PUSHPIN_KEY": pushpin.sig_key,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    env.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, str(HERE / "manage.py"), "runserver", "--noreload", f"127.0.0.1:{port}"]
    return subprocess.Popen(command, cwd=HERE, env=env, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command


def stop_app(app: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        app.terminate()
    try:
        app.wait(timeout=10)
    except subprocess.TimeoutExpired:
        app.kill()
        app.wait()


def welcome(app_port: int, pushpin: Pushpin) -> None:
    text = WELCOME.format(
        url=pushpin.url,
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
