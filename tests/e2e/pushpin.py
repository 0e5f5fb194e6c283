"""A Pushpin of one's own: private configuration, private directory, free loopback ports (GRIP.md, 7)."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from django_grip.protocol.keys import load_key
from django_grip.pushpin import ControlPort, PushpinConfig, ZmqSpecs
from django_grip.pushpin_process import find_version, write_config
from tests.needs import NEEDS, require

from .clients import http_client
from .ports import PortLease, accepts
from .processes import RigProcess
from .waiting import growing, wait_until

# HS256 wants 32 bytes.
SIG_KEY = "rig-key-that-is-long-enough-for-hs256-0123456789"

# The host name that leads to Pushpin's own test responder: an origin that needs no application, to see whether a
# started Pushpin holds and feeds.
PROBE_HOST = "rig-probe.invalid"


class Pushpin:
    """Pushpin, and for 1.36 its zurl, before one application on this machine.

    ``debug`` is on: what is wrong with an instruction stands in the 502's text.

    Args:
        target_port: where the application listens.
        sig_key: what ``Grip-Sig`` is signed with, as in ``pushpin.conf``.
        sig_iss: the issuer it names.
        routes: lines of the routes file in place of the usual ``* 127.0.0.1:PORT,over_http``.
        config: further settings of ``pushpin.conf`` as ``{section: {name: value}}``.
        http_port: where clients are taken, if that port is free.
    """

    def __init__(
        self,
        target_port: int,
        *,
        sig_key: str = SIG_KEY,
        sig_iss: str = "pushpin",
        routes: list[str] | None = None,
        config: Mapping[str, Mapping[str, str]] | None = None,
        http_port: int | None = None,
    ) -> None:
        self.sig_key = sig_key
        self.sig_iss = sig_iss
        self._leases = {name: PortLease() for name in ("control", "push", "sub", "command")}
        self._leases["http"] = PortLease(http_port)
        # Not pytest's own directory: a unix socket's path has room for some hundred characters only.
        self.directory = Path(tempfile.mkdtemp(prefix="grip-pushpin-"))
        self._write_config(routes or [f"* 127.0.0.1:{target_port},over_http"], config or {})
        # In the order in which they start; they end the other way round. The last is Pushpin itself.
        self._processes = self._make_processes()
        self._subscriptions = SubscriptionWatch(f"ipc://{self.directory}/stats") if NEEDS["zmq"].is_there() else None

    def port(self, name: str) -> int:
        """The port of ``http``, ``control``, ``push`` (ZeroMQ PULL), ``sub`` (ZeroMQ SUB) or ``command`` (REP)."""
        return self._leases[name].port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port('http')}"

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.port('control')}"

    @property
    def control_zmq_url(self) -> str:
        """What ``control_zmq_uri`` takes: the command socket, which tells where the others are."""
        return f"tcp://127.0.0.1:{self.port('command')}"

    def start(self) -> None:
        """Start, and wait until a stream was held and fed."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting."""
        if self._subscriptions is not None:
            self._subscriptions.forget()
        for process in self._processes:
            process.start()

    def wait_ready(self) -> None:
        wait_until(self._ports_accept, "Pushpin listens")
        # Short at first: what was asked of a Pushpin that is only half there is never answered, and is asked again.
        seconds = growing(1)
        wait_until(lambda: self._probe_passes(next(seconds)), "Pushpin holds a stream")

    def stop(self) -> None:
        """End in order; clients lose their connections."""
        for process in reversed(self._processes):
            process.stop()

    def kill(self) -> None:
        """``kill -9`` every process."""
        for process in reversed(self._processes):
            process.kill()

    def restart(self) -> None:
        """Stop and start again on the same ports."""
        self.stop()
        self.start()

    def is_alive(self) -> bool:
        return all(process.is_alive() for process in self._processes)

    def log_text(self) -> str:
        return self._processes[-1].log_text()

    def requests_begun(self, part: str) -> int:
        """How often the application was, or was to be, asked for a URI with this part in it."""
        # zurl's log has a line with IN for each request.
        return sum(" IN " in line and part in line for line in self._processes[0].log_text().splitlines())

    def subscribers(self, mode: str) -> Mapping[str, int]:
        """How many subscribers each channel has, of those that ever had one.

        A client that has its first bytes may not be subscribed yet: the instruction and the bytes part ways in Pushpin.

        Args:
            mode: ``"ws"``, ``"stream"`` or ``"response"`` (where Pushpin keeps a subscription for a minute after).
        """
        if self._subscriptions is None:
            require("zmq")
        assert self._subscriptions is not None
        return {channel: count for (of, channel), count in self._subscriptions.read().items() if of == mode}

    def wait_subscribed(self, channel: str, *, mode: str, count: int = 1) -> None:
        """Wait until a channel has so many subscribers (0: none is left)."""
        wait_until(
            lambda: self.subscribers(mode).get(channel, 0) == count,
            f"{channel!r} has {count} {mode} subscriber(s)",
        )

    def publish(self, *items: Mapping[str, Any]) -> None:
        """Post items to the control port, as raw as they come."""
        with http_client() as client:
            answer = client.post(f"{self.control_url}/publish/", json={"items": list(items)})
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        """End for good and leave nothing behind."""
        if self._subscriptions is not None:
            self._subscriptions.close()
        for process in reversed(self._processes):
            process.close()
        for lease in self._leases.values():
            lease.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _make_processes(self) -> list[RigProcess]:
        config = f"--config={self.directory / 'pushpin.conf'}"
        return [self._process("pushpin", "pushpin", config, "--merge-output")]

    def _process(self, name: str, *command: str) -> RigProcess:
        return RigProcess(name, command, log=self.directory / f"{name}.log")

    def _ports_accept(self) -> bool:
        for process in self._processes:
            process.check_alive()
        return accepts(self.port("http")) and accepts(self.port("control"))

    def _probe_passes(self, seconds: float) -> bool:
        """Hold a stream on Pushpin's test responder, feed it, and leave: every process has to be there for that.

        Args:
            seconds: how long each step may take.
        """
        channel = f"rig-probe-{uuid.uuid4().hex}"
        item = {"channel": channel, "formats": {"http-stream": {"content": "fed\n"}}}
        with contextlib.suppress(httpx.TransportError), http_client(timeout=seconds) as client:
            request = {"params": {"channel": channel}, "headers": {"Host": PROBE_HOST}}
            with client.stream("GET", f"{self.url}/stream", **request) as response:
                lines = response.iter_lines()
                if response.status_code != 200 or next(lines, "") != "[stream opened]":
                    return False
                client.post(f"{self.control_url}/publish/", json={"items": [item]})
                if next(lines, "") != "fed" or not self._sees(channel, 1, seconds):
                    return False
            # A Pushpin that has just started loses what condure first tells the handler, and at condure's next word
            # ends a hold as "out of sequence". The client's end is such a word: it has to be heard.
            return self._sees(channel, 0, seconds)
        return False

    def _sees(self, channel: str, count: int, seconds: float) -> bool:
        """Tell whether so many subscribers are counted; what happens before the counting is connected is never told."""
        return self._subscriptions is None or self._subscriptions.waits_for("stream", channel, count, seconds=seconds)

    def _write_config(self, routes: list[str], config: Mapping[str, Mapping[str, str]]) -> None:
        """Write what ``manage.py pushpin`` would write, with ports of our own and everything told."""
        changes: dict[str, dict[str, str]] = {
            "handler": {
                "stats_spec": f"ipc://{self.directory}/stats",
                "stats_format": "json",
                "message_rate": "1000000",
            },
        }
        for section, values in config.items():
            changes.setdefault(section, {}).update(values)
        write_config(
            PushpinConfig(
                directory=str(self.directory),
                version=self._version(),
                listen=f"127.0.0.1:{self.port('http')}",
                control=ControlPort("127.0.0.1", self.port("control")),
                zmq=ZmqSpecs(*(f"tcp://127.0.0.1:{self.port(name)}" for name in ("push", "sub", "command"))),
                sig_key=load_key(self.sig_key),
                sig_iss=self.sig_iss,
                debug=True,
                log_requests=True,
                routes=(f"{PROBE_HOST} test", *routes),
                changes=changes,
            )
        )

    def _version(self) -> tuple[int, int]:
        return find_version()


