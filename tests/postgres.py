"""A PostgreSQL of the tests' own: a cluster and its socket in a temporary directory, ended with the test process."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from .e2e.processes import RigProcess
from .e2e.waiting import wait_until

_USER = "grip"
# Debian's package makes the first; anybody will do who is not root.
_SYSTEM_USERS = ("postgres", "nobody")
# Nothing of this is to survive.
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=60")


class Postgres:
    """One server, with as many databases as one likes."""

    def __init__(self) -> None:
        self._programs = find_programs()
        self._numbers = itertools.count()
        # In /tmp itself: the path of a socket has 107 bytes at most, and another user has to get there.
        self.directory = Path(tempfile.mkdtemp(prefix="grip-postgres-", dir="/tmp"))
        # PostgreSQL refuses to be run by root.
        self._account = _find_account() if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        data = self.directory / "data"
        self._run("initdb", "--pgdata", str(data), "--username", _USER, "--auth", "trust", "--no-sync", "-E", "UTF8")
        options = itertools.chain(*(("-c", option) for option in (*_FAST, "listen_addresses=")))
        command = self._command("postgres", "-D", str(data), "-k", str(self.directory), *options)
        self._process = RigProcess("postgresql", command, log=self.directory / "log")
        self._process.start()
        wait_until(self._answers, "PostgreSQL takes connections")

    def entry(self, name: str) -> dict[str, Any]:
        """What stands in DATABASES for one of its databases."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": _USER,
            "HOST": str(self.directory),
            "PORT": "5432",
        }

    def create_database(self, template: str = "template1") -> str:
        """Make a database, a copy of another one that nobody is connected to. Its name."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        if self._process.is_alive():
            # "Fast": without waiting for the connections that are open.
            os.kill(self._process.pid, signal.SIGINT)
        self._process.close()
        shutil.rmtree(self.directory)

    def _answers(self) -> bool:
        self._process.check_alive()
        with contextlib.suppress(psycopg.OperationalError):
            self._execute("SELECT 1")
            return True
        return False

    def _execute(self, statement: str) -> None:
        where = {"host": str(self.directory), "port": 5432, "user": _USER, "dbname": "postgres"}
        with psycopg.connect(**where, autocommit=True, connect_timeout=20) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(self._command(program, *arguments), capture_output=True, text=True, cwd="/", timeout=120)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def _command(self, program: str, *arguments: str) -> list[str]:
        command = [str(self._programs / program), *arguments]
        if self._account is None:
            return command
        user, group = str(self._account.pw_uid), str(self._account.pw_gid)
        return ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", *command]


def find_programs() -> Path:
    """Where the server's programs are: those of the newest version that Debian has installed, or on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path or "initdb").resolve().parent


def _find_account() -> pwd.struct_passwd:
    for name in _SYSTEM_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError(f"PostgreSQL needs one of the users {', '.join(_SYSTEM_USERS)}")
