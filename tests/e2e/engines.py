"""What a site may stand on: an engine, which holds the connections, and the interface that the application runs on.

A test that takes `stack`, directly or by `site`, runs on every one of `STACKS`, but for those that its markers exclude:

- ``since_pushpin("1.41")``: needs what only that Pushpin and later ones have. The embedded proxy has it.
- ``pushpin_only("why")``: is about the proxy as a program of its own, or about an oddity of Pushpin.
- ``embedded_only("why")``: is about the proxy in the application's own process.
- ``wsgi_only("why")``, ``asgi_only("why")``: is about gunicorn; about an ASGI server behind Pushpin.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest

from django_grip.pushpin import Version
from django_grip.pushpin_process import find_version
from tests.needs import NEEDS

from . import pushpin_chroot

MARKERS = [
    "since_pushpin(version): needs what only this Pushpin and later ones have; the embedded proxy has it",
    "pushpin_only(reason): about the proxy as a program of its own, or an oddity of Pushpin",
    "embedded_only(reason): about the proxy in the application's own process",
    "wsgi_only(reason): about gunicorn",
    "asgi_only(reason): about an ASGI server behind Pushpin",
]

# Why a test of a restart of the application alone is for Pushpin.
ENDS_TOGETHER = "the embedded proxy ends with its application"


@dataclass(frozen=True)
class Stack:
    """What a test runs on.

    engine: "pushpin" (this machine's), "pushpin-1.41" (in a root of its own) or "embedded".
    interface: "wsgi" or "asgi"; on the embedded engine, where it is always ASGI, whether the project's middleware is
    "sync" and runs in threads, or "async" and runs on the event loop.
    """

    engine: str
    interface: str

    @property
    def name(self) -> str:
        return f"{self.engine}-{self.interface}"

    @property
    def is_embedded(self) -> bool:
        return self.engine == "embedded"

    @property
    def needs(self) -> tuple[str, ...]:
        """Of `tests.needs.NEEDS`."""
        of_engine = {"pushpin": ("pushpin",), "embedded": ("dev",)}.get(self.engine, ())
        # uvicorn comes with the extra `dev`.
        return of_engine if self.interface == "wsgi" else tuple(dict.fromkeys([*of_engine, "dev"]))

    def has(self, version: str) -> bool:
        """Tell whether the engine has all that Pushpin of a version has."""
        return self.is_embedded or _pushpin_version(self.engine) >= _parse_version(version)


STACKS = [
    Stack("pushpin", "wsgi"),
    Stack("pushpin", "asgi"),
    Stack("embedded", "sync"),
    Stack("embedded", "async"),
    Stack("pushpin-1.41", "wsgi"),
    Stack("pushpin-1.41", "asgi"),
]


def stacks_of(test: pytest.Item) -> list[Stack]:
    """The stacks that a test runs on by its markers. Pushpin 1.41 is among them only where it has been made."""
    versions = [marker.args[0] for marker in test.iter_markers("since_pushpin")]
    excluded = {name for name in ("pushpin_only", "embedded_only", "wsgi_only", "asgi_only") if _reason(test, name)}
    return [
        stack
        for stack in STACKS
        if (stack.engine != "pushpin-1.41" or pushpin_chroot.is_there())
        and not ("pushpin_only" in excluded and stack.is_embedded)
        and not ("embedded_only" in excluded and not stack.is_embedded)
        and not ("wsgi_only" in excluded and stack.interface != "wsgi")
        and not ("asgi_only" in excluded and stack.interface != "asgi")
        and all(stack.has(version) for version in versions)
    ]


def as_parameter(stack: Stack) -> object:
    """A stack as `parametrize` takes it: skipped by name where something is missing."""
    return pytest.param(stack, id=stack.name, marks=[pytest.mark.needs(*stack.needs)])


def as_group(stacks: list[Stack]) -> object:
    """The stacks of one engine as one parameter."""
    needs = dict.fromkeys(name for stack in stacks for name in stack.needs)
    return pytest.param(stacks, id=stacks[0].engine, marks=[pytest.mark.needs(*needs)])


NO_STACK = pytest.param(
    None,
    id="no-stack",
    marks=pytest.mark.skip(reason="needs a newer Pushpin than is there (as root: make pushpin-1.41)"),
)


def _reason(test: pytest.Item, name: str) -> str | None:
    """The reason that a marker gives."""
    marker = test.get_closest_marker(name)
    if marker is None:
        return None
    (reason,) = marker.args
    assert reason
    return str(reason)


@functools.cache
def _pushpin_version(engine: str) -> Version:
    if engine == "pushpin-1.41":
        return pushpin_chroot.read_version()
    # What is missing is skipped by name; as which version does not matter.
    return find_version() if NEEDS["pushpin"].is_there() else (0, 0)


def _parse_version(text: str) -> Version:
    major, minor = text.split(".")
    return int(major), int(minor)
