"""The rig itself: a plain Django project that writes GRIP by hand, held and fed by a real proxy."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from .clients import receive
from .engines import ENDS_TOGETHER
from .plain import PLAIN_SITE
from .pushpin_site import PushpinSite
from .servers import ROOT
from .sites import Site
from .waiting import wait_until

pytestmark = PLAIN_SITE


def test_a_stream_is_held_and_fed_through_the_control_port(site: Site, channel: str) -> None:
    with site.stream(f"/stream/{channel}/") as stream:
        assert stream.read_until("[open]\n") == b"[open]\n"
        assert "Grip-Hold" not in stream.headers
        site.wait_subscribed(channel, mode="stream")
        site.publish_stream(channel, "one\n")
        site.publish_stream(channel, "two\n")
        assert stream.read_until("two\n") == b"one\ntwo\n"


def test_a_websocket_echoes_and_hears_what_is_published(site: Site, channel: str) -> None:
    with site.ws(f"/echo/{channel}/") as ws:
        ws.send("hello")
        assert receive(ws) == "hello"
        ws.send(b"\x00\xff")
        assert receive(ws) == b"\x00\xff"
        site.wait_subscribed(channel, mode="ws")
        site.publish_ws(channel, "news")
        assert receive(ws) == "news"
        ws.close(4000, "enough")
    assert (ws.close_code, ws.close_reason) == (4000, "enough")
    site.wait_subscribed(channel, mode="ws", count=0)


def test_subscribers_are_counted(site: Site, channel: str) -> None:
    with site.ws(f"/echo/{channel}/"), site.ws(f"/echo/{channel}/"):
        site.wait_subscribed(channel, mode="ws", count=2)
    site.wait_subscribed(channel, mode="ws", count=0)


def test_a_direct_client_gets_the_instructions_themselves(site: Site, channel: str) -> None:
    answer = site.direct.get(f"/stream/{channel}/")
    assert answer.headers["Grip-Channel"] == channel


def test_an_instruction_that_does_not_parse_is_a_502_with_the_reason(site: Site, channel: str) -> None:
    answer = site.http.get(f"/stream/{channel}/", params={"hold": "for ever"})
    assert answer.status_code == 502
    assert "Grip-Hold" in site.reason_of(answer)


@pytest.mark.pushpin_only(ENDS_TOGETHER)
def test_held_clients_outlive_a_restart_of_the_application(own_site: Site, channel: str) -> None:
    with (
        own_site.stream(f"/stream/{channel}/") as stream,
        own_site.ws(f"/echo/{channel}/") as ws,
    ):
        stream.read_until("[open]\n")
        own_site.wait_subscribed(channel, mode="stream")
        own_site.wait_subscribed(channel, mode="ws")
        own_site.app.stop()
        own_site.publish_stream(channel, "while it is down\n")
        assert stream.read_until("down\n") == b"while it is down\n"
        own_site.app.start()
        ws.send("still there?")
        assert receive(ws) == "still there?"


def test_a_killed_application_comes_back_on_its_port(own_site: Site) -> None:
    port = own_site.app.port
    own_site.app.kill()
    assert not own_site.answers()
    own_site.app.start()
    assert own_site.app.port == port
    own_site.wait_answers()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_proxy_comes_back_on_its_ports(own_site: Site, channel: str, end: str) -> None:
    url, control_url = own_site.url, own_site.control_url
    with own_site.stream(f"/stream/{channel}/") as stream, own_site.ws(f"/echo/{channel}/") as ws:
        stream.read_until("[open]\n")
        getattr(own_site.proxy, end)()
        assert stream.read_to_end() == b""
        with pytest.raises(ConnectionClosed):
            receive(ws)
    own_site.start_proxy()
    assert (own_site.url, own_site.control_url) == (url, control_url)
    with own_site.stream(f"/stream/{channel}/") as stream:
        stream.read_until("[open]\n")
        own_site.wait_subscribed(channel, mode="stream")
        own_site.publish_stream(channel, "again\n")
        assert stream.read_until("again\n") == b"again\n"


def test_nothing_is_left_of_a_closed_site(make_site: Callable[..., Site]) -> None:
    site = make_site()
    directories = site.directories
    processes = [p for p in psutil.Process().children(recursive=True) if names_any(p, directories)]
    assert len(processes) >= len(directories)
    site.close()
    assert not [p for p in processes if p.is_running()]
    assert not [d for d in directories if os.path.lexists(d)]


def names_any(process: psutil.Process, directories: list[Path]) -> bool:
    """Tell whether one of the directories stands in a process's command or environment."""
    # What other tests have left running may end at any time.
    with contextlib.suppress(psutil.Error):
        return any(str(d) in " ".join([*process.cmdline(), *process.environ().values()]) for d in directories)
    return False


@pytest.mark.pushpin_only("an embedded proxy signs with a key that it makes itself")
@pytest.mark.site(pushpin={"sig_key": "base64:" + "QUJD" * 11, "sig_iss": "somebody"})
def test_key_and_issuer_of_the_proxy_are_the_test_s_to_choose(site: PushpinSite) -> None:
    assert site.pushpin.sig_iss == "somebody"
    config = (site.pushpin.directory / "pushpin.conf").read_text()
    assert "sig_key=base64:QUJD" in config


def test_two_sites_at_once_do_not_meet(make_site: Callable[..., Site], channel: str) -> None:
    one, two = (make_site(wsgi=server) for server in ("gunicorn", "gunicorn-threads"))
    with one.stream(f"/stream/{channel}/") as first, two.stream(f"/stream/{channel}/") as second:
        for site, stream in ((one, first), (two, second)):
            stream.read_until("[open]\n")
            site.wait_subscribed(channel, mode="stream")
        one.publish_stream(channel, "for one\n")
        two.publish_stream(channel, "for two\n")
        assert first.read_until("\n") == b"for one\n"
        assert second.read_until("\n") == b"for two\n"


def test_the_rig_listens_on_loopback_only(site: Site) -> None:
    pids = {p.pid for p in psutil.Process(os.getpid()).children(recursive=True)}
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid in pids]
    assert listening
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_a_test_process_that_is_killed_leaves_nothing_running(tmp_path) -> None:
    starter = (
        "import sys, pathlib; from tests.e2e.processes import RigProcess;"
        "p = RigProcess('sleeper', ['sleep', '600'], log=pathlib.Path(sys.argv[1])); p.start();"
        "print(p.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", starter, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        sleeper = psutil.Process(int(process.stdout.readline()))
        assert sleeper.is_running()
        process.kill()
    wait_until(lambda: not sleeper.is_running() or sleeper.status() == psutil.STATUS_ZOMBIE, "the orphan was ended")
