"""``manage.py pushpin``: a real Pushpin in front of a new project, and its configuration written for production."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import psutil
import pytest

from django_grip import pushpin_process
from django_grip.pushpin_process import PushpinProcess
from tests.e2e.clients import http_client, open_websocket, receive
from tests.e2e.processes import RigProcess
from tests.e2e.waiting import PATIENCE, wait_until

from .project import Project, interrupt, said

READY = "Quit with CONTROL-C."
# What an ini file makes of it is not what it is.
KEY = 'k, e; y "\\x41" {rundir} 0123456789-0123456789'


class Setup:
    """A project behind Pushpin."""

    def __init__(self, project: Project, make_port: Callable[[], int]) -> None:
        self.project = project
        self.port, self.target, self.control = make_port(), make_port(), make_port()
        project.add_settings(f"""
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
GRIP_PROXIES = [{{"control_uri": "http://127.0.0.1:{self.control}", "key": {KEY!r}}}]
""")

    def serve(self) -> RigProcess:
        return self.project.start("runserver", "--noreload", f"{self.target}", until="Quit the server")

    def start(self, *options: str) -> RigProcess:
        return self.project.start("pushpin", str(self.port), "--target", str(self.target), *options, until=READY)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        return http_client(self.url)


@pytest.fixture
def conf() -> Iterator[Path]:
    """A directory that is not there yet, with a name short enough for sockets."""
    parent = Path(tempfile.mkdtemp(prefix="grip-"))
    yield parent / "conf"
    shutil.rmtree(parent)


@pytest.fixture
def setup(make_project: Callable[..., Project], make_port: Callable[[], int]) -> Setup:
    return Setup(make_project(), make_port)


def family_of(process: RigProcess) -> list[psutil.Process]:
    """What a command has started, itself left out."""
    return psutil.Process(process.pid).children(recursive=True)


def directory_of(process: RigProcess) -> Path:
    """Where the configuration of its Pushpin is."""
    words = [word for child in family_of(process) for word in child.cmdline() if word.startswith("--config=")]
    return Path(words[0].removeprefix("--config=")).parent


def wait_gone(processes: list[psutil.Process]) -> None:
    wait_until(lambda: not [p for p in processes if p.is_running() and p.status() != "zombie"], "all have ended")


@pytest.mark.needs("pushpin")
def test_clients_reach_the_project_through_it(setup: Setup) -> None:
    setup.serve()
    pushpin = setup.start()
    assert pushpin.log_text().startswith(
        f"Pushpin 1.36 takes clients at http://127.0.0.1:{setup.port}/\n"
        f"in front of Django at http://127.0.0.1:{setup.target}/, which python manage.py runserver "
        f"127.0.0.1:{setup.target} starts.\n"
        f"{READY}\n"
    )
    with setup.client() as client:
        forged = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "Grip-Sig": "forged"}
        assert client.get("/whoami/", headers=forged).json() == {
            "signed": True,
            "proxied": True,
            "forwarded": ["127.0.0.1", None],
        }
        with client.stream("GET", "/log/") as response:
            lines = response.iter_lines()
            assert next(lines) == "[open]"
            said(pushpin, "channel=log")
            code = "from django_grip import publish; from gripcontrol import HttpStreamFormat as F;"
            done = setup.project.run("shell", "-c", f"{code} publish('log', F('news\\n')).result({PATIENCE})")
            assert (done.returncode, done.stderr) == (0, "")
            assert next(lines) == "news"
    with open_websocket(f"ws://127.0.0.1:{setup.port}/echo/", origin=setup.url, compression="deflate") as ws:
        ws.send("hello")
        assert receive(ws) == "echo hello"


def test_what_it_says_is_shown_behind_what_the_command_says(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    pushpin = PushpinProcess(cast(Any, None), probe="probe.invalid", show=shown.append)
    lines = ["GET probe.invalid\n", "a line\n"]
    pushpin._process = cast(Any, SimpleNamespace(stdout=lines, poll=lambda: None, wait=lambda: 0))
    pushpin._started = set(pushpin_process._SERVICES)
    monkeypatch.setattr(pushpin, "_takes_items", lambda: True)
    monkeypatch.setattr(pushpin, "_passes", lambda: True)
    assert pushpin.wait_ready()
    pushpin._read()
    assert shown == []
    assert pushpin.wait() == 0
    pushpin._read()
    assert shown == ["a line"] * 2


@pytest.mark.needs("pushpin")
def test_behind_tls_the_server_in_front_is_believed(setup: Setup) -> None:
    setup.serve()
    setup.start("--behind-tls")
    with setup.client() as client:
        headers = {"X-Forwarded-For": "1.2.3.4, 5.6.7.8", "X-Forwarded-Proto": "https"}
        assert client.get("/whoami/", headers=headers).json()["forwarded"] == ["5.6.7.8", "https"]


@pytest.mark.needs("pushpin", "crypto")
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_it_signs_with_a_private_key(setup: Setup, tmp_path: Path, kind: str) -> None:
    from tests.test_pushpin_config import pair

    private, public = pair(kind)
    key = tmp_path / "key.pem"
    key.write_text(private)
    setup.project.add_settings(f"""