class SubscriptionWatch:
    """Pushpin's own count of subscribers by mode and channel, from its stats socket."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._socket = self._connect()
        self._counts: dict[tuple[str, str], int] = {}

    def _connect(self) -> Any:
        import zmq

        socket = zmq.Context.instance().socket(zmq.SUB)
        socket.set(zmq.RCVHWM, 0)
        socket.connect(self._spec)
        socket.subscribe(b"sub ")
        return socket

    def forget(self) -> None:
        """Begin anew, with a Pushpin that has nobody."""
        # What the one before has told may still be on its way to the old socket.
        self.close()
        self._socket = self._connect()
        self._counts.clear()

    def waits_for(self, mode: str, channel: str, count: int, *, seconds: float) -> bool:
        """Tell whether so many subscribers are counted within so long."""
        deadline = time.monotonic() + seconds
        while self.read().get((mode, channel), 0) != count:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._socket.poll(int(remaining * 1000)):
                return False
        return True

    def read(self) -> Mapping[tuple[str, str], int]:
        """Take in what was told since, without waiting."""
        import zmq

        with contextlib.suppress(zmq.Again):
            while True:
                packet = self._socket.recv(zmq.NOBLOCK).removeprefix(b"sub J")
                told = json.loads(packet)
                gone = told.get("unavailable", False)
                self._counts[told["mode"], told["channel"]] = 0 if gone else told.get("subscribers", 1)
        return self._counts

    def close(self) -> None:
        self._socket.close(linger=0)
