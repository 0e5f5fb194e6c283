"""What a test and the views share behind the scenes: journals and gates (``project/journal.py``, ``gates.py``)."""

from __future__ import annotations

import json
from typing import Any

from .sites import Site
from .waiting import wait_until


class Backstage:
    """The shared files of a site that belong to one name, usually a test's channel."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name

    def notes(self) -> list[Any]:
        """What the views wrote into the journal of this name."""
        file = self.site.app.directory / f"journal-{self.name}"
        if not file.exists():
            return []
        # The last line may be half there.
        return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait_notes(self, *wanted: Any) -> None:
        """Wait until the journal has each of these at least once."""
        wait_until(lambda: all(note in self.notes() for note in wanted), f"the views of {self.name} noted {wanted!r}")

    def wait_any(self, first: Any) -> None:
        """Wait until the journal has a note that begins with this."""
        wait_until(
            lambda: any(note[0] == first for note in self.notes()), f"the views of {self.name} noted any {first!r}"
        )

    def wait_count(self, note: Any, count: int) -> None:
        """Wait until the journal has a note so often, or oftener."""
        wait_until(lambda: self.notes().count(note) >= count, f"the views of {self.name} noted {count} times {note!r}")

    def open_gate(self) -> None:
        """Let the views that stop at the gate of this name go on."""
        (self.site.app.directory / f"gate-{self.name}").touch()