GRIP_PROXIES = [{{
    "control_uri": "http://127.0.0.1:{setup.control}", "verify_key": {public!r}, "verify_iss": 'a, "b" \\\\ ключ',
}}]
""")
    setup.serve()
    pushpin = setup.start("--sig-key", str(key))
    assert stat.S_IMODE((directory_of(pushpin) / "sig_key.pem").stat().st_mode) == 0o600
    with setup.client() as client:
        assert client.get("/whoami/").json()["signed"] is True


@pytest.mark.needs("pushpin")
def test_it_is_private_and_listens_where_it_says_only(setup: Setup) -> None:
    pushpin = setup.start()
    directory = directory_of(pushpin)
    assert directory.parent == Path(tempfile.gettempdir())
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [directory, *directory.iterdir()]}
    assert modes == {
        directory.name: 0o700,
        "log": 0o700,
        "run": 0o700,
        "pushpin.conf": 0o600,
        "routes": 0o600,
    }
    pids = {child.pid for child in family_of(pushpin)}
    listening = [c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in pids]
    assert sorted(listening) == sorted([("127.0.0.1", setup.port), ("127.0.0.1", setup.control)])


@pytest.mark.needs("pushpin")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_end_ends_everything_and_leaves_nothing(setup: Setup, end: signal.Signals) -> None:
    pushpin = setup.start()
    services = {"condure", "zurl", "pushpin-proxy", "pushpin-handler"}
    # Clients can be taken before each of them is what it will be.
    wait_until(lambda: services <= {p.name() for p in family_of(pushpin)}, "all services run")
    family, directory = family_of(pushpin), directory_of(pushpin)
    assert pushpin._process is not None
    os.kill(pushpin.pid, end)
    assert pushpin._process.wait(timeout=PATIENCE) == 0
    wait_gone(family)
    assert not directory.exists()
    assert "Traceback" not in pushpin.log_text()


@pytest.mark.needs("pushpin")
def test_it_dies_with_its_command(setup: Setup) -> None:
    pushpin = setup.start()
    family, directory = family_of(pushpin), directory_of(pushpin)
    os.kill(pushpin.pid, signal.SIGKILL)
    wait_gone(family)
    wait_until(lambda: not directory.exists(), "its directory was removed")


@pytest.mark.needs("pushpin")
def test_a_pushpin_that_is_killed_is_told_and_leaves_nothing(setup: Setup) -> None:
    pushpin = setup.start()
    family, directory = family_of(pushpin), directory_of(pushpin)
    os.kill(next(p.pid for p in family if p.name() == "pushpin"), signal.SIGKILL)
    assert pushpin._process is not None
    assert pushpin._process.wait(timeout=PATIENCE) == 1
    assert "CommandError: Pushpin has ended by itself, with exit code 137:\n" in pushpin.log_text()
    wait_gone(family)
    assert not directory.exists()


@pytest.mark.needs("pushpin")
def test_two_of_them_do_not_meet(setup: Setup, make_project: Callable[..., Project], make_port: Any) -> None:
    other = Setup(make_project(), make_port)
    setup.serve()
    setup.start()
    other.start()
    with setup.client() as one, other.client() as two:
        assert one.get("/whoami/").status_code == 200
        # Nobody is behind it.
        assert two.get("/whoami/").status_code == 502


@pytest.mark.needs("pushpin")
@pytest.mark.parametrize(
    ("which", "text"),
    [
        ("port", "CommandError: 127.0.0.1:{} is in use already, perhaps by a Pushpin that runs as a service"),
        ("control", "CommandError: 127.0.0.1:{}, the control port of GRIP_PROXIES, is in use, perhaps by a Pushpin"),
    ],
)
def test_a_port_that_is_taken_is_told(setup: Setup, conf: Path, which: str, text: str) -> None:
    port = getattr(setup, which)
    # Where its own directory would be, and is gone.
    conf.mkdir()
    with socket.create_server(("127.0.0.1", port)):
        done = setup.project.run("pushpin", str(setup.port), env={"TMPDIR": str(conf)})
    assert (done.returncode, done.stdout) == (1, "")
    assert list(conf.iterdir()) == []
    assert done.stderr.startswith(text.format(port))
    assert "Traceback" not in done.stderr


def test_where_there_is_no_pushpin_a_sentence_says_how_to_get_it(setup: Setup, tmp_path: Path) -> None:
    done = setup.project.run("pushpin", env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "CommandError: Pushpin is not installed: on Debian and Ubuntu, apt-get install pushpin; on a Mac, brew install "
        "pushpin; elsewhere see https://pushpin.org/docs/install/.\n"
    )


def test_without_a_proxy_it_says_what_to_write(make_project: Callable[..., Project], conf: Path) -> None:
    project = make_project()
    done = project.run("pushpin")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "CommandError: GRIP_PROXIES names no proxy. Write into the settings:"
    # What it says is what it takes.
    project.add_settings("\n".join(line.strip() for line in lines[2:4]))
    assert project.run("pushpin", "--print-config", str(conf)).returncode == 0


@pytest.mark.parametrize(
    ("proxies", "options", "text"),
    [
        ("[{'control_uri': 'https://api.fastly.com/service/x', 'key': 't'}]", [], "GRIP_PROXIES is for Fastly Fanout"),
        ("[{'control_uri': 'ftp://x'}]", [], "GRIP_PROXIES cannot be used: the control URI must begin with http://"),
        ("[{'control_uri': 'http://127.0.0.1:5561'}]", ["--target", "x"], "'x' is not where an application listens"),
        ("[{'control_uri': 'http://127.0.0.1:5561'}]", ["example.com:80"], "'example.com:80' is not a port, nor an IP"),
        ("[{'control_uri': 'http://127.0.0.1:5561'}]", ["--proxy", "3"], "GRIP_PROXIES has 1 proxies"),
        ("[{'control_uri': 'http://127.0.0.1:5561'}]", ["--pushpin-version", "new"], "'new' is no version of Pushpin"),
        (
            "[{'control_uri': 'http://127.0.0.1:5561'}]",
            ["--sig-key", "/nowhere"],
            "/nowhere: No such file or directory",
        ),
    ],
)
@pytest.mark.needs("crypto")
def test_what_cannot_be_is_told_in_a_sentence(
    make_project: Callable[..., Project], conf: Path, proxies: str, options: list[str], text: str
) -> None:
    project = make_project(settings=f"GRIP_PROXIES = {proxies}")
    done = project.run("pushpin", "--print-config", str(conf), *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"CommandError: {text}")
    assert len(done.stderr.splitlines()) == 1


def test_a_configuration_for_production_is_written_and_the_same_again(setup: Setup, conf: Path) -> None:
    write = ["pushpin", "0.0.0.0:80", "--print-config", str(conf), "--pushpin-version", "1.41"]
    done = setup.project.run(*write, "--target", "10.0.0.9:8000")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"The configuration is in {conf}, for Pushpin 1.41. It holds a key: only you can read it.\n"
        "Run it as the same user, from a service that starts it again:\n\n"
        f"    pushpin --config={conf}/pushpin.conf\n\n"
        "It takes clients at http://0.0.0.0:80/ and hands them to http://10.0.0.9:8000/.\n"
    )
    texts = {file.name: file.read_text() for file in conf.iterdir() if file.is_file()}
    assert sorted(texts) == ["pushpin.conf", "routes"]
    assert "services=connmgr,proxy,handler\n" in texts["pushpin.conf"]
    # Not even under DEBUG.
    assert "debug=false\n" in texts["pushpin.conf"]
    assert "http_port=0.0.0.0:80\n" in texts["pushpin.conf"]
    assert stat.S_IMODE(conf.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in conf.iterdir()} == {0o600, 0o700}
    setup.project.run(*write, "--target", "10.0.0.9:8000")
    assert {file.name: file.read_text() for file in conf.iterdir() if file.is_file()} == texts


def test_a_directory_that_others_may_write_to_gets_no_key(setup: Setup, conf: Path) -> None:
    conf.mkdir()
    conf.chmod(0o777)
    done = setup.project.run("pushpin", "--print-config", str(conf))
    assert done.returncode == 1
    assert "is not for keys: it has to be yours, and nobody else may write to it (chmod 700)." in done.stderr
    assert list(conf.iterdir()) == []


def test_somebody_s_link_in_the_directory_is_not_followed(setup: Setup, conf: Path) -> None:
    victim = conf.parent / "victim"
    victim.write_text("as it was")
    conf.mkdir(mode=0o700)
    (conf / "pushpin.conf").symlink_to(victim)
    assert setup.project.run("pushpin", "--print-config", str(conf)).returncode == 0
    assert victim.read_text() == "as it was"
    assert not (conf / "pushpin.conf").is_symlink()


def test_what_is_risky_is_said(make_project: Callable[..., Project], conf: Path) -> None:
    project = make_project(settings="GRIP_PROXIES = [{'control_uri': 'http://10.0.0.5:5561'}]")
    done = project.run("pushpin", "--print-config", str(conf), "--proxy", "0")
    assert done.returncode == 0
    assert done.stderr == (
        "Pushpin does not sign, as GRIP_PROXIES has no key: whoever reaches Django may say to be it.\n"
        "Whoever reaches 10.0.0.5:5561 can publish anything: let a firewall keep others off.\n"
    )


@pytest.mark.needs("pushpin")
def test_what_was_written_for_production_runs(setup: Setup, conf: Path, tmp_path: Path) -> None:
    setup.serve()
    setup.project.run("pushpin", str(setup.port), "--target", str(setup.target), "--print-config", str(conf))
    pushpin = RigProcess("pushpin", ["pushpin", f"--config={conf}/pushpin.conf"], log=tmp_path / "pushpin.log")
    pushpin.start()
    try:
        with setup.client() as client:

            def answers() -> bool:
                pushpin.check_alive()
                try:
                    return client.get("/whoami/").json()["signed"] is True
                except httpx.TransportError:
                    return False

            wait_until(answers, "Pushpin hands on a request")
    finally:
        pushpin.close()


@pytest.mark.needs("pushpin")
def test_a_link_s_token_is_not_shown(setup: Setup) -> None:
    setup.serve()
    pushpin = setup.start()
    with setup.client() as client:
        client.get("/log/.grip/a.signed.token/")
    log = said(pushpin, "/log/.grip/")
    assert "/log/.grip/.../" in log
    assert "signed.token" not in log


@pytest.mark.needs("pushpin")
def test_it_takes_ipv6_clients(setup: Setup) -> None:
    pushpin = setup.project.start("pushpin", f"[::1]:{setup.port}", "--target", str(setup.target), until=READY)
    assert f"takes clients at http://[::1]:{setup.port}/\n" in pushpin.log_text()
    assert httpx.get(f"http://[::1]:{setup.port}/", trust_env=False, timeout=PATIENCE).status_code == 502
    assert interrupt(pushpin) == 0
