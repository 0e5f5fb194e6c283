"""An example as its demo runs it: `manage.py runserver`, alone or behind Pushpin."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import httpx

from tests.e2e.clients import http_client
from tests.e2e.ports import PortLease
from tests.e2e.processes import RigProcess
from tests.e2e.pushpin import Pushpin
from tests.e2e.servers import ROOT
from tests.e2e.waiting import wait_until


class RunningExample:
    """An example on one engine, with a database of its own.

    engine: "embedded" or "pushpin".

    name: the example's directory. database_variable: the environment variable that names its database. preparations:
    what its `manage.py` does before it is served. tables: what `wipe` makes as it was at first; those that others refer
    to come last.
    """

    name: ClassVar[str]
    database_variable: ClassVar[str]
    preparations: ClassVar[list[list[str]]] = [["migrate", "--verbosity", "0"]]
    tables: ClassVar[list[str]]

    def __init__(self, engine: str) -> None:
        self._lease = PortLease()
        self._directory = Path(tempfile.mkdtemp(prefix=f"grip-{self.name}-"))
        self._pushpin = Pushpin(self._lease.port) if engine == "pushpin" else None
        command = [sys.executable, str(ROOT / "examples" / self.name / "manage.py")]
        server = [*command, "runserver", "--noreload", f"127.0.0.1:{self._lease.port}"]
        env = self._environment()
        self._app = RigProcess("runserver", server, log=self._directory / "log", env=env)
        for preparation in self.preparations:
            subprocess.run([*command, *preparation], env=env, check=True, timeout=60)
        with closing(sqlite3.connect(self._database)) as database:
            database.execute("VACUUM INTO ?", [str(self._directory / "fresh.sqlite3")])

    @property
    def url(self) -> str:
        """Where a browser goes."""
        return self._pushpin.url if self._pushpin else f"http://127.0.0.1:{self._lease.port}"

    @property
    def direct_url(self) -> str:
        """Django itself; where that is its own proxy, the same as `url`."""
        return f"http://127.0.0.1:{self._lease.port}"

    def start(self) -> None:
        if self._pushpin:
            self._pushpin.start()
        self.start_django()

    def wipe(self) -> None:
        """Make its data what they were at first. No window shows them now."""
        with closing(sqlite3.connect(self._database, timeout=20)) as database:
            database.execute("ATTACH ? AS fresh", [str(self._directory / "fresh.sqlite3")])
            with database:
                for table in self.tables:
                    database.execute(f"DELETE FROM {table}")
                    database.execute(f"INSERT INTO {table} SELECT * FROM fresh.{table}")

    def stop(self) -> None:
        """End what holds the connections, and Django with it."""
        self.stop_django()
        if self._pushpin:
            self._pushpin.stop()

    def kill(self) -> None:
        """``kill -9`` all of it: nobody is told anything."""
        self._app.kill()
        if self._pushpin:
            self._pushpin.kill()

    def start_django(self) -> None:
        self._app.start()
        wait_until(self._answers, f"{self.name} answers")

    def stop_django(self) -> None:
        self._app.stop()

    def log_text(self) -> str:
        return self._app.log_text()

    def close(self) -> None:
        self._app.close()
        if self._pushpin:
            self._pushpin.close()
        self._lease.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _database(self) -> Path:
        return self._directory / "db.sqlite3"

    def _answers(self) -> bool:
        self._app.check_alive()
        with http_client(self.url, timeout=10) as client:
            try:
                return client.get("/").status_code == 200
            except httpx.TransportError:
                return False

    def _environment(self) -> dict[str, str]:
        environment = {
            "DJANGO_SETTINGS_MODULE": "settings",
            self.database_variable: str(self._database),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        if self._pushpin:
            environment |= {"PUSHPIN_CONTROL_URI": self._pushpin.control_url, "PUSHPIN_KEY": self._pushpin.sig_key}
        return environment
