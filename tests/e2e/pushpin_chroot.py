"""A newer Pushpin than this machine has, in a directory of its own that ``make pushpin-1.41`` has filled.

There is one way to see gone links, ``refresh`` and ``Content-Bytes-Accepted`` live, and this is it.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .processes import RigProcess
from .pushpin import Pushpin

REPOSITORY = Path(__file__).parents[2]

# The root of a Debian with Pushpin 1.41 in it.
ROOT = Path(os.environ.get("GRIP_TEST_PUSHPIN_ROOT") or REPOSITORY / "var" / "pushpin-1.41")


def is_there() -> bool:
    """Tell whether it can be run: the directory is complete, and we are who may change into it."""
    return (ROOT / "usr" / "bin" / "pushpin").exists() and os.geteuid() == 0


@functools.cache
def read_version() -> tuple[int, int]:
    """The version of the Pushpin that is there."""
    command = ["chroot", str(ROOT), "pushpin", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    major, minor = told.split()[-1].split(".")[:2]
    return int(major), int(minor)


class ChrootPushpin(Pushpin):
    """Pushpin 1.41 and later: it sends its requests itself, without zurl.

    Its directory has the same path inside of the root and, by a symbolic link, outside of it.
    """

    def _write_config(self, routes: list[str], config: Mapping[str, Mapping[str, str]]) -> None:
        self.directory.rmdir()
        inside = ROOT / self.directory.relative_to("/")
        inside.mkdir(parents=True, mode=0o700)
        self.directory.symlink_to(inside)
        super()._write_config(routes, config)

    def _version(self) -> tuple[int, int]:
        return read_version()

    def _make_processes(self) -> list[RigProcess]:
        config = f"--config={self.directory / 'pushpin.conf'}"
        return [self._process("pushpin", "chroot", str(ROOT), "pushpin", config, "--merge-output")]

    def requests_begun(self, part: str) -> int:
        # Told once a request has ended.
        return self.log_text().count(part)

    def close(self) -> None:
        inside = self.directory.resolve()
        super().close()
        self.directory.unlink(missing_ok=True)
        shutil.rmtree(inside, ignore_errors=True)
